"""The functions behind the public names of the package; the commands call them."""
