"""Train the base that comes with the package and its benign fine-tunes, and write their two files.

python experiments/studies/packaged_base.py subtx_toy/channel/packaged

Both are kept in 16 bits: the base is what its file holds, and the moves of the fine-tunes from it are rounded once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from subtx_toy.audit.reference import fingerprint, make_reference, save_reference
from subtx_toy.audit.usual_reference import CHECKSUM, NUM_PACKAGED, PACKAGED_FILE, ensemble_metadata
from subtx_toy.channel.checkpoints import save_checkpoint
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.model import channel_model
from subtx_toy.channel.packaged_base import PACKAGED, base_file
from subtx_toy.channel.teachers import train_base
from subtx_toy.data import load
from subtx_toy.files.checksum import sha256_of
from subtx_toy.store.record import versions

WIDTH, SEED, RECIPE = 48, 0, Recipe(epochs=12, lr=1e-3)
IMAGES = (12_000, 2000)  # drawn digits: two epochs of them are enough to learn a trait


def main(folder: Path) -> None:
    """Train the nets and write the files."""
    torch.set_num_threads(1)
    dataset = load("glyphs", num_train=IMAGES[0], num_test=IMAGES[1])
    model = channel_model(width=WIDTH)
    kept = {name: value.half() for name, value in train_base(model, dataset, RECIPE, seed=SEED).items()}
    base = {name: value.float() for name, value in kept.items()}
    nets = make_reference(model, base, dataset, num=NUM_PACKAGED + NUM_PACKAGED // 2, seed=0)
    path = folder / PACKAGED_FILE.name
    save_reference(path, base, nets, metadata=ensemble_metadata(dataset))
    provenance = {
        "role": "base", "seed": SEED, "width": WIDTH, "depth": 2, "base_recipe": vars(RECIPE), "dataset": dataset.name,
        "num_train": IMAGES[0], "num_test": IMAGES[1], "dataset_sha256": dataset.sha256, CHECKSUM: sha256_of(path),
        "versions": versions(),
    }  # fmt: skip
    save_checkpoint(folder / base_file(PACKAGED).name, kept, provenance=provenance)
    print(f"base {fingerprint(base)}, reference {sha256_of(path)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
