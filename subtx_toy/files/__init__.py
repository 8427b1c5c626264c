"""Files in and out: atomic writing, content keys of JSON values, objects that users name."""
