"""The verdicts of claims as a result: table, document, frame, rungs and figure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from subtx_toy.api.display import Shown, frame, shortened
from subtx_toy.claims.about_data import AboutData, about_data, curve_of
from subtx_toy.claims.controls.broken_students import ControlResult
from subtx_toy.claims.rungs import Rung
from subtx_toy.claims.verification import Summary, Verdicts
from subtx_toy.claims.vocabulary.claim import VERDICTS
from subtx_toy.files.content_key import finite
from subtx_toy.problem.problem import Problem
from subtx_toy.results.presentation import Table, align, wrapped
from subtx_toy.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


_HEADER = ["claim", "instances", "applicable", "decided", "worst margin", "predicted/observed", "verdict"]
EXPLAINED = (
    "worst margin: the smallest (rhs - lhs) / (|lhs| + |rhs|) of the checks that decide, from -1 to 1; "
    "predicted/observed: smallest to largest over the problems, not 1 where the prediction is a bound or a leading term"
)
"""What two columns of the table of claims hold."""
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
        rungs: the alignment of every problem at every eps, where it was asked for.
        given: the problem itself, where there was one.
    """

    problem: str
    seed: int
    instances: int
    verdicts: Verdicts
    counterexamples: Mapping[str, tuple[str, str] | None]
    controls: tuple[ControlResult, ...]
    rungs: tuple[Rung, ...] = ()
    given: Problem | None = None

    @property
    def passed(self) -> bool:
        """Whether no claim is violated and every control failed as it must."""
        return not any(self.counterexamples.values()) and all(one.failed_as_it_must for one in self.controls)

    @property
    def conclusion(self) -> str:
        """One sentence."""
        counts = Counter(one.verdict for one in self.verdicts.summaries)
        rest = "".join(f", {counts[verdict]} {verdict}" for verdict in VERDICTS[1:] if counts[verdict])
        verb = "holds" if counts["holds"] == 1 else "hold"
        open_ = "" if any(one.decided for one in self.verdicts.summaries) else ": nothing was decided"
        text = f"{counts['holds']} of {counted(counts.total(), 'claim')} {verb}{rest}{open_}"
        failed = sum(one.failed_as_it_must for one in self.controls)
        if not self.controls:
            return text
        verb = "fails as it" if failed == 1 else "fail as they"
        return f"{text}; {failed} of {counted(len(self.controls), 'control')} {verb} must"

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
        checks = f"{counted(self.verdicts.num_checks, 'check')}, {self.verdicts.checks_per_second:.0f} per CPU second"
        why = _reasons(self.verdicts.summaries)
        data = [self.data.sentence] if self.data else []
        thinned = [one.claim.id for one in self.verdicts.summaries if one.instances < self.instances][:1]
        few = [
            f"costly claims, such as {id}, are checked on few drawn problems, or on all by --claims" for id in thinned
        ]
        said = "what each claim says, on which hypotheses and by whom: subtx-toy verify --list"
        columns = [EXPLAINED] if any(one.worst_margin is not None for one in self.verdicts.summaries) else []
        return "\n\n".join(["\n".join([claims, *map(wrapped, [*columns, checks, *few, *why, *data, said])]), *controls])

    @cached_property
    def data(self) -> AboutData | None:
        """What the inputs of a given problem say about the data that they are drawn from; None for drawn problems."""
        return None if self.given is None else about_data(self.given)

    def rung_table(self) -> Table:
        """Return every rung as a table of numbers in full: problem, eps, predicted, exact, observed, rounding."""
        names = [field.name for field in fields(Rung)]
        return Table(names, [[repr(getattr(one, name)) for name in names] for one in self.rungs])

    def csv(self) -> str:
        """Return ``rung_table`` as CSV."""
        table = self.rung_table()
        return "\n".join(",".join(row) for row in [table.header, *table.rows]) + "\n"

    def latex(self) -> str:
        """Return the rungs as a LaTeX ``tabular`` of four digits, for the package booktabs."""
        lines = [r"\begin{tabular}{rrrrrr}", r"\toprule"]
        lines.append(r"problem & $\varepsilon$ & $\varepsilon V$ & $a(\varepsilon)$ & $dS\cdot dT$ & rounding \\")
        lines.append(r"\midrule")
        for one in self.rungs:
            numbers = (one.eps, one.predicted, one.exact, one.observed, one.rounding)
            lines.append(" & ".join([str(one.problem), *map(_power_of_ten, numbers)]) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"

    def plot(self, *, certified_eps: float | None = None) -> Figure:
        """Return a figure: the worst margin of each claim, and for a given problem its alignment against eps.

        Args:
            certified_eps: where a certificate of the alignment ends, to stand next to the closed form and the observed.
        """
        from subtx_toy.figures.verification import AlignmentCurve, draw_verification

        margins = [
            (one.claim.id, one.worst_margin, one.verdict)
            for one in self.verdicts.summaries
            if one.worst_margin is not None
        ]
        if self.given is None:
            return draw_verification(margins, None)
        curve = curve_of(self.given)
        marks = {"closed form": curve.closed, "certified": certified_eps, "observed": curve.observed}
        return draw_verification(margins, AlignmentCurve(curve.eps, curve.exact, curve.predicted, marks))

    @property
    def violations(self) -> str:
        """The counterexamples, as text that says what is violated and builds the problem; empty if there are none."""
        found = self.counterexamples.items()
        return "\n\n".join(f"{id} is violated: {one[1].removeprefix(f'{id}: ')}\n{one[0]}" for id, one in found if one)

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
            "data": self.data and asdict(self.data),
            "rungs": [asdict(one) for one in self.rungs],
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


def _why(one: Summary) -> str:
    """Say why a claim is neither held nor violated, from the most frequent reason."""
    if one.verdict in ("holds", "violated") or not one.reasons:
        return ""
    reason, count = one.reasons.most_common(1)[0]
    return reason + (f" (on {count} of {counted(one.instances, 'problem')})" if one.instances > 1 else "")


def _reasons(summaries: Sequence[Summary]) -> list[str]:
    """Write each reason as a sentence, with all claims that share it; one that does not apply asks for something."""
    sharing: dict[tuple[str, str], list[str]] = {}
    for one in summaries:
        if why := _why(one):
            sharing.setdefault((one.verdict, why), []).append(one.claim.id)
    lines = []
    for (verdict, why), ids in sharing.items():
        verb, asks = ("is", "it asks") if len(ids) == 1 else ("are", "they ask")
        lines.append(
            f"{', '.join(ids)} {verb} {verdict}: {f'{asks} that ' if verdict == 'not applicable' else ''}{why}"
        )
    return lines


def _power_of_ten(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"${value:g}$"
    digits, power = f"{value:.3e}".split("e")
    return f"${digits}\\cdot10^{{{int(power)}}}$"
