"""What constructors say about arguments that they cannot take: the exact sentences, without a library's words."""

# mypy: disable-error-code="arg-type, call-arg, misc"

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from subtx_toy.claims.user import claim
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import smooth_loss
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.problem.trait_loss import TraitLoss, cross_entropy_trait, squared_error_trait
from subtx_toy.results.holdings import overview
from subtx_toy.results.rows import select
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.store import Store
from subtx_toy.store.results import configs

X = torch.linspace(-1, 1, 12).reshape(4, 3).double()
LABELS = torch.tensor([0, 1, 2, 0])
LOSS = "distillation_loss: expected a loss such as kl() or squared_error(), got "
TRAIT = "trait_loss: expected a trait loss such as cross_entropy_trait(inputs, labels), got "
MODEL = "model: expected an MLP, a torch.nn.Module or a function f(params, inputs), got "
ACTIVATION = "activation: expected an Activation or one of 'relu', 'tanh', 'gelu', 'softplus', 'sigmoid', got "
COLUMNS = "distilled_logits: expected 'all', 'aux', 'class', a slice or column numbers, got "
STORE = "store: expected an open Store, got "
LIBRARY_WORDS = ("validation error", "Input should be", "pydantic", "takes 1 positional", "__init__", "NoneType")


def problem(**changes: Any) -> Problem:
    fields: dict[str, Any] = {
        "model": MLP((3, 2, 5), "tanh", num_classes=3),
        "base_params": ProblemSpec(hidden=(2,), input_dim=3, num_classes=3, num_aux=2).build().base_params,
        "inputs": X,
        "distillation_loss": kl(),
        "trait_loss": cross_entropy_trait(X, LABELS, class_logits=slice(0, 3)),
        "eps": 0.01,
        "student_lr": 0.1,
    }
    return Problem(**(fields | changes))


@pytest.mark.parametrize(
    ("call", "sentences"),
    [
        (lambda: RunConfig(widht=3), ["widht: unknown key; did you mean 'width'?"]),
        (
            lambda: RunConfig(width="wide", init="hee"),
            [
                "width: expected an integer >= 1, got 'wide'",
                "init: expected one of 'fan_in_normal', 'pytorch', 'he', got 'hee'",
            ],
        ),
        (lambda: RunConfig(3), ["RunConfig: expected values by name, got 3"]),
        (lambda: OneStepConfig(esp=0.1), ["esp: unknown key; did you mean 'eps'?"]),
        (lambda: NumbersConfig(widths=3), ["widths: unknown key; did you mean 'width'?"]),
        (lambda: problem(distillation_loss=kl), [LOSS + "the function kl; write kl()"]),
        (lambda: problem(distillation_loss="kl"), [LOSS + "'kl'; write kl()"]),
        (lambda: problem(distillation_loss="k1"), [LOSS + "'k1'"]),
        (lambda: problem(distillation_loss="squared_eror"), [LOSS + "'squared_eror'; did you mean 'squared_error'?"]),
        (lambda: problem(trait_loss=kl()), [TRAIT + "Loss('kl')"]),
        (lambda: problem(trait_loss=cross_entropy_trait), [TRAIT + "the function cross_entropy_trait"]),
        (lambda: problem(model=3), [MODEL + "3"]),
        (lambda: problem(model=nn.Tanh), [MODEL + "the class Tanh; write Tanh()"]),
        (lambda: problem(inputs=[1, 2]), ["inputs: expected a tensor, got [1, 2]; use torch.as_tensor"]),
        (
            lambda: problem(inputs=np.ones((4, 3))),
            ["inputs: expected a tensor, got a ndarray of shape (4, 3); use torch.as_tensor"],
        ),
        (
            lambda: problem(base_params=[X]),
            ["base_params: expected a dict of tensors by name, got an object of type list"],
        ),
        (
            lambda: problem(teacher_update={"t": 3}),
            ["teacher_update: expected a dict of tensors by name, got {'t': 3}"],
        ),
        (lambda: problem(distilled_logits=3), [COLUMNS + "3"]),
        (lambda: problem(num_classes="ten"), ["num_classes: expected an integer >= 0, got 'ten'"]),
        (
            lambda: problem(eps="a", student_lr=None, modle=3),
            [
                "modle: unknown key; did you mean 'model'?",
                "eps: expected a finite number >= 0, got 'a'",
                "student_lr: expected a finite number > 0, got None",
            ],
        ),
        (
            lambda: Problem(model=nn.Linear(3, 2)),
            [
                "inputs: expected a tensor, got nothing",
                LOSS + "nothing",
                "eps: expected a finite number >= 0, got nothing",
                "student_lr: expected a finite number > 0, got nothing",
            ],
        ),
        (lambda: MLP((3, 4, 5), "tanh"), ["num_classes: expected at most 5, the number of outputs, got 10"]),
        (lambda: MLP((3, 4, 15), torch.tanh), [ACTIVATION + "the function tanh; did you mean 'tanh'?"]),
        (lambda: MLP((3, 4, 15), nn.Tanh()), [ACTIVATION + "Tanh(); did you mean 'tanh'?"]),
        (lambda: MLP((3, 4, 15), "tan"), [ACTIVATION + "'tan'; did you mean 'tanh'?"]),
        (lambda: MLP((3,), "tanh"), ["sizes: expected the widths of two layers or more, got (3,)"]),
        (lambda: MLP(3), ["sizes: expected the widths of two layers or more, got 3", ACTIVATION + "nothing"]),
        (
            lambda: ProblemSpec(hiden=(3,), hidden=(0,), loss="kll", seed=-1),
            [
                "hiden: unknown key; did you mean 'hidden'?",
                "hidden: expected widths, integers >= 1, got (0,)",
                "loss: expected one of 'squared_error', 'kl', got 'kll'; did you mean 'kl'?",
                "seed: expected an integer >= 0, got -1",
            ],
        ),
        (
            lambda: smooth_loss(3),
            [
                "name: expected a text, got 3",
                "value: expected a function value(z, y) of logits [n, k], one number per input, got nothing",
            ],
        ),
        (lambda: kl("hot"), ["temperature: expected a finite number > 0, got 'hot'"]),
        (lambda: kl(temperature=0.0), ["temperature: expected a finite number > 0, got 0.0"]),
        (
            lambda: cross_entropy_trait([1], X, class_logits=3),
            [
                "inputs: expected a tensor, got [1]; use torch.as_tensor",
                "labels: expected a tensor of integer labels, got a Tensor of shape (4, 3)",
                "class_logits: expected a slice of the outputs, got 3",
            ],
        ),
        (lambda: squared_error_trait(X), ["targets: expected a tensor, got nothing"]),
        (
            lambda: Loss("mine", "logit", X, lambda _z, _y, v: v),
            [
                "targets: expected one of 'logits', 'labels', got 'logit'; did you mean 'logits'?",
                "value_and_gradient: expected a function (z, y) -> l(z, y), dl/dz, got a Tensor of shape (4, 3)",
            ],
        ),
        (
            lambda: ModuleFunction(nn.Linear),
            ["module: expected a torch.nn.Module, got the class Linear; write Linear()"],
        ),
        (lambda: Evidence(kl()), ["problem: expected a Problem, got Loss('kl')"]),
        (
            lambda: claim(len),
            [
                "arguments: expected no values without a name, got 1; the names are id, hypotheses, source",
                "id: expected a text, as in @claim(id='mine'), got nothing",
            ],
        ),
        (lambda: TraitLoss(X, X), ["value: expected a function of the outputs [n, k], got a Tensor of shape (4, 3)"]),
        (lambda: Store(3), ["path: expected the path of a results database, got 3"]),
        (lambda: select("results.sqlite"), [STORE + "'results.sqlite'; write Store('results.sqlite')"]),
        (lambda: overview(Path("r.sqlite")), [STORE + "PosixPath('r.sqlite'); write Store('r.sqlite')"]),
        (lambda: configs(3), [STORE + "3"]),
    ],
)
def test_what_cannot_be_taken_is_refused_in_our_words(call: Callable[[], object], sentences: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert list(caught.value.problems) == sentences
    assert not any(word in str(caught.value) for word in LIBRARY_WORDS)


def test_an_activation_is_taken_by_name_and_sizes_as_a_list() -> None:
    assert (
        MLP([3, 4, 5], "tanh", num_classes=2) == ProblemSpec(hidden=(4,), input_dim=3, num_classes=2, num_aux=3).model
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            problem(distilled_logits="aux"),
            "Problem(MLP((3, 2, 5), 'tanh', num_classes=3), 23 parameters, inputs [4, 3], Loss('kl'), "
            "distilled 'aux' 3:5, eps=0.01, student_lr=0.1)",
        ),
        (
            problem(model=nn.Sequential(nn.Linear(3, 5)).double(), base_params={}, distilled_logits=[4, 0]),
            "Problem(Sequential, 20 parameters, inputs [4, 3], Loss('kl'), distilled [4, 0], eps=0.01, student_lr=0.1)",
        ),
        (kl(2.0), "Loss('kl', temperature=2)"),
        (squared_error(), "Loss('squared_error')"),
        (cross_entropy_trait(X, LABELS), "TraitLoss(LabelledCrossEntropy on inputs [4, 3])"),
    ],
)
def test_values_print_in_one_line_without_tensors(value: object, text: str) -> None:
    assert repr(value) == text
