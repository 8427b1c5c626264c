"""The cache holds whole and right data sets or none, whatever happens to the disk or beside us."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from subtx_toy.data import cache, published
from subtx_toy.errors import DataError

if TYPE_CHECKING:
    from tests.unit.data.conftest import Tiny

IMAGES = "train-images-idx3-ubyte"


def ignore(*args: object) -> None:
    """Take a message or a progress call."""


def read(tiny: Tiny) -> tuple[np.ndarray, ...]:
    return published.read(tiny.spec, data_dir=None, report=ignore, progress=ignore)


def test_the_second_load_asks_no_source_and_shares_the_files(tiny: Tiny, cache_dir: Path) -> None:
    first, second = read(tiny), read(tiny)
    assert tiny.asked == ["somewhere"]
    assert sorted(path.name for path in cache_dir.iterdir()) == ["mnist"]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
        assert isinstance(other, np.memmap)
        assert not other.flags.writeable


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing"])
def test_a_damaged_file_is_reported_and_the_set_obtained_again(tiny: Tiny, cache_dir: Path, damage: str) -> None:
    read(tiny)
    path = cache_dir / "mnist" / IMAGES
    good = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes({"flip": good[:-1] + bytes([good[-1] ^ 1]), "cut": good[:-1], "empty": b""}[damage])
    said: list[str] = []
    again = published.read(tiny.spec, data_dir=None, report=said.append, progress=ignore)
    assert again[0].tobytes() == good[16:]
    assert said[0].startswith(f"{path}: expected ")
    assert said[0].endswith(f"removing {cache_dir / 'mnist'} and obtaining it again")
    assert tiny.asked == ["somewhere", "somewhere"]
    assert [path.name for path in cache_dir.iterdir()] == ["mnist"]


def test_a_damaged_file_is_never_used_even_if_no_source_is_left(tiny: Tiny, cache_dir: Path) -> None:
    read(tiny)
    (cache_dir / "mnist" / IMAGES).write_bytes(b"\0")
    tiny.spec = tiny.with_sources(tiny.dead_source("gone"))
    with pytest.raises(DataError, match="gone"):
        read(tiny)
    assert list(cache_dir.iterdir()) == []


def test_a_file_in_place_of_the_cache_is_reported_before_a_download(tiny: Tiny, cache_dir: Path) -> None:
    cache_dir.write_text("in the way")
    with pytest.raises(DataError, match=r"expected a cache folder that can be written.*\n.*SUBTX_TOY_CACHE"):
        read(tiny)
    assert tiny.asked == []
    assert cache_dir.read_text() == "in the way"


def test_a_file_in_place_of_the_data_set_is_reported(tiny: Tiny, cache_dir: Path) -> None:
    cache_dir.mkdir()
    (cache_dir / "mnist").write_text("in the way")
    with pytest.raises(DataError, match="expected a cache folder that can be written"):
        read(tiny)
    assert [path.name for path in cache_dir.iterdir()] == ["mnist"]


def test_a_write_that_fails_half_way_leaves_nothing(tiny: Tiny, cache_dir: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # the training images need 23,536 bytes
    try:
        with pytest.raises(DataError, match="File too large"):
            read(tiny)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(cache_dir.iterdir()) == []
    read(tiny)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can make a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_reported_and_left_clean(tiny: Tiny, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTX_TOY_CACHE", str(small_disk))
    with pytest.raises(DataError, match="No space left on device"):
        read(tiny)
    assert list(small_disk.iterdir()) == []


def test_an_interrupt_while_writing_leaves_nothing(
    tiny: Tiny, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(tiny)
    assert list(cache_dir.iterdir()) == []


def test_what_a_killed_process_left_is_swept_after_a_day(tiny: Tiny, cache_dir: Path) -> None:
    old, new = cache_dir / ".unfinished-1-1-1", cache_dir / ".unfinished-2-2-2"
    old.mkdir(parents=True)
    (old / IMAGES).write_bytes(b"half")
    new.mkdir()
    os.utime(old, (0, 0))
    read(tiny)
    assert sorted(path.name for path in cache_dir.iterdir()) == [new.name, "mnist"]


def test_a_folder_that_another_process_finished_first_is_kept(tiny: Tiny, cache_dir: Path) -> None:
    place = tiny.write(cache_dir / "mnist")
    before = (place / IMAGES).stat().st_ino
    found = cache.install(place, tiny.spec.files, tiny.contents, report=ignore)
    assert found[IMAGES].tobytes() == tiny.contents[IMAGES][16:]
    assert (place / IMAGES).stat().st_ino == before
    assert [path.name for path in cache_dir.iterdir()] == ["mnist"]


def test_removing_a_folder_that_is_gone_already_is_no_error(cache_dir: Path) -> None:
    cache_dir.mkdir()
    cache.discard(cache_dir / "mnist")


PROCESS = """
    import hashlib, sys, time
    from pathlib import Path
    import numpy as np
    from subtx_toy.data import idx, published
    from subtx_toy.data.idx import IdxFile
    from subtx_toy.data.published import PublishedSet, Source

    me, other, rounds = sys.argv[1], sys.argv[2], 20
    contents = {f"f{i}": idx.encode(np.full((2000, 28, 28), i, np.uint8)) for i in range(4)}
    files = tuple(IdxFile(s, (2000, 28, 28), hashlib.sha256(c).hexdigest()) for s, c in contents.items())
    for turn in range(rounds):
        def obtain(files, report, progress):
            Path(f"{me}-{turn}").touch()
            give_up = time.monotonic() + 20
            while not Path(f"{other}-{turn}").exists() and time.monotonic() < give_up:
                time.sleep(1e-4)  # and not 0, which would burn what the other needs
            return contents
        spec = PublishedSet(f"set{turn}", files, (Source("both", obtain),), "")
        four = published.read(spec, data_dir=None, report=print, progress=lambda *a: None)
        assert [int(a[-1, -1, -1]) for a in four] == [0, 1, 2, 3]
"""


def test_two_processes_that_fetch_at_once_both_succeed(tmp_path: Path, cache_dir: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROCESS)]
    pair = [
        subprocess.Popen(
            [*command, me, other], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        for me, other in (("a", "b"), ("b", "a"))
    ]
    errors = [process.communicate(timeout=60)[1] for process in pair]
    assert errors == ["", ""]
    assert [process.returncode for process in pair] == [0, 0]
    assert sorted(path.name for path in cache_dir.iterdir()) == sorted(f"set{turn}" for turn in range(20))
