"""The commands whose documents are kept, and how they are run in a copy of the files of the earlier version."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from subtx_toy.cli import call
from subtx_toy.tolerances import FP32_ADAM_KINKED_RUN
from tests.compatibility.documents import differences
from tests.compatibility.machine import machine

FIXTURES = Path(__file__).parent / "fixtures"

OTHER_MACHINE = json.loads((FIXTURES / "machine.json").read_text(encoding="utf-8")) != machine()
"""Other kernels add up in another order, so that the last bits and what training makes of them are other ones."""

TOLERANCE = FP32_ADAM_KINKED_RUN if OTHER_MACHINE else None
"""Between documents: none, every bit, where the processor and the libraries are those of the fixtures."""

TIMES = frozenset({"seconds", "wall_seconds", "cpu_seconds", "training_cpu_seconds", "checks_per_second"})
"""They differ from run to run."""

ABOUT_MACHINE = frozenset({"peak_rss_mib", "versions", "software"} | ({"fingerprint"} if OTHER_MACHINE else set()))
"""They say on what and with what a document was made; the fingerprint of a problem is of the last bits too."""


class Command(NamedTuple):
    """One line of ``fixtures/commands.txt``."""

    name: str
    code: int
    words: list[str]

    @property
    def document(self) -> Any:
        """What the command printed at the earlier version."""
        return json.loads((FIXTURES / "json" / f"{self.name}.json").read_text(encoding="utf-8"))


def _commands() -> list[Command]:
    lines = (FIXTURES / "commands.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return [Command(name, int(code), words) for name, code, *words in rows]


COMMANDS = {command.name: command for command in _commands()}


def names(*beginnings: str) -> list[str]:
    """Return the commands whose names begin so."""
    return [name for name in COMMANDS if name.startswith(beginnings)]


class Workplace:
    """A folder with a copy of the files, in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(FIXTURES, folder, dirs_exist_ok=True)

    def text(self, *words: str, code: int = 0) -> str:
        """Return what a command prints, with WORK for this folder."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            found = call(list(words))
        assert found == code, f"expected exit code {code}, got {found}: {err.getvalue()}"
        return out.getvalue().replace(str(self.folder), "WORK")

    def document(self, *words: str, code: int = 0) -> Any:
        """Return what a command prints, read as JSON."""
        return json.loads(self.text(*words, code=code))

    def assert_prints_what_it_did(self, name: str, *volatile: str, tolerance: float | None = TOLERANCE) -> Any:
        """Run a command and return its document, which has everything that the earlier version printed."""
        command = COMMANDS[name]
        new = self.document(*command.words, code=command.code)
        found = differences(command.document, new, volatile=volatile, tolerance=tolerance)
        assert found == [], "\n".join(found)  # pytest explains assertions of test modules only
        return new


same_machine = pytest.mark.skipif(OTHER_MACHINE, reason="another processor or other libraries have other last bits")
