"""Every block of the page on verifying one's own model runs, in order, and prints what the page shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from subtx_toy import cli
from tests.reference.annotations import unchecked

PAGE = Path(__file__).parents[2] / "docs" / "verify-your-own-model.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)

# beartype, which checks the annotations of the package under pytest, looks at a random item of each sequence.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning"
)


@unchecked()
def test_python_blocks_print_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {"__name__": "page"}
    num_shown = 0
    for (language, code), (next_language, shown) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if language == "python":
            exec(compile(code, PAGE.name, "exec"), namespace)
            printed = capsys.readouterr().out
            assert printed == (shown if next_language == "text" else "")
            num_shown += bool(printed)
    assert num_shown == 8


COMMANDS = [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()]


@unchecked()
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run_on_the_file_that_the_page_shows(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [code for language, code in BLOCKS if language == "python" and code.startswith("# mine.py")]
    (tmp_path / "mine.py").write_text("\n".join(parts), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code = cli.call(shlex.split(command)[1:])
    out, err = capsys.readouterr()
    assert code == 0, out + err
    assert re.search(r"^my bound .* holds$", out, flags=re.MULTILINE)


def test_the_table_names_every_assertion() -> None:
    from subtx_toy import testing

    listed = set(re.findall(r"^\| `(assert_\w+)`", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert listed == {name for name in testing.__all__ if name.startswith("assert_")}
