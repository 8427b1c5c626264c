"""The numbers channel: traits, teachers, files of numbers, filters and students."""
