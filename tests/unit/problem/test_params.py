from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.problem.params import Params, axpy, cosine, difference, flatten, inner, norm, unflatten
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA
from tests.reference.closeness import assert_close, same_bits

SEEDS = st.integers(0, 10**6)
SHAPES = st.lists(st.lists(st.integers(1, 4), max_size=3).map(tuple), min_size=1, max_size=4)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Params, Params]:
    """Two parameter dictionaries of the same names and shapes."""
    shapes, rng = draw(SHAPES), generator(draw(SEEDS), "tests", "params")
    one, other = (
        {f"p{at}": torch.as_tensor(rng.standard_normal(shape)) for at, shape in enumerate(shapes)} for _ in range(2)
    )
    return one, other


@given(pairs())
def test_the_inner_product_is_that_of_the_flat_vectors(pair: tuple[Params, Params]) -> None:
    a, b = pair
    assert_close(inner(a, b), flatten(a) @ flatten(b), FP64_FORMULA)
    assert_close(inner(a, b), inner(b, a), FP64_FORMULA)
    assert_close(norm(a), flatten(a).norm(), FP64_FORMULA)


@given(pairs())
def test_the_inner_product_does_not_depend_on_the_order_of_the_names(pair: tuple[Params, Params]) -> None:
    a, b = pair
    assert_close(inner(a, dict(reversed(b.items()))), inner(a, b), FP64_FORMULA)


@given(pairs(), st.floats(-3, 3))
def test_axpy_and_difference_are_those_of_the_flat_vectors(pair: tuple[Params, Params], scale: float) -> None:
    a, b = pair
    assert_close(flatten(axpy(scale, a, b)), scale * flatten(a) + flatten(b), FP64_FORMULA)
    assert_close(
        flatten(axpy(torch.tensor(scale, dtype=torch.float64), a, b)), scale * flatten(a) + flatten(b), FP64_FORMULA
    )
    assert_close(flatten(difference(a, b)), flatten(a) - flatten(b), FP64_FORMULA)


@given(pairs(), st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_cosine_sees_directions_only(pair: tuple[Params, Params], s: float, t: float) -> None:
    a, b = pair
    zero = axpy(-1.0, a, a)
    assert abs(float(cosine(a, b))) <= 1 + FP64_FORMULA
    assert_close(cosine(axpy(s, a, zero), axpy(t, b, zero)), cosine(a, b), FP64_FORMULA)
    assert_close(cosine(a, axpy(-t, a, zero)), torch.tensor(-1.0), FP64_FORMULA)


def test_the_cosine_with_a_zero_update_is_nan() -> None:
    a = {"w": torch.ones(3)}
    assert cosine(a, difference(a, a)).isnan()


@given(pairs())
def test_unflatten_undoes_flatten_to_the_bit(pair: tuple[Params, Params]) -> None:
    a, b = pair
    assert same_bits(unflatten(flatten(a), like=b), a)
    assert list(unflatten(flatten(a), like=b)) == list(a)


def test_flatten_keeps_the_order_of_the_names_and_rows() -> None:
    params = {"b": torch.tensor([[1, 2], [3, 4]]), "a": torch.tensor(5)}
    assert flatten(params).tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("shape", [(3,), (5,), (2, 2)])
def test_unflatten_refuses_a_vector_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^vector: expected shape \(4,\), got \("):
        unflatten(torch.zeros(shape), like={"w": torch.zeros(2, 2)})


@pytest.mark.parametrize("function", [inner, difference, cosine])
def test_other_names_are_refused_and_named(function: object) -> None:
    with pytest.raises(ValueError, match=r"got \['v', 'w'\] on one side only"):
        function({"w": torch.ones(1), "b": torch.ones(1)}, {"v": torch.ones(1), "b": torch.ones(1)})  # type: ignore[operator]


@given(pairs())
def test_the_arguments_are_not_modified(pair: tuple[Params, Params]) -> None:
    a, b = pair
    before = {name: value.clone() for name, value in a.items()}
    axpy(2.0, a, b), difference(a, b), cosine(a, b), flatten(a)
    assert same_bits(a, before)


def test_two_shapes_are_refused_instead_of_broadcast() -> None:
    a, b = {"w": torch.ones(2, 3)}, {"w": torch.ones(3)}
    with pytest.raises(ValueError, match="one shape"):
        inner(a, b)
