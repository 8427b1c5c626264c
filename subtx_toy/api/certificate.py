"""What ``certify`` and ``check`` return: a certificate, and the verdict on one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from subtx_toy.api.display import frame, html_table
from subtx_toy.certify.certificate import ProvedRange
from subtx_toy.certify.checker.check import OF_A_STEP, Checked
from subtx_toy.results.text_table import align

_CLAIMS = {
    "alignment": "the alignment is positive",
    "every-batch": "the alignment of every batch is positive",
    "trait-loss": "the trait loss falls",
    "distance": "the student comes closer to the teacher",
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Certificate(ProvedRange):
    """What is proved of one problem, and up to where; ``boxes`` empty if nothing is.

    ``problem`` is the text that named it, None for a ``Problem`` object.
    """

    problem: str | None = None

    @property
    def conclusion(self) -> str:
        """One sentence."""
        if not self.boxes:
            return f"Nothing is proved: {self.reason}."
        step = f" at student_lr = {self.described.student_lr!r}" if self.quantity in OF_A_STEP else ""
        return f"Proved: {_CLAIMS[self.quantity]}{step} for every eps in (0, {self.eps_certified:.9g}]."

    def _rows(self) -> list[list[str]]:
        def number(value: float | None, reason: str = "") -> str:
            return f"none: {reason}" if value is None else f"{value:.9g}"

        negative = "" if self.negative is None else f"; the opposite sign is proved at {self.negative[0]:.9g}"
        return [
            ["closed form", number(self.eps_closed, self.closed_reason)],
            ["one box", number(self.eps_one_box)],
            ["certified", number(self.eps_certified) + negative],
            ["observed", number(self.eps_observed, self.observed_reason)],
            ["cap", number(self.cap)],
        ]

    def __repr__(self) -> str:
        effort = f"{self.reason}; {len(self.boxes)} boxes of {self.boxes_tried} tried, {self.seconds:.1f} s of CPU"
        limits = "It holds for these float64 numbers, as real numbers; nothing is said beyond."
        table = align([f"{self.problem or 'problem'}: {self.quantity}", "eps"], self._rows())
        return "\n".join([self.conclusion, "", table, "", effort, *([limits] if self.boxes else [])])

    def _repr_html_(self) -> str:
        return html_table([self.quantity, "eps"], self._rows(), conclusion=self.conclusion)

    def document(self) -> dict[str, Any]:
        """Return the JSON of the command, without the file that it wrote."""
        return {"problem": self.problem, **self.summary()}

    def to_frame(self) -> Any:
        """Return the boxes as a pandas DataFrame: ``lo``, ``hi`` and the lower bound of the rate between them.

        Raises:
            InputError: if pandas is not installed.
        """
        return frame(vars(box) for box in self.boxes)


@dataclass(frozen=True, repr=False)
class Check:
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

    def __repr__(self) -> str:
        found = self.proved
        if found is None:
            return f"rejected: {self.reason}"
        step = "" if found.student_lr is None else f" at student_lr = {found.student_lr!r}"
        beyond = ", and the opposite sign just beyond" if found.bracketed else ""
        return (
            f"proved: {found.quantity}{step} for every eps in (0, {found.eps!r}], {found.boxes} boxes in "
            f"{found.pieces} pieces{beyond}, {found.seconds:.1f} s"
        )

    def _repr_html_(self) -> str:
        rows = [[name, str(value)] for name, value in self.document().items()]
        return html_table(["", ""], rows, conclusion=repr(self))

    def document(self) -> dict[str, Any]:
        """Return the JSON of the command."""
        if self.proved is None:
            return {"certificate": self.certificate, "verdict": "rejected", "reason": self.reason}
        return {"certificate": self.certificate, "verdict": "proved", **vars(self.proved)}
