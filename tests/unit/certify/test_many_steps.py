"""The real student of many steps, computed at 200 bits, is where its shadow says, and no proof goes too far."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from subtx_toy.certify.activations import ACTIVATIONS, slope_series
from subtx_toy.certify.balls import Ball
from subtx_toy.certify.description import Description, describe
from subtx_toy.certify.jets import Box
from subtx_toy.certify.many_steps import expansion as expanding
from subtx_toy.certify.many_steps import shadow as shadowing
from subtx_toy.certify.many_steps.expansion import expansion
from subtx_toy.certify.many_steps.neighbourhood import neighbourhood, spectral_norm
from subtx_toy.certify.many_steps.search import prove_steps
from subtx_toy.certify.many_steps.shadow import Polynomials, ShadowedStudent
from subtx_toy.certify.quantities import Quantity
from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import cross_model_init
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from tests.unit.certify.exact_steps import UNITS, ExactSteps

SMALL: dict[str, Any] = dict(
    hidden=(4, 3), input_dim=3, num_classes=2, num_aux=3, num_inputs=5, num_trait_inputs=3, init="pytorch",
    trait="cross_entropy", loss="kl", distilled_logits="aux", student_lr=1.0, activation="tanh",
)  # fmt: skip
SMOOTH = sorted(UNITS)


def described_of(**changes: Any) -> Description:
    return describe(ProblemSpec(**(SMALL | changes)).build(), "alignment")


def violations(
    student: ShadowedStudent, box: Box, order: int, eps: float, start: dict[str, np.ndarray] | None = None
) -> list[str]:
    """What of a shadow the real student refutes at one eps of a box."""
    shadow, real = student.over(box, order), ExactSteps(student.described, start)
    places, found = real.after(eps, student.num_steps), []
    for step, (place, low, high) in enumerate(zip(places, shadow.rate.lower(), shadow.rate.upper(), strict=True)):
        rate = real.aligned(place) / (arb(eps) if student.shared else 1)
        if rate < arb(low) or rate > arb(high):
            found.append(f"the alignment after step {step + 1}")
    t, apart = arb(eps) - arb(box.centre), arb(0)
    for number, part in enumerate(places[-1]):
        coefficients = [one[number].ravel().tolist() for one in shadow.path]
        for entry, own in zip(part.entries(), zip(*coefficients, strict=True), strict=True):
            apart += (entry - sum((arb(one) * t**k for k, one in enumerate(own)), arb(0))) ** 2
    over_eps = student.shared and box.at_zero
    if np.isfinite(shadow.radius) and apart > (arb(shadow.radius) * (arb(eps) if over_eps else 1)) ** 2:
        found.append("the distance from the path")
    return found


@settings(max_examples=25)
@given(
    spec=st.fixed_dictionaries(
        dict(
            hidden=st.lists(st.integers(2, 4), max_size=2).map(tuple),
            activation=st.sampled_from(SMOOTH),
            loss=st.sampled_from(["kl", "squared_error"]),
            temperature=st.sampled_from([0.7, 1.0, 2.0]),
            distilled_logits=st.sampled_from(["aux", "all"]),
            init_scale=st.sampled_from([0.5, 1.0, 2.0]),
            student_lr=st.sampled_from([0.1, 1.0, 3.0]),
            teacher=st.sampled_from(["trait", "random"]),
            seed=st.integers(0, 2**31 - 1),
        )
    ),
    num_steps=st.integers(1, 4),
    lo=st.sampled_from([0.0, 1e-3, 0.5, 4.0]),
    width=st.sampled_from([1e-9, 1e-3, 0.1, 0.5]),
    share=st.floats(0, 1),
    order=st.integers(2, 5),
    shared=st.booleans(),
)
def test_the_real_student_is_where_its_shadow_says(
    spec: dict[str, Any], num_steps: int, lo: float, width: float, share: float, order: int, shared: bool
) -> None:
    described = described_of(**spec)
    eps = float(min(max(lo + share * width, lo + 1e-3 * width), lo + width))
    start = None if shared else other_start(ProblemSpec(**(SMALL | spec)).build(), seed=1)
    student = ShadowedStudent(described, num_steps=num_steps, start=start)
    assert violations(student, Box(lo, lo + width), order, eps, start) == []


def other_start(problem: Problem, *, seed: int) -> dict[str, np.ndarray]:
    start = cross_model_init(problem.model, seed=seed, dtype=torch.float64)  # type: ignore[arg-type]
    return {name: value.numpy() for name, value in start.items()}


def bent(student: ShadowedStudent, monkeypatch: pytest.MonkeyPatch, by: float) -> None:
    """Have every path go wrong a little."""
    stepped = student._stepped

    def wrong(*given: Any, **more: Any) -> tuple[Polynomials, list[list[Ball]]]:
        path, misses = stepped(*given, **more)
        beyond = [one * (1 + by) for one in path[1]]
        gaps = [np.abs(b - a) * (1 + 1e-9) for a, b in zip(path[1], beyond, strict=True)]
        misses[1] = [miss + Ball(0 * gap, gap) for miss, gap in zip(misses[1], gaps, strict=True)]
        return [path[0], beyond, *path[2:]], misses

    monkeypatch.setattr(student, "_stepped", wrong)


def test_any_path_proves_and_a_worse_one_proves_less(monkeypatch: pytest.MonkeyPatch) -> None:
    described = described_of(seed=4)
    student, box = ShadowedStudent(described, num_steps=3), Box(0.0, 0.1)
    good = student.over(box, 4)
    bent(student, monkeypatch, 0.01)
    worse = student.over(box, 4)
    assert violations(student, box, 4, 0.07) == []
    assert worse.radius > 10 * good.radius


def test_a_defect_that_is_left_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    student, box = ShadowedStudent(described_of(seed=4), num_steps=3), Box(0.0, 0.1)
    bent(student, monkeypatch, 0.01)
    monkeypatch.setattr(shadowing, "defect", lambda *_given, **_more: 0.0)
    assert set(violations(student, box, 4, 0.07)) >= {"the distance from the path", "the alignment after step 3"}


def test_a_radius_that_does_not_grow_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # lr far beyond 2 / lambda_max: neighbours part, and a path that misses 1 % at the first step is left behind
    described = described_of(seed=4, student_lr=30.0)
    student, box = ShadowedStudent(described, num_steps=4), Box(1e-3, 1.1e-3)
    bent(student, monkeypatch, 0.01)
    assert violations(student, box, 4, 1.1e-3) == []
    none = expanding.Expansion(0.0, 0.0, 0.0)
    monkeypatch.setattr(shadowing, "expansion", lambda *_given, **_more: none)
    assert "the distance from the path" in violations(student, box, 4, 1.1e-3)


def expanded(problem: Problem, at: torch.Tensor, eps: float) -> float:
    """||I - student_lr H|| at one point, by automatic differentiation in float64."""
    targets = problem.distilled(problem.teacher_params(eps))

    def loss(flat: torch.Tensor) -> torch.Tensor:
        z = problem.distilled(vectors.unflatten(flat, problem.base_params))
        return problem.distillation_loss.mean(z, targets)

    H = torch.func.hessian(loss)(at)
    return float(torch.linalg.matrix_norm(torch.eye(len(at)) - problem.student_lr * H, 2))


def bounded(problem: Problem, eps: float, radius: float) -> tuple[float, float]:
    """The bound about the shared init, and the largest norm of some points within the radius."""
    described, box = describe(problem, "alignment"), Box(eps, eps)
    student = ShadowedStudent(described, num_steps=1)
    path = [student.start, [np.zeros_like(one) for one in student.start]]
    at = student._along(path, box)
    teacher = student.ray.outputs(box, 2).map(student.student.answer, box)
    passes = student.student.passes(at, teacher, box, agree=False)
    near = neighbourhood(student.student, at, passes, radius)
    bound = expansion(
        near, loss=described.loss, temperature=described.temperature, student_lr=described.student_lr
    ).factor
    base, rng = vectors.flatten(problem.base_params), torch.Generator().manual_seed(0)
    moves = torch.randn(8, len(base), generator=rng, dtype=torch.float64)
    points = [base, *(base + radius * one / one.norm() for one in moves)]
    return bound, max(expanded(problem, one, eps) for one in points)


@pytest.mark.parametrize("loss", ["kl", "squared_error"])
@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize(("student_lr", "eps", "radius"), [(1.0, 0.1, 1e-3), (5.0, 2.0, 0.05), (20.0, 0.5, 0.3)])
def test_steps_part_no_further_than_bounded(
    activation: str, loss: str, student_lr: float, eps: float, radius: float
) -> None:
    for seed in range(3):
        spec = ProblemSpec(**(SMALL | {"activation": activation, "loss": loss, "student_lr": student_lr, "seed": seed}))
        bound, largest = bounded(spec.build(), eps, radius)
        assert largest <= bound * (1 + 1e-9)


@pytest.mark.parametrize("part", ["gauss_newton_norm", "residual_norm"])
def test_a_part_of_the_hessian_that_is_left_out_is_found(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expanding, part, lambda *_given: 0.0)
    lr, eps = (20.0, 0.5) if part == "gauss_newton_norm" else (1.0, 4.0)
    spec = ProblemSpec(**(SMALL | {"student_lr": lr, "init_scale": 2.0, "seed": 0}))
    bound, largest = bounded(spec.build(), eps, 1e-3)
    assert largest > bound * (1 + 1e-6)


@pytest.mark.parametrize("activation", SMOOTH)
def test_the_series_of_a_slope_is_the_derivative_of_that_of_the_value(activation: str) -> None:
    # (s o z)' = s'(z) z'
    rng = np.random.default_rng(1)
    z = [Ball.exact(rng.standard_normal(50)) for _ in range(5)]
    value, slope = ACTIVATIONS[activation].series(z), slope_series(ACTIVATIONS[activation], z)
    for k in range(4):
        right = sum((slope[j].mid * z[k - j + 1].mid * (k - j + 1) for j in range(k + 1)), np.zeros(50))
        assert np.abs(value[k + 1].mid * (k + 1) - right).max() <= 1e-10
    assert np.abs(slope[0].mid - ACTIVATIONS[activation].slope(z[0].mid)).max() <= 1e-12


def test_the_spectral_norm_is_bounded_for_every_matrix_of_a_ball() -> None:
    rng = np.random.default_rng(2)
    for shape in ((3, 7), (7, 3), (20, 20)):
        mid, rad = rng.standard_normal(shape), np.full(shape, 0.1)
        bound = spectral_norm(Ball(mid, rad))
        inside = [mid + 0.1 * np.sign(rng.standard_normal(shape)) for _ in range(20)]
        largest = max(float(np.linalg.norm(one, 2)) for one in [mid, *inside])
        assert largest <= bound <= 3 * largest


def test_the_first_of_the_steps_is_the_one_that_certificates_know() -> None:
    described = described_of(seed=5, student_lr=0.5)
    for box in (Box(0.0, 0.02), Box(0.3, 0.31)):
        one = ShadowedStudent(described, num_steps=2).over(box, 4).rate[:1]
        known = Quantity(described).rate(box, 4).scaled(0.5)
        assert abs(float(one.mid[0] - known.mid)) <= float(one.rad[0] + known.rad)
        assert float(one.rad[0]) <= 0.1 * float(one.mid[0])


def test_a_proof_holds_at_step_sizes_in_its_boxes_and_ends_before_the_sign_changes() -> None:
    described = described_of(seed=4)
    proved = prove_steps(described, 3, eps_max=2.0, max_boxes=60)
    assert proved.eps_certified == 2.0
    assert [box.lo for box in proved.boxes[1:]] == [box.hi for box in proved.boxes[:-1]]
    real = ExactSteps(described)
    for box in proved.boxes:
        for eps in (0.5 * box.lo + 0.5 * box.hi, box.hi):
            for place in real.after(eps, 3):
                assert real.aligned(place) / arb(eps) >= arb(box.lower)


def test_a_student_that_climbs_is_not_proved_and_so_is_not_one_with_a_wrong_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    described = described_of(seed=4)
    climbing = dataclasses.replace(described, student_lr=-1.0)
    found = prove_steps(climbing, 2, eps_max=0.1)
    assert not found.boxes
    assert "proved negative" in found.reason
    stepped = ShadowedStudent._stepped

    def wrong(self: ShadowedStudent, *given: Any, **more: Any) -> tuple[Polynomials, list[list[Ball]]]:
        path, misses = stepped(self, *given, **more)
        moved = [2 * one for one in path[1]]
        misses[1] = [miss + Ball.exact(a) - Ball.exact(b) for miss, a, b in zip(misses[1], path[1], moved, strict=True)]
        return [path[0], moved, *path[2:]], misses

    monkeypatch.setattr(ShadowedStudent, "_stepped", wrong)
    assert not prove_steps(described, 2, eps_max=0.1).boxes


def test_a_student_from_elsewhere_is_proved_where_the_sign_happens_to_be_right_and_nowhere_else() -> None:
    problem = ProblemSpec(**(SMALL | {"seed": 4})).build()
    described, signs = describe(problem, "alignment"), []
    for seed in range(12):
        start = cross_model_init(problem.model, seed=seed, dtype=torch.float64)  # type: ignore[arg-type]
        found = prove_steps(described, 2, start=start, eps_max=1e-3, max_boxes=20)
        real = ExactSteps(described, {name: value.numpy() for name, value in start.items()})
        least = min(float(real.aligned(place).mid()) for place in real.after(1e-4, 2))
        assert bool(found.boxes) == (least > 0)
        signs.append(least > 0)
    assert 0 < sum(signs) < len(signs)


@pytest.mark.parametrize(
    ("changes", "more", "message"),
    [
        ({"activation": "relu"}, {}, "activation: expected one without kinks for many steps, got 'relu'"),
        ({}, {"num_steps": 0}, "num_steps: expected an integer >= 1, got 0"),
        ({}, {"order": 1}, "order: expected an integer from 2 to"),
        ({}, {"max_boxes": 0}, "max_boxes: expected an integer >= 1, got 0"),
        ({}, {"eps_max": -1.0}, "eps_max: expected a finite number > 0, got -1.0"),
        ({}, {"start": {}}, r"start: expected layers.0.bias of shape \[4\], got None"),
    ],
)
def test_what_cannot_be_proved_is_refused(changes: dict[str, Any], more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prove_steps(described_of(**changes), **({"num_steps": 2} | more))


def test_other_quantities_are_refused() -> None:
    described = dataclasses.replace(described_of(), quantity="distance")
    with pytest.raises(
        InputError, match="quantity: expected 'alignment', which many steps are proved of, got 'distance'"
    ):
        prove_steps(described, 2)
