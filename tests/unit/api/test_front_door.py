"""The public names: complete, lazy, and functions where a room has the same name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import subtx_toy as st

SOURCE = Path(st.__file__).read_text(encoding="utf-8")


def test_importing_the_package_loads_no_library() -> None:
    script = (
        "import sys, subtx_toy\nprint(sorted({'torch', 'numpy', 'pydantic', 'typing'} & (set(sys.modules) - before)))"
    )
    script = f"import sys\nbefore = set(sys.modules)\n{script}"
    done = subprocess.run([sys.executable, "-S", "-c", script], cwd=Path(st.__file__).parents[1],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_the_three_lists_of_names_agree() -> None:
    imported = {
        alias.name
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("subtx_toy")
        for alias in node.names
    }
    assert imported == set(st._HOMES) == set(st.__all__) - {"__version__"} == set(dir(st)) - {"__version__"}


@pytest.mark.parametrize("name", st.__all__)
def test_every_name_can_be_loaded(name: str) -> None:
    assert getattr(st, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = st.rum


@pytest.mark.parametrize("name", ["sweep", "results"])
def test_a_function_is_not_hidden_by_the_room_of_its_name(name: str) -> None:
    script = f"import subtx_toy as st, subtx_toy.{name}, subtx_toy.api.{name}\nassert callable(st.{name})"
    subprocess.run([sys.executable, "-c", script], check=True)
