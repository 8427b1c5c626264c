"""Check the claims: what ``subtx-toy verify`` does, from Python."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.display import Shown, frame, shortened, silent
from subtx_toy.claims import verification
from subtx_toy.claims.controls.broken_students import ControlResult, run_controls
from subtx_toy.claims.instance import drawn, given
from subtx_toy.claims.registry import find_claims
from subtx_toy.claims.verification import Summary, Verdicts
from subtx_toy.claims.vocabulary.claim import VERDICTS, Claim
from subtx_toy.errors import InputError
from subtx_toy.files.content_key import finite
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.results.presentation import Table, align
from subtx_toy.settings.arguments import checked, instance, integer
from subtx_toy.settings.limits import MAX_INSTANCES
from subtx_toy.sweep.threads import one_thread

if TYPE_CHECKING:
    import pandas as pd

    from subtx_toy.data.dataset import Progress


_HEADER = ["claim", "instances", "applicable", "decided", "worst margin", "predicted/observed", "verdict"]
_CONTROLS_HEADER = ["control", "claim", "built to fail", "failed drawn", "95 % interval", "student"]


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """The verdicts of claims over one problem or many.

    Attributes:
        problem: ``"drawn"``, or the problem in words.
        seed: of the draws.
        instances: problems looked at.
        verdicts: what became of each claim.
        counterexamples: by the id of the claim, Python text of the smallest problem that violates it and the violated
            check; None where there is none.
        controls: students that must fail, where they were run.
    """

    problem: str
    seed: int
    instances: int
    verdicts: Verdicts
    counterexamples: Mapping[str, tuple[str, str] | None]
    controls: tuple[ControlResult, ...]

    @property
    def passed(self) -> bool:
        """Whether no claim is violated and every control failed as it must."""
        return not any(self.counterexamples.values()) and all(one.failed_as_it_must for one in self.controls)

    @property
    def conclusion(self) -> str:
        """One sentence."""
        counts = Counter(one.verdict for one in self.verdicts.summaries)
        rest = "".join(f", {counts[verdict]} {verdict}" for verdict in VERDICTS[1:] if counts[verdict])
        text = f"{counts['holds']} of {counts.total()} claims {'holds' if counts.total() == 1 else 'hold'}{rest}"
        failed = sum(one.failed_as_it_must for one in self.controls)
        return text + (f"; {failed} of {len(self.controls)} controls fail as they must" if self.controls else "")

    @property
    def tables(self) -> list[Table]:
        """One row for each claim, then one for each control."""
        claims = Table(_HEADER, [_row(one) for one in self.verdicts.summaries])
        controls = Table(_CONTROLS_HEADER, [_control_row(one) for one in self.controls])
        return [claims, controls] if self.controls else [claims]

    @property
    def table(self) -> str:
        """The tables as plain text, with the number of checks after that of the claims."""
        claims, *controls = (align(one.header, one.rows) for one in self.tables)
        checks = f"{self.verdicts.num_checks} checks, {self.verdicts.checks_per_second:.0f} per CPU second"
        return "\n\n".join([f"{claims}\n{checks}", *controls])

    @property
    def violations(self) -> str:
        """The counterexamples, as text that says what is violated and builds the problem; empty if there are none."""
        found = self.counterexamples.items()
        return "\n\n".join(f"{id} is violated: {one[1]}\n{one[0]}" for id, one in found if one)

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the command."""
        return {
            "problem": self.problem,
            "seed": self.seed,
            "instances": self.instances,
            "claims": [_document(one, self.counterexamples[one.claim.id]) for one in self.verdicts.summaries],
            "controls": [_control_document(one) for one in self.controls],
            "checks": self.verdicts.num_checks,
            "cpu_seconds": round(self.verdicts.cpu_seconds, 3),
            "checks_per_second": round(self.verdicts.checks_per_second, 1),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each claim as a DataFrame; needs the extra ``export``."""
        rows = []
        for row in self.document()["claims"]:
            nested = {f"ratio_{name}": value for name, value in (row.pop("ratio") or {}).items()} | row.pop("counts")
            row["counterexample"] = row["counterexample"] and row["counterexample"]["snippet"]
            rows.append({name: value for name, value in (row | nested).items() if name != "reasons"})
        return frame(rows)

    def __repr__(self) -> str:
        worst_first = sorted(self.verdicts.summaries, key=lambda one: one.verdict != "violated")
        lines = [[one.claim.id, str(one.applicable), *_row(one)[4:]] for one in worst_first]
        header = [_HEADER[0], "problems", *_HEADER[4:]]
        return shortened(f"{self.conclusion}\n{align(header, lines)}", whole="print(verification.table)")


def _row(one: Summary) -> list[str]:
    ratio, margin = one.ratio(), one.worst_margin
    return [
        one.claim.id,
        str(one.instances),
        str(one.applicable),
        str(one.decided),
        "" if margin is None else f"{margin:.3g}",
        "" if ratio is None else _range(ratio[0], ratio[2]),
        one.verdict,
    ]


def _range(low: float, high: float) -> str:
    """Write the smallest and the largest of some ratios; one number where they are alike."""
    return " to ".join(dict.fromkeys([f"{low:.4g}", f"{high:.4g}"]))


def _document(one: Summary, counterexample: tuple[str, str] | None) -> dict[str, Any]:
    ratio = one.ratio()
    return {
        "id": one.claim.id,
        "statement": one.claim.statement,
        "verdict": one.verdict,
        "instances": one.instances,
        "applicable": one.applicable,
        "decided": one.decided,
        "counts": {verdict: one.counts[verdict] for verdict in VERDICTS},
        "worst_margin": one.worst_margin,
        "ratio": ratio and dict(zip(("min", "median", "max"), ratio, strict=True)),
        "undecided_bound": finite(one.bound) or None,
        "reasons": dict(one.reasons.most_common(5)),
        "every": one.claim.every,
        "counterexample": counterexample and dict(zip(("snippet", "check"), counterexample, strict=True)),
    }


def _control_row(one: ControlResult) -> list[str]:
    low, high = one.interval
    built = "failed" if one.failed_as_it_must else "DID NOT FAIL"
    rate = f"{one.failures} of {one.num_drawn}"
    return [one.control.id, one.control.claim, built, rate, f"{low:.3f} to {high:.3f}", one.control.statement]


def _control_document(one: ControlResult) -> dict[str, Any]:
    return {
        "id": one.control.id,
        "statement": one.control.statement,
        "claim": one.control.claim,
        "verdict": one.verdict,
        "failed_as_it_must": one.failed_as_it_must,
        "failures": one.failures,
        "num_drawn": one.num_drawn,
        "interval": list(one.interval),
    }


NUM_INSTANCES = 200
"""Problems that are drawn where no number is given."""

_MAX_CONTROLS = 120  # problems behind the controls' rates: intervals of 19 points at most, where all apply


@checked(
    problem=instance(Problem | ProblemSpec | str | Path, "a Problem, a TOML file or a factory of one"),
    instances=integer(1, MAX_INSTANCES),
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
        found = verification.verify(
            chosen, sources, seed=seed, progress=lambda done: report("verifying", done, total, "problems")
        )
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
