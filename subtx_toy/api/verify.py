"""Check the claims: what ``subtx-toy verify`` does, from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING

from subtx_toy import collector
from subtx_toy.api.display import silent
from subtx_toy.api.verification import Verification
from subtx_toy.claims import verification
from subtx_toy.claims.controls.broken_students import run_controls
from subtx_toy.claims.instance import Instance, drawn, given, given_for_seeds
from subtx_toy.claims.registry import find_claims
from subtx_toy.claims.rungs import Rung, rungs_of
from subtx_toy.claims.vocabulary.claim import Claim
from subtx_toy.errors import InputError
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.settings.arguments import checked, instance, integer
from subtx_toy.settings.limits import MAX_INSTANCES
from subtx_toy.settings.seeds import seed_list
from subtx_toy.sweep.threads import one_thread

if TYPE_CHECKING:
    from subtx_toy.data.dataset import Progress

__all__ = ["NUM_INSTANCES", "Verification", "verify"]

NUM_INSTANCES = 200
"""Problems that are drawn where no number is given."""

_MAX_CONTROLS = 120  # problems behind the controls' rates: intervals of 19 points at most, where all apply


@checked(
    problem=instance(Problem | ProblemSpec | str | Path | FunctionType, "a Problem, a TOML file or a factory of one"),
    instances=integer(1, MAX_INSTANCES),
    seed=integer(0),
)
def verify(
    problem: Problem | ProblemSpec | str | Path | Callable[[int], Problem] | None = None,
    *,
    instances: int | None = None,
    claims: str | Claim | Iterable[str | Claim] | None = None,
    seed: int = 0,
    seeds: str | int | Iterable[int] | None = None,
    rungs: bool = False,
    controls: bool | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check the one-step claims: predicted, observed, verdict.

    Args:
        problem: a problem of your own, or where it is: a TOML file with the fields of a ``ProblemSpec``, or a function
            that returns a ``Problem``, as ``"mine.py:factory"``; by default small random problems are drawn.
        instances: problems to draw, 200 by default.
        claims: ids such as ``"C1"``, claims of your own, or where they are, as ``"mine.py:my_bound"``; by default all
            of the package, of which the costly ones are checked on one drawn problem in 4 to 64. A claim that is named,
            and a problem that is yours, is always checked.
        seed: of the draws, >= 0.
        seeds: of a factory that takes one, such as ``"0:200"`` or ``range(200)``: its problem is built for each. They
            replace the draws, and a bound of your own is tried on all of them.
        rungs: whether the alignment at every eps is kept, as ``.rungs``: predicted, exact, observed, rounding.
        controls: whether students that must fail are run too; by default with all claims on drawn problems.
        progress: called as ``progress(task, done, total, unit)``.

    Raises:
        InputError: naming everything that is wrong.

    Example:
        ``st.verify(instances=50, claims=["C1", "C4"])``
    """
    if problem is not None and instances is not None:
        raise InputError("instances: cannot be combined with a problem of your own")
    num = NUM_INSTANCES if instances is None else instances
    chosen = find_claims(claims)
    sources: Iterable[Instance]
    one: Instance | None = None
    if seeds is not None:
        if problem is None or isinstance(problem, Problem | ProblemSpec):
            raise InputError("seeds: expected a factory that takes a seed as the problem, such as mine.py:factory")
        numbers = seed_list(seeds)
        total, sources = len(numbers), given_for_seeds(problem, numbers)
    elif problem is None:
        total, sources = num, drawn(num, seed=seed)
    else:
        if callable(problem):
            raise InputError("problem: expected a Problem, or a function with seeds, got a function")
        one = given(problem)
        total, sources = 1, [one]
    report: Progress = progress or silent
    if controls is None:
        controls = claims is None and problem is None
    with one_thread(), collector.frozen():
        report("verifying", 0, total, "problems")
        seen: list[Rung] = []
        found = verification.verify(
            chosen,
            sources,
            seed=seed,
            thinned=claims is None and problem is None,
            progress=lambda done: report("verifying", done, total, "problems"),
            visit=lambda instance, evidence: seen.extend(rungs_of(instance, evidence) if rungs else ()),
        )
        return Verification(
            problem="drawn" if problem is None else getattr(problem, "__name__", str(problem)),
            seed=seed,
            instances=total,
            verdicts=found,
            counterexamples={one.claim.id: one.counterexample() for one in found.summaries},
            controls=tuple(run_controls(drawn(min(num, _MAX_CONTROLS), seed=seed))) if controls else (),
            rungs=tuple(seen),
            given=None if one is None else one.build(),
        )
