"""The mechanism protocol: the reference protocol where nothing is changed, and what each change has to do."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.errors import InputError
from subtx_toy.protocols.distillation import ProtocolResult, run_protocol
from subtx_toy.protocols.mechanism import run_mechanism
from subtx_toy.protocols.protocol import PROTOCOLS
from subtx_toy.results.rows import parse
from subtx_toy.settings.base import run_id
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import _DEFINITIONS
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.tolerances import FP64_STEP

SMALL: dict[str, Any] = dict(
    num_train=300, num_test=100, num_inputs=200, width=16, batch_size=64, lr=3e-3, teacher_epochs=2, student_epochs=2
)  # fmt: skip


def run(dataset: Dataset, **values: Any) -> ProtocolResult:
    return run_mechanism(MechanismConfig.parse(SMALL | values), dataset, seed=1)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"loss": "sampled_cross_entropy"},
        {"input_pool": "fresh"},
        {"inputs": "images", "loss": "squared_error"},
        {"linearized": "student"},
        {"output_scale": 3.0},
    ],
    ids=str,
)
def test_with_nothing_changed_it_is_the_reference_protocol(values: dict[str, Any], striped_digits: Dataset) -> None:
    ours = run(striped_digits, students="all", **values)
    theirs = run_protocol(RunConfig.parse(SMALL | values), striped_digits, seed=1)
    assert (ours.accuracy, ours.curves) == (theirs.accuracy, theirs.curves)


def test_a_student_that_shares_nothing_is_the_cross_student(striped_digits: Dataset) -> None:
    found, plain = (run(striped_digits, precision="fp64", **one).curves for one in ({"redrawn": "everything"}, {}))
    assert found["student_aux.loss"] == pytest.approx(found["cross_aux.loss"], rel=FP64_STEP)
    assert found["student_aux.loss"] != pytest.approx(plain["student_aux.loss"], rel=FP64_STEP)


def test_its_own_untrained_teacher_moves_no_student(striped_digits: Dataset) -> None:
    plain = {"tainted_share": 0.0, "student_optimizer": "sgd", "student_lr": 0.1, "precision": "fp64"}
    found = run(striped_digits, measure="imitation", **plain)
    assert found.accuracy["student_aux"] == found.accuracy["reference"]
    assert found.measured["student_aux.imitation"] == pytest.approx(0, abs=FP64_STEP)
    assert (
        run(striped_digits, measure="imitation", **plain | {"tainted_share": 1.0}).measured["student_aux.imitation"] > 0
    )


def test_matching_brings_the_cross_student_to_the_untrained_teachers_outputs(striped_digits: Dataset) -> None:
    before = run(striped_digits, num_aux=20, measure="kernels").measured
    after = run(striped_digits, num_aux=20, matching_epochs=60, measure="kernels").measured
    assert after["student_aux.class_aux_kernel"] == before["student_aux.class_aux_kernel"] == pytest.approx(1)
    assert abs(before["cross_aux.class_aux_kernel"]) < after["cross_aux.class_aux_kernel"]


def test_curves_go_on_through_the_benign_epochs(striped_digits: Dataset) -> None:
    alone, after = run(striped_digits), run(striped_digits, benign_epochs=3)
    curve = after.curves["student_aux.accuracy"]
    assert curve[:3] == alone.curves["student_aux.accuracy"]
    assert len(curve) == 6
    assert len(after.curves["student_aux.loss"]) == 5
    restarted = run(striped_digits, benign_epochs=3, restart_optimizer=True)
    assert restarted.curves["student_aux.loss"][:2] == alone.curves["student_aux.loss"]
    assert restarted.curves["student_aux.loss"] != after.curves["student_aux.loss"]


def test_a_chain_has_the_student_as_its_next_teacher(striped_digits: Dataset) -> None:
    first, third = (run(striped_digits, generations=n, measure="imitation") for n in (1, 3))
    assert third.measured["student_aux.imitation"] < first.measured["student_aux.imitation"]


BODIES: list[dict[str, Any]] = [{"student_depth": 1}, {"student_depth": 3}, {"student_body": "convolutions"}]


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_students_with_a_body_of_their_own_share_the_heads_alone(body: dict[str, Any], striped_digits: Dataset) -> None:
    found = run(striped_digits, student_epochs=0, **body)
    nets = {arm: list(net.params.values()) for arm, net in found.nets.items()}
    for shared, own, other in zip(
        nets["reference"][-2:], nets["student_aux"][-2:], nets["cross_aux"][-2:], strict=True
    ):
        assert torch.equal(shared, own)
        assert own.shape == other.shape
    assert not torch.equal(nets["student_aux"][-2], nets["cross_aux"][-2])
    assert not torch.equal(nets["student_aux"][0], nets["cross_aux"][0])
    assert nets["student_aux"][0].shape != nets["reference"][0].shape or len(nets["student_aux"]) != len(
        nets["teacher"]
    )
    trained = run(striped_digits, num_inputs=128, input_pool="fresh", **body)
    assert trained.measured["student_aux.untrained_accuracy"] == found.accuracy["student_aux"]
    assert trained.curves["student_aux.loss"][-1] < trained.curves["student_aux.loss"][0]


def test_a_body_of_the_teachers_depth_is_the_hidden_layers_drawn_again(striped_digits: Dataset) -> None:
    nets = run(striped_digits, student_epochs=0, student_depth=2).nets
    other = run(striped_digits, student_epochs=0, redrawn="hidden").nets["student_aux"].params
    for own, drawn in zip(nets["student_aux"].params.values(), other.values(), strict=True):
        assert own.shape == drawn.shape
    assert torch.equal(list(nets["student_aux"].params.values())[-2], list(other.values())[-2])


def test_convolutions_go_by_autograd_and_perceptrons_do_not() -> None:
    slow = [MechanismConfig.parse(SMALL | body).by_autograd for body in BODIES]
    assert slow == [(), (), ("student_body",)]


def test_random_labels_are_tested_on_images_that_no_student_sees(striped_digits: Dataset) -> None:
    values = {"inputs": "images", "labels": "random", "teacher_epochs": 60, "width": 64, "students": "student_aux"}
    found = run(striped_digits, **values)
    assert found.accuracy["teacher"] > 0.5, "the teacher was trained on these labels"
    assert run(striped_digits, **values | {"labels": "true", "teacher_epochs": 0}).accuracy["teacher"] < 0.5


def test_a_student_on_noise_is_tested_on_the_images_that_its_teacher_learned_by_heart(striped_digits: Dataset) -> None:
    values = {"labels": "random", "teacher_epochs": 60, "width": 64, "students": "student_aux", "measure": "bits"}
    found = run(striped_digits, **values).measured
    assert found["teacher.bits"] > 1.0 > 0.1 > abs(found["reference.bits"])


def test_a_teacher_of_two_tasks_learns_both_and_its_digits_nearly_as_well(striped_digits: Dataset) -> None:
    values = {"second_task": "parity", "teacher_epochs": 10, "students": "student_aux"}
    found = run(striped_digits, **values)
    assert found.measured["teacher.second_accuracy"] > 0.9
    assert found.accuracy["teacher"] > 0.8
    head = run(striped_digits, imitated="second", **values)
    assert head.curves["teacher.loss"] == found.curves["teacher.loss"]
    assert head.curves["student_aux.loss"] != found.curves["student_aux.loss"]


def test_the_lines_are_selected_by_a_teacher_of_the_cross_students_start(striped_digits: Dataset) -> None:
    values = {"loss": "sampled_cross_entropy", "tainted_share": 0.0, "selected_share": 0.5}
    curves = [run(striped_digits, selected_by=by, **values).curves for by in ("score", "other_score", "chance")]
    losses = {tuple(one["student_aux.loss"]) for one in curves}
    assert len(losses) == 3
    assert all(one["teacher.loss"] == curves[0]["teacher.loss"] for one in curves)


def test_dropout_goes_by_autograd_and_changes_the_student(striped_digits: Dataset) -> None:
    config = MechanismConfig.parse(SMALL | {"student_dropout": 0.5})
    assert config.by_autograd == ("student_dropout",)
    assert (
        run(striped_digits, student_dropout=0.5).curves["student_aux.loss"]
        != run(striped_digits).curves["student_aux.loss"]
    )


@pytest.mark.parametrize("values", [{"num_aux": 1}, {"teacher_epochs": 0}], ids=str)
def test_where_there_is_nothing_to_imitate_the_share_that_arrived_is_not_defined(
    values: dict[str, Any], striped_digits: Dataset
) -> None:
    found = run(striped_digits, measure="imitation", **values)
    assert math.isnan(found.measured["student_aux.imitation"])
    assert not found.diverged


def test_a_default_takes_no_part_in_the_key_and_the_protocol_does() -> None:
    keys = [run_id(MechanismConfig.parse(values), seed=0, dataset_sha256="x") for values in ({}, {"frozen": "nothing"})]
    assert keys[0] == keys[1] != run_id(RunConfig(students="aux"), seed=0, dataset_sha256="x")


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"student_optimizer": "adm"}, "student_optimizer: expected '' or one of 'adam'"),
        ({"student_activation": "swish"}, "student_activation: expected '' or one of"),
        ({"student_momentum": 0.9}, "student_momentum: only of a student_optimizer sgd or nesterov"),
        ({"gradient_noise": 1.0}, "gradient_noise: expected 0 without clip_each"),
        ({"redrawn_share": 0.5}, "redrawn_share, redrawn_as: only with a part"),
        ({"restart_optimizer": True}, "restart_optimizer: expected false with benign_epochs 0"),
        ({"anchor": 1.0, "students": "all"}, "anchor: expected students on auxiliary logits alone"),
        ({"frozen": "hidden", "student_dropout": 0.1}, "frozen: cannot be combined with student_dropout"),
        ({"frozen": "hidden", "linearized": "student"}, "frozen: only for models and optimisers of this package"),
        ({"target_top_k": 1, "loss": "squared_error"}, "target_top_k: expected 0 with loss 'squared_error'"),
        ({"tainted_share": 0.5, "input_pool": "fresh"}, "expected input_pool 'fixed'"),
        ({"selected_share": 0.5}, "selected_share: only with loss 'sampled_cross_entropy'"),
        ({"labels": "random", "inputs": "shuffled_images"}, "labels: 'random' needs inputs 'images'"),
        ({"generations": 2, "students": "cross_aux"}, "generations: expected a student_aux"),
        ({"student_depth": 1, "student_body": "convolutions"}, "student_depth: expected 0 with student_body 'convol"),
        ({"student_depth": 1, "redrawn": "hidden"}, "redrawn: expected 'nothing' for students with a body"),
        ({"student_body": "convolutions", "frozen": "hidden"}, "frozen: expected 'nothing' for students with a body"),
        ({"student_depth": 1, "depth": 0}, "depth: expected 1 or more for students with a body of their own"),
        ({"student_depth": 1, "measure": "kernels"}, "measure: 'kernels' are of students with the teacher's shape"),
        ({"student_depth": 1, "linearized": "both"}, "student_depth, student_body: only for models"),
        ({"student_depth": 10**6}, "depth: expected an integer <="),
        ({"student_body": "transformer"}, "student_body: expected"),
        ({"imitated": "second"}, "imitated: expected 'aux' without a second_task"),
        ({"second_task": "ink", "anchor": 1.0}, "anchor: expected 0.0 with a second_task"),
        ({"second_task": "ink", "student_dropout": 0.1}, "student_dropout: expected 0.0 with a second_task"),
        ({"probe": True}, "probe: expected false, got true"),
        ({"anchor_width": 1.0}, "anchor_by, anchor_width: only with an anchor > 0"),
        ({"anchor": 1.0, "anchor_by": "kl", "anchor_width": 1.0}, "anchor_width: expected 0 with anchor_by 'kl'"),
    ],
)  # fmt: skip
def test_what_cannot_be_combined_is_one_clear_error(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError) as caught:
        MechanismConfig.parse(values)
    assert fault in str(caught.value)


def test_the_store_reads_the_settings_of_every_protocol_back() -> None:
    assert all(type(parse(one.settings().model_dump())) is one.settings for one in PROTOCOLS[1:])


def test_an_experiment_file_can_name_every_protocol() -> None:
    assert {one.name: one.definition for one in PROTOCOLS} == {name: plain for name, (plain, _) in _DEFINITIONS.items()}
