"""Modules of users: what plain autograd can differentiate is done, anything else is one message that names it."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.losses import squared_error
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import TraitLoss
from subtx_toy.seeding import generator
from subtx_toy.testing import assert_claim
from subtx_toy.theory.curvature import dense_ggn, ggn_operator, ggn_vector_product
from subtx_toy.theory.linearization import dense_jacobian, jacobian_product

X = torch.from_numpy(generator(0, "modules").standard_normal((5, 3)))
INDICES = torch.from_numpy(generator(0, "modules").integers(7, size=(5, 2)))


class Counting(nn.Module):
    """Counts its calls in a buffer of integers."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return torch.tanh(self.body(x))


class Bag(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.bag, self.head = nn.EmbeddingBag(7, 4, mode=mode), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(torch.tanh(self.bag(x)))
        return outputs


class _OnceSine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        product: Tensor = slope * x.cos()
        return product


class Around(nn.Module):
    """A linear layer with something around it."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.change = nn.Linear(3, 4), change

    def forward(self, x: Tensor) -> Tensor:
        return self.change(self.body(x))


def old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it is old
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 4).double()), nn.Tanh())


def called(module: nn.Module) -> nn.Module:
    module(X)
    return module


def twice() -> nn.Module:
    part = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    return nn.Sequential(part, nn.Tanh(), part)


SOUND: dict[str, Callable[[], nn.Module]] = {
    "a counter": Counting,
    "weight_norm": lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 4)), nn.Tanh()),
    "the old weight_norm": old_weight_norm,
    "the old weight_norm after a call": lambda: called(old_weight_norm()),
    "spectral_norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(3, 4))).eval(),
    "a part under two names": twice,
    "EmbeddingBag": lambda: Bag("mean"),
    "EmbeddingBag, max": lambda: Bag("max"),
    "a function without second derivatives": lambda: Around(_OnceSine.apply),
}


def problem_of(module: nn.Module) -> Problem:
    x = INDICES if isinstance(module, Bag) else X
    update = {
        name: torch.from_numpy(generator(1, name).standard_normal(tuple(value.shape)))
        for name, value in module.double().named_parameters()
    }
    return Problem(
        model=module, inputs=x, distillation_loss=squared_error(), teacher_update=update, eps=1e-3, student_lr=0.1
    )


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_what_plain_autograd_can_do_is_done(make: Callable[[], nn.Module]) -> None:
    problem = problem_of(make())
    J, dT = dense_jacobian(problem), vectors.flatten(problem.teacher_update)
    torch.testing.assert_close(jacobian_product(problem, problem.teacher_update)[1], J @ dT)
    G_dT = dense_ggn(problem) @ dT
    torch.testing.assert_close(vectors.flatten(ggn_vector_product(problem, problem.teacher_update)), G_dT)
    torch.testing.assert_close(ggn_operator(problem)(dT), G_dT)
    claim = "C5" if isinstance(problem.model, ModuleFunction) and _takes_maxima(problem.model.module) else "C1"
    assert_claim(claim, problem)
    assert_claim(claim, problem.double())


def _takes_maxima(module: nn.Module) -> bool:
    return any(getattr(part, "mode", "") == "max" for part in module.modules())  # a kink: C1 does not apply


def test_a_counter_of_the_users_stays_as_it_was() -> None:
    module = Counting()
    problem = problem_of(module)
    jacobian_product(problem, problem.teacher_update)
    assert int(module.calls) == 0
    assert isinstance(problem.model, ModuleFunction)
    assert [int(value) for value in problem.model.module.buffers()] == [0]


def _under_no_grad(x: Tensor) -> Tensor:
    with torch.no_grad():
        return x.sin()


def _raising(_x: Tensor) -> Tensor:
    raise RuntimeError("first line\nsecond line")


class Before(nn.Module):
    """A linear layer with something before it that sees the layer."""

    def __init__(self, change: Callable[[nn.Linear, Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.change = nn.Linear(3, 4), change

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.body(self.change(self.body, x))
        return outputs


@torch.no_grad()
def _doubling(body: nn.Linear, x: Tensor) -> Tensor:
    body.weight.mul_(2)
    return x


def _exiting(_x: Tensor) -> Tensor:
    raise SystemExit(3)


def _interrupted(_x: Tensor) -> Tensor:
    raise KeyboardInterrupt


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is old
        module: nn.Module = torch.jit.script(nn.Linear(3, 4))
    return module


class Uncopied(Around):
    def __deepcopy__(self, _memo: object) -> None:
        raise TypeError("cannot be copied")


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(4)), "model.0.weight: expected a shape, got an uninitialised Lazy"),
    "meta": (lambda: nn.Linear(3, 4, device="meta"), "model.weight: expected numbers, got a Linear on the meta device"),
    "no_grad": (lambda: Around(_under_no_grad), "derivatives of Around in its parameters, got outputs without any"),
    "half under no_grad": (
        lambda: Around(lambda x: x + _under_no_grad(x)), "got others in forward and in reverse mode"
    ),
    "numpy": (
        lambda: Around(lambda x: torch.from_numpy(x.detach().numpy())), "model: expected derivatives of Around"
    ),
    "rounding": (lambda: Around(lambda x: x.detach().round()), "model: expected derivatives of Around"),
    "an error": (lambda: Around(_raising), "RuntimeError: first line$"),
    "fewer rows": (
        lambda: Around(lambda x: x[:-1]), r"^model: expected outputs \[5, ..., k\] on inputs, got shape \(4, 4\)"
    ),
    "complex": (lambda: Around(lambda x: x * 1j), "^model: expected real outputs, got torch.complex128"),
    "inputs in place": (
        lambda: Before(lambda _body, x: x.mul_(2)), "unchanged inputs, got a forward pass that changes inputs in place"
    ),
    "weights in place": (
        lambda: Before(_doubling), r"unchanged parameters, got a forward pass that changes \['body.weight'\] in place"
    ),
    "an exit": (lambda: Around(_exiting), "model: expected a forward pass on inputs, got SystemExit: 3"),
    "DataParallel": (lambda: nn.DataParallel(nn.Linear(3, 4)), "on one device, got DataParallel: pass its .module$"),
    "a script": (scripted, "model: expected a module in Python, got RecursiveScriptModule of torch.jit: pass"),
    "another width": (
        lambda: nn.Sequential(nn.Tanh(), nn.Linear(7, 4)),
        r"^model.1: expected inputs \[..., 7\] of this Linear, got shape \(5, 3\)",
    ),
    "another shape": (
        lambda: nn.Sequential(nn.Conv2d(3, 3, 3)), r"^model.0: .* inputs that this Conv2d takes, got shape \(5, 3\)"
    ),
    "no copy": (lambda: Uncopied(torch.sin), "model: expected a Uncopied that can be copied, got TypeError"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "sentence"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_one_message_that_names_the_module(make: Callable[[], nn.Module], sentence: str) -> None:
    module = make()
    with pytest.raises(InputError, match=sentence) as caught:
        Problem(
            model=module.double(), inputs=X, distillation_loss=squared_error(), eps=1e-3, student_lr=0.1,
            trait_loss=TraitLoss(X, lambda outputs: outputs.square().sum()),
        )  # fmt: skip
    assert all(problem.startswith("model") and "\n" not in problem for problem in caught.value.problems)


def test_a_module_cannot_change_the_callers_inputs_and_can_be_interrupted() -> None:
    inputs = X.clone()
    fields: dict[str, Any] = {"inputs": inputs, "distillation_loss": squared_error(), "eps": 1e-3, "student_lr": 0.1}
    trait = TraitLoss(X, lambda outputs: outputs.square().sum())
    with pytest.raises(InputError, match="in place"):
        Problem(model=Before(lambda _body, x: x.mul_(2)).double(), trait_loss=trait, **fields)
    assert torch.equal(inputs, X)
    with pytest.raises(KeyboardInterrupt):
        Problem(model=Around(_interrupted).double(), trait_loss=trait, **fields)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (lambda _outputs: 3.0, "trait_loss: expected a tensor without axes, got 3.0"),
        (lambda outputs: outputs.sum() * 1j, "trait_loss: expected a real number, got torch.complex128"),
        (_exiting, "trait_loss: expected a number, got SystemExit: 3"),
    ],
)
def test_a_loss_that_gives_no_number_is_one_message(value: Callable[[Tensor], Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        Problem(
            model=nn.Linear(3, 4).double(), inputs=X, distillation_loss=squared_error(), eps=1e-3, student_lr=0.1,
            trait_loss=TraitLoss(X, value),
        )  # fmt: skip
    assert str(caught.value) == sentence


def test_parameters_of_another_module_are_one_message() -> None:
    with pytest.raises(InputError, match=r"base_params: .* got \['bias', 'weight'\] missing and \['a'\] unknown"):
        Problem(
            model=nn.Linear(3, 4).double(), base_params={"a": X}, inputs=X, distillation_loss=squared_error(),
            teacher_update={"a": X}, eps=1e-3, student_lr=0.1,
        )  # fmt: skip


def test_a_loss_without_a_gradient_is_one_message() -> None:
    with pytest.raises(InputError, match="trait_loss: expected a gradient, got RuntimeError: element 0"):
        Problem(
            model=nn.Linear(3, 4).double(), inputs=X, distillation_loss=squared_error(), eps=1e-3, student_lr=0.1,
            trait_loss=TraitLoss(X, lambda outputs: outputs.argmax(1).double().mean()),
        )  # fmt: skip


def test_the_first_example_of_a_drawn_problem_is_within_the_default_deadline() -> None:
    script = """
import hypothesis, torch, warnings
from subtx_toy.testing import problems
warnings.simplefilter("ignore")

@hypothesis.settings(max_examples=2, database=None, deadline=200)
@hypothesis.given(problems())
def test(problem):
    torch.func.jvp(problem.distilled, (problem.base_params,), (problem.teacher_update,))

test()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
