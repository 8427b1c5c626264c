"""What the pages say of the studies of many steps is what the committed documents hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paper_figs import many_steps
from paper_figs.drawings.many_step_studies import accuracies, coefficients, ratios
from subtx_toy.stats import Estimate, estimate, share_interval

DOCS = Path(__file__).parents[2] / "docs"
LOSSES = {"squared_error": "squared error", "kl": "KL"}
NAMES = {"tanh": "tanh", "relu": "ReLU"}
FIGURES = ("orders", "criteria", "parts", "generations")


def _read(name: str) -> Any:
    return json.loads((DOCS / "results" / "many-steps" / f"{name}.json").read_text(encoding="utf-8"))


def _page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def _with_ends(one: Estimate) -> str:
    return f"{one.mean:.3f} [{one.interval.low:.3f}, {one.interval.high:.3f}]"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def orders_table() -> str:
    rows = []
    for row in _read("remainder-orders")["rows"]:
        nets = [one for net in row["seeds"] for one in net]
        ends = [[f([one[name] for one in nets]) for f in (min, max)] for name in ("order", "planted", "other_init")]
        rows.append([f"{LOSSES[row['loss']]}, {row['reach']:g}", *(f"{low:.2f} to {high:.2f}" for low, high in ends)])
    heads = ["loss, student_lr λ_max", "order", "control: 1 % too long", "control: other initialisation"]
    return _table(heads, rows)


def criteria_table() -> str:
    rows = []
    for row in _read("trained-criteria")["rows"]:
        groups = [[net for net in row["seeds"] if net["holds"] == holds] for holds in (True, False)]
        held, num = len(groups[0]), len(row["seeds"])
        low, high = share_interval(held / num, 0.0, n=num, num_images=num)
        steps = f"{row['teacher_steps']} of Adam" if row["teacher_steps"] else "one plain step"
        cells = [f"{NAMES[row['activation']]}, {steps}", f"{held} of {num} [{low:.2f}, {high:.2f}]"]
        for name in ("first_order", "real"):
            counts = (f"{sum(net[name] > 0 for net in group)} of {len(group)}" for group in groups)
            cells.append(", ".join(counts))
        rows.append(cells)
    heads = ["teacher", "F ≥ 0", "rises to first order: F ≥ 0, F < 0", "rises for the real student: F ≥ 0, F < 0"]
    return _table(heads, rows)


def parts_table() -> str:
    found = _read("heads-and-hidden")
    heads = ["students", "drawn again", *(f"m = {row['num_aux']}" for row in found["rows"])]
    rows = [
        [kind, part, *(_with_ends(accuracies(found, row, kind, part)) for row in found["rows"])]
        for kind in ("real", "linear")
        for part in found["rows"][0]["seeds"][0][kind]
    ]
    return _table(heads, rows)


def generations_table() -> str:
    found = _read("generations")
    kinds = ("real", "linear")
    columns = [[_with_ends(one) for one in coefficients(found, kind, "outputs")[1:]] for kind in kinds]
    columns += [[_with_ends(one) for one in ratios(found, kind, "outputs")] for kind in kinds]
    for kind in kinds:
        told = list(zip(*(one[kind]["accuracy"] for one in found["seeds"]), strict=True))
        columns.append([f"{estimate(list(values)).mean:.3f}" for values in told[1:]])
    heads = [
        "generation",
        "coefficient, real",
        "linear",
        "of the one before, real",
        "linear",
        "accuracy, real",
        "linear",
    ]
    return _table(heads, [[str(at), *cells] for at, cells in enumerate(zip(*columns, strict=True), start=1)])


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("many-steps", orders_table),
        ("many-steps", criteria_table),
        ("linear-students", generations_table),
        ("linear-students", parts_table),
    ],
)
def test_a_table_is_that_of_the_committed_document(page: str, table: Any) -> None:
    assert table() in _page(page)


@pytest.mark.parametrize("name", ["remainder-orders", "trained-criteria", "heads-and-hidden", "generations"])
def test_a_document_has_seeds_enough_and_says_where_it_comes_from(name: str) -> None:
    found = _read(name)
    assert len(found["seeds"]) >= (5 if name == "heads-and-hidden" else 10)
    assert found["versions"]["subtx_toy"]
    assert all(len(row["seeds"]) == len(found["seeds"]) for row in found.get("rows", []))


def test_committed_orders_are_two_and_those_of_the_controls_are_not() -> None:
    for row in _read("remainder-orders")["rows"]:
        for one in (one for net in row["seeds"] for one in net):
            assert 1.95 <= one["order"] <= 2.05
            assert one["planted"] <= 1.7
            assert abs(one["other_init"]) <= 0.05
            assert one["away"] == 0


def test_no_committed_teacher_contradicts_the_criterion() -> None:
    for row in _read("trained-criteria")["rows"]:
        for net in row["seeds"]:
            assert net["teacher"] < 0
            assert net["holds"] or min(net["F"]) < 0
            if net["holds"]:
                assert net["first_order"] <= net["first_order_rounding"]
            if row["teacher_steps"] == 0:
                assert net["holds"]


def test_linear_students_have_the_order_of_parts_of_real_ones_where_the_page_says_so() -> None:
    found = _read("heads-and-hidden")

    def order(row: dict[str, Any], kind: str) -> list[str]:
        means = {part: accuracies(found, row, kind, part).mean for part in row["seeds"][0][kind]}
        return sorted(means, key=means.__getitem__)

    same = [row["num_aux"] for row in found["rows"] if order(row, "real") == order(row, "linear")]
    assert f"the same order of parts at m = {' and '.join(map(str, same))}," in _page("linear-students")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_can_be_drawn(name: str) -> None:
    assert many_steps.FIGURES[name]().axes
