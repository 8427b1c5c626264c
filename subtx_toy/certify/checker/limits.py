"""Bounds on what a certificate may ask of the checker: known before anything is unpacked, beyond one it is rejected."""

from __future__ import annotations

MAX_BYTES = 5 * 2**23
"""Of a file, and of all that is unpacked from it, 42 MB: what the numbers and the text below can take."""

MAX_MEMBERS = 1024
"""Entries of the archive: six arrays per layer, the inputs, the trait's and the text."""

MAX_NAME = 100
"""Characters of the name of an entry or of an array; the longest in use is direction_low.layers.63.weight.npy."""

MAX_TEXT = 2**22
"""Bytes of certificate.json; 20,000 boxes take two thirds of it. Python's values take up to 30 times as much."""

MAX_DEPTH = 8
"""Lists and tables of the text within one another; a certificate has four."""

MAX_DIGITS = 40
"""Characters of a number of the text; a float64 needs 24 at most."""

MAX_BOXES = 20_000
"""Five times the attempts of a search. Each takes a proof of its own."""

MAX_LAYERS = 64
"""Affine layers; the deepest certificate known has seven."""

MAX_UNITS = 2**14
"""Units of a layer, its inputs included."""

MAX_NUMBERS = 2**22
"""Of all arrays together, 33 MB; as intervals, with what is computed from them, they take 20 times as much memory."""

MAX_ENTRIES = 2**19
"""Activations of the network: rows of inputs times units. Each takes a kilobyte of memory while a box is proved."""

MAX_PRODUCTS = 2**26
"""Multiplications of one forward pass and, for a student, of its Gram matrices: about a second of CPU per proof."""

MAX_PIECES = 40
"""Proofs for one box. Those of a search take 21 at most; a coarser box is rejected after a minute of CPU at most."""

MAX_BOX_ENTRIES = 5 * 2**19
"""Activations of all the proofs of one box: one of gelu takes up to 17 microseconds."""

MAX_BOX_PRODUCTS = 2**30
"""Multiplications of all the proofs of one box: large networks get fewer pieces than small ones."""

NEAR = 2.5e-4
"""How far beyond the last box, relative to it, the opposite sign is just beyond: as far as searches look."""
