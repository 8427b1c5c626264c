"""What ``certify`` and ``check`` return: a certificate, and the verdict on one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any

from subtx_toy.api.display import Shown, frame
from subtx_toy.certify.certificate import ProvedRange
from subtx_toy.certify.checker.check import OF_A_STEP, Checked
from subtx_toy.results.presentation import Table
from subtx_toy.wording import counted

_CLAIMS = {
    "alignment": "the alignment is positive",
    "every-batch": "the alignment of every batch is positive",
    "trait-loss": "the trait loss falls",
    "distance": "the student comes closer to the teacher",
}


def _proved(eps: float) -> str:
    """Return a step size up to which something is proved with nine digits, rounded down: beyond it nothing is.

    >>> _proved(1561.0254162755352), _proved(0.5), _proved(1.9999999999e-12)
    ('1561.02541', '0.5', '1.99999999e-12')
    """
    return f"{float(Context(prec=9, rounding=ROUND_FLOOR).create_decimal(Decimal(eps))):.9g}"


@dataclass(frozen=True, kw_only=True, repr=False)
class Certificate(Shown, ProvedRange):
    """What is proved of one problem, and up to where; ``boxes`` empty if nothing is.

    ``problem`` is the text that named it, None for a ``Problem`` object.
    """

    problem: str | None = None

    @property
    def conclusion(self) -> str:
        """One sentence."""
        step = f" at student_lr = {self.described.student_lr!r}" if self.quantity in OF_A_STEP else ""
        if self.refuted:
            return f"Refuted at every small enough eps: that {_CLAIMS[self.quantity]}{step}."
        if not self.boxes:
            return f"Nothing is proved: {self.reason}."
        return f"Proved: {_CLAIMS[self.quantity]}{step} for every eps in (0, {_proved(self.eps_certified)}]."

    @property
    def tables(self) -> list[Table]:
        """The step sizes up to which the claim is proved, bounded or observed."""

        def number(value: float | None, reason: str = "", *, proved: bool = True) -> str:
            if value is None:
                return f"none: {reason}"
            return _proved(value) if proved else f"{value:.9g}"

        negative = "" if self.negative is None else f"; the opposite sign is proved at {self.negative[0]!r}"
        rows = [
            ["closed form", number(self.eps_closed, self.closed_reason)],
            ["one box", number(self.eps_one_box)],
            ["certified", number(self.eps_certified) + negative],
            ["observed", number(self.eps_observed, self.observed_reason, proved=False) + (", refuted" * self.refuted)],
            ["cap", number(self.cap, proved=False)],
        ]
        return [Table([f"{self.problem or 'problem'}: {self.quantity}", "eps"], rows)]

    def __repr__(self) -> str:
        effort = (
            f"{self.reason}; {counted(len(self.boxes), 'box')} of {self.boxes_tried} tried, {self.seconds:.1f} s of CPU"
        )
        limits = "It holds for these float64 numbers, as real numbers; nothing is said beyond."
        return "\n".join([self.conclusion, "", self.table, "", effort, *([limits] if self.boxes else [])])

    def document(self) -> dict[str, Any]:
        """Return the JSON of the command, without the file that it wrote."""
        return {"problem": self.problem, **self.summary()}

    def to_frame(self) -> Any:
        """Return one row for each box: its ends, and the lower bound of the rate in it; needs the extra ``export``."""
        return frame(vars(box) for box in self.boxes)


@dataclass(frozen=True, repr=False)
class Check(Shown):
    """The verdict on a certificate; true if it was proved again.

    Attributes:
        certificate: the path of its file, None if it never had one.
        proved: what was proved again; None if it is rejected.
        reason: why it is rejected, else empty.
    """

    certificate: str | None
    proved: Checked | None
    reason: str = ""

    def __bool__(self) -> bool:
        return self.proved is not None

    @property
    def conclusion(self) -> str:
        """The verdict in one sentence."""
        found = self.proved
        if found is None:
            return f"rejected: {self.reason}"
        step = "" if found.student_lr is None else f" at student_lr = {found.student_lr!r}"
        beyond = ", and the opposite sign just beyond" if found.bracketed else ""
        return (
            f"proved: {found.quantity}{step} for every eps in (0, {found.eps!r}], {counted(found.boxes, 'box')} in "
            f"{counted(found.pieces, 'piece')}{beyond}, {found.seconds:.1f} s"
        )

    @property
    def tables(self) -> list[Table]:
        """What the verdict is about."""
        return [Table(["", ""], [[name, str(value)] for name, value in self.document().items()])]

    def __repr__(self) -> str:
        return self.conclusion

    def document(self) -> dict[str, Any]:
        """Return the JSON of the command."""
        if self.proved is None:
            return {"certificate": self.certificate, "verdict": "rejected", "reason": self.reason}
        return {"certificate": self.certificate, "verdict": "proved", **vars(self.proved)}
