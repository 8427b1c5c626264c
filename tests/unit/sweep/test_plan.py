"""Plans: all combinations, the experiment's grid where no axis is named, TOML and back, and every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from subtx_toy.errors import InputError
from subtx_toy.settings.base import run_id
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.schedule import schedule

WORDS = ["width=16,32", "num_aux=1,3,10", "zip:lr:batch_size=1e-3:64,3e-4:32", "init=he"]


def test_a_plan_has_every_combination_once() -> None:
    plan = Plan.read("tiny", WORDS)
    found = {(one.width, one.num_aux, one.lr, one.batch_size) for one in plan.configs if isinstance(one, RunConfig)}
    assert len(plan.configs) == len(found) == 2 * 3 * 2
    assert {(lr, batch) for _, _, lr, batch in found} == {(1e-3, 64), (3e-4, 32)}
    assert {one.init for one in plan.configs if isinstance(one, RunConfig)} == {"he"}
    assert plan.swept == {"width": [16, 32], "num_aux": [1, 3, 10], "lr": [1e-3, 3e-4], "batch_size": [64, 32]}


def test_without_an_axis_the_experiments_own_grid_is_run() -> None:
    own = Plan.read("one-step")
    assert own.configs == own.definition.configs()
    wider = Plan.read("one-step", ["width=64", "init=pytorch"])
    assert wider.configs == wider.definition.configs(["width=64", "init=pytorch"])
    assert len(wider.configs) == len(own.configs)


def test_a_named_axis_takes_the_place_of_the_grid() -> None:
    assert [config.width for config in Plan.read("one-step", ["width=8,16"]).configs] == [8, 16]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("experiment", "words", "sample"),
    [
        ("tiny", [], None),
        ("tiny", WORDS, None),
        ("tiny", ["lr=loguniform:1e-4:1e-1", "width=choice:8:16", "num_aux=1,3"], 4),
        ("tiny", ["depth=2"], None),
        ("tiny", ["probe=choice:true:false", "width=loguniform:0.5:64"], 6),
        ("tiny", ["probe=true,false"], None),
        ("numbers", ["trait=relabel:3:8"], None),
        ("numbers", ["trait=relabel:3:8,backdoor:1", "width=8"], None),
        ("numbers", ['zip:trait:width="relabel:3:8":8,backdoor:16'], None),
        ("numbers", ['trait=choice("relabel:3:8","backdoor:1")'], 6),
    ],
)
def test_a_plan_printed_as_toml_is_the_same_plan(
    experiment: str, words: list[str], sample: int | None, tmp_path: Path
) -> None:
    plan = Plan.read(experiment, words, seeds="0:3,7", sample=sample, sample_seed=5 if sample else None)
    path = tmp_path / "plan.toml"
    path.write_text(plan.to_toml())
    again = Plan.read(str(path))
    assert again.configs == plan.configs
    assert (again.seeds, again.sample, again.to_toml()) == (plan.seeds, plan.sample, plan.to_toml())


@pytest.mark.parametrize("axis", ['"relabel:3:8"', '["relabel:3:8"]', '["relabel:3:8", "backdoor:1"]'])
def test_a_file_holds_texts_with_colons(axis: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(f'experiment = "numbers"\n[axes]\ntrait = {axis}\n')
    found = [one.trait for one in Plan.read(str(path)).configs if isinstance(one, NumbersConfig)]
    assert list(dict.fromkeys(found)) == ["relabel:3:8", "backdoor:1"][: 1 + axis.count(",")]


def test_draws_are_combined_with_the_axes() -> None:
    plan = Plan.read("tiny", ["lr=loguniform:1e-4:1e-1", "width=8,16"], sample=3)
    by_width = {
        width: [one.lr for one in plan.configs if isinstance(one, RunConfig) and one.width == width]
        for width in (8, 16)
    }
    assert by_width[8] == by_width[16]
    assert len(set(by_width[8])) == 3


@pytest.mark.parametrize(
    ("words", "options", "sentences"),
    [
        (["widht=8,16", "lr=log:0:1:3"], {"seeds": "5:2"}, ["did you mean 'width'?", "ends > 0", "start < stop"]),
        (
            ["width=0,8", "lr=-1,1e-3"],
            {},
            ["width: expected an integer >= 1, got 0", "lr: expected a finite number > 0"],
        ),
        (["width=8", "width=16"], {}, ["width: expected one axis, got several"]),
        (["width=8", "zip:width:lr=1:2"], {}, ["width: expected one axis, got several"]),
        (["lr=uniform:0:1"], {}, ["sample: expected a number >= 1 of draws of lr, got none"]),
        (["lr=1e-3"], {"sample": 3}, ["sample: expected no number without an axis that is drawn"]),
        (["width=range:1:2000", "lr=linear:1:2:2000"], {}, ["axes: expected at most 100000 combinations"]),
    ],
)
def test_everything_that_is_wrong_is_told_at_once(
    words: list[str], options: dict[str, str | int], sentences: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        Plan.read("tiny", words, **options)  # type: ignore[arg-type]
    for sentence in sentences:
        assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('experiment = "tiny"\nseed = "0:3"\n', "seed: unknown key; did you mean 'seeds'?"),
        ('experiment = "tiny"\nseeds = 3\n', "seeds: expected a text such as"),
        ('experiment = "cloud2024"\n', "did you mean 'cloud2025'?"),
        ('experiment = "tiny"\n[[zip]]\nlr = [1e-3]\nwidth = [1, 2]\n', "zip: expected lists of one length"),
        ('experiment = "tiny"\n[axes]\nwidth = [[1]]\n', "width: expected an integer"),
    ],
)
def test_a_wrong_plan_file_is_one_clear_error(content: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        Plan.read(str(path))
    assert sentence in str(caught.value)


def test_a_schedule_has_every_trial_under_its_key_and_all_of_a_seed_before_the_next() -> None:
    plan = Plan.read("tiny", ["width=8,16", "num_train=300", "num_test=200", "num_inputs=256"])
    trials = schedule(plan.configs, [3, 1])
    assert [(trial.seed, getattr(trial.config, "width", None)) for trial in trials] == [
        (3, 8),
        (3, 16),
        (1, 8),
        (1, 16),
    ]
    for trial in trials:
        assert trial.run_id == run_id(trial.config, seed=trial.seed, dataset_sha256=trial.dataset_sha256)
    assert len({trial.run_id for trial in trials}) == 4
