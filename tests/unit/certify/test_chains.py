"""Chains of convolution, pooling and normalisation: proved, proved again, and compared with 60 digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from flint import arb, ctx
from torch import nn

from subtx_toy.certify.balls import Ball, nonlinear
from subtx_toy.certify.certificate import to_bytes
from subtx_toy.certify.chain import layers as search_layers
from subtx_toy.certify.chain import layout
from subtx_toy.certify.checker import chain_layers
from subtx_toy.certify.checker.check import check
from subtx_toy.certify.checker.document import read
from subtx_toy.certify.checker.proof import ClaimedRate, network_of
from subtx_toy.certify.checker.rejected import Rejected
from subtx_toy.certify.description import Description, describe
from subtx_toy.certify.jets import Box
from subtx_toy.certify.quantities import Quantity
from subtx_toy.certify.search import find_range
from subtx_toy.errors import InputError
from subtx_toy.seeding import generator
from tests.unit.certify.drawn_chains import CHAINS, chain_problem
from tests.verdicts.exact_chain import DIGITS, ExactChain

BOXES = ((0.0, 1e-3), (0.0, 0.2), (0.3, 0.3), (0.3, 0.31), (1.0, 1.2), (40.0, 41.0))
SHARES = (0.0, 0.37, 1.0)


def missed(described: Description, boxes: Any = BOXES) -> Iterator[str]:
    """Yield the enclosures of search and checker that do not hold the rate of 60 digits."""
    exact, proof = ExactChain(described.settings(), described.arrays, described.quantity), Quantity(described)
    for lo, hi in boxes:
        rate = proof.rate(Box(lo, hi), 3)
        low, high = float(np.min(rate.lower())), float(np.min(rate.upper()))
        with ctx.workprec(64):
            claims = [
                ClaimedRate(network_of(described.settings(), described.arrays, described.quantity, exact=one))
                for one in (False, True)
            ]
            found = [claim.enclose(lo, hi) for claim in claims]
        points = [lo + share * (hi - lo) for share in SHARES if lo + share * (hi - lo) > 0]
        with mpmath.workdps(DIGITS):
            for eps in points:
                value = exact(eps)
                if not mpmath.mpf(low) <= value / eps <= mpmath.mpf(high):
                    yield f"the search misses {eps} in {(lo, hi)}"
                whole = value / eps if lo == 0 else value
                if any(not _holds(one.whole, whole) for one in found):
                    yield f"the checker misses {eps} in {(lo, hi)}"
            middle = (mpmath.mpf(lo) + mpmath.mpf(hi)) / 2
            if lo > 0 and any(not _holds(one.at_point, exact(middle) / middle) for one in found):
                yield f"the checker misses the middle of {(lo, hi)}"


def _holds(ball: arb, value: Any) -> bool:
    with ctx.workprec(300):
        return not ball.is_finite() or bool(ball.overlaps(arb(mpmath.nstr(value, DIGITS - 5))))


@pytest.mark.parametrize("quantity", ["alignment", "every-batch"])
@pytest.mark.parametrize("name", CHAINS)
def test_the_rate_of_a_chain_lies_in_every_enclosure(name: str, quantity: str) -> None:
    described = describe(chain_problem(name, seed=len(quantity) % 2), quantity)
    assert described.layers
    assert list(missed(described)) == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", CHAINS)
def test_the_rates_of_many_drawn_chains_lie_in_every_enclosure(name: str) -> None:
    for seed in range(40):
        rng = generator(seed, "tests", "boxes of chains", name)
        starts = 10.0 ** rng.uniform(-6, 2, size=4)
        boxes = [(lo, lo * (1 + 10.0 ** rng.uniform(-8, 0))) for lo in starts] + [(0.0, starts[0])]
        assert list(missed(describe(chain_problem(name, seed)), boxes)) == []


@pytest.mark.parametrize("name", CHAINS)
def test_enclosures_of_points_are_thin(name: str) -> None:
    proof = Quantity(describe(chain_problem(name)))
    for eps in (0.01, 0.7, 5.0):
        rate = proof.rate(Box(eps, eps), 3)
        assert float(rate.rad) <= 1e-11 / eps


search_inverse_root, search_seen = search_layers.inverse_root, layout.seen
checker_seen, checker_times = chain_layers._seen, chain_layers._times

PLANTED: dict[str, tuple[Any, str, Any, str]] = {
    "a normalisation without eps": (
        search_layers, "inverse_root", lambda v, _: search_inverse_root(v, 0.0), "bare",
    ),
    "a slope of the inverse root": (
        search_layers, "inverse_root", lambda v, eps: _bent(search_inverse_root(v, eps)), "norm",
    ),
    "taps in another order": (
        search_layers, "seen", lambda *given: search_seen(*given)[:, ::-1], "convolution",
    ),
    "the checker's taps": (
        chain_layers, "_seen", lambda layer, kernel, *rest: checker_seen(layer, kernel, *rest)[::-1], "convolution",
    ),
    "the checker's product rule": (
        chain_layers, "_times", lambda given, over: checker_times((*given[:-1], given[-1] * 2), over), "norm",
    ),
}  # fmt: skip


def _bent(series: list[Ball]) -> list[Ball]:
    return [series[0], *(one.scaled(1.01) for one in series[1:])]


@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_in_a_layer_is_caught(error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, wrong, chain = PLANTED[error]
    described = describe(chain_problem(chain))
    monkeypatch.setattr(module, name, wrong)
    assert next(missed(described, BOXES[:4]), None) is not None


def test_an_inverse_root_that_rounds_to_nearest_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.abs(generator(0, "tests", "inverse roots").standard_normal(400)) + 1e-6

    def outside() -> int:
        found = nonlinear.inverse_root(Ball.exact(x))
        with ctx.workprec(200):
            roots = zip(x.tolist(), found.mid.tolist(), found.rad.tolist(), strict=True)
            return sum(bool(abs(arb(one).rsqrt() - arb(mid)) > arb(rad)) for one, mid, rad in roots)

    assert outside() == 0
    for name in ("up", "down"):
        monkeypatch.setattr(nonlinear, name, lambda values: values)
    monkeypatch.setattr(Ball, "between", classmethod(lambda cls, low, high: cls(low, (high - low) * 0.5)))
    assert outside() > 0


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_is_certified_and_proved_again(name: str) -> None:
    described = describe(chain_problem(name))
    found = find_range(described, eps_max=2.0, max_boxes=25)
    assert found.boxes, found.reason
    assert found.closed_reason == "the bound by norms of layers is known for perceptrons with biases alone"
    assert found.eps_observed is None or found.eps_observed >= found.eps_certified
    verdict = check(read(to_bytes(found.content(), described.arrays)))
    assert verdict.eps == found.eps_certified
    assert verdict.fingerprint == described.fingerprint()


def test_a_relu_of_a_chain_at_its_kink_is_refused_by_search_and_checker() -> None:
    module = nn.Sequential(nn.AvgPool2d(1), nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    inputs = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    inputs[0, 0, 0, 0] = 0
    update = {name: torch.ones_like(value) for name, value in module.double().named_parameters()}
    described = describe(chain_problem("kinks", model=module, inputs=inputs, teacher_update=update))
    with pytest.raises(InputError, match=r"expected no unit at its kink .* layer 2, unit 0"):
        find_range(described)
    with ctx.workprec(64), pytest.raises(Rejected, match="a unit stands at its kink"):
        ClaimedRate(network_of(described.settings(), described.arrays, "alignment"))


def test_a_teacher_of_a_chain_in_single_precision_stands_at_one() -> None:
    problem = chain_problem("norm")
    teacher = {name: (value + 0.1).float().double() for name, value in problem.base_params.items()}
    teacher["1.bias"][0] = 1e-25  # the exact difference needs more than 53 bits
    described = describe(problem, teacher=teacher)
    assert any(name.startswith("direction_low.") for name in described.arrays)
    assert list(missed(described, [(0.9, 1.0), (0.0, 1.0)])) == []
