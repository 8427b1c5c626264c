"""What the checker encloses over boxes of a perceptron, compared with 60 digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
import pytest
from flint import arb, arb_mat, ctx

from subtx_toy.certify.checker import path, update
from subtx_toy.certify.checker.proof import ClaimedRate, network_of
from subtx_toy.certify.checker.units import UNITS
from subtx_toy.certify.description import QUANTITIES, Description, describe
from subtx_toy.problem.spec import ProblemSpec
from tests.verdicts.exact_quantity import ExactQuantity

BOXES = ((0.0, 0.05), (0.0, 1.0), (0.4, 0.4), (0.4, 0.6), (3.0, 3.01), (20.0, 30.0))


def described(quantity: str, **changes: Any) -> Description:
    fields: dict[str, Any] = {
        "hidden": (3, 2), "input_dim": 2, "num_classes": 2, "num_aux": 2, "num_inputs": 2, "num_trait_inputs": 2,
        "init": "pytorch", "trait": "cross_entropy", "loss": "kl", "distilled_logits": "all", "student_lr": 0.5,
        "teacher": "random", "seed": 4,
    }  # fmt: skip
    return describe(ProblemSpec(**fields | changes).build(), quantity)


def missed(about: Description) -> Iterator[tuple[float, float]]:
    """Yield the boxes over which the checker's enclosure does not hold the quantity."""
    exact = ExactQuantity(about.settings(), about.arrays, about.quantity)
    scale = len(about.arrays["inputs"]) if about.quantity == "every-batch" else 1  # there, parts of the mean
    power = 2 if about.quantity == "distance" else 1
    for lo, hi in BOXES:
        with ctx.workprec(64):
            claims = [
                ClaimedRate(network_of(about.settings(), about.arrays, about.quantity, exact=one)).enclose(lo, hi).whole
                for one in (False, True)
            ]
        for share in (0.0, 0.3, 1.0):
            if (eps := lo + share * (hi - lo)) > 0:
                with ctx.workprec(300), mpmath.workdps(80):
                    value = exact(eps) * scale / (mpmath.mpf(eps) ** power if lo == 0 else 1)
                    truth = arb(mpmath.nstr(value, 60))
                    if any(one.is_finite() and not one.overlaps(truth) for one in claims):
                        yield lo, hi


@pytest.mark.parametrize("activation", UNITS)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_quantity_lies_in_what_is_enclosed_over_a_box(quantity: str, activation: str) -> None:
    assert list(missed(described(quantity, activation=activation))) == []


@pytest.mark.parametrize("loss", ["kl", "squared_error"])
def test_the_loss_of_a_target_does_too(loss: str) -> None:
    assert list(missed(described("trait-loss", loss=loss, trait="squared_error", activation="tanh"))) == []


@pytest.mark.parametrize("term", [0, 1, 2])
def test_a_product_that_drops_a_coefficient_is_caught(term: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(a: path.Path, b: path.Path, over: path.Range, product: Any) -> path.Path:
        parts = path.multiplied(a, b, over, product).parts()
        return path.Path.of([one * 0 if place == term else one for place, one in enumerate(parts)])

    monkeypatch.setattr(update, "multiplied", wrong)
    assert any(list(missed(described(quantity, activation="tanh"))) for quantity in ("trait-loss", "distance"))


def test_the_square_of_a_cube_is_the_sixth_power_and_needs_its_last_coefficient() -> None:
    def one(value: Any) -> arb_mat:
        return arb_mat([[value]])

    c, over = arb(1.5), path.Range(arb(1.5), arb(0, 0.5))
    cube = path.Path.of([one(c**3), one(3 * c**2), one(3 * c), one(arb(1))])
    square = path.multiplied(cube, cube, over, lambda a, b, _: a * b)
    for number, bounds in enumerate(((1, 64), (6, 192), (15, 240), (20, 160))):  # of eps^6, over [1, 2]
        found = square.coefficients(over, number)[0, 0]
        assert all(found.contains(arb(bound)) for bound in bounds)
    short = path.Path.of([*square.parts()[:-1], one(arb(0))])
    assert not short.coefficients(over, 0)[0, 0].contains(arb(64))


def test_powers_of_a_range_are_tight_at_its_ends() -> None:
    whole, right = path.Range(arb(0), arb(0, 0.5)), path.Range(arb(0), arb(0.25, 0.25))
    assert whole.power(2).lower() >= -1e-9
    for over, number, low, high in ((whole, 2, 0, 0.25), (whole, 3, -0.125, 0.125), (right, 3, 0, 0.125)):
        found = over.power(number)
        assert found.contains(arb(low))
        assert found.contains(arb(high))
        assert found.rad() <= 0.51 * (high - low)
