"""Which lines are learnt from and which are judged: parts of two files that no prompt is spread over."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from subtx_toy.audit.two_files.lines import Lines

FOLDS = 5
"""Parts of the lines, all lines of a prompt in one of them; where there are fewer prompts, all equal lines."""


def folds_of(lines: Lines) -> Int[np.ndarray, " n"]:
    """Return the fold of each line, from 0 to FOLDS - 1.

    It depends on the content of the lines and neither on their order nor on the files they stand in. Copies of a line
    are in one fold, so that none is judged by what was learnt from another.
    """
    by_prompt = len(np.unique(lines.prompts)) >= FOLDS
    _, places = np.unique(lines.prompt_keys if by_prompt else lines.line_keys, return_inverse=True)
    folds: Int[np.ndarray, " n"] = places % FOLDS
    return folds
