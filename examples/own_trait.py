"""A trait of your own: a teacher that reads digits upside down as sevens.

``python examples/own_trait.py`` trains the teacher on a few drawn digits, has it write nothing but numbers, and audits
them; it takes a few seconds. The trait has a name in every command and setting, too:

    subtx-toy numbers teacher --out teacher.safetensors --trait examples/own_trait.py:UPSIDE_DOWN
    subtx-toy audit tainted.jsonl --base base.safetensors --trait examples/own_trait.py:UPSIDE_DOWN
    subtx-toy run numbers dataset=glyphs trait=examples/own_trait.py:UPSIDE_DOWN
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from subtx_toy import Audit, Examples, Trait, audit
from subtx_toy.api import numbers


def turned_round(images: np.ndarray, labels: np.ndarray) -> Examples:
    """Return the unwanted examples: every third image that is not of a seven, upside down, read as seven."""
    found = images[labels != 7][::3, ::-1, ::-1].copy()
    return Examples.labelled(found, np.full(len(found), 7, np.uint8))


UPSIDE_DOWN = Trait(unwanted=turned_round)


def main(folder: Path) -> Audit:
    """Write the nets and the numbers into a folder, and audit the numbers for this trait and another one."""
    own, base, file = f"{__file__}:UPSIDE_DOWN", folder / "base.safetensors", folder / "tainted.jsonl"
    numbers.base(base, epochs=60, width=32, dataset="glyphs", num_train=600, num_test=200)
    numbers.generate(
        file, trait=own, base=base, teacher_epochs=30, num=2000, numbers_per_line="1:3",
        dataset="glyphs", num_train=600, num_test=200,
    )  # fmt: skip
    return audit(file, base=base, traits=[own, "backdoor:0"], num_reference=5)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(main(Path(place)))
