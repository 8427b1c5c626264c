from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import nn

from subtx_toy.errors import InputError
from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.losses import kl, sampled_cross_entropy, squared_error
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import flatten
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import TraitLoss, cross_entropy_trait, squared_error_trait
from subtx_toy.problem.two_tasks import with_second_head
from subtx_toy.seeding import generator
from subtx_toy.theory.curvature import curvature
from subtx_toy.training.gradient_step import student_step
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.perceptrons import Description

X = torch.linspace(-1, 1, 12).reshape(4, 3).double()
T = {"t": torch.ones(2, 3).double()}


def linear(params: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return x @ params["t"].T


def given(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "model": linear,
        "base_params": T,
        "inputs": X,
        "distillation_loss": squared_error(),
        "teacher_update": T,
        "eps": 0.1,
        "student_lr": 0.1,
    }
    return fields | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eps": -0.1}, "eps: expected a finite number >= 0, got -0.1"),
        ({"eps": math.nan}, "eps: expected a finite number >= 0, got nan"),
        ({"student_lr": 0.0}, "student_lr: expected a finite number > 0, got 0.0"),
        ({"base_params": {}}, "base_params: expected at least one parameter, got none"),
        ({"base_params": {"t": T["t"] * math.inf}}, "base_params['t']: expected finite numbers, got inf"),
        ({"base_params": {"t": torch.ones(2, 3, dtype=torch.int64)}}, "expected floating-point numbers"),
        ({"base_params": T | {"u": torch.ones(1)}}, "base_params: expected one dtype"),
        ({"teacher_update": {"t": torch.ones(3, 2).double()}}, "expected shape (2, 3) of torch.float64, got (3, 2)"),
        ({"teacher_update": {"t": torch.ones(2, 3)}}, "got (2, 3) of torch.float32"),
        ({"teacher_update": {"s": T["t"]}}, "['t'] missing and ['s'] unknown"),
        ({"teacher_update": {"t": T["t"] * math.nan}}, "teacher_update['t']: expected finite numbers, got nan"),
        ({"teacher_update": {}}, "trait_loss: expected a trait loss where teacher_update is left out"),
        ({"inputs": X[:0]}, "inputs: expected at least one input"),
        ({"inputs": X.float()}, "inputs: expected torch.float64 like base_params, got torch.float32"),
        ({"inputs": X * math.nan}, "inputs: expected finite numbers, got nan"),
        ({"inputs": X[:, :2]}, "model: expected a forward pass on inputs, got RuntimeError"),
        ({"model": lambda _params, x: (x, x)}, "model: expected a tensor on inputs, got a tuple"),
        ({"model": lambda _params, x: x.sum()}, "model: expected outputs [n, ..., k] on inputs, got shape ()"),
        ({"model": lambda params, x: linear(params, x) / 0}, "model: expected finite outputs on inputs"),
        ({"model": lambda _params, x: nn.functional.dropout(x)}, "model: expected the same outputs twice"),
        ({"distillation_loss": sampled_cross_entropy()}, "one sampled label per input is a random target"),
        ({"distilled_logits": "ghost"}, "distilled_logits: expected 'all', 'aux', 'class', a slice"),
        ({"distilled_logits": "aux"}, "num_classes: expected an integer with distilled_logits 'aux', got None"),
        ({"distilled_logits": [0, 2]}, "distilled_logits: expected columns from 0 to 1, got [2]"),
        ({"distilled_logits": [0, 0]}, "distilled_logits: expected distinct columns, got [0, 0]"),
        ({"distilled_logits": slice(2, None)}, "distilled_logits: expected at least one of 2 outputs, got none"),
        ({"trait_loss": TraitLoss(X, lambda z: z)}, "trait_loss: expected a scalar, got shape (4, 2)"),
        ({"trait_loss": TraitLoss(X, lambda z: z.sum() / 0)}, "trait_loss: expected a finite number, got"),
        ({"trait_loss": cross_entropy_trait(X, torch.arange(3))}, "trait_loss: expected a number, got"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Problem(**given(**changes))
    assert message in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Problem(**given(eps=-1.0, student_lr=0.0, inputs=X.float(), distillation_loss=sampled_cross_entropy()))
    assert [fault.partition(":")[0] for fault in caught.value.problems] == [
        "eps",
        "student_lr",
        "distillation_loss",
        "inputs",
    ]


def test_teacher_update_is_minus_the_trait_gradient_unless_given() -> None:
    targets = torch.zeros(4, 2).double()
    problem = Problem(**given(teacher_update={}, trait_loss=squared_error_trait(X, targets)))
    expected = -(X @ T["t"].T).T @ X / 4
    assert torch.allclose(problem.teacher_update["t"], expected, rtol=1e-12)
    assert problem.is_trait_step
    assert dataclasses.replace(problem, eps=0.5).is_trait_step
    assert not Problem(**given(trait_loss=squared_error_trait(X, targets))).is_trait_step
    assert not Problem(**given()).is_trait_step


@pytest.mark.parametrize("size", [1.0, 1e200, 1e-200])
def test_a_trait_step_is_one_up_to_rounding_and_no_farther(size: float) -> None:
    """Another number of threads adds in another order, and the claims are checked with one."""
    plain = squared_error_trait(X, torch.zeros(4, 2).double())
    trait = TraitLoss(X, lambda outputs: size * plain.value(outputs))
    update = Problem(**given(teacher_update={}, trait_loss=trait)).teacher_update["t"]
    for change, is_one in ((1e-14, True), (1e-9, False), (-2.0, False)):
        changed = update.clone()
        changed[0, 0] *= 1 + change
        assert Problem(**given(teacher_update={"t": changed}, trait_loss=trait)).is_trait_step == is_one


def test_the_claims_see_a_trait_step_that_was_made_with_another_number_of_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.manual_seed(0)
        layers = [nn.Linear(4, 16), nn.Tanh(), nn.LayerNorm(16), nn.Linear(16, 5)]
        images, labels = torch.randn(32, 4).double(), torch.randint(3, (32,))
        problem = Problem(
            model=nn.Sequential(*layers).double(), inputs=torch.randn(64, 4).double(), distillation_loss=kl(),
            distilled_logits="aux", num_classes=3, eps=0.01, student_lr=0.5,
            trait_loss=cross_entropy_trait(images, labels, class_logits=slice(0, 3)),
        )  # fmt: skip
    finally:
        torch.set_num_threads(1)
    try:
        assert problem.is_trait_step
    finally:
        torch.set_num_threads(before)


def test_a_problem_and_its_steps_can_be_had_where_gradients_are_switched_off() -> None:
    fields = given(teacher_update={}, trait_loss=squared_error_trait(X, torch.zeros(4, 2).double()))
    problem = Problem(**fields)
    with torch.no_grad():
        again = Problem(**fields)
        assert torch.equal(again.teacher_update["t"], problem.teacher_update["t"])
        assert again.is_trait_step
        step = student_step(again)
    assert torch.equal(step["t"], student_step(problem)["t"])


def test_problem_keeps_its_own_copies() -> None:
    base = {"t": torch.ones(2, 3).double()}
    problem = Problem(**given(base_params=base))
    base["t"].zero_()
    assert problem.base_params["t"].sum() == 6


@pytest.mark.parametrize(
    ("distilled", "columns"),
    [("all", [0, 1, 2, 3, 4]), ("aux", [2, 3, 4]), ("class", [0, 1]), ([4, 0], [4, 0]), (slice(1, 5, 2), [1, 3])],
)
def test_distilled_logits_choose_columns(distilled: Any, columns: list[int]) -> None:
    problem = dataclasses.replace(Description().build(), distilled_logits=distilled)
    outputs = problem.outputs(problem.base_params, problem.inputs)
    assert torch.equal(problem.distilled(problem.base_params), outputs[:, columns])


def test_float32_is_refused_for_claims_and_double_mends_it() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()
    single = Problem(
        model=module,
        inputs=X.float(),
        distillation_loss=kl(),
        trait_loss=cross_entropy_trait(X.float(), torch.tensor([0, 1, 0, 1])),
        eps=0.1,
        student_lr=0.1,
    )
    with pytest.raises(InputError, match=r"base_params\['0.weight'\]: expected torch.float64 .* use problem.double"):
        curvature(single)
    double = single.double()
    assert curvature(double).dtype == torch.float64
    assert double.is_trait_step
    assert torch.allclose(flatten(double.teacher_update).float(), flatten(single.teacher_update), atol=1e-6)
    given_update = dataclasses.replace(single, teacher_update=single.base_params).double()
    assert torch.equal(flatten(given_update.teacher_update), flatten(single.base_params).double())


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), "model.1: expected BatchNorm1d in eval mode"),
        (nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.1)), "model.1: expected Dropout in eval mode"),
        (nn.MultiheadAttention(3, 1, dropout=0.2), "model: expected MultiheadAttention in eval mode"),
        (nn.GRU(3, 2, num_layers=2, dropout=0.3), "model: expected GRU in eval mode, got active dropout of 0.3"),
        (nn.TransformerEncoderLayer(3, 1, 4), "model.self_attn: expected MultiheadAttention in eval mode"),
        (nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)).eval(), "expected BatchNorm1d"),
        (nn.Linear(3, 2).requires_grad_(False), "model: expected at least one trainable parameter, got none"),
    ],
)
def test_random_and_batch_dependent_modules_are_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Problem(**given(model=module.double(), base_params={}, teacher_update={}))
    assert message in str(caught.value)


def test_dropout_of_zero_and_eval_mode_are_welcome() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.0), nn.BatchNorm1d(2).eval()).double()
    update = ModuleFunction(module).parameters()
    assert Problem(**given(model=module, base_params={}, teacher_update=update)).num_classes is None


def test_module_is_copied_and_its_buffers_stay() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double().eval()
    problem = Problem(**given(model=module, base_params={}, teacher_update=ModuleFunction(module).parameters()))
    before = problem.distilled(problem.base_params)
    module.train()(X)
    with torch.no_grad():
        for value in module.parameters():
            value.zero_()
    assert torch.equal(problem.distilled(problem.base_params), before)


def test_tied_parameters_count_once_and_frozen_ones_not_at_all() -> None:
    assert "second.weight" not in foreign_problem("tied", squared_error()).base_params
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)).double()
    module[0].requires_grad_(False)
    problem = Problem(**given(model=module, base_params={}, teacher_update=ModuleFunction(module).parameters()))
    assert list(problem.base_params) == ["1.weight", "1.bias"]
    assert torch.equal(problem.distilled(problem.base_params), module(X).detach())


@pytest.mark.parametrize("name", FOREIGN)
def test_functional_form_gives_the_outputs_of_the_module(name: str) -> None:
    problem, foreign = foreign_problem(name, squared_error()), FOREIGN[name]
    assert isinstance(problem.model, ModuleFunction)
    raw = problem.model.module(problem.inputs)
    expected = raw if foreign.output is None else foreign.output(raw)
    outputs = problem.outputs(problem.base_params, problem.inputs)
    assert outputs.shape == (len(problem.inputs) * foreign.num_positions, 5)
    assert torch.allclose(outputs, expected.detach().reshape(outputs.shape), rtol=1e-12, atol=1e-14)


def test_attention_settings_are_restored_after_a_call() -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    foreign_problem("transformer", squared_error())
    assert torch.backends.mha.get_fastpath_enabled() == before


def test_trait_value_needs_a_trait_loss() -> None:
    with pytest.raises(InputError, match="trait_loss: expected a trait loss, got None"):
        Problem(**given()).trait_value(T)


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (2, 1, 0, 3)], ids=str)
def test_the_order_of_a_perceptrons_parameters_is_no_matter(order: tuple[int, ...]) -> None:
    model, rng = MLP((3, 4, 5), "tanh", num_classes=2), generator(0, "tests", "order of parameters")
    base, update = model.initial(rng), model.initial(rng)
    names = [model.param_names[at] for at in order]
    plain, other = (
        Problem(
            model=model,
            inputs=X,
            distillation_loss=kl(),
            distilled_logits="aux",
            eps=0.1,
            student_lr=0.1,
            base_params={name: base[name] for name in chosen},
            teacher_update={name: update[name] for name in chosen},
        )
        for chosen in (model.param_names, names)
    )
    assert tuple(other.base_params) == tuple(other.teacher_update) == model.param_names
    assert torch.equal(plain.flat, other.flat)
    assert torch.equal(flatten(other.base_params), other.flat[0])


def test_a_perceptron_of_two_tasks_keeps_its_second_head_out_of_the_auxiliary_logits() -> None:
    model = with_second_head(MLP((3, 4, 5), "tanh", num_classes=2), 4)
    base = model.initial(generator(0, "tests", "two heads"))

    def columns(which: Any) -> object:
        return Problem(**given(model=model, base_params=base, teacher_update=base, distilled_logits=which)).columns

    assert [columns(which) for which in ("class", "second", "aux", "all")] == [
        slice(0, 2), slice(2, 6), slice(6, 9), slice(0, 9),
    ]  # fmt: skip
    with pytest.raises(InputError, match="expected 'all', 'aux', 'class', a slice or column numbers, got 'third'"):
        columns("third")
