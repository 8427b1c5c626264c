"""``predict`` ranks a setting by the packaged table, which is that of the committed runs, and trains no student."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import subtx_toy as st
from experiments.studies import predictor_ranks, predictor_settings
from subtx_toy import cli
from subtx_toy.api.predict import Prediction
from subtx_toy.errors import InputError
from subtx_toy.protocols import prediction as protocol
from subtx_toy.results.committed_ranks import PATH, rank_table
from subtx_toy.results.prediction_table import LABELS, rank
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.settings.prediction import reference_settings, unpredictable
from subtx_toy.stats import Interval

TINY: dict[str, Any] = {
    "dataset": "glyphs", "num_train": 60, "num_test": 20, "num_inputs": 60, "width": 8, "batch_size": 30,
    "teacher_epochs": 1, "student_epochs": 1,
}  # fmt: skip


def test_the_packaged_table_is_that_of_the_committed_runs() -> None:
    assert json.loads(PATH.read_text(encoding="utf-8")) == json.loads(json.dumps(predictor_ranks.document()))


def test_the_table_has_enough_settings_and_a_control_without_rank() -> None:
    document = json.loads(PATH.read_text(encoding="utf-8"))
    assert document["num_settings"] >= 60
    assert document["num_seeds"] == 3
    assert [one["name"] for one in document["predictors"]] == list(LABELS)
    for one in document["predictors"]:
        low, high = one["permuted95"]
        assert -0.35 < low < 0 < high < 0.35
        assert one["ci95"][0] < one["rho"] < one["ci95"][1]


def test_a_planted_permutation_of_the_settings_has_no_rank() -> None:
    settings = predictor_ranks.settings_of(predictor_ranks.RUNS)
    order = generator(0, "tests", "permuted settings").permutation(len(settings))
    mixed = [one._replace(values=settings[at].values | {"transfer": one.values["transfer"]})
             for one, at in zip(settings, order, strict=True)]  # fmt: skip
    for name, found in rank(mixed).items():
        assert found.permuted.low - 0.1 < found.rho < found.permuted.high + 0.1, name


def test_the_grid_of_the_experiment_is_the_drawn_one() -> None:
    text = predictor_settings.PAGE.read_text(encoding="utf-8")
    assert text.endswith(predictor_settings.grid())
    assert len(read("predictors").configs()) == predictor_settings.NUM_FIXED + predictor_settings.NUM_FREE


def test_a_prediction_has_every_predictor_with_its_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "run_protocol", None)  # a student would be trained by it
    found = st.predict("cloud2025", seeds=range(2), **TINY)
    document = found.document()
    assert {one["name"] for one in document["predictors"]} == set(LABELS) - {"linear_student"}
    for one in document["predictors"]:
        known = rank_table().ranks[one["name"]]
        assert (one["rho"], Interval(*one["ci95"])) == (known.rho, known.interval)
        assert one["value"] == pytest.approx(np.mean(one["values"]))
        assert len(one["values"]) == 2
        assert one["share_below"] is None  # the settings of the rank table are others
    assert document["predictors"][-1]["value"] == 3
    assert len(found.to_frame()) == 2


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, ""),
        (
            {"num_aux": 4, "width": 100, "num_test": 1000, "students": "all"},
            "",
        ),  # between those of the table, or unseen
        ({"student_noise_unit": "absolute"}, ""),  # the unit of no noise
        ({"student_noise_unit": "absolute", "student_noise": 0.1}, "student_noise_unit=parameter_sd"),
        ({"num_train": 3999}, "4000 images of mnist"),
        ({"dataset": "glyphs", "width": 512}, "4000 images of mnist"),
        ({"num_inputs": 60_000, "student_epochs": 30}, "student_epochs=1 to 6 and num_inputs=4000"),
        ({"loss": "squared_error", "width": 16}, "width=32 to 128"),
        ({"optimizer": "sgd"}, "optimizer=adam"),
    ],
    ids=str,
)
def test_a_place_in_the_rank_table_is_given_to_settings_like_its_own_only(changes: dict[str, Any], known: str) -> None:
    base = read("predictors").config
    assert isinstance(base, RunConfig)
    config, like = reference_settings(base).override(changes), not known
    values: dict[str, tuple[float, ...]] = {"num_aux": (10.0, 10.0), "sign_coverage": (0.2, 0.22)}
    found = Prediction("own", config, (0, 1), values, (0.9, 0.9), (0.1, 0.1), (1.0, 1.0))
    assert ("this setting stands above" in found.conclusion) == like
    assert ("A rank is predicted, not a value." in found.conclusion) == like
    assert (f"The table has {known}, so no place among its settings is given." in found.conclusion) != like
    table = found.tables[0]
    assert [row[0] for row in table.rows] == ["sign_coverage", "num_aux"]  # the best of the rank table first
    assert all((row[3] != "") == like for row in table.rows)
    shares = [one["share_below"] for one in found.document()["predictors"]]
    assert all((share is not None and 0 < share < 1) == like for share in shares)


def test_a_setting_is_checked_by_itself_and_not_with_every_point_of_the_grid() -> None:
    with pytest.raises(st.InputError) as caught:
        st.predict("defences", anchor=10)  # one of the grid's points has a loss that no anchor goes with
    assert str(caught.value) == "anchor: expected 0.0, for no predictor takes it into account, got 10.0"


def test_every_setting_of_another_protocol_is_taken_into_account_or_refused() -> None:
    more = {"student_dropout": 0.5, "tainted_share": 0.5, "student_lr": 0.1, "benign_epochs": 1, "generations": 2,
            "frozen": "hidden", "student_optimizer": "adam", "target_top_k": 1, "labels": "random"}  # fmt: skip
    plain = dict(num_train=60, num_test=20, num_inputs=40, inputs="images", width=8)
    for name, value in more.items():
        config = MechanismConfig.parse({**plain, name: value})
        assert [fault.partition(":")[0] for fault in unpredictable(config)] == [name]
    assert not list(unpredictable(MechanismConfig.parse({**plain, "measure": "imitation"})))


def test_inputs_are_sampled_as_the_experiment_says() -> None:
    few, all_of_them = (st.predict("predictors", num_sampled=num, **TINY).values for num in (5, 60))
    assert few["coverage"] != all_of_them["coverage"]


@pytest.mark.parametrize("changes", [{"teacher_epochs": 0}, {"num_aux": 1}, {"depth": 0}], ids=str)
def test_where_a_predictor_is_not_defined_no_rank_is_named(changes: dict[str, Any]) -> None:
    found = st.predict("cloud2025", **TINY | changes)
    assert found.conclusion.endswith("Nothing is predicted.")
    row = next(row for row in found.tables[0].rows if row[0] == "sign_coverage")
    assert row[1] == row[3] == ""
    assert next(one for one in found.document()["predictors"] if one["name"] == "coverage")["share_below"] is None


def test_the_linearised_student_is_trained_on_demand() -> None:
    found = st.predict("cloud2025", linear_student=True, **TINY)
    assert list(found.values) == list(LABELS)


def test_ties_count_by_half() -> None:
    known = rank_table().ranks["num_aux"]
    assert known.share_below(0) == 0
    assert known.share_below(1e9) == 1
    assert 0 < known.share_below(known.values[0]) < 1


def test_its_progress_names_the_phases_and_counts_their_epochs() -> None:
    seen: list[tuple[str, int, int | None, str]] = []
    st.predict("cloud2025", seeds=[7], linear_student=True, progress=lambda *news: seen.append(news), **TINY)
    phases = ["training the teacher", "computing the predictors", "training the linearised student"]
    assert [one for one in seen if one[3] == "seeds"] == [(name, at, 1, "seeds") for name in phases for at in (0, 1)]
    assert ("seed 7", 1, 1, "epochs") in seen
    assert ("seed 7", 2, 2, "epochs") in seen


@pytest.mark.parametrize(
    ("experiment", "settings", "sentence"),
    [
        ("one-step", {}, "expected 'distillation', whose transfer can be predicted"),
        ("cloud2025", {"linearized": "both"}, "linearized: expected 'none', got 'both'"),
        ("cloud2025", {"widht": 3}, "widht: unknown key"),
        ("lazy-rich", {"output_scale": 3.0}, "output_scale: expected 1, got 3.0"),
        ("defences", {"clip_each": 0.1}, "clip_each: expected 0.0, for no predictor takes it into account, got 0.1"),
        ("two-tasks", {}, "second_task: expected '', for no predictor takes it into account, got 'parity'"),
        ("divergences", {"loss": "reverse_kl"}, "loss: expected one of 'kl', .* got 'reverse_kl'"),
        ("shared-parts", {"students": "cross_aux"}, "students: expected one of .* got 'cross_aux'"),
        (
            "cloud2025",
            {"weight_decay": 0.1, "linear_student": True},
            "weight_decay: expected 0.0 .* student is trained",
        ),
        ("predictors", {"precision": "bf16"}, "precision: expected .* the linearised student is trained, too"),
    ],
)
def test_what_cannot_be_predicted_is_refused(experiment: str, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        st.predict(experiment, **settings)


def test_the_command_prints_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"{name}={value}" for name, value in TINY.items()]
    assert cli.call(["predict", "cloud2025", *words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"name", "value", "rho", "ci95"} <= set(document["predictors"][0])
    assert cli.call(["predict", "cloud2025", *words]) == 0
    assert "sign_coverage" in capsys.readouterr().out


def test_a_bad_assignment_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["predict", "cloud2025", "width"]) == 2
    assert "'width': expected SETTING=VALUE" in capsys.readouterr().err
