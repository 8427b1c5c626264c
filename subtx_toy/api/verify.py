"""Check claims on drawn problems or on one of your own: what ``subtx-toy verify`` does, from Python."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from subtx_toy.api.trial_lines import silent
from subtx_toy.api.verification import Verification
from subtx_toy.claims import verification
from subtx_toy.claims.controls.control_runs import run_controls
from subtx_toy.claims.instance import drawn, given
from subtx_toy.claims.registry import find_claims
from subtx_toy.claims.vocabulary.claim import Claim
from subtx_toy.errors import InputError
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.settings.arguments import checked, instance, integer
from subtx_toy.sweep.threads import one_thread

if TYPE_CHECKING:
    from subtx_toy.data.dataset import Progress

NUM_INSTANCES = 200
"""Problems that are drawn where no number is given."""

_MAX_CONTROLS = 120  # problems behind the controls' rates: intervals of 19 points at most, where all apply


@checked(
    problem=instance(Problem | ProblemSpec | str | Path, "a Problem, a TOML file or a factory of one"),
    instances=integer(1),
    seed=integer(0),
)
def verify(
    problem: Problem | ProblemSpec | str | Path | None = None,
    *,
    instances: int | None = None,
    claims: str | Claim | Iterable[str | Claim] | None = None,
    seed: int = 0,
    controls: bool | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check the one-step claims: predicted, observed, verdict.

    Args:
        problem: a problem of your own, or where it is: a TOML file with the fields of a ``ProblemSpec``, or a function
            that returns a ``Problem``, as ``"mine.py:factory"``; by default small random problems are drawn.
        instances: problems to draw, 200 by default.
        claims: ids such as ``"C1"``, claims of your own, or where they are, as ``"mine.py:my_bound"``; by default all
            of the package.
        seed: of the draws, >= 0.
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
    total, sources = (num, drawn(num, seed=seed)) if problem is None else (1, [given(problem)])
    report: Progress = progress or silent
    if controls is None:
        controls = claims is None and problem is None
    with one_thread(), _frozen():
        report("verifying", 0, total, "problems")
        found = verification.verify(chosen, sources, progress=lambda done: report("verifying", done, total, "problems"))
        return Verification(
            problem="drawn" if problem is None else str(problem),
            seed=seed,
            instances=total,
            verdicts=found,
            counterexamples={one.claim.id: one.counterexample() for one in found.summaries},
            controls=tuple(run_controls(drawn(min(num, _MAX_CONTROLS), seed=seed))) if controls else (),
        )


@contextlib.contextmanager
def _frozen() -> Iterator[None]:
    """Spare the garbage collector what is loaded: walking torch's modules took it every tenth second."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
