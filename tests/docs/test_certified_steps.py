"""What the page on many steps says of proofs is what the committed searches found, and training agrees with them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.studies import certified_steps as study
from subtx_toy.certify.description import describe
from subtx_toy.certify.jets import Box
from subtx_toy.certify.many_steps.shadow import ShadowedStudent
from subtx_toy.problem import params as vectors
from subtx_toy.training.many_steps import Imitation, moved, teachers_at
from subtx_toy.training.update_rules import Descent

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def found() -> Any:
    return json.loads(study.TARGET.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page() -> str:
    return " ".join((DOCS / "many-steps.md").read_text(encoding="utf-8").split())


def certified_table(found: Any) -> str:
    heads = ["K", "one box", "one box, carried on", "ε certified", "boxes", "tried", "search"]
    carried = {row["num_steps"]: f"{row['eps_one_box']:.3g}" for row in found["carried"]}
    rows = [heads, ["---"] * len(heads)]
    for row in found["rows"] + found["further"]:
        end = {"the cap is reached": " = cap" if row["cap"] > 1000 else " = end of the search"}.get(row["reason"], "")
        cells = [
            row["num_steps"],
            f"{row['eps_one_box']:.3g}",
            carried.get(row["num_steps"], ""),
            f"{row['eps_certified']:.5g}{end}",
            len(row["boxes"]),
            row["boxes_tried"],
            f"{row['seconds']:.0f} s",
        ]
        rows.append([str(cell) for cell in cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def test_the_table_is_that_of_the_committed_searches(found: Any) -> None:
    assert certified_table(found) in (DOCS / "many-steps.md").read_text(encoding="utf-8")


def test_the_figures_of_the_text_are_the_committed_ones(found: Any, page: str) -> None:
    assert f"student_lr = {found['student_lr']}".replace("0.", ".") in page
    assert f"which is {found['reach']:.3f}/λ_max" in page
    assert all(row["cap"] * found["direction_norm"] == pytest.approx(1000.0) for row in found["rows"])
    away = sum("proved negative" in one["reason"] for one in found["other_inits"])
    assert f"Of ten other initialisations, {away} are proved to point away" in page
    assert [len(one["boxes"]) for one in found["other_inits"]].count(0) == away
    assert all(one["eps_certified"] == study.CONTROL_EPS for one in found["other_nets"])
    assert "Four other networks" in page
    assert len(found["other_nets"]) == 4
    larger = found["larger"]
    assert larger["eps_certified"] == study.LARGER_EPS
    assert f"size of {larger['num_parameters']:,} parameters" in page
    assert f"student_lr = {larger['student_lr']}, which is {larger['reach']:.3f}/λ_max".replace("0.", ".") in page
    assert f"in {len(larger['boxes'])} boxes and {larger['seconds']:.0f} s" in page
    first, middle, last = (one["expansions"] for one in found["rows"][-1]["limits"])
    assert f"{min(first):.2f} to {max(first):.2f}" in page
    assert f"{min(middle):.1f} to {max(middle):.1f}" in page
    assert f"{min(last):.1f} to {max(last):.1f}" in page
    sizes = found["carried_sizes"]
    assert {f"{after / before:.0f}" for before, after in pairwise(sizes)} == {"70"}
    assert "grows 70-fold per step" in page
    first, last = found["rows"][0]["eps_one_box"], found["further"][-1]["eps_one_box"]
    assert f"{first / last:.1f}-fold from 1 to 100 steps" in page
    far = found["expansions"][-1]
    assert f"finds {far['norm']:.2f} where the bound is {far['bound']:.2f}" in page


def test_boxes_have_no_gaps_and_every_claim_holds_up_to_its_end(found: Any) -> None:
    for row in found["rows"] + found["further"] + found["other_nets"]:
        boxes = row["boxes"]
        assert (boxes[0][0], boxes[0][1], boxes[-1][1]) == (0.0, row["eps_one_box"], row["eps_certified"])
        assert [lo for lo, _, _ in boxes[1:]] == [hi for _, hi, _ in boxes[:-1]]
        assert min(lower for _, _, lower in boxes) > 0


def refuted(row: Any, planted: float = 1.0) -> int:
    """Boxes in whose middle training, in float64 and by other code, finds less than the lower bound."""
    problem = study.small_net()
    eps = [0.5 * lo + 0.5 * hi for lo, hi, _ in row["boxes"]]
    steps = range(1, row["num_steps"] + 1)
    students = moved(Imitation(problem, teachers_at(problem, eps)), Descent("gd", lr=row["student_lr"]), steps)
    dT = vectors.flatten(problem.teacher_update).numpy()
    least = np.min([students[k] @ dT for k in steps], axis=0) / eps
    return int((least < planted * np.array([lower for _, _, lower in row["boxes"]])).sum())


def test_training_agrees_with_every_lower_bound(found: Any) -> None:
    assert [refuted(row) for row in found["rows"] + found["further"]] == [0] * 7
    assert min(refuted(row, planted=100.0) for row in found["rows"]) > 0


def test_boxes_are_proved_again_and_no_box_of_a_student_that_climbs(found: Any) -> None:
    row = found["rows"][-1]
    described = describe(study.small_net(), "alignment", student_lr=row["student_lr"])
    climbing = replace(described, student_lr=-row["student_lr"])
    for place in (0, len(row["boxes"]) // 3, len(row["boxes"]) - 1):
        lo, hi, _ = row["boxes"][place]
        for one, proved in ((described, True), (climbing, False)):
            rate = ShadowedStudent(one, num_steps=row["num_steps"]).over(Box(lo, hi), row["order"]).rate
            assert bool(np.min(rate.lower()) > 0) == proved
