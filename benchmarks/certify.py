"""Certificates against depth, width and order: CPU seconds, boxes and how far the proof goes."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator

from subtx_toy.certify.description import describe
from subtx_toy.certify.search import find_range
from subtx_toy.problem.spec import ProblemSpec

SUMMARY = (
    "certificates of alignment: 1 to 6 hidden layers of 64, two of 64 to 1024, orders 2 to 5; CPU seconds and boxes"
)
BASE = {
    "input_dim": 64,
    "num_classes": 10,
    "num_aux": 3,
    "activation": "tanh",
    "inputs": "uniform",
    "num_inputs": 32,
    "num_trait_inputs": 32,
    "trait": "cross_entropy",
    "loss": "kl",
    "distilled_logits": "aux",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-boxes", type=int, default=600, help="attempts of each search (default 600)")
    parser.add_argument("--part", choices=("depth", "width", "order"), help="one of the three series only")


def cases(part: str | None) -> Iterator[tuple[str, dict[str, object], int]]:
    """Yield a label, the fields of the problem and the order of Taylor's theorem."""
    if part in (None, "depth"):
        for depth in (1, 2, 3, 4, 6):
            yield f"{depth} hidden layers of 64", {"hidden": (64,) * depth}, 3
    if part in (None, "width"):
        for width in (64, 256, 1024):
            yield f"2 hidden layers of {width}", {"hidden": (width, width)}, 3
    if part in (None, "order"):
        for order in (2, 3, 4, 5):
            yield f"2 hidden layers of 64, order {order}", {"hidden": (64, 64)}, order


def run(arguments: argparse.Namespace) -> None:
    rows = []
    if not arguments.json:
        print(
            f"{'network':<34}{'closed':>10}{'one box':>10}{'certified':>11}{'cap':>8}"
            f"{'boxes':>7}{'tried':>7}{'CPU s':>8}"
        )
    for label, fields, order in cases(arguments.part):
        described = describe(ProblemSpec(**(BASE | fields)).build())  # type: ignore[arg-type]
        found = find_range(described, order=order, max_boxes=arguments.max_boxes)
        row = found.summary() | {"network": label, "load_average": os.getloadavg()[0]}
        rows.append(row)
        if not arguments.json:
            closed = "none" if found.eps_closed is None else f"{found.eps_closed:.2g}"
            print(
                f"{label:<34}{closed:>10}{found.eps_one_box:>10.3g}{found.eps_certified:>11.5g}{found.cap:>8.4g}"
                f"{len(found.boxes):>7}{found.boxes_tried:>7}{found.seconds:>8.1f}",
                flush=True,
            )
    if arguments.json:
        print(json.dumps({"benchmark": "certify", "rows": rows}, indent=2))
