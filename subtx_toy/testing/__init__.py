"""Property tests of one-step claims on your own models: strategies, named assertions and a hunt for counterexamples.

``problems``, ``problem_specs``, ``mlps`` and ``imitation_losses`` are hypothesis strategies that build what they
promise; ``assert_claim`` and the other ``assert_...`` check claims; ``hunt`` looks for a counterexample to a bound.
Names are loaded on first use; the strategies and ``hunt`` need hypothesis, the assertions do not. Once a strategy is
loaded, ``st.from_type`` knows the package's types.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subtx_toy.testing.assertions import (
        HypothesisWarning,
        assert_aligned_to_first_order,
        assert_alignment_is_exact,
        assert_claim,
        assert_dichotomy,
        assert_ggn_matches_dense,
        assert_moves_toward_teacher,
        assert_remainder_is_second_order,
        assert_trait_loss_falls,
    )
    from subtx_toy.testing.hunting import Hunt, hunt
    from subtx_toy.testing.strategies import build_problem, imitation_losses, mlps, problem_specs, problems

__all__ = [
    "Hunt",
    "HypothesisWarning",
    "assert_aligned_to_first_order",
    "assert_alignment_is_exact",
    "assert_claim",
    "assert_dichotomy",
    "assert_ggn_matches_dense",
    "assert_moves_toward_teacher",
    "assert_remainder_is_second_order",
    "assert_trait_loss_falls",
    "build_problem",
    "hunt",
    "imitation_losses",
    "mlps",
    "problem_specs",
    "problems",
]

_HOMES = {"hunt": "hunting", "Hunt": "hunting"} | dict.fromkeys(
    ("build_problem", "imitation_losses", "mlps", "problem_specs", "problems"), "strategies"
)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'assertions')}"), name)
