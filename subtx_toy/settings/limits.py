"""Bounds on what one command may be asked for, each with its reason; what is beyond one is refused before any work."""

from __future__ import annotations

MAX_COUNT = 10**8
"""Of anything that a setting counts: images, units, epochs. More would not fit into a machine's memory or life."""

MAX_SEED = 2**63 - 1
"""The largest integer of the results database, of JSON readers and of safetensors' metadata in other languages."""

MAX_TRIALS = 1_000_000
"""Configurations times seeds of one plan: their keys and states take about a gigabyte of memory."""

MAX_CONFIGS = 100_000
"""Configurations of one plan or grid: each is validated, which takes some 40 microseconds."""

MAX_AXES = 100
"""Axes of one plan, or settings of one table of a grid; no protocol has as many settings."""

MAX_VALUES = 100_000
"""Values of one axis: one alone makes as many configurations."""

MAX_FILE_BYTES = 2**20
"""Of a TOML file that a person wrote: an experiment, a plan, a problem, rules. The packaged ones have 5,000."""

MAX_DEPTH = 50
"""Tables and lists within one another in such a file; an experiment needs five."""

MAX_BITS = 1400
"""Of an integer in such a file or on the command line: 420 digits; the largest float has 309."""

MAX_PARAMETERS = 10**9
"""Weights and biases of one net: 4 GB in single precision, and Adam keeps as much twice over."""

MAX_WIDTH = 30_000
"""Units of a hidden layer of a net with two of them, by MAX_PARAMETERS."""

MAX_LAYERS = 1000
"""Hidden layers of one net."""

MAX_INPUT_NUMBERS = 10**10
"""Pixels of all distillation inputs of a run: 40 GB in single precision."""

MAX_SPEC_NUMBERS = 10**8
"""Parameters, or numbers of all inputs, of a problem in words, which is made for small ones: .8 GB."""

MAX_REFERENCE = 1000
"""Fine-tunes of a reference ensemble: some hours."""

MAX_ORDER = 100
"""Of Taylor's theorem in a certificate's search; 8 is the usual one."""

MAX_INSTANCES = 10_000_000
"""Problems that one `verify` draws: some hours at a thousand per second."""

MAX_WORKERS = 1024
"""Processes of this machine."""

MAX_VALUE_CHARACTERS = 200
"""Of one value that a message repeats; a longer one is cut in the middle."""

MAX_CONDITION = 2000
"""Characters of a condition on stored trials."""

MAX_SHARDS = 100_000
"""Parts of one sweep."""

MAX_NAME = 100
"""Characters of a sweep's name, or of one of its tags."""

MAX_NOTE = 10_000
"""Characters of a sweep's note."""

MAX_TEXT_BYTES = 2**30
"""Of the text of a data file that is compared, unpacked."""

MAX_TEXT_LINE = 2**20
"""Bytes of one line of it."""

MAX_EXAMPLES = 5_000_000
"""Lines of it."""
