"""The problems that claims are verified on: drawn, or given by the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from subtx_toy.claims.borrowed import visiting
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import USER_FAULTS, InputError
from subtx_toy.files.python_objects import load_object
from subtx_toy.problem.drawn_spec import draw_spec
from subtx_toy.problem.named import NAMED
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.seeding import generator
from subtx_toy.settings.toml_file import read_toml

THOROUGH_EVERY = 64
"""Claims that sample many students do so on one problem of so many."""


@dataclass(frozen=True)
class Instance:
    """One problem, text that builds it again if it has no description, its place, and its description.

    A smaller problem serves as well as a ``shrinkable`` one, as for drawn ones.
    """

    build: Callable[[], Problem]
    text: str
    index: int = 0
    spec: ProblemSpec | None = None
    shrinkable: bool = False

    @classmethod
    def of(cls, spec: ProblemSpec, *, index: int = 0, shrinkable: bool = False) -> Instance:
        """Wrap a description."""
        return cls(spec.build_fast if shrinkable else spec.build, "", index, spec, shrinkable)

    @property
    def snippet(self) -> str:
        """Text that builds the problem again."""
        return self.text if self.spec is None else self.spec.snippet()

    def evidence(self) -> Evidence:
        """Build the problem and the evidence on it."""
        seed = 0 if self.spec is None else self.spec.seed
        return Evidence(
            self.build(), seed=seed, thorough=self.index % THOROUGH_EVERY == 0, snippet=lambda: self.snippet
        )


def drawn(num: int, *, seed: int) -> Iterator[Instance]:
    """Draw ``num`` problems; the first ones do not depend on how many there are."""
    for index in range(num):
        yield Instance.of(draw_spec(generator(seed, "verify", index)), index=index, shrinkable=True)


def given(problem: Problem | ProblemSpec | str | Path) -> Instance:
    """Take a problem, its description, its name, a TOML file, or a factory as ``module:name`` or ``file.py:name``."""
    if isinstance(problem, Problem):
        return Instance(lambda: problem, f"# {problem!r}")
    if isinstance(problem, ProblemSpec):
        return Instance.of(problem)
    reference = str(problem)
    if reference in NAMED:
        return Instance(NAMED[reference], f"# the problem named {reference}")
    if reference.endswith(".toml"):
        return Instance.of(_read_spec(Path(reference)))
    built = _built(reference, lambda: _factory(reference)())
    return Instance(lambda: built, f"# the problem returned by {reference}")


def given_for_seeds(factory: Callable[..., object] | str | Path, seeds: Iterable[int]) -> Iterator[Instance]:
    """Take the problems that a factory of the user's, or one at ``module:name``, builds for some seeds.

    It is called as ``factory(seed)`` each time a problem is looked at, and has to build the same one for a seed.
    """
    name = getattr(factory, "__name__", "the factory") if callable(factory) else str(factory)
    function = factory if callable(factory) else _built(name, lambda: _factory(name), kind=None)
    for index, seed in enumerate(seeds):
        label = f"{name}, seed {seed}"
        build = partial(_built, label, partial(function, seed))
        yield Instance(build, f"# the problem returned by {name} for the seed {seed}", index)


def _factory(reference: str) -> Callable[..., object]:
    expected = "a TOML file or a factory of a Problem"
    factory = load_object("problem", reference, expected=expected)
    if not callable(factory):
        raise InputError(f"expected {expected}, got {type(factory).__name__}")
    return factory


def _built(reference: str, build: Callable[[], Any], *, kind: type | None = Problem) -> Any:
    """Call a user's function, and name the reference in what is wrong with it."""
    try:
        with visiting():
            built = build()
    except InputError as error:
        known = all(one.startswith("problem: ") for one in error.problems)
        raise error if known else InputError(*(f"problem {reference!r}: {one}" for one in error.problems)) from error
    except USER_FAULTS as error:
        raise InputError(f"problem {reference!r}: expected a Problem, got {type(error).__name__}: {error}") from error
    if kind is not None and not isinstance(built, kind):
        raise InputError(f"problem {reference!r}: expected a Problem, got {type(built).__name__}")
    return built


def _read_spec(path: Path) -> ProblemSpec:
    fields: dict[str, Any] = read_toml(path, what="problem")
    try:
        spec = ProblemSpec(**fields)
        spec.build()
    except (ValueError, RuntimeError) as error:
        faults = error.problems if isinstance(error, InputError) else (f"{type(error).__name__}: {error}",)
        raise InputError(*(f"problem {str(path)!r}: {one}" for one in faults)) from error
    return spec
