"""Whether a file can be written is known before the work whose result it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from subtx_toy.errors import InputError
from subtx_toy.files.atomic import check_writable


def test_a_file_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    for name in ("old", "new"):
        check_writable(tmp_path / name, what="out")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "old")]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none/x", "out: cannot write '.*none/x': No such file or directory"),
        ("file/x", "out: cannot write '.*file/x': Not a directory"),
        ("folder", "out: expected the name of a file, got the folder"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_clear_error(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=sentence):
        check_writable(tmp_path / name, what="out")
