"""What hypothesis calls when it is imported: strategies for this package's types, for ``st.from_type`` and ``@given``.

It must cost nothing to those who do not use the package, and registering a type needs the type, which needs torch. So
types that are not imported yet are registered when they are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

TYPES = {
    "subtx_toy.problem.losses": ("Loss", "imitation_losses"),
    "subtx_toy.problem.model": ("MLP", "mlps"),
    "subtx_toy.problem.spec": ("ProblemSpec", "problem_specs"),
    "subtx_toy.problem.problem": ("Problem", "problems"),
}
"""Of each module, the type and its strategy in ``subtx_toy.testing``."""


def register_strategies() -> None:
    """Register the strategies of all types now imported, and of the others on their import."""
    later = set()
    for name in TYPES:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, TYPES[name][0]):
            _register(module)
        else:
            later.add(name)
    if later and not any(isinstance(finder, _OnImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _OnImport(later))


def _register(module: ModuleType) -> None:
    from hypothesis import strategies as st

    type_name, strategy_name = TYPES[module.__name__]

    def strategy(_type: type) -> st.SearchStrategy[object]:
        found: st.SearchStrategy[object] = getattr(import_module("subtx_toy.testing.strategies"), strategy_name)()
        return found

    st.register_type_strategy(getattr(module, type_name), strategy)


class _OnImport(MetaPathFinder):
    """Finds modules as the other finders do, and registers their type once they are executed."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in self.names:
            return None
        for finder in [one for one in sys.meta_path if one is not self]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module = _then_register(spec.loader.exec_module)  # type: ignore[assignment, method-assign]
                return spec
        return None


def _then_register(execute: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def exec_module(module: ModuleType) -> None:
        execute(module)
        _register(module)

    return exec_module
