"""Data files of any writer as examples, a prompt and a completion each: their format is found out from the content."""
