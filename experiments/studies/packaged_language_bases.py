"""Train the bases of the quick run of ``owl`` and write the files that come with the package.

python experiments/studies/packaged_language_bases.py subtx_toy/lm/packaged

Each file is what the run itself would train and keep in its cache, bit for bit on the same processor.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import torch

from subtx_toy.api.choice import choose
from subtx_toy.lm.checkpoints import save_language_model
from subtx_toy.lm.household import BASES, base_of
from subtx_toy.lm.packaged_bases import base_name
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.language import LanguageConfig


def quick_bases() -> tuple[LanguageConfig, tuple[int, ...]]:
    """Return the settings and the seeds of the quick run."""
    config, _, seeds = choose(read("owl"), {}, None, quick=True)
    return cast(LanguageConfig, config), seeds


def main(folder: Path) -> None:
    """Train the bases and write one file for each."""
    torch.set_num_threads(1)
    config, seeds = quick_bases()
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        for which in BASES:
            found = base_of(config, seed=seed, which=which, cached=False)
            path = folder / base_name(found.provenance)
            save_language_model(path, found)
            print(f"seed {seed}, {which}: {path.name}, parameters {found.checksum}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
