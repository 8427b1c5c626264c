"""Students each of which breaks one hypothesis of the claims and must fail, and how they fare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import betaincinv
from torch import Tensor

from subtx_toy.claims.controls import altered_students as altered
from subtx_toy.claims.controls.broken_student import BrokenStudent
from subtx_toy.claims.controls.constructed import CONSTRUCTED
from subtx_toy.claims.controls.many_step_students import MANY_STEP
from subtx_toy.claims.instance import Instance
from subtx_toy.claims.statements.loss_family import repulsive
from subtx_toy.claims.statements.other_init import cross_init, from_init
from subtx_toy.claims.statements.ranges import distances
from subtx_toy.claims.statements.update import second_order
from subtx_toy.claims.vocabulary.claim import Inequality, Outcome, Verdict, outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.hypotheses import ONE_STEP, SEEN
from subtx_toy.claims.vocabulary.observation import StudentSteps
from subtx_toy.problem.initialisations import permuted_units
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.step_predictions import exact_distance_window
from subtx_toy.training.gradient_step import student_updates

WEIGHT_DECAY, OVERSHOOT = 0.1, 3.0
"""Decay of the parameters towards 0, and the student's step over the window of claim C1b."""


def _decays(evidence: Evidence) -> Evidence:
    decay = WEIGHT_DECAY * evidence.base
    return evidence.observing(StudentSteps(lambda _problem, eps: torch.from_numpy(evidence.updates(eps)) - decay))


def _cross(evidence: Evidence) -> Evidence | None:
    if not isinstance(evidence.problem.model, MLP):
        return None
    start = cross_init(evidence.problem, evidence.stream("control", "cross"))
    return evidence.observing(from_init(start))


def _permuted(evidence: Evidence) -> Evidence | None:
    model, base = evidence.problem.model, evidence.problem.base_params
    if not isinstance(model, MLP) or max(model.sizes[1:-1], default=1) == 1:
        return None
    rng = evidence.stream("control", "permuted")
    start = permuted_units(model, base, rng)
    while all(torch.equal(start[name], base[name]) for name in base):  # the identity is no control
        start = permuted_units(model, base, rng)
    return evidence.observing(from_init(start))


def _flees(evidence: Evidence) -> Evidence:
    return altered.with_student_loss(evidence, repulsive(evidence.problem.distillation_loss))


def first_layer_only(problem: Problem, eps: Sequence[float]) -> Float[Tensor, "s p"]:
    """Return the updates of the first layer, zero elsewhere."""
    updates, first = student_updates(problem, eps), next(iter(problem.base_params)).rpartition(".")[0]
    updates[:, sum(value.numel() for name, value in problem.base_params.items() if name.startswith(first)) :] = 0
    return updates


def _first_layer(evidence: Evidence) -> Evidence | None:
    model = evidence.problem.model
    deep = isinstance(model, MLP) and model.num_layers > 1
    return evidence.observing(StudentSteps(first_layer_only)) if deep else None


def closer(evidence: Evidence) -> Outcome:
    """Check that a step of OVERSHOOT times the window of C1b ends closer to the teacher, which it cannot."""
    eps = evidence.ladder[0]
    window = exact_distance_window(evidence.alignment(eps), evidence.update_norm(eps), eps)
    gaps, roundings = distances(evidence, [eps], np.array([[0.0, OVERSHOOT * window]]))
    change, rounding = float(gaps[0, 1] - gaps[0, 0]), float(roundings[0, 1])
    return outcome([Inequality(change, 0.0, rounding, f"change of distance at {OVERSHOOT} windows")])


BROKEN = (
    BrokenStudent(
        "temperature", "softmax twice as hot as the teacher's", altered.with_targets(altered.soft, hotter=2.0)
    ),
    BrokenStudent("argmax", "learns the teacher's most likely label", altered.with_targets(altered.most_likely)),
    BrokenStudent("smoothing", "labels smoothed by a tenth", altered.with_targets(altered.smoothed)),
    BrokenStudent("rounded", "probabilities rounded to hundredths", altered.with_targets(altered.rounded)),
    BrokenStudent("clipped", "the teacher's logits clipped to +- 1/2", altered.clipped),
    BrokenStudent(
        "top_k", "the two most likely labels only", altered.with_targets(altered.top_k, least_logits=altered.TOP_K + 1)
    ),
    BrokenStudent("dropout", "drops half of its hidden units", altered.drops_units),
    BrokenStudent("batch_norm", "normalises its hidden units over the batch", altered.normalises_batches),
    BrokenStudent("weight_decay", "parameters decay towards 0", _decays),
    BrokenStudent("cross_model", "starts from an initialisation of its own", _cross, "C4", second_order),
    BrokenStudent("permuted_units", "hidden units permuted, the same function", _permuted),
    BrokenStudent("repulsive", "flees its teacher's outputs", _flees),
    BrokenStudent("first_layer", "trains its first layer only", _first_layer),
    BrokenStudent("large_student_lr", "a step of three windows", lambda evidence: evidence, "C1b", closer),
    *MANY_STEP,
)
"""One line each."""


@dataclass
class ControlResult:
    """The verdict of a control's claim on its constructed problem, and how many of the drawn problems violate it."""

    control: BrokenStudent
    verdict: Verdict
    failures: int = 0
    num_drawn: int = 0

    @property
    def failed_as_it_must(self) -> bool:
        """Whether the constructed problem violates the claim."""
        return self.verdict == "violated"

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's 95 % interval of the rate of failure; nothing is known without a draw.

        Reference: Clopper and Pearson 1934, Biometrika 26, 404-413.
        """
        if self.num_drawn == 0:
            return 0.0, 1.0
        failures, rest = self.failures, self.num_drawn - self.failures
        low = betaincinv(failures, rest + 1, 0.025) if failures else 0.0
        high = betaincinv(failures + 1, rest, 0.975) if rest else 1.0
        return float(low), float(high)


def constructed_verdict(control: BrokenStudent, problem: Problem | None = None) -> Verdict:
    """Return the verdict on the problem built for the control, or on another one."""
    evidence = Evidence(CONSTRUCTED[control.id]() if problem is None else problem)
    broken = control.breaks(evidence)
    if broken is None:
        raise ValueError(f"{control.id}: this control cannot be built on this problem")
    return _verdict(control, broken)


def _verdict(control: BrokenStudent, broken: Evidence) -> Verdict:
    with np.errstate(all="ignore"):  # a student may run away
        return control.evaluate(broken).worst.verdict


def run_controls(instances: Iterable[Instance] = ()) -> list[ControlResult]:
    """Judge every control on its constructed problem, and count its failures on drawn ones.

    The rate is over problems that meet the hypotheses of the one-step claims, with V not zero by construction, and
    on which the student can be built.
    """
    results = [ControlResult(control, constructed_verdict(control)) for control in BROKEN]
    for instance in instances:
        evidence = instance.evidence()
        if any(one.unmet(evidence) for one in (*ONE_STEP, SEEN)):
            continue
        for result in (one for one in results if instance.index % one.control.every == 0):
            broken = result.control.breaks(evidence)
            if broken is not None:
                result.num_drawn += 1
                result.failures += _verdict(result.control, broken) == "violated"
    return results
