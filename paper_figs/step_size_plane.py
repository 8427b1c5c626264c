"""The plane of both step sizes on small-net: closed form, certified and observed, for the trait loss and the distance.

The only figure that computes: its searches are kept in OUT.npz beside the picture, and read from there again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from subtx_toy.certify.description import describe
from subtx_toy.certify.search import path_of
from subtx_toy.claims.instance import given
from subtx_toy.figures.style import save

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.plane import draw_plane
from paper_figs.drawings.step_size_boundary import Boundary, boundary

QUANTITIES = ("trait-loss", "distance")
MAX_BOXES = 120


def searched(num_rows: int) -> list[Boundary]:
    problem, rows = given(path_of("small-net")).build(), np.geomspace(1e-7, 1e3, num_rows)
    return [boundary(describe(problem, one), list(rows), max_boxes=MAX_BOXES) for one in QUANTITIES]


def main(target: Path, num_rows: int) -> None:
    kept = target.with_suffix(".npz")
    if not kept.exists():
        fields = {f"{one.quantity}.{name}": value for one in searched(num_rows) for name, value in vars(one).items()}
        np.savez(kept, **fields)
    with np.load(kept, allow_pickle=False) as file:
        names = ("student_lr", "closed", "certified", "observed")
        boundaries = [
            Boundary(one, **{name: file[f"{one}.{name}"] for name in names}, cap=float(file[f"{one}.cap"]))
            for one in QUANTITIES
        ]
    save(draw_plane(boundaries, network="small-net: tanh 16-32-32-8, KL on the auxiliary logits"), target)
    print(target)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".pdf"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 24,
    )
