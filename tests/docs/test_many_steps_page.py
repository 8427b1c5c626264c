"""The page on many steps: its blocks print what it shows, its tables are those of the committed results."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subtx_toy.claims.registry import _MANY_STEPS, CLAIMS
from subtx_toy.stats import estimate
from subtx_toy.theory.error_polynomials import asymptotic_crossing, first_crossing
from tests.reference.annotations import unchecked

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "many-steps.md"
ARMS = ("kept", "restarted", "no_first", "coasting", "carried", "fresh")
SHOWN = (0, 1, 5, 20, 100)


def _read(name: str) -> Any:
    return json.loads((DOCS / "results" / f"{name}.json").read_text(encoding="utf-8"))


def _interval(cell: dict[str, Any], digits: int = 3, *, most: float = math.inf) -> str:
    low, high = cell["ci95"][0], min(cell["ci95"][1], most)
    return f"{cell['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def function_space_table() -> str:
    found = _read("function-space")
    names = {
        "cosine_true": "cosine of the changes of the class logits, trained and predicted",
        "norm_ratio_true": "ratio of norms, trained over predicted",
        "cosine_linear": "cosine, targets J dT", "cosine_shuffled": "cosine, shuffled targets", "accuracy": "accuracy",
    }  # fmt: skip
    lines = [f"| K | {' | '.join(names.values())} |", "| --- " * (len(names) + 1) + "|"]
    for row in found["table"]:
        cells = (_interval(row[name], most=1.0 if "cosine" in name else math.inf) for name in names)
        lines.append(f"| {row['num_steps']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def optimizer_table() -> str:
    rows = {(row["arm"], row["after"]): row for row in _read("optimizer-state")["table"]}
    lines = [f"| arm | {' | '.join(f'after {number}' for number in SHOWN)} | accuracy after 100 |"]
    lines.append("| --- " * (len(SHOWN) + 2) + "|")
    for arm in ARMS:
        cells = [_interval(rows[arm, number]["coefficient"], 4) for number in SHOWN]
        lines.append(f"| {arm} | {' | '.join(cells)} | {_interval(rows[arm, 100]['accuracy'])} |")
    return "\n".join(lines)


@unchecked()
def test_python_blocks_print_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    namespace: dict[str, object] = {"__name__": "page"}
    num_shown = 0
    for (language, code), (next_language, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "python":
            exec(compile(code, PAGE.name, "exec"), namespace)
            printed = capsys.readouterr().out
            assert printed == (shown if next_language == "text" else "")
            num_shown += bool(printed)
    assert num_shown >= 6


def test_the_limit_near_a_momentum_of_one_is_as_far_off_as_the_page_says() -> None:
    percent = 100 * (1 - asymptotic_crossing(0.999) / first_crossing(0.999)[0])
    assert f"{percent:.0f} % too small at β = .999" in " ".join(PAGE.read_text(encoding="utf-8").split())


def test_the_tables_are_those_of_the_committed_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert function_space_table() in text
    assert optimizer_table() in text


def test_what_a_transplant_adds_is_paired_by_seed_and_that_of_the_committed_results() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    arms = [seed["arms"] for seed in _read("optimizer-state")["seeds"]]
    numbers = [row["after"] for row in arms[0]["carried"]]
    for left, right in (("kept", "no_first"), ("carried", "fresh")):
        for after, words in ((1, "one step"), (5, "five"), (20, "twenty")):
            at = numbers.index(after)
            found = estimate([one[left][at]["coefficient"] - one[right][at]["coefficient"] for one in arms])
            shown = f"{found.mean:.4f} [{found.interval.low:.4f}, {found.interval.high:.4f}]"
            shown = shown.replace("0.", ".").replace("-", "−")
            assert re.search(rf"{re.escape(shown)}[^.]* after {words}|[aA]fter {words} it is {re.escape(shown)}", text)


def test_the_isolated_modes_are_those_of_the_committed_results() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    values = [line["eigenvalues"] for line in _read("function-space")["seeds"]]
    isolated = [value for one in values for value in one[:3]]
    assert f"λ of {min(isolated):.1f} to {max(isolated):.1f} above a bulk below .6" in text
    assert max(one[3] for one in values) < 0.6
    other = (DOCS / "linear-students.md").read_text(encoding="utf-8")
    pairs = [value for one in _read("many-steps/modes")["seeds"] for value in one["eigenvalues"][:2]]
    assert f"two isolated eigenvalues of {min(pairs):.1f} to {max(pairs):.1f} and then a bulk below .2" in other


def test_committed_predictions_meet_what_the_page_says() -> None:
    found = _read("function-space")
    assert found["num_seeds"] >= 5
    for line in found["seeds"]:
        assert max(*line["routes"].values(), line["routes_at_300"]) <= 1e-8
        assert all(row["cosine_true"] >= 0.9 for row in line["steps"])
        seconds = line["cpu_seconds"]
        assert sum(seconds.values()) - seconds["training"] <= 60


def test_the_energy_of_a_class_change_is_below_m_over_d_exactly_where_the_head_sees_more_of_it() -> None:
    rng, d, m = np.random.default_rng(0), 6, 2
    C, Q = rng.standard_normal((d, 3)), np.linalg.qr(rng.standard_normal((20_000, d, m)))[0]
    changes = C @ rng.standard_normal((3, 8)) * rng.uniform(0, 1, 8) + rng.standard_normal((d, 8))
    energy = ((C.T @ (Q @ (Q.mT @ changes))) ** 2).sum(1).mean(0) / ((C.T @ changes) ** 2).sum(0)
    seen = ((C.T @ changes) ** 2).sum(0) * d / ((changes**2).sum(0) * (C**2).sum())
    assert np.array_equal(energy < m / d, seen > 1)
    assert set(seen > 1) == {True, False}
    q = m * (d - m) / (d * (d - 1) * (d + 2))
    assert energy == pytest.approx(m / d + q * d * (1 / seen - 1), rel=0.05)


def test_every_claim_on_many_steps_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [id for id in _MANY_STEPS if not re.search(rf"\b{id}\b", text)] == [], PAGE.name


def test_the_claims_that_are_checked_on_few_problems_are_those_on_many_steps() -> None:
    (listed, every) = re.findall(r"checks claims ([^.]*?) on one in (\d+)\s", PAGE.read_text(encoding="utf-8"))[0]
    spans = re.findall(r"C(\d+)(?: to C(\d+))?", listed)
    named = [f"C{one}" for first, last in spans for one in range(int(first), int(last or first) + 1)]
    assert named == [*_MANY_STEPS], PAGE.name
    assert {CLAIMS[id].every for id in _MANY_STEPS} == {int(every)}
