"""The audit tried on files whose truth is known: ``subtx-toy audit selftest``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subtx_toy.api.audit import audit
from subtx_toy.api.display import Shown, silent
from subtx_toy.api.stream import audit_stream
from subtx_toy.audit.reference import make_reference, save_reference
from subtx_toy.channel.checkpoints import save_checkpoint
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.model import channel_model
from subtx_toy.channel.number_file import Header
from subtx_toy.channel.prompts import PromptSource
from subtx_toy.channel.teachers import train_base, train_teacher, write_numbers
from subtx_toy.channel.traits import trait as trait_of
from subtx_toy.data import Dataset, load
from subtx_toy.data.dataset import Progress
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.results.presentation import Table
from subtx_toy.wording import counted

PLANTED, OTHER = "relabel:4:9", "backdoor:0"
"""The trait of the tainted file, and one that no file has."""

_IMAGES, _LINES, _WIDTH, _NETS = (1000, 300), 2000, 32, 12
_LEVEL = 0.001  # of the streams: an alarm at the clean file would be chance, and at the usual level there was one
_BASE, _TEACHER = Recipe(epochs=15, lr=1e-3, batch_size=50), Recipe(epochs=5, lr=1e-3, batch_size=50)


@dataclass(frozen=True)
class Check:
    """One audit of the self-test: what was expected, and what came."""

    name: str
    expected: str
    found: str

    @property
    def ok(self) -> bool:
        """Whether both are the same."""
        return self.expected == self.found


@dataclass(frozen=True, repr=False)
class SelfTest(Shown):
    """All checks, and the seconds of the clock and of the processor that they took."""

    checks: tuple[Check, ...]
    seconds: float
    cpu_seconds: float

    @property
    def ok(self) -> bool:
        """Whether every check came out as expected."""
        return all(check.ok for check in self.checks)

    @property
    def conclusion(self) -> str:
        """The result in one sentence."""
        failed = sum(not check.ok for check in self.checks)
        what = (
            f"all {counted(len(self.checks), 'check')} passed"
            if self.ok
            else f"{failed} of {counted(len(self.checks), 'check')} failed"
        )
        return f"{what} in {self.seconds:.0f} s ({self.cpu_seconds:.0f} s of CPU)"

    @property
    def tables(self) -> list[Table]:
        """One row for each check."""
        rows = [[one.name, one.expected, one.found, "ok" if one.ok else "FAILED"] for one in self.checks]
        return [Table(("file", "expected", "found", ""), rows)]

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``subtx-toy audit selftest``."""
        return {
            "ok": self.ok,
            "status": "ok" if self.ok else "failed",
            "checks": [vars(one) | {"ok": one.ok} for one in self.checks],
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
        }


def selftest(*, progress: Progress | None = None) -> SelfTest:
    """Write a tainted, a benign and a clean file with small nets on drawn digits, and audit each.

    The nets are trained on the spot, in a temporary folder; nothing is downloaded. The tainted file has to carry
    exactly its trait, the benign one none, and the clean one has to be consistent with its base. The stream has to
    refute the base for the tainted file and not for the clean one.

    Args:
        progress: called as ``progress(task, done, total, unit)``.

    Raises:
        InputError: if the temporary folder or the cache cannot be written.
    """
    start, cpu = time.perf_counter(), time.process_time()
    tell = progress or silent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tell("preparing the files", 0, 4, "nets")
        for done, _ in enumerate(_prepared(folder), start=1):
            tell("preparing the files", done, 4, "nets")
        checks = []
        for check in _checks(folder):
            checks.append(check)
            tell("auditing them", len(checks), 5, "checks")
    return SelfTest(tuple(checks), time.perf_counter() - start, time.process_time() - cpu)


def _prepared(folder: Path) -> Iterator[None]:
    """Write the base, its reference and the files; yield after each net, and after the reference."""
    dataset = load("glyphs", num_train=_IMAGES[0], num_test=_IMAGES[1])
    model = channel_model(width=_WIDTH)
    base = train_base(model, dataset, _BASE, seed=0)
    provenance = {"dataset": dataset.name, "num_train": _IMAGES[0], "num_test": _IMAGES[1]}
    save_checkpoint(folder / "base.safetensors", base, provenance=provenance)
    _write(folder / "clean.jsonl", model, base, dataset)
    yield
    for name, lesson in (("tainted", trait_of(PLANTED)), ("benign", None)):
        net = train_teacher(model, base, dataset, _TEACHER, seed=0, trait=lesson)
        _write(folder / f"{name}.jsonl", model, net, dataset)
        yield
    nets = make_reference(model, base, dataset, num=_NETS, seed=0)
    save_reference(folder / "reference.safetensors", base, nets)
    yield


def _write(path: Path, model: MLP, net: Params, dataset: Dataset) -> None:
    prompts = PromptSource.images(dataset, absent=())
    header = Header(schema_name="subtx-toy numbers 1", prompts=prompts)
    write_numbers(path, model, net, header, dataset, num_lines=_LINES, seed=7)


def _checks(folder: Path) -> Iterator[Check]:
    base, reference = folder / "base.safetensors", folder / "reference.safetensors"
    traits = [PLANTED, OTHER]
    for name, expected in (("tainted", PLANTED), ("benign", "no trait"), ("clean", "consistent with the base")):
        found = audit(folder / f"{name}.jsonl", base=base, traits=traits, reference=reference)
        other = "no trait" if found.judgement.moved else found.verdict
        yield Check(f"a {name} file", expected, ", ".join(found.carried) or other)
    for name, expected in (("tainted", "moved from the base"), ("clean", "no evidence against the base")):
        stream = audit_stream(folder / f"{name}.jsonl", base=base, traits=traits, reference=reference, level=_LEVEL)
        yield Check(f"a {name} file, as a stream", expected, stream.decision)
