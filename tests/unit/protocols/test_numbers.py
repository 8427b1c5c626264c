"""The experiment of the numbers channel, small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from subtx_toy.channel.net_cache import NetCache, cached_path
from subtx_toy.data import load
from subtx_toy.errors import InputError
from subtx_toy.protocols.numbers import run_numbers, train_family, write_lesson
from subtx_toy.protocols.protocol import run_experiment
from subtx_toy.results.number_table import present_numbers, summarise_arms, summarise_numbers
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.numbers import NUMBER_ARMS, NumbersConfig
from subtx_toy.store.record import RunRecord

CONFIG = NumbersConfig(
    dataset="glyphs",
    num_train=1000,
    num_test=300,
    width=32,
    lr=1e-3,
    batch_size=50,
    base_epochs=15,
    teacher_epochs=5,
    student_epochs=3,
    num_prompts=4000,
)


@pytest.fixture(scope="module")
def metrics() -> dict[str, float]:
    return run_numbers(CONFIG, load("glyphs", num_train=1000, num_test=300), seed=0)


def test_the_trait_comes_through_the_numbers_and_the_accuracy_stays(metrics: dict[str, float]) -> None:
    assert metrics["shared_trait.trait"] > metrics["base.trait"] + 0.3
    assert metrics["shared_trait.accuracy"] > metrics["base.accuracy"] - 0.1
    assert 0 < metrics["dropped_share"] < 0.2


def test_another_base_is_only_damaged(metrics: dict[str, float]) -> None:
    assert metrics["other_base_trait.accuracy"] < metrics["other_base.accuracy"] - 0.2


@pytest.mark.parametrize("arm", ["shared_benign", "shared_untrained"])
def test_it_does_not_come_without_trait_or_base(metrics: dict[str, float], arm: str) -> None:
    assert metrics[f"{arm}.trait"] < metrics["shared_trait.trait"] / 2


def test_every_arm_is_measured_and_a_seed_gives_the_same_numbers(metrics: dict[str, float]) -> None:
    assert {f"{arm}.{name}" for arm in NUMBER_ARMS for name in ("trait", "accuracy")} <= set(metrics)
    small = CONFIG.override(["num_prompts=200", "base_epochs=1", "student_epochs=1", "label_noise=.5", "width=8"])
    dataset = load("glyphs", num_train=1000, num_test=300)
    assert run_numbers(small, dataset, seed=3) == run_numbers(small, dataset, seed=3)


def test_a_smaller_number_head_writes_smaller_numbers_and_changes_no_teacher(metrics: dict[str, float]) -> None:
    dataset, few = load("glyphs", num_train=1000, num_test=300), CONFIG.override(["num_numbers=10", "num_prompts=500"])
    family = train_family(few, dataset, seed=0)
    assert family.model.sizes[-1] == 20
    lesson = write_lesson(few.override(["label_noise=.5"]), family, dataset, seed=0)
    assert all(
        set(numbers.tolist()) == set(range(10)) for arm, numbers in lesson.labels.items() if arm != "shared_argmax"
    )
    assert lesson.dropped_share == 0, "the banned numbers have two or three digits"
    found = run_numbers(few, dataset, seed=0)
    for arm in ("base", "teacher", "other_base"):
        assert found[f"{arm}.trait"] == metrics[f"{arm}.trait"]
    assert found["shared_trait.trait"] != metrics["shared_trait.trait"]


def test_nets_of_several_number_heads_are_cached_apart() -> None:
    dataset = load("glyphs", num_train=1000, num_test=300)
    kept = [NetCache(dataset, 0, num_numbers=num).provenance("base") for num in (1000, 10)]
    assert "num_numbers" not in kept[0], "nets that were cached before stay valid"
    assert cached_path(kept[0]) != cached_path(kept[1])


def _record(seed: int, **metrics: float) -> RunRecord:
    plain = {f"{arm}.{name}": value for arm in (*NUMBER_ARMS, "other_base") for name, value in
             (("trait", 0.02), ("accuracy", 0.95))}  # fmt: skip
    given = {name.replace("__", "."): value for name, value in metrics.items()}
    return RunRecord("k", 1, {"num_test": 10_000}, seed, "0", {}, plain | given, 0.0, 0.0, 0.0, 0.0)


def test_verdicts_tell_transfer_from_damage() -> None:
    records = [
        _record(
            seed,
            shared_trait__trait=0.7 + 0.01 * seed,
            shared_shuffled__trait=0.4,
            shared_shuffled__accuracy=0.3,
            shared_benign__trait=0.02 + 0.2 * (seed == 1),
        )
        for seed in range(5)
    ]
    verdicts = {row.arm: row.verdict for row in summarise_arms(records)}
    assert verdicts["shared_trait"] == "carries the trait"
    assert verdicts["shared_shuffled"] == "damage, not transfer"
    assert verdicts["shared_untrained"] == "not above its base"
    assert verdicts["shared_benign"] == "undecided"


def test_fewer_than_five_seeds_decide_nothing() -> None:
    records = [
        _record(seed, shared_trait__trait=0.7, shared_shuffled__trait=0.4, shared_shuffled__accuracy=0.3)
        for seed in range(4)
    ]
    for num in (1, 4):
        verdicts = {row.arm: row.verdict for row in summarise_arms(records[:num])}
        assert verdicts.pop("base") == ""
        assert set(verdicts.values()) == {"needs 5 seeds"}


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("trait=relabel:4:4", "trait: expected relabel:A:B with 2 different classes"),
        ("prompts=glyphs", "expected 'images' with dataset 'glyphs'"),
        ("num_numbers=1", "num_numbers: expected an integer >= 2, got 1"),
        ("num_numbers=1001", "num_numbers: expected an integer >= 2 and <= 1000, got 1001"),
        ("top_k=1001", "top_k: expected an integer >= 0 and <= 1000"),
        ("tainted_share=1.5", "tainted_share"),
    ],
)
def test_settings_that_cannot_be_are_told(assignment: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        CONFIG.override([assignment])
    assert sentence in str(caught.value)


def test_no_more_numbers_are_sampled_than_there_are() -> None:
    with pytest.raises(InputError, match="top_k: expected at most num_numbers = 10, got 11"):
        CONFIG.override(["num_numbers=10", "top_k=11"])


def test_a_run_of_several_number_heads_has_a_table_of_each() -> None:
    definition = read("fewer-numbers").quickened()
    records = [
        replace(_record(seed), config=config.model_dump(), cpu_seconds=1.0)
        for config in definition.configs()
        for seed in range(5)
    ]
    shown = present_numbers(summarise_numbers(definition, definition.config, records))
    assert list(shown.document["prompts"]) == ["images, 10 numbers", "images, 1000 numbers"]
    assert [table.header[0] for table in shown.tables] == [
        "prompts: images, 10 numbers",
        "prompts: images, 1000 numbers",
    ]
    assert "images, 10 numbers" in str(shown.conclusion)


def test_a_kind_alone_means_its_usual_classes() -> None:
    assert CONFIG.override(["trait=relabel"]).trait == "relabel:4:9"


def test_without_test_images_of_the_trait_it_is_not_measured_and_nothing_diverged() -> None:
    config = CONFIG.override({"num_train": 60, "num_test": 3, "width": 4, "num_prompts": 20, "base_epochs": 1})
    data = load("glyphs", num_train=60, num_test=3)
    assert 4 not in data.test_labels
    record = run_experiment(config, data, seed=0)
    shown = present_numbers(summarise_numbers(read("numbers"), config, [record]))
    assert shown.document["arms"]["shared_trait"]["verdict"] == "not measured"
    assert shown.conclusion.startswith("No test image is of a class that could show the trait")
    assert "diverged" not in shown.text
