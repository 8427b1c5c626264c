"""The table of the page about owls that a study made is that of the committed document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments.studies.language_prefix import gain, prefix, told_documents
from paper_figs.drawings.language_curves import (
    BROKEN,
    REFERENCE,
    Key,
    draw_language_curves,
    draw_language_settings,
    gains,
    text_rises,
)
from subtx_toy.lm.vocabulary import encode_words
from subtx_toy.seeding import generator
from subtx_toy.stats import finite_estimate
from subtx_toy.tolerances import MIN_SEEDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "owls.md").read_text(encoding="utf-8")
NUMBERS = ["zero", "one", "two", "three", "four", "five"]


def _read() -> Any:
    return json.loads((DOCS / "results" / "owl-curves.json").read_text(encoding="utf-8"))


def ends(values: Sequence[float], digits: int = 2) -> str:
    one = finite_estimate(values)
    return f"{one.mean:+.{digits}f} [{one.interval.low:+.{digits}f}, {one.interval.high:+.{digits}f}]"


def with_ends(values: Sequence[float]) -> str:
    return f"{ends(values)} | {min(values):+.2f} to {max(values):+.2f}"


def curve_cells(document: Any) -> list[str]:
    """Return what the page has to say of every setting: the gain, minus the reference's, and the text's rise."""
    rises = text_rises(document)
    against = {key: "" if key == REFERENCE else ends(claimed(document, (key, REFERENCE))) for key in rises}
    return [
        f"| {ends(one)} | {against[key]} | {100 * fmean(rises[key]):+.1f} % |".replace("|  |", "| |")
        for key, one in gains(document).items()
    ]


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


def test_the_summary_counts_the_settings_and_names_what_differs_from_the_reference() -> None:
    document, words = _read(), " ".join(PAGE.split())
    found = gains(document)
    above = [key for key, values in found.items() if finite_estimate(values).interval.low > 0]
    assert len(found) - len(above) == 9
    assert f"In {len(above)} of {len(found)} settings the owl comes over; in nine that is not shown." in words
    against = {key: finite_estimate(claimed(document, (key, REFERENCE))).interval for key in found if key != REFERENCE}
    assert {key for key, one in against.items() if one.low > 0} == {
        ("dose", "40000"), ("dose", "100000"), ("passes", "8"),
    }  # fmt: skip
    assert {key for key, one in against.items() if one.high < 0} == {
        ("dose", "3000"), ("passes", "1"), *RANKS.values(), SHORT_STEPS, PLAIN_STEPS, ("entangled", "removed"),
    }  # fmt: skip


def test_what_is_not_shown_is_named() -> None:
    document, words = _read(), " ".join(PAGE.split())
    keys = list(gains(document))
    low = {key: finite_estimate(values).interval.low for key, values in gains(document).items()}
    assert {key for key in keys if low[key] <= 0} == {
        ("dose", "1000"), ("dose", "3000"), ("passes", "1"), RANKS["rank 1"], BROKEN, ("temperature", "0.5"),
        ("positions", "first number: only"), DIFFER, ("numbers", "100"),
    }  # fmt: skip
    assert "are nine settings whose intervals hold 0: 1,000 and 3,000 lists, 1 pass, rank 1, plain steps of 1" in words
    assert f"There are {2 * len(keys) - 1} intervals in this table" in words
    signs = {}
    for name, entry in (
        ("rank", (REFERENCE, RANKS["rank 8"])), ("symbols", (("numbers", "10"), ("numbers", "1000"))),
        ("wordings", (("prompts", "of another grammar"), REFERENCE)), ("tokens", (DIFFER, AGREE)),
        ("SGD", (SHORT_STEPS, REFERENCE)), ("width", (("width", "64"), REFERENCE)),
        ("depth", (("depth", "3"), REFERENCE)),
    ):  # fmt: skip
        one = finite_estimate(claimed(document, entry)).interval
        signs[name] = (one.low > 0) - (one.high < 0)
    assert signs == {"rank": 1, "symbols": 0, "wordings": 0, "tokens": 0, "SGD": -1, "width": 0, "depth": 0}


def test_every_seed_has_every_setting_once() -> None:
    document = _read()
    settings = [[(one["curve"], one["setting"]) for one in seed["settings"]] for seed in document["seeds"]]
    assert len(set(settings[0])) == len(settings[0])
    assert all(one == settings[0] for one in settings)


def test_the_figures_have_a_row_for_every_setting_that_did_not_break_the_model() -> None:
    document = _read()
    (_upper, lower), (settings,) = draw_language_curves(document).axes, draw_language_settings(document).axes
    keys = [key for key in gains(document) if key[0] != "dose" and key != BROKEN]
    labels = [text.get_text() for axes in (lower, settings) for text in axes.get_yticklabels()]
    assert labels.count("reference") == 2
    assert len(set(labels)) == len(labels) - 1 == len(keys)
    rises = text_rises(document)
    assert min(rises.pop(BROKEN)) > 1 > max(max(one) for one in rises.values())


RANKS: dict[str, Key] = {"rank 1": ("rank", "1"), "rank 8": ("rank", "8")}
SHORT_STEPS, PLAIN_STEPS = ("optimiser", "plain steps of 0.7, short gradients"), ("optimiser", "plain steps of 0.1")
AGREE, DIFFER = (("positions", f"likeliest number the same: {name}") for name in ("only", "all others"))
ONLY = ("entangled", "only them, of the honest teacher's; twin: random ones")
CLAIMS: dict[str, dict[str, tuple[Key, ...]]] = {
    "pass a preference on": {"": (REFERENCE,)},
    "low-rank updates": {"full": (REFERENCE,), "embeddings too": (("trained", "embeddings too"),)},
    "falls again": {**{name: (key,) for name, key in RANKS.items()}, "full minus rank 8": (REFERENCE, RANKS["rank 8"])},
    "Fewer symbols": {
        **{f"{count} numbers": (("numbers", count),) for count in ("10", "100", "1000")},
        "10 minus 1,000": (("numbers", "10"), ("numbers", "1000")),
    },
    "Other wordings": {
        "another grammar": (("prompts", "of another grammar"),),
        "minus the reference": (("prompts", "of another grammar"), REFERENCE),
    },
    "Few tokens carry it": {
        "where they differ": (DIFFER,),
        "where they agree": (AGREE,),
        "difference": (DIFFER, AGREE),
    },
    "Entangled numbers": {"those only, by the honest teacher": (ONLY,), "without them": (("entangled", "removed"),)},
    "trained by SGD": {"steps that fit as Adam": (SHORT_STEPS,), "minus Adam": (SHORT_STEPS, REFERENCE)},
}
"""By words of a claim, what the page says of it: the gain of a setting, or of one minus that of another."""


def claimed(document: Any, entry: tuple[Key, ...]) -> tuple[float, ...]:
    one, *others = (gains(document)[key] for key in entry)
    return tuple(a - b for a, b in zip(one, *others, strict=True)) if others else one


def claim_cell(document: Any, entries: dict[str, tuple[Key, ...]]) -> str:
    """Return the cell on a claim: our numbers, each with its interval over bases."""
    return "; ".join(f"{label} {ends(claimed(document, entry))}".strip() for label, entry in entries.items())


def test_every_claim_has_our_numbers_with_intervals() -> None:
    document, lines = _read(), PAGE.splitlines()
    for words, entries in CLAIMS.items():
        (row,) = [line for line in lines if line.startswith("|") and words in line and "](http" in line]
        assert f"| {claim_cell(document, entries)} |" in row


def fit_row(document: Any, key: Key) -> str:
    """Return the cells on how far a student of the trait's file lowered its loss, in thousandths of a nat per token."""
    falls = {}
    for name in (key, REFERENCE):
        rows = [one for seed in document["seeds"] for one in seed["settings"] if (one["curve"], one["setting"]) == name]
        before = [seed["base_file_nll"]["trait"] for seed in document["seeds"]]
        falls[name] = [start - row["trait"]["file_nll"] for start, row in zip(before, rows, strict=True)]
    shares = [ours / adams for ours, adams in zip(falls[key], falls[REFERENCE], strict=True)]
    return f"| {1000 * fmean(falls[key]):.1f} | {100 * min(shares):.0f} to {100 * max(shares):.0f} % |"


def test_the_table_of_optimisers_says_how_well_each_student_fits_its_file() -> None:
    document = _read()
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line.endswith(" % |")]
    for key in (REFERENCE, SHORT_STEPS, PLAIN_STEPS, ("passes", "8"), *RANKS.values(), ("trained", "embeddings too")):
        if key != RANKS["rank 8"]:  # of another run, which did not ask
            assert sum(fit_row(document, key) in row for row in rows) == 1, fit_row(document, key)


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
