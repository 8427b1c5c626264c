"""The wheel carries the experiments, and nothing that it should not."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    pytest.importorskip("build", reason="the wheel is built with the extra dev, which `make lower-bounds` leaves out")
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = target.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_every_experiment_travels_with_the_package(names: set[str]) -> None:
    for path in (ROOT / "experiments").glob("*.toml"):
        assert f"subtx_toy/_experiments/{path.name}" in names


def test_every_module_travels_with_the_package_and_no_test_does(names: set[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "subtx_toy").rglob("*.py")}
    assert modules <= names
    assert "subtx_toy/py.typed" in names
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "subtx_toy" / "report").rglob("*") if path.is_file()}
    assert {name for name in pages if not name.endswith(".pyc")} <= names
    assert not [name for name in names if name.startswith(("tests/", "paper_figs/", "benchmarks/"))]
