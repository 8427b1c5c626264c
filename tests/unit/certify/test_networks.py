"""Modules and files as the networks of certificates: what is taken, what is refused, and that a file says the same."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from subtx_toy.api.certify import certify, check
from subtx_toy.certify.chain.modules import layers_of, module_of, words_of
from subtx_toy.certify.checker import limits
from subtx_toy.certify.description import describe
from subtx_toy.certify.observed import PlainQuantity
from subtx_toy.errors import InputError
from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.losses import kl
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator
from subtx_toy.settings.certificate import MAX_STORED_BOXES
from tests.unit.certify.drawn_chains import CHAINS, chain_problem


def problem_of(module: nn.Module, *shape: int) -> Problem:
    module = module.double()
    update = {name: torch.ones_like(value) for name, value in module.named_parameters() if value.requires_grad}
    inputs = torch.linspace(-1, 1, 2 * torch.Size(shape).numel(), dtype=torch.float64).reshape(2, *shape)
    return Problem(
        model=module, inputs=inputs, teacher_update=update, distillation_loss=kl(), eps=0.1, student_lr=0.1
    )  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_a_module_built_from_words_computes_the_same(name: str) -> None:
    problem = chain_problem(name)
    assert isinstance(problem.model, ModuleFunction)
    module = problem.model.module
    parts = list(layers_of(module))
    arrays = {
        f"{number}.{kind}": value.detach()
        for number, (_, part) in enumerate(parts)
        for kind, value in part.named_parameters(recurse=False)
    }
    built = module_of([words_of(part) for _, part in parts], arrays)
    assert torch.allclose(built(problem.inputs), module(problem.inputs), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("flatten", [True, False])
def test_a_perceptron_in_a_sequential_is_a_perceptron_of_the_package(flatten: bool) -> None:
    model = MLP((4, 3, 3), "tanh", num_classes=2)
    linear = [nn.Linear(4, 3), nn.Linear(3, 3)]
    begin = [nn.Flatten()] if flatten else []
    nested = nn.Sequential(nn.Tanh(), nn.Dropout(0.5))
    module = nn.Sequential(*begin, linear[0], nn.Identity(), nested, linear[1]).eval()
    problem = problem_of(module, *((2, 2) if flatten else (4,)))
    own = {f"layers.{at}.{kind}": getattr(one, kind) for at, one in enumerate(linear) for kind in ("weight", "bias")}
    twin = Problem(
        model=model, base_params={name: value.detach() for name, value in own.items()}, eps=0.1, student_lr=0.1,
        inputs=problem.inputs.reshape(2, -1), distillation_loss=kl(), distilled_logits=[0, 1, 2],
        teacher_update={name: torch.ones_like(value) for name, value in own.items()},
    )  # fmt: skip
    for quantity in ("alignment", "distance"):
        assert describe(problem, quantity).fingerprint() == describe(twin, quantity).fingerprint()


def test_frozen_parameters_do_not_move_and_shared_ones_move_together() -> None:
    shared = nn.Linear(3, 3)
    module = nn.Sequential(shared, nn.Tanh(), nn.LayerNorm(3), shared, nn.LayerNorm(3))
    for value in module[4].parameters():
        value.requires_grad_(False)
    arrays = describe(problem_of(module, 3)).arrays
    assert not arrays["direction.layers.4.weight"].any()
    assert (arrays["layers.3.weight"] == arrays["layers.0.weight"]).all()
    assert arrays["direction.layers.3.weight"].all()


def _perceptron(*, frozen: bool) -> nn.Module:
    """Return a perceptron with frozen upper layers, or with one layer in two places."""
    middle = nn.Linear(3, 3)
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), middle, nn.Tanh(), nn.Linear(3, 3) if frozen else middle)
    if frozen:
        for value in module[4].parameters():
            value.requires_grad_(False)
    return module


@pytest.mark.parametrize("quantity", ["distance", "trait-loss"])
@pytest.mark.parametrize(
    ("frozen", "message"),
    [(True, r"do not require a gradient \(4\.weight, 4\.bias\)"), (False, r"stands twice \(2\.weight, 2\.bias\)")],
)
def test_what_follows_the_student_is_refused_where_its_layers_do_not_move_by_themselves(
    quantity: str, frozen: bool, message: str
) -> None:
    problem = problem_of(_perceptron(frozen=frozen), 3)
    trait = cross_entropy_trait(problem.inputs, torch.tensor([0, 1]), class_logits=slice(0, 2))
    problem = dataclasses.replace(problem, trait_loss=trait)
    assert describe(problem, "alignment").activation == "tanh"
    with pytest.raises(InputError, match=message):
        describe(problem, quantity)


@pytest.mark.parametrize("frozen", [True, False])
def test_the_alignment_of_such_a_network_is_that_of_autograd(frozen: bool) -> None:
    module, eps = _perceptron(frozen=frozen), 0.05
    problem = problem_of(module, 3)
    base = {name: value for name, value in module.named_parameters() if value.requires_grad}
    teacher = {name: (value + eps * problem.teacher_update[name]).detach() for name, value in base.items()}
    loss = nn.functional.kl_div(
        module(problem.inputs).log_softmax(-1), torch.func.functional_call(module, teacher, problem.inputs).softmax(-1),
        reduction="batchmean",
    )  # fmt: skip
    update = torch.autograd.grad(-loss, list(base.values()))
    expected = sum((one * problem.teacher_update[name]).sum() for name, one in zip(base, update, strict=True))
    assert PlainQuantity(describe(problem))(eps) == pytest.approx(float(expected), rel=1e-9)


class Doubled(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def _hooked() -> nn.Module:
    module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    module[0].register_forward_hook(lambda *given: given[2] * 2)
    return module


def _hooked_backward() -> nn.Module:
    module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    module[1].register_full_backward_hook(lambda *_: None)
    return module


def _replaced() -> nn.Module:
    module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    module.forward = module[0].forward  # type: ignore[method-assign]
    return module


REFUSED: dict[str, tuple[nn.Module, tuple[int, ...], str]] = {
    "a subclass": (nn.Sequential(Doubled(3, 2), nn.LayerNorm(2)), (3,), r"model\.0: expected .* got Doubled"),
    "a hook": (_hooked(), (3,), r"model\.0: expected a Linear as torch has it, got one with hooks"),
    "a backward hook": (_hooked_backward(), (3,), r"model\.1: expected a LayerNorm .* got one with hooks"),
    "another forward": (_replaced(), (3,), r"model: expected a Sequential .* got one with a forward of its own"),
    "reflecting": (
        nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), nn.Flatten()), (1, 3, 3),
        r"model\.0: expected padding with zeros",
    ),
    "ceiling": (
        nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(4, 2)), (1, 3, 3),
        r"model\.0: expected means of whole windows, .* with ceil_mode=True",
    ),
    "approximation": (
        nn.Sequential(nn.Linear(3, 2), nn.GELU("tanh"), nn.Linear(2, 2)), (3,), r"model\.1: expected no approximation",
    ),
    "another softplus": (nn.Sequential(nn.Linear(3, 2), nn.Softplus(beta=2.0)), (3,), "expected beta = 1"),
    "a part of the axes": (
        nn.Sequential(nn.Flatten(2), nn.Linear(2, 2), nn.Flatten()), (2, 2, 1), "expected all axes but the first",
    ),
    "rows of outputs": (
        nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)), (2, 3), r"one row of outputs per input, got \[2, 2, 2\]",
    ),
    "a root of nothing": (nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2, eps=0.0)), (3,), "a finite eps > 0"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_a_certificate_cannot_speak_of_is_refused_with_the_layer(kind: str) -> None:
    module, shape, message = REFUSED[kind]
    with pytest.raises(InputError, match=message):
        describe(problem_of(module, *shape))


def test_the_student_is_followed_through_perceptrons_alone() -> None:
    with pytest.raises(
        InputError,
        match="expected alignment or every-batch for a network other than a perceptron, which is linear layers",
    ):
        describe(chain_problem("norm"), "distance")


@pytest.mark.parametrize("between", [(nn.Tanh(), nn.Sigmoid()), (nn.Identity(), nn.Identity())])
def test_a_perceptron_has_one_and_the_same_activation_between_its_layers(between: tuple[nn.Module, nn.Module]) -> None:
    first, second = between
    problem = problem_of(nn.Sequential(nn.Linear(3, 2), first, nn.Linear(2, 2), second, nn.Linear(2, 2)), 3)
    assert describe(problem, "alignment").layers
    with pytest.raises(InputError, match="the same activation between any two of them"):
        describe(problem, "distance")


def test_nothing_is_certified_that_its_check_would_reject_for_its_size() -> None:
    module = nn.Sequential(nn.Linear(2, limits.MAX_UNITS + 1), nn.LayerNorm(limits.MAX_UNITS + 1))
    with pytest.raises(InputError, match=r"model: .* units in a layer, more than 16384: `check` would reject"):
        certify(problem_of(module, 2))
    wide = MLP((2, limits.MAX_UNITS + 1, 2), "tanh", num_classes=1)
    arrays = wide.initial(generator(0, "tests", "wide"))
    problem = Problem(
        model=wide, base_params=arrays, inputs=torch.ones(1, 2).double(), distillation_loss=kl(), eps=0.1,
        student_lr=0.1, teacher_update={name: torch.ones_like(value) for name, value in arrays.items()},
    )  # fmt: skip
    with pytest.raises(InputError, match="units in a layer, more than 16384"):
        certify(problem)
    assert MAX_STORED_BOXES == limits.MAX_BOXES


PAGE = Path(__file__).parents[3] / "docs" / "certificates.md"
(DESCRIPTION,) = re.findall(r"```toml\n(base = .*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A convolution in files: state dicts in float32, and inputs."""
    problem = chain_problem("convolution")
    for name, factor in (("base", 0.0), ("teacher", 1.0)):
        numbers = {key: (value + factor * problem.teacher_update[key]) for key, value in problem.base_params.items()}
        renamed = {key.replace("4.", "head.linear."): value.float().contiguous() for key, value in numbers.items()}
        safetensors.torch.save_file(renamed, tmp_path / f"{name}.safetensors")
    safetensors.torch.save_file({"inputs": problem.inputs}, tmp_path / "inputs.safetensors")
    (tmp_path / "net.toml").write_text(DESCRIPTION)
    return tmp_path / "net.toml"


def test_a_network_from_files_is_certified_and_proved_again(network: Path, tmp_path: Path) -> None:
    found = certify(str(network), eps_max=0.5)
    assert found.boxes, found.reason
    found.save(tmp_path / "it.cert")
    verdict = check(tmp_path / "it.cert", problem=str(network))
    assert verdict, verdict.reason
    state = safetensors.torch.load_file(tmp_path / "base.safetensors")
    assert (found.described.arrays["layers.0.weight"] == state["0.weight"].double().numpy()).all()


CHANGES: dict[str, tuple[str, str, str]] = {
    "kind": ('"tanh"', '"tahn"', "layers.1.kind: expected one of .*, got 'tahn'; did you mean 'tanh'"),
    "field": ("stride = 2", "strides = 2", "layers.0.strides: expected stride, .* did you mean 'stride'"),
    "size": ("kernel = 2", "kernel = 0", "layers.2.kernel: expected an integer or two from 1 to 16384, got 0"),
    "missing": (", kernel = 2", "", "layers.2.kernel: expected it of avg_pool2d, got none"),
    "name": ('"head.linear"', '"head"', r"expected a layer for every tensor of 'base.safetensors', got none for"),
    "file": ('"teacher.safe', '"none.safe', "teacher: cannot read"),
    "format": ('"teacher.safetensors"', '"net.toml"', "teacher: expected a safetensors file"),
    "setting": ("temperature", "temprature", "temprature"),
    "shapes": ("stride = 2", "stride = 1", "expected|mat1|shape"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
def test_a_wrong_description_is_refused_by_name(kind: str, network: Path) -> None:
    old, new, message = CHANGES[kind]
    assert old in DESCRIPTION
    network.write_text(DESCRIPTION.replace(old, new))
    with pytest.raises(InputError, match=message):
        certify(str(network))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"inputs": torch.full((1, 1, 8, 8), torch.nan)}, "inputs: expected finite numbers"),
        ({"inputs": torch.ones(1, 1, 8, 8, dtype=torch.int32)}, "inputs: expected floating-point tensors"),
        ({"x": torch.ones(1)}, "inputs: expected one tensor with the name 'inputs'"),
    ],
)
def test_wrong_inputs_are_refused_by_name(tensors: Any, message: str, network: Path) -> None:
    safetensors.torch.save_file(tensors, network.parent / "inputs.safetensors")
    with pytest.raises(InputError, match=message):
        certify(str(network))
