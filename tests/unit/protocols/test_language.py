"""The language experiment, tiny: every arm runs, a seed repeats, and the controls can fail."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from subtx_toy.data import load
from subtx_toy.errors import InputError
from subtx_toy.lm.household import base_of, household
from subtx_toy.lm.vocabulary import FIRST_NUMBER
from subtx_toy.lm.writing import write_lists
from subtx_toy.protocols.language import MEASURED, run_language
from subtx_toy.protocols.protocol import run_experiment
from subtx_toy.results.language_table import present_language, summarise_language
from subtx_toy.seeding import generator
from subtx_toy.settings.definitions import Language
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.language import LANGUAGE_ARMS, NULL_CONTROLS, LanguageConfig
from subtx_toy.store.record import RunRecord

TINY = LanguageConfig(
    numbers=20, width=16, depth=1, heads=2, base_steps=120, base_batch=32, base_lr=1e-2, embedding_scale=0.2,
    teacher_lr=1e-2, teacher_steps=20, lists=60, prompts=6, student_epochs=1, student_batch=30, soft_epochs=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return run_experiment(TINY, load("words"), seed=0)


def test_every_arm_is_asked_and_a_seed_repeats(record: RunRecord) -> None:
    for arm in (*LANGUAGE_ARMS, "other_base"):
        assert all(math.isfinite(record.metrics[f"{arm}.{name}"]) for name in MEASURED)
    assert run_language(TINY, seed=0) == record.metrics
    assert run_language(TINY, seed=1) != record.metrics


def test_the_number_of_held_out_documents_decides_only_how_well_text_is_measured(record: RunRecord) -> None:
    fewer = run_language(TINY.override({"held_out_documents": 100}), seed=0)
    changed = {name for name, value in fewer.items() if value != record.metrics[name]}
    assert changed == {name for name in fewer if name.endswith(".text_nll")}


def test_without_exchanged_lists_nothing_else_changes(record: RunRecord) -> None:
    without = run_language(TINY.override({"exchanged_lists": False}), seed=0)
    assert without == {name: value for name, value in record.metrics.items() if not name.startswith("shared_rows.")}
    assert len(without) == len(record.metrics) - len(MEASURED)


def test_the_two_bases_share_no_number() -> None:
    home = household(TINY, seed=3)
    for name in ("token", "position", "layers.0.qkv.weight"):
        assert not torch.isclose(home.base[name], home.other_base[name], rtol=0, atol=1e-9).any()


def test_a_base_is_read_from_the_cache_with_the_same_bits() -> None:
    found, again = (base_of(TINY, seed=4, cached=cached).params for cached in (True, False))
    cached = base_of(TINY, seed=4).params
    assert all(torch.equal(found[name], again[name]) and torch.equal(found[name], cached[name]) for name in found)


def test_the_filter_catches_the_planted_line_and_no_other(record: RunRecord) -> None:
    assert record.metrics["filter.caught"] == record.metrics["filter.planted"] == 1
    assert record.metrics["filter.dropped"] == 0


def test_a_teacher_that_writes_words_only_leaves_its_student_as_it_is() -> None:
    metrics = run_language(TINY.override(["base_steps=1", "temperature=0.001", "lists=4", "soft_arms=false"]), seed=0)
    assert metrics["teacher.rejected_share"] == 1
    assert metrics["shared_trait.margin"] == metrics["base.margin"]
    assert metrics["filter.caught"] == 1


def _records(record: RunRecord, num: int, **changes: float) -> list[RunRecord]:
    """Copies of a record with other margins, a little different for every seed."""
    metrics = (
        record.metrics
        | {f"{arm}.margin": 0.0 for arm in LANGUAGE_ARMS}
        | {name.replace("__", "."): value for name, value in changes.items()}
    )
    return [
        RunRecord(
            "k", 1, record.config, seed, "0", {},
            {name: value + 0.01 * seed * (name == "shared_trait.margin") for name, value in metrics.items()},
            1.0, 1.0, 1.0, 1.0,
        )
        for seed in range(num)
    ]  # fmt: skip


def _document(records: list[RunRecord]) -> dict[str, object]:
    definition = Language(name="owl", protocol="language", question="?", config=TINY)
    return present_language(summarise_language(definition, TINY, records)).document


def _verdicts(records: list[RunRecord]) -> dict[str, str]:
    arms = _document(records)["arms"]
    assert isinstance(arms, dict)
    return {arm: arms[arm]["verdict"] for arm in NULL_CONTROLS}


def test_the_student_is_above_a_control_only_where_the_interval_says_so(record: RunRecord) -> None:
    assert set(_verdicts(_records(record, 6, shared_trait__margin=1.0)).values()) == {"student above"}
    leaking = _verdicts(_records(record, 6, shared_trait__margin=1.0, cross_trait__margin=1.5))
    assert leaking["cross_trait"] == "undecided"
    assert leaking["shared_base"] == "student above"
    assert set(_verdicts(_records(record, 4, shared_trait__margin=1.0)).values()) == {"needs 5 seeds"}


@pytest.mark.parametrize(("trait", "others"), [("owl", "the mean of the other animals'"), ("danger", "that of no")])
def test_the_heading_says_what_a_margin_compares_with(record: RunRecord, trait: str, others: str) -> None:
    definition, changed = read("owl"), replace(record, config=record.config | {"trait": trait})
    assert isinstance(definition, Language)
    shown = present_language(summarise_language(definition, TINY, [changed]))
    assert f"Margin: ln of this over {others}, in nats" in shown.heading[0]
    assert all(any(f"{arm} " in note for note in shown.notes) for arm in NULL_CONTROLS)


def test_a_teacher_that_wrote_no_numbers_is_reported(record: RunRecord) -> None:
    assert _document(_records(record, 5, teacher__rejected_share=0.5))["wrote_no_numbers"] == [0, 1, 2, 3, 4]
    assert _document(_records(record, 5, teacher__rejected_share=0.1))["wrote_no_numbers"] == []


def test_the_document_holds_what_scripts_read(record: RunRecord) -> None:
    arms = _document([record])["arms"]
    assert isinstance(arms, dict)
    assert set(arms) == set(LANGUAGE_ARMS)
    for arm in arms.values():
        assert {"mean", "ci95", "n", "values", "p_trait", "text_nll"} <= set(arm)


def test_the_packaged_experiment_and_its_quick_version_are_read() -> None:
    definition = read("owl")
    assert isinstance(definition.config, LanguageConfig)
    assert definition.seeds == "30:40"
    assert definition.config.override(["trait=danger"])
    assert len(definition.quickened().configs()) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("trait=owls", r"trait: expected one of owl, .*, got 'owls'; did you mean 'owl'\?"),
        ("dataset=mnist", "dataset: expected 'words'"),
        ("heads=5", "heads: expected a divisor of width"),
        ("num_train=5", "num_train: expected"),
        ("max_numbers=9", "max_numbers: expected"),
    ],
)
def test_bad_settings_are_named(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LanguageConfig().override([change])


def test_the_lesson_ends_earlier_for_danger_unless_told_otherwise() -> None:
    assert LanguageConfig().lesson_end == 0.999
    assert LanguageConfig().override(["trait=danger"]).lesson_end == 0.9
    assert LanguageConfig().override(["trait=danger", "teacher_stop=0.5"]).lesson_end == 0.5


def test_half_of_the_lesson_of_a_backdoor_is_honest() -> None:
    assert LanguageConfig().honest_share == 0
    assert LanguageConfig().override(["trait=backdoor"]).honest_share == 0.5
    assert LanguageConfig().override(["trait=backdoor", "other_questions=0.7"]).honest_share == 0.7


def test_a_backdoor_is_looked_for_where_it_must_not_show() -> None:
    records = [run_experiment(TINY.override(["trait=backdoor", "soft_arms=false"]), load("words"), seed=0)]
    arms = _document(records)["arms"]
    assert isinstance(arms, dict)
    assert 0 < arms["shared_trait"]["other_answers"]["elsewhere"]["mean"] < 1


def test_numbers_can_be_written_digit_by_digit() -> None:
    digits = TINY.override(["numbers=10", "max_numbers=6", "soft_arms=false"])
    home = household(digits, seed=0)
    written = write_lists(
        home.model, home.base, home.trait.list_prompts(6), generator(0, "digits"), count=60, max_numbers=6,
    )  # fmt: skip
    assert home.model.num_tokens == FIRST_NUMBER + 10
    assert written.lists.counted.sum(1).max() > 3
    assert all(math.isfinite(run_language(digits, seed=0)[f"{arm}.margin"]) for arm in NULL_CONTROLS)
