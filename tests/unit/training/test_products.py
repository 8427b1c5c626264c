from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from subtx_toy.problem.activations import ACTIVATIONS, Activation
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.tolerances import BF16_STEP
from subtx_toy.training import products as module
from subtx_toy.training.mlp_stack import MLPStack
from subtx_toy.training.products import Bfloat16Products, Products, RoundedProducts, products

LOW = [RoundedProducts, Bfloat16Products]
SEEDS = st.integers(0, 10**6)


def matrix(seed: int, *shape: int) -> Tensor:
    return torch.tensor(generator(seed, "tests", "products").standard_normal(shape), dtype=torch.float32)


def rounded(value: Tensor) -> Tensor:
    return value.bfloat16().float()


@pytest.mark.parametrize("kind", LOW)
@given(SEEDS, st.integers(1, 9), st.integers(1, 40), st.integers(1, 9))
def test_a_product_is_that_of_rounded_operands_rounded(kind: type[Products], seed: int, n: int, k: int, m: int) -> None:
    low, a, b, out = kind(), matrix(seed, n, k), matrix(seed + 1, k, m), torch.empty(n, m)
    low.write(low.operand("a", a), low.operand("b", b), out)
    exact = rounded(a).double() @ rounded(b).double()
    # A sum near the middle of two bfloat16 numbers may go to either: one unit of the last of its 8 bits.
    assert bool(((out.double() - exact).abs() <= 2.0**-8 * exact.abs() + 1e-6).all())
    assert torch.equal(rounded(out), out)


@pytest.mark.parametrize("kind", LOW)
def test_an_operand_is_the_nearest_bfloat16_and_its_buffer_is_used_again(kind: type[Products]) -> None:
    low = kind()
    first = low.operand("x", matrix(0, 5, 7))
    assert torch.equal(first.float(), rounded(matrix(0, 5, 7)))
    again = low.operand("x", matrix(1, 5, 7))
    assert again.data_ptr() == first.data_ptr()
    assert torch.equal(low.operand("x", matrix(2, 3, 7)).float(), rounded(matrix(2, 3, 7)))
    assert torch.equal(again.float(), rounded(matrix(1, 5, 7)))


@pytest.mark.parametrize("kind", [Products, *LOW])
@pytest.mark.parametrize("shared", [False, True], ids=["stack", "row for all"])
@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_a_stack_of_products_is_written_to_rows_of_a_larger_buffer(
    kind: type[Products], shared: bool, stored: torch.dtype
) -> None:
    if kind is Products and stored == torch.bfloat16:
        pytest.skip("numpy has no bfloat16, and plain products are never asked for it")
    low, num, n = kind(), 3, 40
    a = matrix(0, 1, n, 70).expand(num, -1, -1) if shared else matrix(0, num, n, 70)
    b, buffer = matrix(1, num, 70, 50), torch.full((num, n + 5, 50), torch.nan, dtype=stored)
    low.write(low.operand("a", a), low.operand("b", b), buffer[:, :n])
    exact = (a if kind is Products else rounded(a)).double() @ (b if kind is Products else rounded(b)).double()
    assert_near(buffer[:, :n].float(), exact.float())
    assert bool(buffer[:, n:].isnan().all())


@pytest.mark.parametrize("kind", [Products, *LOW])
@pytest.mark.parametrize("activation", list(ACTIVATIONS.values()), ids=list(ACTIVATIONS))
def test_what_a_gate_passes_on_stays_as_low_as_the_products(kind: type[Products], activation: Activation) -> None:
    low = kind in LOW and activation.gate is not None
    assert kind().stored(activation, torch.float32) == (torch.bfloat16 if low else torch.float32)


def test_the_flag_of_an_invalid_operation_is_no_warning() -> None:
    out = torch.empty(1, 1)
    Products().write(torch.tensor([[torch.inf, torch.inf]]), torch.tensor([[1.0], [-1.0]]), out)
    assert bool(out.isnan().all())


def test_plain_products_round_nothing() -> None:
    a, b, out = matrix(0, 4, 30), matrix(1, 30, 3), torch.empty(4, 3)
    Products().write(a, b, out)
    assert float((out - a @ b).abs().max()) < 1e-5
    assert not torch.equal(rounded(out), out)


# A whole pass through the stack.


def low_reference(model: MLP, params: Params, x: Tensor, output_gradient: Tensor) -> tuple[Tensor, Params]:
    """Logits and gradients of one member with every product rounded, written down layer by layer.

    Hidden layers of a gate are kept in bfloat16: the sum of a product and a rounded bias is rounded again.
    """
    inputs, zs = [x], []
    for layer in range(model.num_layers):
        weight, bias = params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"]
        product = rounded(rounded(inputs[-1]) @ rounded(weight).T)
        low = model.activation.gate is not None and layer < model.num_layers - 1
        zs.append(rounded(product + rounded(bias)) if low else product + bias)
        inputs.append(model.activation.apply(zs[-1]))
    gradients: Params = {}
    grad = output_gradient
    for layer in reversed(range(model.num_layers)):
        gradients[f"layers.{layer}.weight"] = rounded(rounded(grad).T @ rounded(inputs[layer]))
        gradients[f"layers.{layer}.bias"] = rounded(rounded(grad).sum(0))
        if layer:
            leaf = zs[layer - 1].clone().requires_grad_()
            (slope,) = torch.autograd.grad(model.activation.apply(leaf).sum(), leaf)
            grad = rounded(rounded(grad) @ rounded(params[f"layers.{layer}.weight"])) * slope
    return zs[-1], gradients


@pytest.mark.parametrize("kind", LOW)
@given(
    SEEDS,
    st.lists(st.integers(1, 6), max_size=3).map(tuple),
    st.integers(1, 4),
    st.tuples(st.integers(1, 7), st.integers(0, 4)),
    st.sampled_from(["relu", "tanh"]),
)
@example(seed=111, hidden=(1, 5, 2), num=1, rows=(2, 1), activation="relu")  # a flag of a lane beyond the matrix
@example(seed=0, hidden=(64, 48), num=4, rows=(100, 28), activation="relu")
@example(seed=0, hidden=(64, 48), num=4, rows=(100, 28), activation="tanh")
def test_the_stack_takes_rounded_products_for_any_depth_width_and_number_of_members(
    kind: type[Products], seed: int, hidden: tuple[int, ...], num: int, rows: tuple[int, int], activation: str
) -> None:
    model = MLP((9, *hidden, 10 + 3), ACTIVATIONS[activation])
    members = [
        initialise(model, generator(seed, "tests", at), init="pytorch", dtype=torch.float32) for at in range(num)
    ]
    stack = MLPStack(model, members, batch_size=sum(rows), products=kind())
    for n in (sum(rows), rows[0]):  # a full batch, and a smaller last one
        x, output_gradient = matrix(seed, n, 9), matrix(seed + 1, n, num, 13)
        assert_low_pass(stack, members, x, output_gradient)


def assert_low_pass(stack: MLPStack, members: list[Params], x: Tensor, output_gradient: Tensor) -> None:
    """Hold logits and gradients of every member against ``low_reference``."""
    logits = stack.forward(x).clone()
    stack.backward(x, output_gradient)
    for at, params in enumerate(members):
        plain, slopes = low_reference(stack.model, params, x, output_gradient[:, at])
        assert_near(logits[:, at], plain)
        for name, slope in slopes.items():
            assert_near(stack.gradients(at)[name], slope)


def test_a_product_lost_in_a_copy_is_caught() -> None:
    class Losing(Bfloat16Products):
        def write(self, a: Tensor, b: Tensor, out: Tensor) -> None:
            super().write(a, b, out.contiguous())

    model = MLP((9, 6, 5, 13), ACTIVATIONS["relu"])
    members = [initialise(model, generator(at, "tests"), init="pytorch", dtype=torch.float32) for at in range(2)]
    stack = MLPStack(model, members, batch_size=9, products=Losing())
    with pytest.raises(AssertionError):
        assert_low_pass(stack, members, matrix(0, 5, 9), matrix(1, 5, 2, 13))


def assert_near(ours: Tensor, theirs: Tensor) -> None:
    """In norm: a sum that rounds to the other neighbour moves one entry by 2^-8 of itself, and what follows from it."""
    assert float((ours - theirs).norm()) <= BF16_STEP * max(float(theirs.norm()), 1e-3)


def test_the_comparison_tells_rounded_from_plain_products() -> None:
    model = MLP((9, 6, 13), ACTIVATIONS["tanh"])
    params = initialise(model, generator(0, "tests"), init="pytorch", dtype=torch.float32)
    x = matrix(0, 7, 9)
    reference, _ = low_reference(model, params, x, torch.zeros(7, 13))
    plain = MLPStack(model, [params], batch_size=7).forward(x)[:, 0]
    assert float((plain - reference).abs().max()) > 1e-4
    wrong = {name: 1.05 * value for name, value in params.items()}
    with pytest.raises(AssertionError):
        assert_near(MLPStack(model, [wrong], batch_size=7, products=RoundedProducts()).forward(x)[:, 0], reference)


@pytest.mark.parametrize(("has", "kind"), [(True, Bfloat16Products), (False, RoundedProducts)])
def test_the_route_follows_the_processor(has: bool, kind: type[Products], monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(module.multiplies_bfloat16(), bool)
    monkeypatch.setattr(module, "multiplies_bfloat16", lambda: has)
    assert type(products("bf16")) is kind
    assert type(products("fp32")) is Products
