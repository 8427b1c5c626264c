"""Read a file of numbers line by line until the base is refuted: ``audit_stream(file, base=..., traits=[...])``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subtx_toy.api.arguments import NUM_REFERENCE, PATH, TRAITS
from subtx_toy.api.audit_setup import AuditSetup
from subtx_toy.api.display import Shown, frame
from subtx_toy.audit.stream import MOVED, UNKNOWN, StreamMeasurement, read_stream, stream_rows
from subtx_toy.channel.number_file import Header
from subtx_toy.channel.packaged_base import base_file
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.errors import InputError
from subtx_toy.files.content_key import finite
from subtx_toy.lm.checkpoints import holds_language_model
from subtx_toy.results.presentation import Table
from subtx_toy.settings.arguments import Kind, checked, is_real
from subtx_toy.wording import counted

LEVEL = 0.05
"""Of false alarms of a stream, at whatever line it is stopped."""

_LEVEL = Kind("a number between 0 and 1", lambda value: is_real(value) and 0 < value < 1)

_STATUS = {MOVED: "moved", UNKNOWN: "does not apply"}


@dataclass(frozen=True, eq=False, repr=False)
class AuditStream(Shown):
    """What a stream of lines shows of its writer, up to the line at which that was decided.

    Attributes:
        file: the file; ``base`` the checkpoint that a student would start from.
        level: probability of an alarm, at any line, if the base writes.
        names: the traits.
        header: the file's.
        found: the decision and what it rests on.
        reference: where the fine-tunes are from that say where honest moves go, and the checksum of their file.
    """

    file: Path
    base: Path
    level: float
    names: tuple[str, ...]
    header: Header
    found: StreamMeasurement
    reference: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def decision(self) -> str:
        """``moved from the base``, ``no evidence against the base`` or ``does not apply``."""
        return self.found.decision

    @property
    def lines_used(self) -> int:
        """Lines up to the alarm, or of the whole file."""
        return self.found.process.lines

    @property
    def log_e_value(self) -> float:
        """Evidence against the base after these lines, in nats; an alarm is at log(1/level)."""
        return self.found.process.log_e_value

    @property
    def applies(self) -> bool:
        """Whether the lines are close enough to the base for the test to apply."""
        return self.found.decision != UNKNOWN

    @property
    def conclusion(self) -> str:
        """The decision in a sentence."""
        lines = counted(self.lines_used, "line")
        evidence = f"evidence {self.log_e_value:.2f} nats, an alarm is at {-math.log(self.level):.2f}"
        return f"{self.decision} after {lines} ({evidence})"

    @property
    def notes(self) -> list[str]:
        """What the decision does not say."""
        notes = []
        if self.decision == MOVED:
            notes.append(
                "an honest fine-tune moves too: whether the file carries a trait, the audit without --stream says, "
                "which compares it with honest fine-tunes"
            )
        if self.header.filter is not None and self.header.filter.deduplicated:
            notes.append("approximate: repeated lines were dropped, which makes lines dependent")
        return notes

    @property
    def tables(self) -> list[Table]:
        """One row for each trait."""
        rows = [
            [
                name,
                f"{row['log_e_value_whole']:.2f}",
                f"{row['log_e_value']:.2f}",
                "yes" if row["moved_towards"] else "not shown",
            ]
            for name, row in stream_rows(self.names, self.found).items()
        ]
        return [Table(("trait", "evidence, nats", "without honest moves", "moved towards it"), rows)]

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``subtx-toy audit --stream``."""
        fit = self.found.fit
        return {
            "file": str(self.file),
            "base": str(self.base),
            "status": _STATUS.get(self.decision, "no evidence"),
            "decision": self.decision,
            "lines_used": self.lines_used,
            "log_e_value": self.log_e_value,
            "alarm_at": -math.log(self.level),
            "level": self.level,
            "numbers_read": self.found.numbers,
            "traits": stream_rows(self.names, self.found),
            "fit": {
                "excess_log_loss": finite(fit.excess_log_loss),
                "limit": finite(fit.limit),
                "impossible": fit.num_impossible,
                "applies": self.applies,
            },
            "provenance": dict(self.reference),
            "notes": self.notes,
        }

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with one row per trait; needs the extra ``export``."""
        return frame({"trait": name, **row} for name, row in stream_rows(self.names, self.found).items())


@checked(file=PATH, base=PATH, traits=TRAITS, level=_LEVEL, reference=PATH, num_reference=NUM_REFERENCE)
def audit_stream(
    file: Path | str, *, base: Path | str, traits: Sequence[str], level: float = LEVEL,
    reference: Path | str | None = None, num_reference: int = 20, data_dir: Path | None = None,
    report: Report | None = None, progress: Progress | None = None,
) -> AuditStream:  # fmt: skip
    """Read a file of numbers until there is enough evidence that the base did not write it.

    The probability of an alarm is at most ``level`` if the base writes the lines, at whatever line the reading stops,
    so a stream may be looked at after every line. The evidence is a bet along each trait's direction, and along what is
    left of it when honest moves are taken out. A trait is *moved towards* if the latter alone is at least
    log((number of traits) / level), which takes many more lines than an alarm.

    Args:
        file: of numbers, as ``numbers.generate`` writes it.
        base: the checkpoint that a student would start from, or ``"packaged"``.
        traits: what to look for, as in ``audit``.
        level: of false alarms, in (0, 1).
        reference: an ensemble of ``numbers.reference``, whose first third says where honest moves go; without it one
            is trained, and cached.
        num_reference: as in ``audit``.
        data_dir: a folder with the IDX files of MNIST or Fashion-MNIST.
        report: called with messages.
        progress: called as ``progress(task, done, total, unit)``.

    Raises:
        InputError: if a file cannot be read or is not valid, or there is no such trait.

    References:
        Ville 1939; Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49, 1055-1080; Waudby-Smith and
        Ramdas 2024, J. R. Stat. Soc. B 86, 1-27.
    """
    if holds_language_model(base_file(base)):
        raise InputError("--stream cannot be combined with a language model, whose lists are read as a whole")
    setup = AuditSetup.of(
        file, base, traits, reference, num_reference, data_dir=data_dir, report=report, progress=progress
    )
    found = read_stream(setup.read, setup.scorer, level=level)
    names = tuple(question.name for question in setup.tested)
    return AuditStream(Path(file), Path(base), level, names, setup.read.header, found, setup.reference)
