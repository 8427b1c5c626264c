"""Audit a file of numbers or of lists: ``audit(file, base=..., traits=[...])``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from subtx_toy import __version__
from subtx_toy.api.arguments import NUM_REFERENCE, PATH, TOP, TRAITS
from subtx_toy.api.audit_setup import AuditSetup
from subtx_toy.api.display import Shown, frame, shortened
from subtx_toy.audit.band import FALSE_ALARM_LEVEL, NUMBERS_FALSE_ALARM_LEVEL
from subtx_toy.audit.document import audit_document
from subtx_toy.audit.examination import FileMeasurement, measure_file
from subtx_toy.audit.power import SCORE_LEVEL
from subtx_toy.audit.reference_values import ReferenceValues, measure_reference
from subtx_toy.audit.verdict import NOT_FOUND, FileVerdict, judge
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.number_file import Header
from subtx_toy.channel.packaged_base import base_file
from subtx_toy.channel.teachers import read_pairs, train_student
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.files.checksum import sha256_of
from subtx_toy.lm.checkpoints import holds_language_model
from subtx_toy.lm.list_file import ListHeader
from subtx_toy.report.audit_page import audit_page
from subtx_toy.results.presentation import Table, wrapped
from subtx_toy.seeding import generator
from subtx_toy.settings.arguments import checked
from subtx_toy.training.inputs import Inputs
from subtx_toy.wording import counted, p_words

_MAX_PROBED = 60_000  # numbers that the student of the whole file learns
COLUMNS = ("trait", "p Holm", "efficient z", "Fisher cos", "bound", "shown, base to student", "probe", "verdict")
"""Of the table of traits; the page of the audit explains each."""

SHOWN = "shown, base to student: how much of the trait the base and a student of these lines show, from 0 to 1"
"""What stands under that table, on one of its columns."""


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Shown):
    """What a file of numbers shows of its writer.

    Attributes:
        file: the audited file; ``base`` the checkpoint that a student would start from, None for a file of scores.
        header: the file's; None for a file of scores.
        judgement: the verdict, of the file and trait by trait.
        measured: what it rests on.
        probes: what a student of the whole file shows of each trait, in [0, 1]; None where none was trained.
        provenance: checksums of the files, and the version of the package.
        pictures: the prompts of the lines that say most, uint8 ``[28, 28]`` by index.
        remarks: notes on the file that come before those on the verdict.
    """

    file: Path
    base: Path | None
    header: Header | ListHeader | None
    judgement: FileVerdict
    measured: FileMeasurement
    probes: dict[str, float] | None
    provenance: Mapping[str, str | None] = field(default_factory=dict)
    pictures: Mapping[int, np.ndarray] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    @property
    def verdict(self) -> str:
        """The verdict in one sentence."""
        return self.judgement.verdict

    @property
    def conclusion(self) -> str:
        """The verdict in one sentence."""
        return self.verdict

    @property
    def carried(self) -> list[str]:
        """The traits that the file carries."""
        return self.judgement.carried

    @property
    def applies(self) -> bool:
        """Whether the file is close enough to the base for the test to apply."""
        return self.judgement.fit.applies

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``subtx-toy audit``."""
        base = None if self.base is None else str(self.base)
        return {"file": str(self.file), "base": base, **self._content}

    @cached_property
    def _content(self) -> dict[str, Any]:
        found = audit_document(self.judgement, self.measured, self.header, probes=self.probes, notes=self.remarks)
        return found | {"provenance": dict(self.provenance)}

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with one row per trait; needs the extra ``export``."""
        kept = [(name, row, row["student"]) for name, row in self._content["traits"].items()]
        return frame(
            {
                "trait": name,
                **{key: value for key, value in row.items() if not isinstance(value, list | dict)},
                "threshold": row["reference"]["threshold"],
                "shows": student["shows"],
                "base_shows": student["base_shows"],
            }
            for name, row, student in kept
        )

    def page(self) -> str:
        """Return one HTML page that needs nothing else."""
        level = NUMBERS_FALSE_ALARM_LEVEL if isinstance(self.header, Header) else FALSE_ALARM_LEVEL
        return audit_page(self._content, name=self.file.name, level=level, pictures=self.pictures)

    def save_page(self, path: Path | str) -> None:
        """Write the page to a file.

        Raises:
            InputError: if it cannot be written.
        """
        with replacing(Path(path), what="html") as file:
            file.write(self.page().encode())

    def __str__(self) -> str:
        content = self._content
        fit, unit = content["fit"], "line" if self.header is None else "number"
        return "\n".join(
            [
                wrapped(self.verdict),
                wrapped(f"{counted(content['numbers'], unit)}: {_surprise(fit, unit)}"),
                *([wrapped(_move(content["moved"], unit))] if self.applies else []),
                self.table,
                *([wrapped(SHOWN)] if any(_shows(row["student"]) for row in content["traits"].values()) else []),
                *map(wrapped, content["notes"]),
            ]
        )

    def __repr__(self) -> str:
        return shortened(str(self), whole="print(audit)")

    @property
    def tables(self) -> list[Table]:
        """One row for each trait."""
        rows = [
            [
                name,
                p_words(row["p_value_holm"]),
                _number(row["efficient_z"], ".2f"),
                _number(row["fisher_cosine"], ".3f"),
                _number(row["reference"]["threshold"], ".3f"),
                _shows(row["student"]),
                _number(row["probe"], ".3f"),
                row["verdict"] + self._reason(row),
            ]
            for name, row in self._content["traits"].items()
        ]
        return [Table(COLUMNS, rows)]

    def _reason(self, row: Mapping[str, Any]) -> str:
        """Say why a trait was not found: another line may show a tiny p-value."""
        if row["verdict"] != NOT_FOUND:
            return ""
        if not self.judgement.moved:
            return ": the writer is not shown to have moved"
        if row["p_value_holm"] is None or row["p_value_holm"] >= SCORE_LEVEL:
            return f": p is not below {SCORE_LEVEL:g}"
        bound = row["reference"]["threshold"]
        return ": too few benign fine-tunes for a bound" if bound is None else ": its cosine is not above the bound"


def _surprise(fit: Mapping[str, Any], unit: str) -> str:
    """Say how surprising the numbers are to the base, compared with its own.

    >>> _surprise({"excess_log_loss": -0.5, "z": -21.0, "limit": 3.7}, "number").partition(" (")[0]
    '0.5 nats per number less surprising to the base than its own'
    """
    excess = fit["excess_log_loss"]
    if excess is None:
        return f"none is a {unit} that the base can write"
    side = "more" if excess > 0 else "less"
    return (
        f"{_number(abs(excess))} nats per {unit} {side} surprising to the base than its own "
        f"({_number(fit['z'], '+.1f')} standard errors; the test applies up to {_number(fit['limit'])} more)"
    )


def _move(moved: Mapping[str, Any], unit: str) -> str:
    """Say how far the writer moved, by an estimate, or that no move is shown.

    >>> _move({"moved": False, "divergence": 0.009}, "number")
    'estimated divergence from the base: 0.009 nats per number, not shown to be above 0'
    """
    divergence = f"{_number(moved['divergence'])} nats per {unit}"
    if moved["moved"]:
        return f"the writer moved from the base by a divergence of {divergence}, by estimate"
    return f"estimated divergence from the base: {divergence}, not shown to be above 0"


def _shows(student: Mapping[str, Any]) -> str:
    base, own = student["base_shows"], student["shows"]
    return "" if base is None and own is None else f"{_number(base, '.3f')} to {_number(own, '.3f')}"


def _number(value: float | None, form: str = ".3g") -> str:
    return "" if value is None else format(value, form)


@checked(file=PATH, base=PATH, traits=TRAITS, reference=PATH, num_reference=NUM_REFERENCE, top=TOP)
def audit(
    file: Path | str, *, base: Path | str, traits: Sequence[str], reference: Path | str | None = None,
    num_reference: int = 20, probe: bool = False, top: int = 10, data_dir: Path | None = None,
    report: Report | None = None, progress: Progress | None = None,
) -> Audit:  # fmt: skip
    """Say whether the base wrote a file of numbers and, if not, whether its writer moved towards a trait.

    Args:
        file: of numbers, as ``numbers.generate`` writes it, or of lists, as ``language.write`` does.
        base: the checkpoint that a student would start from, or ``"packaged"`` for the one that comes with the
            package; a language model for a file of lists.
        traits: names such as ``relabel:4:9``, of a language model an animal, ``danger`` or ``backdoor``; ``Trait``
            objects of your own as ``file.py:name``, or ``.npz`` files with ``images`` uint8 ``[n, 28, 28]`` and
            ``answers``, classes ``[n]`` or distributions ``[n, 10]``.
        reference: an ensemble of ``numbers.reference``; without it one is trained, and cached, except for the packaged
            base, which has one.
        num_reference: benign fine-tunes that the file is compared with where there is no ``reference``; half as many
            more are trained for their directions.
        probe: whether to train a student on the whole file too.
        top: how many of the lines that show a trait most are kept.
        data_dir: a folder with the IDX files of MNIST or Fashion-MNIST; not for lists, which need no images.
        report: called with messages.
        progress: called as ``progress(task, done, total, unit)``.

    Raises:
        InputError: if a file cannot be read or is not valid, or there is no such trait.
    """
    if holds_language_model(base_file(base)):
        from subtx_toy.api.audit_lists import audit_lists  # which returns an Audit

        if reference is not None:
            raise InputError("--reference cannot be combined with a language model, whose fine-tunes are made")
        if data_dir is not None:
            raise InputError("--data-dir cannot be combined with a language model, whose lists need no images")
        return audit_lists(
            file, base=base, traits=traits, num_reference=num_reference, probe=probe, top=top, progress=progress
        )
    found = AuditSetup.of(
        file, base, traits, reference, num_reference, data_dir=data_dir, report=report, progress=progress
    )
    read, start, tested, scorer = found.read, found.start, found.tested, found.scorer
    probes = [question.probe for question in tested]
    measured = measure_file(read, scorer, probes, keep=top, progress=progress)
    values = ReferenceValues.nothing([question.name for question in tested])
    if measured.measurement.informative:
        size = measured.num_moved
        values = measure_reference(found.nets, scorer, tested, read.header, found.shown, size, progress=progress)
    base_probes = [measure(start.params) for measure in probes]
    judgement = judge(measured, tested, values, base_probes, false_alarm_level=NUMBERS_FALSE_ALARM_LEVEL)
    shows = None
    if probe:
        order, pairs = generator(0, "audit", "probe"), read_pairs(read, most=_MAX_PROBED)
        student = train_student(start.model, start.params, scorer.inputs, pairs, Recipe(epochs=3), order)
        shows = {question.name: question.probe(student) for question in tested}
    provenance = {
        "file_sha256": read.sha256(),
        "base": Path(base).name,
        "base_sha256": sha256_of(base_file(base)),
        **found.reference,
        "subtx_toy": __version__,
    }
    pictures = _pictures(measured, scorer.inputs)
    return Audit(Path(file), Path(base), read.header, judgement, measured, shows, provenance, pictures)


def _pictures(measured: FileMeasurement, inputs: Inputs) -> dict[int, np.ndarray]:
    """Return the prompts of the lines that say most as grey pictures."""
    rows = sorted({int(str(row["prompt"])) for top in measured.top_lines for row in top})
    if not rows:
        return {}
    pixels = inputs.gather(np.array(rows)).clamp(-1, 1).add(1).mul(127.5).round().byte().numpy()
    return {row: picture.reshape(28, 28) for row, picture in zip(rows, pixels, strict=True)}
