"""Strategies for this package's types in ``st.from_type`` and ``@given``.

hypothesis calls ``register_strategies`` when it is imported, and so does the module of the strategies. It costs
nothing to those who do not use the package: only types that are imported by then are registered.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from typing import Any

TYPES = {
    "subtx_toy.problem.losses": ("Loss", "imitation_losses"),
    "subtx_toy.problem.model": ("MLP", "mlps"),
    "subtx_toy.problem.spec": ("ProblemSpec", "problem_specs"),
    "subtx_toy.problem.problem": ("Problem", "problems"),
}
"""Of each module, the type and its strategy in ``subtx_toy.testing``."""


def register_strategies() -> None:
    """Register the strategies of all types now imported."""
    from hypothesis import strategies as st

    for module, (type_name, strategy_name) in TYPES.items():
        kind = getattr(sys.modules.get(module), type_name, None)
        if kind is not None:
            st.register_type_strategy(kind, partial(_strategy, strategy_name))


def _strategy(name: str, _type: type) -> Any:
    return getattr(import_module("subtx_toy.testing"), name)()
