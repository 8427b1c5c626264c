# ruff: noqa: N802, the symbols of the theory
"""Users' bounds, true and false, as pairs of sides in quantities that float64 and 200 bits both have.

The truth of each is known: a true one has a proof in a line, a false one a counterexample that 200 bits confirm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from subtx_toy.claims.vocabulary.evidence import Evidence


class Floats:
    """The quantities of evidence under the names of ``Exact``."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence, problem = evidence, evidence.problem
        self.V, self.dT_norm, self.G_norm, self.eps = evidence.V, evidence.dT_norm, evidence.G_dT_norm, problem.eps
        self.is_kl, self.tau = problem.distillation_loss.name == "kl", problem.distillation_loss.temperature
        self.n, self.k = evidence.ray.v.shape

    @property
    def a(self) -> float:
        return self.evidence.alignment(self.eps)

    @property
    def dS_norm(self) -> float:
        return self.evidence.update_norm(self.eps)

    @property
    def v2(self) -> float:
        return float((self.evidence.ray.v**2).sum(-1).mean())

    @property
    def remainder(self) -> float:
        difference: torch.Tensor = self.evidence.update(self.eps) - self.eps * self.evidence.G_dT
        return float(difference.norm())


Sides = Callable[[Any], tuple[Any, Any]]
TRUE: dict[str, Sides] = {
    # Cauchy and Schwarz
    "V <= |G dT| |dT|": lambda q: (q.V, q.G_norm * q.dT_norm),
    "V <= 2 |G dT| |dT|": lambda q: (q.V, 2 * q.G_norm * q.dT_norm),
    "V <= 1.001 |G dT| |dT|": lambda q: (q.V, 1.001 * q.G_norm * q.dT_norm),
    "a <= |dS| |dT|": lambda q: (q.a, q.dS_norm * q.dT_norm),
    "-a <= |dS| |dT|": lambda q: (-q.a, q.dS_norm * q.dT_norm),
    "V^2 <= |G dT|^2 |dT|^2": lambda q: (q.V**2, q.G_norm**2 * q.dT_norm**2),
    # M is positive semi-definite, and at most the identity for squared error, 1 / (2 tau^2) of it for kl
    "0 <= V": lambda q: (0.0, q.V),
    "-V <= 0": lambda q: (-q.V, 0.0),
    "-1 <= V": lambda q: (-1.0, q.V),
    "V <= mean |v|^2 / tau^2": lambda q: (q.V, q.v2 / q.tau**2),
    "V <= 2 mean |v|^2 / tau^2": lambda q: (q.V, 2 * q.v2 / q.tau**2),
    "V <= 3 mean |v|^2 / tau^2": lambda q: (q.V, 3 * q.v2 / q.tau**2),
    # norms and the triangle inequality
    "0 <= |dT|": lambda q: (0.0, q.dT_norm),
    "|dS| <= eps |G dT| + |R|": lambda q: (q.dS_norm, q.eps * q.G_norm + q.remainder),
    "eps |G dT| <= |dS| + |R|": lambda q: (q.eps * q.G_norm, q.dS_norm + q.remainder),
    "|R| <= |dS| + eps |G dT|": lambda q: (q.remainder, q.dS_norm + q.eps * q.G_norm),
    "|a - eps V| <= |R| |dT|": lambda q: (abs(q.a - q.eps * q.V), q.remainder * q.dT_norm),
    "a <= eps V + |R| |dT|": lambda q: (q.a, q.eps * q.V + q.remainder * q.dT_norm),
    "2 V <= V^2 + 1": lambda q: (2 * q.V, q.V**2 + 1),
    "V <= V + 1": lambda q: (q.V, q.V + 1),
    "1 <= n": lambda q: (1.0, q.n + 0.5),
    # equalities, which float64 cannot decide
    "V <= V": lambda q: (q.V, q.V),
    "(1e9 + V) - 1e9 <= V": lambda q: ((10**9 + q.V) - 10**9, q.V),
    "|a - a| <= 0": lambda q: (abs(q.a - q.a), 0.0),
    "3 V / 3 <= V": lambda q: (3 * q.V / 3, q.V),
    "sqrt(V)^2 <= V": lambda q: ((q.V**0.5) ** 2 if q.V > 0 else q.V, q.V),
}
FALSE: dict[str, Sides] = {
    "V <= |dT|^2": lambda q: (q.V, q.dT_norm**2),
    "V <= |G dT| |dT| / 2": lambda q: (q.V, q.G_norm * q.dT_norm / 2),
    "|G dT| |dT| <= V": lambda q: (q.G_norm * q.dT_norm, q.V),
    "|G dT| |dT| <= 2 V": lambda q: (q.G_norm * q.dT_norm, 2 * q.V),
    "a <= eps V": lambda q: (q.a, q.eps * q.V),
    "eps V <= a": lambda q: (q.eps * q.V, q.a),
    "a <= 0": lambda q: (q.a, 0.0),
    "a <= 1.01 eps V": lambda q: (q.a, 1.01 * q.eps * q.V),
    "|dS| <= eps |G dT|": lambda q: (q.dS_norm, q.eps * q.G_norm),
    "|dS| <= |dT|": lambda q: (q.dS_norm, q.dT_norm),
    "|dS| <= eps |dT|": lambda q: (q.dS_norm, q.eps * q.dT_norm),
    "V <= mean |v|^2 / (4 tau^2)": lambda q: (q.V, q.v2 / (4 * q.tau**2)),
    "V <= 1": lambda q: (q.V, 1.0),
    "1 <= V": lambda q: (1.0, q.V),
    "|dT| <= 1": lambda q: (q.dT_norm, 1.0),
    "|R| <= 0": lambda q: (q.remainder, 0.0),
    "V^2 <= V": lambda q: (q.V**2, q.V),
    # false on a thousandth of the drawn problems or fewer
    "V <= 40 |dT|^2": lambda q: (q.V, 40 * q.dT_norm**2),
    "V <= 100 |dT|^2": lambda q: (q.V, 100 * q.dT_norm**2),
    "|dS| <= 3 |dT|": lambda q: (q.dS_norm, 3 * q.dT_norm),
    # false by less than float64 sees
    "V (1 + 1e-12) <= V": lambda q: (q.V * (1 + 1e-12), q.V),
    "V (1 + 1e-12) <= (1e9 + V) - 1e9": lambda q: (q.V * (1 + 1e-12), (10**9 + q.V) - 10**9),
}
HIDDEN = ("V (1 + 1e-12) <= V", "V (1 + 1e-12) <= (1e9 + V) - 1e9")
"""False bounds that nothing in float64 can refute."""
