"""Commands that compute nothing load none of the libraries that would keep a person waiting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from subtx_toy.data import load
from subtx_toy.results.rows import _PROTOCOLS
from subtx_toy.settings.protocol_fields import FIELDS, protocol_of
from subtx_toy.store import Store
from tests.unit.store.test_schema import _record

HEAVY = {"torch", "scipy", "matplotlib", "pandas", "numpy", "pydantic", "jaxtyping", "rich.console"}


def _loaded(script: str, *arguments: str) -> set[str]:
    """Return the heavy libraries that a script of a fresh process has loaded at its end."""
    lines = (
        f"import sys\nsys.argv[1:] = {arguments!r}\n{script}\nprint(*({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("list", set()),
        ("list --json", set()),
        ("results list", set()),
        ("results failed", set()),
        ("results show", set()),
        ("run --settings", {"pydantic"}),
        ("data list", {"numpy", "jaxtyping"}),
        ("results summary", {"numpy", "pydantic", "scipy", "jaxtyping"}),
        ("sweep tiny width=16,32 --seeds 0:3 --dry-run", {"numpy", "pydantic", "jaxtyping", "rich.console"}),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_need(
    command: str, allowed: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBTX_TOY_STORE", str(tmp_path / "r.sqlite"))
    with Store(tmp_path / "r.sqlite") as store:
        store.add_all([_record(0), _record(1)])
    load("glyphs", num_train=1000, num_test=500)  # drawn now, which takes more libraries
    words = command.split() + ([_record(0).run_id] if command == "results show" else [])
    found = _loaded("from subtx_toy import cli\nassert cli.call(sys.argv[1:]) == 0", *words)
    assert found <= allowed, f"{command} loads {', '.join(sorted(found - allowed))}"


def test_a_library_that_is_loaded_is_seen() -> None:
    assert _loaded("import numpy") == {"numpy"}


def test_the_names_of_settings_are_those_of_the_configurations() -> None:
    assert {kind.protocol: frozenset(kind.model_fields) for kind in _PROTOCOLS} == FIELDS
    assert list(FIELDS) == [kind.protocol for kind in _PROTOCOLS]
    for kind in _PROTOCOLS:
        assert protocol_of(kind.model_fields) == kind.protocol
    assert protocol_of({"protocol": "own.py:MINE", "dataset": "glyphs"}) is None
