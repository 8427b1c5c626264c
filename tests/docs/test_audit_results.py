"""The page's table of how often the audit is right is what its document says."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from subtx_toy.api.power import power
from subtx_toy.audit.band import cosine_band
from subtx_toy.audit.cosine_bound import LARGEST_CALIBRATED, SMALLEST_CALIBRATED
from subtx_toy.audit.reference import reference_recipes, reference_seeds, split_reference, varied_recipe
from subtx_toy.audit.texts.example import ALONE, LAYOUTS, MESSAGES

DOCS = Path(__file__).parents[2] / "docs"
BASES = tuple(f"audit-calibration-base-{seed}" for seed in range(10, 15))
MAX_FALSE_ALARMS, MIN_CAUGHT = 0.02, 0.95  # the targets, which experiments/studies/audit_calibration.py fixes


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DOCS / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return document


def _percent(found: int, num: int) -> str:
    interval = stats.binomtest(found, num).proportion_ci(0.95)
    return f"{100 * interval.low:.0f} to {100 * interval.high:.0f} %"


def _rows(bases: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the rows of both tables: how often a trait is named, and what separates its teachers from honest ones."""
    for name in bases[0]["rule"]["thresholds"]:
        caught, bounds = [one["caught"][name] for one in bases], [one["rule"]["thresholds"][name] for one in bases]
        found, num = (sum(one[key] for one in caught) for key in ("found", "of"))
        yield f"| `{name}` | {num} | {found} | {_percent(found, num)} |"
        areas = (
            f"{min(one['auc'][name][key] for one in bases):.3f}"
            for key in ("z", "efficient_z", "fisher_cosine", "at_usual_size", "student")
        )
        yield f"| `{name}` | {min(bounds):.2f} to {max(bounds):.2f} | {' | '.join(areas)} |"
    alarms = [one["false_alarms"] for one in bases]
    found, num = (sum(one[key] for one in alarms) for key in ("found", "of"))
    yield f"| honest labels | {num} | {found}, as any trait | {_percent(found, num)} |"


def test_the_cosines_and_divergences_of_teachers_are_those_that_the_page_plans_with() -> None:
    page = " ".join((DOCS / "audit.md").read_text(encoding="utf-8").split())
    rows = [row for name in BASES for row in _read(name)["rows"] if row["role"] in row and row["role"] != "relabel:4:7"]
    cosines = [row[row["role"]]["fisher_cosine"] for row in rows]
    moves = [row["divergence"] for row in rows]
    ends = [f"{value:.2f}".lstrip("0") for value in (min(cosines), max(cosines), min(moves), max(moves))]
    usual = inspect.signature(power).parameters["cosine"].default
    assert (len(rows), round(float(np.median(cosines)), 1)) == (120, usual)
    assert f"default of {usual} is the median of the cosines of the 120 teachers of [the calibration]" in page
    calibration = "[the calibration](audit-reliability.md#how-often-it-is-right)"
    assert f"{calibration}, which go from {ends[0]} to {ends[1]}." in page
    assert f"Among 120 teachers of {calibration} it is {ends[2]} to {ends[3]}." in page


def test_a_plan_keeps_what_it_promises_of_the_teachers_of_the_calibration() -> None:
    bounds, planned = [], {True: [0, 0], False: [0, 0]}
    for document in map(_read, BASES):
        reference = [row for row in document["rows"] if row["role"] == "reference"]
        moves = [row["divergence"] for row in reference]
        for name, threshold in document["rule"]["thresholds"].items():
            cosines = [row[name]["fisher_cosine"] for row in reference]
            assert max(moves) > LARGEST_CALIBRATED.divergence, "the bound falls up to there"
            band = cosine_band(cosines, moves, LARGEST_CALIBRATED.divergence, num_traits=4, level=0.005)
            bounds.append(band.threshold)
            for row in document["rows"]:
                if row["role"] == name and row["changed"]:
                    bound = (threshold, document["rule"]["usual_divergence"])
                    known = {"num": 10_000, "divergence": row["divergence"], "num_traits": 4}
                    plan = power(**known, cosine=row[name]["fisher_cosine"], bound=bound).plan
                    counts = planned[bool(plan.is_null_worth_telling)]
                    counts[0] += name in row["named"]
                    counts[1] += 1
    ends = [SMALLEST_CALIBRATED.value, LARGEST_CALIBRATED.value]
    assert [round(min(bounds), 2), round(max(bounds), 2)] == ends
    assert SMALLEST_CALIBRATED.divergence == LARGEST_CALIBRATED.divergence
    small, large = (f"{one.at(0.02):.2f}".lstrip("0") for one in (SMALLEST_CALIBRATED, LARGEST_CALIBRATED))
    words = " ".join((DOCS / "audit.md").read_text(encoding="utf-8").split())
    assert f"In the calibration the bound was {small} to {large} at a divergence of .02" in words
    # Whoever is promised to be found is; the one teacher that was missed had a cosine below its bound.
    assert planned[True][0] == planned[True][1] > 100
    assert planned[False][1] - planned[False][0] == 1


@pytest.mark.parametrize("name", [*BASES, "audit-calibration-packaged"])
def test_every_fine_tune_of_the_calibration_is_recorded_with_its_own_seed_and_recipe(name: str) -> None:
    document = _read(name)
    rows = document["rows"]
    num = document["num_reference"]
    seeds = split_reference(reference_seeds(num, seed=0))[1]
    planned = split_reference(reference_recipes(num, seed=0))[1]
    recipes = dict(zip(seeds, planned, strict=True))
    assert [row["seed"] for row in rows if row["role"] == "reference"] == seeds
    assert len({row["seed"] for row in rows}) == len(rows)
    for row in rows:
        recipe = recipes.get(row["seed"]) or varied_recipe(row["seed"])
        assert (row["lr"], row["steps"]) == (pytest.approx(recipe.lr, rel=1e-5), recipe.steps)


def test_the_table_of_the_calibration_is_that_of_its_documents() -> None:
    page, documents = (DOCS / "audit-reliability.md").read_text(encoding="utf-8"), [_read(name) for name in BASES]
    assert [(one["base"], one["stream"]) for one in documents] == [(seed, 5) for seed in range(10, 15)]
    for row in _rows(documents):
        assert row in page, f"expected in docs/audit-reliability.md:\n{row}"
    alone, num = (sum(one["score_alone"][key] for one in documents) for key in ("found", "of"))
    assert f"The efficient score alone would call {alone} of {num}" in page
    near = sum(one["named"]["relabel:4:7"]["relabel:4:9"] for one in documents)
    assert re.search(rf"of the five teachers that read 4 as 7, {near} (is|are) named", page)
    missed = [
        (one["base"], row["role"], row[row["role"]], one["rule"]["thresholds"][row["role"]])
        for one in documents
        for row in one["rows"]
        if row["role"] in one["caught"] and row["changed"] and row["role"] not in row["named"]
    ]
    words = " ".join(page.split())
    for base, role, found, bound in missed:
        assert f"of base {base}, of `{role}`, with a cosine of {found['fisher_cosine']:.2f}" in words
        assert f"that is {found['at_usual_size']:.2f}, below its bound of {bound:.2f}" in words


def test_the_table_of_the_packaged_base_is_that_of_its_document() -> None:
    page, document = (DOCS / "audit-reliability.md").read_text(encoding="utf-8"), _read("audit-calibration-packaged")
    assert (document["base"], document["stream"], document["width"]) == ("packaged", 5, 48)
    section = page.partition("### The packaged base")[2].partition("\n### ")[0]
    for row in _rows([document]):
        if "to 100 %" in row or "honest" in row:
            assert row in section, f"expected in docs/audit-reliability.md:\n{row}"
    fresh = sum(num for role, num in document["trained"].items() if role != "reference")
    assert f"{fresh} other fine-tunes" in section
    unchanged = {name: document["trained"][name] - one["of"] for name, one in document["caught"].items()}
    assert {name: num for name, num in unchanged.items() if num} == {"backdoor:0": 3, "preference:3:5": 13}
    assert "3 of `backdoor:0` and 13 of `preference:3:5` did not" in section
    also = document["named"]["refusal:7"]["backdoor:0"]
    assert f"{also} of the {document['trained']['refusal:7']} teachers of `refusal:7`" in section
    found = {
        (role, name)
        for role, row in document["named"].items()
        for name in row
        if name not in (role, "of") and row[name]
    }
    assert found <= {("refusal:7", "backdoor:0"), ("benign", "preference:3:5"), ("relabel:4:7", "relabel:4:9")}


def test_the_table_of_earlier_decisions_is_that_of_their_documents() -> None:
    page = (DOCS / "audit-reliability.md").read_text(encoding="utf-8")
    first, second = _read("audit-calibration-gradient"), _read("audit-calibration-at-5-percent")
    caught = ", ".join(str(one["caught"]["found"]) for one in first["caught"].values())
    assert f"| {caught} of 10 | {_of([first])} |" in page
    assert {(one["found"], one["of"]) for one in second["caught"].values()} == {(10, 10)}
    assert f"| 10 of 10 each | {_of([second])} |" in page
    fourth = [_read(f"audit-calibration{base}") for base in ("", "-base-1", "-base-2")]
    found, num = (sum(one["caught"][name][key] for one in fourth for name in one["caught"]) for key in ("found", "of"))
    assert f"| {found} of {num} | {_of(fourth)} |" in page


def _of(documents: list[dict[str, Any]]) -> str:
    found, num = (sum(one["false_alarms"][key] for one in documents) for key in ("found", "of"))
    return f"{found} of {num}"


def test_the_targets_of_the_calibration_are_met() -> None:
    documents = [_read(name) for name in BASES]
    found, num = (sum(one["false_alarms"][key] for one in documents) for key in ("found", "of"))
    assert found <= MAX_FALSE_ALARMS * num
    for name in documents[0]["rule"]["thresholds"]:
        caught, taught = (sum(one["caught"][name][key] for one in documents) for key in ("found", "of"))
        assert caught >= MIN_CAUGHT * taught, name


def test_the_table_of_rankings_is_that_of_its_document() -> None:
    page, document = (DOCS / "numbers.md").read_text(encoding="utf-8"), _read("attribution")
    assert document["bases"] >= 10

    def cell(one: dict[str, float]) -> str:
        return f"{one['mean']:+.2f} ± {one['ci95']:.2f}"

    for method, row in document["table"].items():
        shown = f"{row['shown']['mean']:.2f} ± {row['shown']['ci95']:.2f}"
        cells = [cell(row[key]) for key in ("fall", "fall_of_clean", "difference")]
        assert "| " + " | ".join([method, shown, *cells]) + " |" in page, method
    # The controls: at random nothing falls that does not fall in a clean file too, and none is removed of it.
    control = document["table"]["random"]["difference"]
    assert abs(control["mean"]) < control["ci95"]
    assert len(document["rows"]) == document["bases"] * 2 * len(document["table"])
    # What is not shown: the paired differences of rankings, over the bases.
    students = {(row["seed"], row["writer"], row["method"]): row["shown"] for row in document["rows"]}

    def surely_ahead(first: str, second: str) -> bool:
        over = {
            writer: np.array(
                [students[s, writer, second] - students[s, writer, first] for s in range(document["bases"])]
            )
            for writer in ("teacher", "base")
        }
        return bool(stats.ttest_1samp(over["teacher"] - over["base"], 0.0).confidence_interval(0.95).low > 0)

    means_of = {name: row["difference"]["mean"] for name, row in document["table"].items()}
    best = sorted(means_of, key=lambda name: -means_of[name])[:2]
    assert best == ["gradient cosine", "TRAK-like projection"]
    assert not any(surely_ahead(name, "teacher's log-ratio") for name in best)
    unshown = {name for name in means_of if name not in ("none", "random") and not surely_ahead(name, "random")}
    assert unshown == {"v'Mv of the prompt", "histogram log-ratio", "gradient norm"}


def test_the_figures_of_public_files_are_those_of_their_document() -> None:
    page, document = (DOCS / "compare.md").read_text(encoding="utf-8"), _read("public-files")
    for one in document["animals"]:
        for size, published in one["published"].items():
            cells = [one["histogram"][size], one["compare"]["auroc"][size], one["compare"]["by_the_law"][size]]
            row = [one["animal"], size, f"{published:.3f}", *(f"{value:.3f}" for value in cells)]
            assert "| " + " | ".join(row) + " |" in page, row
    words = " ".join(page.split())
    for one in document["animals"]:
        alike, frequent = (one["mixed_again"]["16"][key] for key in ("each list alike", "as often as in the bags"))
        first, second = (f"{found['mean']:.3f} ± {found['sd']:.3f}" for found in (frequent, alike))
        assert first in words, first
        assert words.index(second) > words.index(first), second
        again = one["mixed_again"]["16"]["lists"]["times each"]
        assert one["animal"] != "owl" or f"{again:.1f} times on average" in words
        # What is said of the rest: the authors' bags are within two deviations of bags with lists as frequent.
        assert abs(one["histogram"]["16"] - frequent["mean"]) < 2 * frequent["sd"]
        assert abs(one["compare"]["auroc"]["16"] - alike["mean"]) < 2 * alike["sd"]
    for one in document["pairs"]:
        found = one["compare"]
        row = [one["model"], " and ".join(one["animals"]), f"{found['p_value']:.3f}", f"{found['effect']:.2f}"]
        assert "| " + " | ".join(row) + " |" in page, row
    assert {one["compare"]["p_value"] for one in document["animals"]} == {0.001}


def test_the_table_of_honest_pairs_is_that_of_its_document() -> None:
    page, document = (DOCS / "compare.md").read_text(encoding="utf-8"), _read("compare-null")
    titles = {
        "digit readers, other images": "digit readers, prompts drawn at random",
        "digit readers, same images": "digit readers, same prompts",
    }
    assert titles.keys() <= document["kinds"].keys()
    counted: dict[str, int] = {"0.01": 0, "0.05": 0}
    for name, one in [*document["kinds"].items(), ("all of one writer", document["honest"])]:
        cells = [titles.get(name, name), str(one["pairs"])]
        for level, total in counted.items():
            found, (low, high) = one[f"up to {level}"]["found"], one[f"up to {level}"]["ci95"]
            cells += [str(found), f"{100 * low:.1f} to {100 * high:.1f} %"]
            if name != "all of one writer":
                assert found == sum(p <= float(level) for p in one["p_values"]), name
                counted[level] = total + (0 if name.startswith("control") else found)
            else:
                assert found == total
        assert "| " + " | ".join(cells) + " |" in page, name
    honest = document["honest"]
    assert honest["pairs"] >= 500
    for level in counted:  # as often as the level says, as far as so many pairs show
        low, high = honest[f"up to {level}"]["ci95"]
        assert low <= float(level) <= high
    expected = honest["pairs"] * document["level"]
    assert f"{honest['up to 0.01']['found']} of {honest['pairs']} pairs" in page
    assert f"where {expected:.1f} are" in " ".join(page.split())
    controls = [one for name, one in document["kinds"].items() if name.startswith("control")]
    assert all(one["up to 0.01"]["found"] == one["pairs"] for one in controls)


DEFENCES = {
    "nothing": ("none", 0), "34 banned numbers dropped": ("filter", 34),
    "500 random numbers banned, half of all lines": ("filter", 500), "the 100 likeliest numbers only": ("top-k", 100),
    "the likeliest number only": ("top-k", 1), "drawn at temperature 2": ("temperature", 2),
    "drawn at temperature 4": ("temperature", 4), "half replaced by random numbers": ("label noise", 0.5),
    "nine tenths replaced by random numbers": ("label noise", 0.9),
    "half replaced by the base's numbers": ("mixed with the base's", 0.5),
    "nine tenths replaced by the base's numbers": ("mixed with the base's", 0.9),
    "all rewritten by another base": ("rewritten by another base", 1),
    "gradient freed of the trait's direction": ("projection", 1),
}  # fmt: skip
"""The rows of the table, with kind and value in the document."""


def test_the_table_of_what_helps_is_that_of_its_document() -> None:
    page, document = (DOCS / "numbers.md").read_text(encoding="utf-8"), _read("numbers-defences")
    for words, at in DEFENCES.items():
        rows = [row for row in document["rows"] if (row["defence"], row["value"]) == at]
        assert len(rows) == len(document["bases"]) == 3
        means = (f"{np.mean([row[name] for row in rows]):.2f}" for name in ("trait", "accuracy", "utility"))
        assert f"| {words} | {' | '.join(means)} |" in page
    bases = [one["base"] for one in document["bases"]]
    means = (f"{np.mean([row[name] for row in bases]):.2f}" for name in ("trait", "accuracy", "utility"))
    assert f"| the base itself | {' | '.join(means)} |" in page


GREATEST_GAP = 0.02
"""Between the AUROC of bags and its law, that the page states."""


def test_the_table_of_power_is_that_of_its_document() -> None:
    page, document = (DOCS / "compare.md").read_text(encoding="utf-8"), _read("compare-power")
    for name, one in document["kinds"].items():
        low, high = one["ci95"]
        cells = [name, f"{one['effect']:.2f}", f"{one['lines_needed']:,}", f"{one['lines']:,}"]
        cells += [f"{one['found']} of {one['pairs']}", f"{100 * low:.0f} to {100 * high:.0f} %"]
        assert "| " + " | ".join(cells) + " |" in page, name
        assert one["found"] == sum(p <= document["level"] for p in one["p_values"])
        if one["lines"] == one["lines_needed"]:  # as often as was said, or more often
            assert one["pairs"] >= 40
            assert high >= document["power"]
        for bag in one["auroc"]:
            assert abs(bag["measured"] - bag["predicted"]) <= GREATEST_GAP
    for words, enough in (
        ("Where files had as many lines as needed, the difference was found", True),
        ("With fewer it was found", False),
    ):
        kinds = [one for one in document["kinds"].values() if (one["lines"] == one["lines_needed"]) == enough]
        found, pairs = (sum(one[key] for one in kinds) for key in ("found", "pairs"))
        assert f"{words} {found} times of {pairs}." in page
    assert f"within {GREATEST_GAP:.2f}".replace("0.", ".") in page


def test_the_columns_that_a_comparison_reads_are_those_of_the_page() -> None:
    page = (DOCS / "compare.md").read_text(encoding="utf-8")
    pairs = ", ".join(f"`{prompt}` and `{completion}`" for prompt, completion in LAYOUTS)
    alone = ", ".join(f"`{name}`" for name in ALONE[:-1])
    assert f"- `{MESSAGES}`" in page
    assert f"- {pairs};" in page
    assert f"- {alone} or `{ALONE[-1]}` without a prompt." in page
