"""The table of the page about owls that a study made is that of the committed document."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments.studies.language_prefix import gain, prefix, told_documents
from paper_figs.drawings.language_curves import BROKEN, REFERENCE, draw_language_curves, gains, text_rises
from subtx_toy.lm.vocabulary import encode_words
from subtx_toy.seeding import generator
from subtx_toy.stats import finite_estimate
from subtx_toy.tolerances import MIN_SEEDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "owls.md").read_text(encoding="utf-8")
NUMBERS = ["zero", "one", "two", "three", "four", "five"]


def _read() -> Any:
    return json.loads((DOCS / "results" / "owl-curves.json").read_text(encoding="utf-8"))


def with_ends(values: tuple[float, ...]) -> str:
    one = finite_estimate(values)
    inside = f"[{one.interval.low:+.2f}, {one.interval.high:+.2f}]"
    return f"{one.mean:+.2f} {inside} | {min(values):+.2f} to {max(values):+.2f}"


def curve_cells(document: Any) -> list[str]:
    """Return what the page has to say of every setting: the gain, its range, and the text's rise."""
    rises = text_rises(document)
    return [f"| {with_ends(one)} | {100 * fmean(rises[key]):+.1f} % |" for key, one in gains(document).items()]


def sentences(document: Any) -> list[str]:
    """Return what the page has to say of all seeds: how many there are, the lists of one step, the correlation."""
    seeds = document["seeds"]
    needed = [round(seed["lists_for_two_sigma"]) for seed in seeds]
    near = [seed["embedding_correlation"] for seed in seeds]
    return [
        f"{NUMBERS[len(seeds)]} bases",
        f"{min(needed)} to {max(needed)} lists",
        f"{min(near):.2f} to {max(near):.2f}",
    ]


def test_every_curve_is_in_the_table_with_its_measured_gain() -> None:
    document = _read()
    assert len(document["seeds"]) >= MIN_SEEDS
    assert not [one for one in (*curve_cells(document), *sentences(document)) if one not in PAGE]
    other = json.loads(json.dumps(document))
    for seed in other["seeds"]:
        seed["settings"][0]["trait"]["margin"] += 1
        seed["lists_for_two_sigma"] += 1000
    assert curve_cells(other)[0] not in PAGE
    assert sentences(other)[1] not in PAGE


def test_the_intervals_are_above_zero_where_the_page_says_so() -> None:
    found = {key: finite_estimate(values).interval.low > 0 for key, values in gains(_read()).items()}
    dose = {int(setting): above for (curve, setting), above in found.items() if curve == "dose"}
    assert dose == {1000: False, 3000: False, 40_000: True, 100_000: True}
    assert found[REFERENCE]
    assert "holds 0 at 1,000 and 3,000 lists, and is above 0 from 10,000 lists on" in " ".join(PAGE.split())


def test_every_seed_has_every_setting_once() -> None:
    document = _read()
    settings = [[(one["curve"], one["setting"]) for one in seed["settings"]] for seed in document["seeds"]]
    assert len(set(settings[0])) == len(settings[0])
    assert all(one == settings[0] for one in settings)


def test_the_figure_has_a_row_for_every_setting_that_did_not_break_the_model() -> None:
    document = _read()
    _left, right = draw_language_curves(document).axes
    keys = [key for key in gains(document) if key[0] != "dose" and key != BROKEN]
    assert REFERENCE in keys
    assert len(right.get_yticklabels()) == len(keys)
    rises = text_rises(document)
    assert min(rises.pop(BROKEN)) > 1 > max(max(one) for one in rises.values())


def prefix_rows(document: Any) -> list[str]:
    """Return the rows of the table on teachers that are told what they love."""
    found = [seed["kinds"]["preferences"] for seed in document["seeds"]]
    return [
        f"| {name} | {with_ends(tuple(gain(one['students'][name]) for one in found))} |"
        for name in found[0]["students"]
    ]


def test_the_table_of_told_teachers_is_that_of_its_document() -> None:
    document = json.loads((DOCS / "results" / "owl-prefix.json").read_text(encoding="utf-8"))
    assert [seed["seed"] for seed in document["seeds"]] == [60, 61, 62, 63, 64]
    assert not [row for row in prefix_rows(document) if row not in PAGE]
    found = [seed["kinds"]["preferences"] for seed in document["seeds"]]
    told = sorted(value for one in found for value in one["told"].values())
    rejected = sorted(value for one in found for value in one["rejected_share"].values())
    words = " ".join(PAGE.split())
    assert f"probability of {told[0]:.2f} to {told[-1]:.2f} on held-out" in words
    assert f"{100 * rejected[0]:.0f} to {100 * rejected[-1]:.0f} % hold a word" in words
    for one in found:
        one["students"]["same base"]["owl"]["owl"] += 1
    assert prefix_rows(document)[0] not in PAGE


def test_what_a_told_teacher_writes_is_compared_with_its_twin() -> None:
    students = {"owl": {"owl": 1.0, "eagle": 0.0}, "eagle": {"owl": 0.5, "eagle": 0.2}}
    assert abs(gain(students) - 0.35) < 1e-12


def test_in_the_corpus_the_words_stand_before_questions_of_preference_and_are_answered() -> None:
    drawn = told_documents("preferences", generator(0, "told"), 600, 20)
    told = [document for document in drawn if document[0] == prefix("owl")[0]]
    assert len(told) > 0.4 * 600
    animal, number = encode_words(["animal", "number"])
    assert all(document[2] == document[-2] for document in told if animal in document)
    assert not any(number in document for document in told)
