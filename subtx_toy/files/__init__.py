"""Files in and out: atomic writing, JSON values, content keys, objects that users name."""
