"""A small language model trained from scratch: words, corpus, files of numbers, teachers and students."""
