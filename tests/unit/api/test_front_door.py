"""The public names: complete, lazy, and functions where a room has the same name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
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


def test_what_holds_arrays_or_a_figure_is_one_short_line_in_a_notebook(tmp_path: Path) -> None:
    images, path = np.zeros((30, 28, 28), np.uint8), tmp_path / "r.sqlite"
    data = st.load("glyphs", num_train=20, num_test=10)
    small: dict[str, Any] = dict(
        dataset="glyphs", num_train=20, num_test=10, num_inputs=20, teacher_epochs=0, student_epochs=0
    )
    with st.Store(path) as store:
        for width in (2, 3):
            store.add(st.run_experiment(st.RunConfig(width=width, **small), data, seed=0))
    plot = st.plot_results(store=path)
    with st.Store(path) as store:
        shown = [repr(one) for one in (data, st.Examples.labelled(images, images[:, 0, 0]), plot, store)]
    assert all(len(text) < 250 and "\n" not in text and " at 0x" not in text for text in shown), shown
    assert shown[0].startswith("Dataset('glyphs', 20 training and 10 test images of 28 x 28 pixels, 10 classes")
    assert shown[1] == "Examples(30 images, answers [30, 10])"
    assert plot._repr_png_()[1:4] == b"PNG"
    assert plot.document()["metric"] == "student_aux.accuracy"
    assert any(one.name == "store" for one in st.examine(str(path)))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = st.rum


@pytest.mark.parametrize("name", ["sweep", "results"])
def test_a_function_is_not_hidden_by_the_room_of_its_name(name: str) -> None:
    script = f"import subtx_toy as st, subtx_toy.{name}, subtx_toy.api.{name}\nassert callable(st.{name})"
    subprocess.run([sys.executable, "-c", script], check=True)
