from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from flint import ctx
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subtx_toy.certify.balls import Ball
from subtx_toy.certify.checker.network import Network
from subtx_toy.certify.checker.proof import ClaimedRate
from subtx_toy.certify.closed_form import closed_form
from subtx_toy.certify.description import QUANTITIES, Description, describe
from subtx_toy.certify.jets import Box, Jet, tightened
from subtx_toy.certify.observed import PlainQuantity
from subtx_toy.certify.quantities import Quantity
from subtx_toy.certify.search import find_range
from subtx_toy.errors import InputError
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.losses import Loss, kl, scaled
from subtx_toy.problem.model import MLP
from subtx_toy.problem.spec import ProblemSpec
from tests.reference.examples import at_most
from tests.unit.certify import rational

SMALL = ProblemSpec(
    hidden=(5, 4), input_dim=3, num_classes=3, num_aux=3, num_inputs=4, num_trait_inputs=3, init="pytorch",
    trait="cross_entropy", loss="kl", distilled_logits="all", student_lr=0.5, seed=3,
)  # fmt: skip


def specs() -> st.SearchStrategy[dict[str, Any]]:
    """Draw fields of a description; it is built inside the test, as type checks of tuples draw random numbers."""
    return st.fixed_dictionaries(
        dict(
            hidden=st.lists(st.integers(2, 6), max_size=3).map(tuple),
            input_dim=st.integers(1, 4),
            num_classes=st.integers(2, 3),
            num_aux=st.integers(1, 3),
            activation=st.sampled_from(sorted(ACTIVATIONS)),
            init=st.just("pytorch"),  # biases that are not zero, as relu asks where inputs are
            init_scale=st.sampled_from([0.5, 1.0, 2.0]),
            num_inputs=st.integers(1, 6),
            num_trait_inputs=st.integers(1, 4),
            trait=st.sampled_from(["cross_entropy", "squared_error"]),
            teacher=st.sampled_from(["trait", "random"]),
            loss=st.sampled_from(["kl", "squared_error"]),
            temperature=st.sampled_from([0.7, 1.0, 3.0]),
            distilled_logits=st.sampled_from(["aux", "class", "all"]),
            student_lr=st.sampled_from([0.1, 1.0]),
            seed=st.integers(0, 2**31 - 1),
        )
    )


def truth(described: Description, eps: float) -> tuple[float, float]:
    """The rate at one point by the checker's arithmetic at 128 bits, between two float64 numbers."""
    before, ctx.prec = ctx.prec, 128
    try:
        network = Network(described.settings(), described.arrays, described.quantity)
        value = ClaimedRate(network).enclose(eps, eps).at_point
        return np.nextafter(float(value.lower()), -np.inf), np.nextafter(float(value.upper()), np.inf)
    finally:
        ctx.prec = before


@settings(max_examples=15)
@given(
    spec=specs(),
    quantity=st.sampled_from(QUANTITIES),
    lo=st.sampled_from([0.0, 1e-9, 1e-3, 0.5, 4.0]),
    width=st.sampled_from([1e-12, 1e-4, 0.1, 1.0]),
    share=st.floats(0, 1),
    order=st.integers(2, 5),
)
def test_the_rate_of_every_quantity_lies_in_its_enclosure(
    spec: dict[str, Any], quantity: str, lo: float, width: float, share: float, order: int
) -> None:
    described = describe(ProblemSpec(**spec).build(), quantity)
    box = Box(lo, lo + width)
    eps = min(max(lo + share * width, np.nextafter(lo, np.inf)), box.hi)
    if eps < 1e-13:
        return
    rate = Quantity(described).rate(box, order)
    low, high = truth(described, float(eps))
    assert float(np.min(rate.lower())) <= high
    assert float(np.min(rate.upper())) >= low


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_enclosures_are_sharp_at_points_and_agree_with_plain_floats(activation: str, quantity: str) -> None:
    spec = ProblemSpec(**{**vars(SMALL), "activation": activation})
    described = describe(spec.build(), quantity)
    proof, plain = Quantity(described), PlainQuantity(described)
    for eps in (0.01, 0.7, 5.0):
        rate = proof.rate(Box(eps, eps), 3)
        expected = plain(eps) / eps**proof.power
        least = np.argmin(rate.mid)
        assert abs(float(rate.mid.ravel()[least]) - expected) <= 1e-9 * abs(expected) + 1e-11 / eps**proof.power
        assert float(rate.rad.max()) <= 1e-11 / eps**proof.power


@pytest.mark.parametrize("quantity", ["alignment", "every-batch"])
@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
def test_relu_boxes_hold_the_exact_rational_rates_across_kinks(quantity: str, hidden: tuple[int, ...]) -> None:
    spec = ProblemSpec(
        hidden=hidden, input_dim=2, num_classes=2, num_aux=2, num_inputs=3, activation="relu", init="pytorch",
        teacher="random", seed=5,
    )  # fmt: skip
    described = describe(spec.build(), quantity)
    found = find_range(described, max_boxes=60)
    assert found.boxes
    proof = Quantity(described)
    for box in found.boxes[:24]:
        rate = proof.rate(Box(box.lo, box.hi), 1)
        for part in (1, 2):
            eps = box.lo + (box.hi - box.lo) * part / 2
            exact = rational.alignment_rate(described, Fraction(eps), per_input=quantity == "every-batch")
            assert min(exact) >= Fraction(box.lower)
            for value, low, high in zip(exact, rate.lower().ravel(), rate.upper().ravel(), strict=True):
                assert Fraction(float(low)) <= value <= Fraction(float(high))
    if found.negative is not None:
        assert (
            min(rational.alignment_rate(described, Fraction(found.negative[0]), per_input=quantity == "every-batch"))
            < 0
        )


def test_a_relu_unit_at_its_kink_is_refused_with_the_reason() -> None:
    problem = ProblemSpec(hidden=(3,), activation="relu", input_dim=2, num_inputs=2).build()
    black = problem.inputs.clone()
    black[1] = 0.0
    described = describe(ProblemSpec(hidden=(3,), activation="relu", input_dim=2, num_inputs=2).build(inputs=black))
    with pytest.raises(InputError, match=r"no unit at its kink .* layer 0, unit 0, at input 1: the Jacobian"):
        find_range(described)


def test_taylor_tightening_keeps_the_function_and_narrows_it() -> None:
    # f(eps) = eps^3 about 1 on [.9, 1.1], K = 2: f_2 = 3 eps there
    box = Box(0.9, 1.1)
    wide = Ball.between(np.array(-5.0), np.array(5.0))
    jet = Jet(
        [Ball.exact(np.array(1.0)), Ball.exact(np.array(3.0))], [wide, wide, Ball.between(np.array(2.7), np.array(3.3))]
    )
    found = tightened(jet, box)
    assert found.box[0].lower() <= 0.9**3
    assert 1.1**3 <= found.box[0].upper() < 1.4
    assert found.box[1].lower() <= 3 * 0.9**2
    assert 3 * 1.1**2 <= found.box[1].upper() < 3.7


def test_a_teacher_in_any_precision_lies_on_its_ray() -> None:
    problem = SMALL.build()
    teacher = {name: value + 0.3 * torch.sin(value * 77) for name, value in problem.base_params.items()}
    teacher["layers.0.bias"][0] = 1e-25  # the exact difference needs more than 53 bits
    described = describe(problem, teacher=teacher)
    for name, value in teacher.items():
        base, high = described.arrays[name], described.arrays[f"direction.{name}"]
        low = described.arrays[f"direction_low.{name}"]
        for w, a, b, c in zip(value.numpy().ravel(), base.ravel(), high.ravel(), low.ravel(), strict=True):
            assert Fraction(float(w)) == Fraction(float(a)) + Fraction(float(b)) + Fraction(float(c))
    assert any(described.arrays[f"direction_low.{name}"].any() for name in teacher)
    rate = Quantity(described).rate(Box(1.0, 1.0), 3)
    low_end, high_end = truth(described, 1.0)
    assert rate.lower() <= high_end
    assert rate.upper() >= low_end


BENT = dataclasses.replace(ACTIVATIONS["tanh"], apply=lambda z: torch.tanh(z) + 1e-8 * z)


def namesake(factor: float, temperature: float = 1.0) -> Loss:
    """A multiple of kl that calls itself kl."""
    return dataclasses.replace(scaled(kl(temperature), factor), name="kl")


def test_what_no_certificate_can_speak_of_is_refused_by_name() -> None:
    problem = SMALL.build()
    for changes, expected in (
        ({"distillation_loss": scaled(kl(), 2.0)}, "expected squared_error or kl, got '2.0 kl'"),
        ({"distillation_loss": namesake(2.0)}, "expected the package's own kl, got one of that name that differs"),
        # A gradient of 1e-7 is far from 0, and of the wrong sign.
        ({"distillation_loss": namesake(-1.0, 1e6)}, "expected the package's own kl, got one of that name"),
        (
            {"model": torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.ELU()).double(), "base_params": {}},
            r"model\.1: expected a perceptron or a Sequential of Linear, .* got ELU",
        ),
        ({"model": MLP((3, 5, 4, 6), BENT, num_classes=3)}, "expected the tanh of certificates, got one of that name"),
        (
            {"model": MLP((3, 5, 4, 6), dataclasses.replace(BENT, name="sine"), num_classes=3)},
            "expected an activation of tanh, sigmoid, softplus, gelu, relu.*, got 'sine'",
        ),
    ):
        fields = {"num_classes": 3, **changes}
        with pytest.raises(InputError, match=expected):
            describe(SMALL.build(**fields))
    with pytest.raises(InputError, match=r"quantity: expected one of .*, got 'alignmnt'; did you mean 'alignment'\?"):
        describe(problem, "alignmnt")
    still = {name: torch.zeros_like(value) for name, value in problem.base_params.items()}
    with pytest.raises(InputError, match="expected a direction to certify along, got zero"):
        find_range(describe(SMALL.build(teacher_update=still)))
    for size in (1e-170, 1e200):  # whose squares are no float64 numbers
        some = {name: torch.full_like(value, size) for name, value in problem.base_params.items()}
        num_entries = sum(value.numel() for value in some.values())
        assert describe(SMALL.build(teacher_update=some)).cap() == pytest.approx(1000 / size / num_entries**0.5)


@at_most(2)
@given(spec=specs(), quantity=st.sampled_from(["alignment", "every-batch", "distance"]))
@example(spec=vars(SMALL), quantity="alignment")
def test_closed_is_at_most_certified_is_at_most_observed_or_there_is_a_reason(
    spec: dict[str, Any], quantity: str
) -> None:
    described = describe(ProblemSpec(**spec).build(), quantity)
    found = find_range(described, max_boxes=40)
    assert found.reason
    curvature = Quantity(described).curvature().lower()
    if float(np.min(curvature)) > 1e-9 and quantity != "distance":
        assert found.boxes, found.reason
    assert found.eps_one_box <= found.eps_certified <= found.cap
    if found.eps_closed is not None:
        assert found.eps_closed <= found.eps_certified
    if found.eps_observed is not None:
        assert found.eps_certified <= found.eps_observed
    plain = PlainQuantity(described)
    floor = 1e-12 * max(1.0, abs(plain(found.cap)))
    for share in (0.01, 0.3, 0.9, 1.0):
        if found.eps_certified:
            assert plain(share * found.eps_certified) > -floor


@pytest.mark.parametrize("loss", ["kl", "squared_error"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus", "gelu"])
def test_the_closed_form_is_below_the_enclosed_rate(activation: str, loss: str) -> None:
    for quantity in ("alignment", "every-batch", "distance"):
        spec = ProblemSpec(**{**vars(SMALL), "activation": activation, "loss": loss, "student_lr": 1e-3})
        proof = Quantity(describe(spec.build(), quantity))
        eps, reason = closed_form(proof, cap=10.0)
        assert eps is not None, reason
        assert float(np.min(proof.rate(Box(0.0, eps), 3).lower())) > 0


@pytest.mark.parametrize("temperature", [1e-200, 1e150])
def test_a_temperature_far_from_one_has_no_closed_form(temperature: float) -> None:
    proof = Quantity(describe(SMALL.build(distillation_loss=kl(temperature)), "alignment"))
    eps, reason = closed_form(proof, cap=10.0)
    assert eps is None
    assert "is not between 1e-90 and 1e90" in reason


def test_a_linear_model_is_certified_up_to_the_cap_in_one_box() -> None:
    found = find_range(describe(ProblemSpec(input_dim=3, num_inputs=5, num_classes=2, num_aux=2).build()))
    assert found.eps_certified == found.eps_one_box == found.eps_closed == found.cap
    assert len(found.boxes) == 1
