"""The plane of both step sizes on small-net: closed form, certified and seen, for the trait loss and the distance.

The searches are in docs/results/step-size-plane.json; with --search they are run again (ten minutes) and written next
to the picture instead.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.output import parser, write
from paper_figs.drawings.plane import draw_plane
from paper_figs.drawings.step_size_boundary import Boundary, boundary
from subtx_toy.certify.description import describe
from subtx_toy.certify.search import path_of
from subtx_toy.claims.instance import given
from subtx_toy.files.atomic import replacing

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "step-size-plane.json"
QUANTITIES = ("trait-loss", "distance")
MAX_BOXES = 120
ARRAYS = ("student_lr", "closed", "certified", "observed")


def searched(num_rows: int) -> list[Boundary]:
    problem, rows = given(path_of("small-net")).build(), np.geomspace(1e-7, 1e3, num_rows)
    return [boundary(describe(problem, one), list(rows), max_boxes=MAX_BOXES) for one in QUANTITIES]


def document(boundaries: list[Boundary]) -> dict[str, Any]:
    """Return the searches as JSON values; null where there is no closed form."""
    return {
        one.quantity: {"cap": one.cap}
        | {name: [None if np.isnan(x) else float(x) for x in getattr(one, name)] for name in ARRAYS}
        for one in boundaries
    }


def boundaries(found: dict[str, Any]) -> list[Boundary]:
    """Read the searches back."""
    return [
        Boundary(name, **{array: np.array(one[array], dtype=float) for array in ARRAYS}, cap=one["cap"])
        for name, one in found.items()
    ]


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--search", action="store_true", help="run the searches again")
    options.add_argument("--rows", type=int, default=24, help="values of student_lr that --search takes [default: 24]")
    chosen = options.parse_args(arguments)
    results = RESULTS
    if chosen.search:
        results = chosen.out / RESULTS.name
        chosen.out.mkdir(parents=True, exist_ok=True)
        with replacing(results) as file:
            file.write(json.dumps(document(searched(chosen.rows)), indent=1).encode())
    found = boundaries(json.loads(results.read_text(encoding="utf-8")))
    write(
        draw_plane(found, network="small-net: tanh 16-32-32-8, KL on the auxiliary logits"), "step-size-plane", chosen
    )


if __name__ == "__main__":
    main()
