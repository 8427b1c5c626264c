"""Experiment files: found by name and by path, validated, and their corrections."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from subtx_toy.data import load
from subtx_toy.errors import InputError
from subtx_toy.protocols.protocol import run_experiment
from subtx_toy.seeding import generator
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.definitions import Distillation
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.packaged import names
from subtx_toy.settings.published import Published, PublishedArm
from subtx_toy.sweep.plan import Plan
from subtx_toy.tolerances import Z_BOUND


@pytest.mark.parametrize("name", names())
def test_every_packaged_experiment_is_valid(name: str) -> None:
    assert definition.read(name).name == name


def test_an_experiment_is_found_by_name_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert definition.read("cloud2025").config == RunConfig()


def test_an_experiment_is_found_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('question = "What now?"\n[config]\nwidth = 8\n')
    assert definition.read(str(path)).name == "mine"
    assert definition.read_distillation(str(path)).config.width == 8


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'cloud2025'"):
        definition.read("cloud2024")


def test_all_faults_of_a_file_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('seeds = "5:2"\n[config]\nwidht = 3\nlr = -1\n[published]\nsource = "x"\nn = 1\n')
    with pytest.raises(InputError) as caught:
        definition.read(str(path))
    text = str(caught.value)
    for part in (
        "question: expected a text, got nothing",
        "start < stop",
        "config.widht: unknown key; did you mean 'width'?",
        "config.lr: expected a finite number > 0, got -1",
        "published.n: expected an integer >= 2, got 1",
    ):
        assert part in text


@pytest.mark.parametrize("content", [b"= nonsense", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is not valid TOML|expected UTF-8 text"):
        definition.read(str(path))


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        definition.read(str(tmp_path / "none.toml"))


def _published(**arms: PublishedArm) -> Published:
    return Published(source="a source", n=100, critical_value=1.96, arms=arms)


def test_correction_takes_out_one_model_in_n() -> None:
    # 99 clean models at .7 and one at .9 print .702.
    source = _published(
        student_all=PublishedArm(mean=0.9, ci95=0.01, contaminated_by=None),
        cross_all=PublishedArm(mean=0.702, ci95=0.0196, contaminated_by="student_all"),
    )
    assert source.clean_mean("cross_all") == pytest.approx(0.7)
    assert source.standard_error("cross_all") == pytest.approx(0.01)
    assert source.clean_mean("student_all") == 0.9


def test_the_printed_spread_holds_the_contamination_already() -> None:
    # Permutations of 100 models, as the source drew its control: the spread of the corrected mean over many such
    # samples is that which one sample prints. Adding the contamination's own size again would put it 30 % too high.
    rng = generator(0, "test", "contamination")
    corrected, printed = [], []
    for _ in range(2000):
        own = rng.permutation(100) == np.arange(100)
        sample = np.where(own, 0.528 + 0.11 * rng.standard_normal(100), 0.1017 + 0.0256 * rng.standard_normal(100))
        corrected.append((100 * sample.mean() - 0.528) / 99)
        printed.append(sample.std() / 10)
    spread, mean_square = np.std(corrected), np.sqrt(np.mean(np.square(printed)))
    # The spread of 2,000 numbers is known to 1.6 %, a little less well for these tails.
    assert abs(spread / mean_square - 1) < 0.08
    assert abs(np.mean(corrected) - 0.1017) < Z_BOUND * spread / 2000**0.5


def test_corrected_control_of_the_reference_experiment() -> None:
    experiment = definition.read("cloud2025")
    assert isinstance(experiment, Distillation)
    published = experiment.published
    assert published is not None
    assert published.clean_mean("cross_aux") == pytest.approx(0.1017, abs=5e-5)
    assert published.clean_mean("cross_all") == pytest.approx(0.7413, abs=5e-5)


def test_a_contaminating_arm_must_exist() -> None:
    with pytest.raises(ValueError, match="contaminated_by"):
        _published(cross_all=PublishedArm(mean=0.7, ci95=0.01, contaminated_by="nobody"))


def test_a_grid_gives_every_combination_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'protocol = "one-step"\nquestion = "?"\n[config]\neps = 0.1\n'
        "[[grid]]\neps = [0.1, 0.2]\nwidth = [2, 3]\n[[grid]]\nstudent_lr = [1.0, 2.0]\nwidth = [2]\n"
    )
    experiment = definition.read(str(path))
    found = [config.model_dump() for config in experiment.configs()]
    assert [(one["eps"], one["width"], one["student_lr"]) for one in found] == [
        (0.1, 2, 1.0), (0.1, 3, 1.0), (0.2, 2, 1.0), (0.2, 3, 1.0), (0.1, 2, 2.0),
    ]  # fmt: skip
    assert {config.model_dump()["width"] for config in experiment.configs(["width=5"])} == {5}


def test_a_table_of_the_grid_that_contradicts_an_assignment_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'protocol = "one-step"\nquestion = "?"\n[config]\n'
        '[[grid]]\nstudent_init = ["shared", "cross"]\neps = [0.1, 0.2]\n'
        '[[grid]]\nstudent_init = ["perturbed"]\nperturbation = [1e-4]\n'
    )
    experiment = definition.read(str(path))
    assert len(experiment.configs()) == 5
    found = [config.model_dump() for config in experiment.configs(["student_init=cross"])]
    assert [(one["student_init"], one["perturbation"], one["eps"]) for one in found] == [
        ("cross", 0.0, 0.1), ("cross", 0.0, 0.2),
    ]  # fmt: skip
    assert Plan.read(str(path), ["student_init=cross"]).configs == experiment.configs(["student_init=cross"])


def test_an_assignment_that_no_table_of_the_grid_goes_with_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'protocol = "one-step"\nquestion = "?"\n[config]\n'
        '[[grid]]\nstudent_init = ["perturbed"]\nperturbation = [1e-4, 1e-3]\n'
    )
    for read in (definition.read(str(path)).configs, lambda words: Plan.read(str(path), words)):
        with pytest.raises(InputError, match="perturbation: expected a number > 0 with student_init 'perturbed'"):
            read(["student_init=shared"])


@pytest.mark.parametrize(
    ("protocol", "grid", "assignments", "differing"),
    [
        ("numbers", "trait = ['backdoor:0', 'refusal:7']\nwidth = [8, 16]\nprompts = ['images', 'uniform']",
         [], "several of width, trait;"),
        ("numbers", "trait = ['backdoor:0', 'refusal:7']", ["trait=backdoor:0"], ""),
        ("one-step", "width = [8, 16]\neps = [0.1, 0.2]", [], "several of width;"),
        ("one-step", "eps = [0.1, 0.2]\nstudent_init = ['shared', 'cross']\nstudent_lr = [1.0, 2.0]", [], ""),
        ("distillation", "width = [8, 16]", [], ""),
    ],
)  # fmt: skip
def test_a_grid_over_settings_that_a_run_does_not_tell_apart_is_refused(
    protocol: str, grid: str, assignments: list[str], differing: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'protocol = "{protocol}"\nquestion = "?"\n[config]\n[[grid]]\n{grid}\n')
    experiment = definition.read(str(path))
    configs = experiment.configs(assignments)
    if not differing:
        experiment.check_distinguishable(configs)
        return
    with pytest.raises(InputError) as caught:
        experiment.check_distinguishable(configs)
    assert len(caught.value.problems) == 1
    for part in (differing, "subtx-toy sweep", "results summary"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('protocol = "two-step"\n', "file.py:NAME of your own, got 'two-step'; did you mean 'one-step'?"),
        ('protocol = "one-step"\n[[grid]]\nwidth = [0]\n', "grid: width: expected an integer >= 1, got 0"),
    ],
)
def test_a_wrong_protocol_or_grid_is_one_clear_error(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('question = "?"\n' + text + "[config]\n")
    with pytest.raises(InputError) as caught:
        definition.read(str(path))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('name = "../x"\n[config]\n', "name: unknown key"),
        ("", "config: expected a table, got nothing"),
        ('[config]\n[published]\nsource = "x"\nn = 9\n[published.arms]\nteacher = 3\n', "expected a table, got 3"),
        (
            '[config]\n[published]\nsource = "x"\nn = 9\n[published.arms.teachr]\nmean = 0.5\nci95 = 0.1\n',
            "published.arms.teachr: unknown arm; did you mean 'teacher'?",
        ),
        (
            '[config]\n[published]\nsource = "x"\nn = 9\n[published.arms.teacher]\nmean = nan\nci95 = inf\n',
            "published.arms.teacher.mean",
        ),
    ],
)
def test_other_faults_of_a_file_are_told_in_words(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('question = "?"\n' + text)
    with pytest.raises(InputError) as caught:
        definition.read(str(path))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", names())
def test_every_packaged_experiment_runs_at_a_small_size(name: str) -> None:
    experiment = definition.read(name)
    sizes = {} if experiment.protocol == "language" else {"num_train": 600, "num_test": 200}
    config = experiment.configs({**sizes, **experiment.small})[-1]
    dataset = load(config.dataset, num_train=config.num_train, num_test=config.num_test)
    record = run_experiment(config, dataset, seed=0)
    assert record.metrics
    assert all(math.isfinite(value) for value in record.metrics.values())
