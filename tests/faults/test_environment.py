"""What a machine can lack or set: one message before any work, the same figures, and a steady exit code."""

from __future__ import annotations

import concurrent.futures
import errno
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
import pytest

from subtx_toy.audit import usual_reference
from subtx_toy.channel.checkpoints import Checkpoint
from subtx_toy.channel.net_cache import NetCache
from subtx_toy.cli import call, interrupts, streams
from subtx_toy.data import cache, catalogue, published
from subtx_toy.data.dataset import Dataset
from subtx_toy.data.published import PublishedSet, Source
from subtx_toy.data.published_sets import MNIST
from subtx_toy.errors import DataError, InputError, WorkerError
from subtx_toy.figures import style
from subtx_toy.seeding import generator
from subtx_toy.store import place
from subtx_toy.sweep import workers
from tests.faults.sweeping import wait_for
from tests.reference.examples import slow

FOREIGN_WORDS = ("Traceback", "Errno", "Exception ignored", 'File "', "leaked", "Bad file descriptor")


def no_work(*_args: object, **_given: object) -> Any:
    raise AssertionError("the work began before the cache was looked at")


def silent(*_news: object) -> None:
    pass


def fetch_drawn(_dataset: Dataset) -> object:
    return catalogue.fetch("glyphs", num_train=5, num_test=5)


def fetch_published(_dataset: Dataset) -> object:
    wanted = PublishedSet("mnist", MNIST.files, (Source("nobody", no_work),), "ask somebody")
    published.fetch(wanted, data_dir=None, report=silent, progress=silent)
    return None


def train_a_base(dataset: Dataset) -> object:
    return NetCache(dataset, 0, width=4).base()


def train_a_reference(dataset: Dataset) -> object:
    model = NetCache(dataset, 0, width=4).model
    base = Checkpoint(model, model.initial(generator(0, "tests")), {})
    return usual_reference.usual_reference(base, dataset, 4)


@pytest.mark.parametrize("use", [fetch_drawn, fetch_published, train_a_base, train_a_reference])
@pytest.mark.parametrize("fault", ["a file", "full", "no such user", "a long name", "below a file"])
def test_a_cache_that_cannot_be_written_is_found_before_the_work(
    use: Callable[[Dataset], object],
    fault: str,
    striped_digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "file").write_text("")
    names = {
        "a file": str(tmp_path / "file"), "full": str(tmp_path / "cache"), "no such user": "~nobody-of-this-name/x",
        "a long name": str(tmp_path / ("x" * 300)), "below a file": str(tmp_path / "file" / "x"),
    }  # fmt: skip
    monkeypatch.setenv(cache.ENVIRONMENT, names[fault])
    for work in ("subtx_toy.data.glyphs.render", "subtx_toy.channel.net_cache.train_base"):
        monkeypatch.setattr(work, no_work)
    monkeypatch.setattr(usual_reference, "make_reference", no_work)
    if fault == "full":
        monkeypatch.setattr(os, "posix_fallocate", full)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError) as caught:
        use(striped_digits)
    assert [word for word in FOREIGN_WORDS if word in str(caught.value)] == []
    left = [path for path in tmp_path.rglob("*") if path not in before and path.is_file()]
    assert left == []


def test_as_many_bytes_as_the_work_needs_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()
    monkeypatch.setattr(os, "posix_fallocate", lambda _file, _start, size: asked.append(size))
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path))
    monkeypatch.setattr("subtx_toy.data.glyphs.render", lambda *_args, **_given: (_ for _ in ()).throw(OSError("x")))
    with pytest.raises(DataError, match="fonts"):
        catalogue.fetch("glyphs", num_train=1000, num_test=10)
    assert asked == [1010 * 785]


@pytest.mark.parametrize(
    "backend", ["module://no.such.module", *slow("module://matplotlib_inline.backend_inline", "nbagg", "?")]
)
def test_no_backend_of_a_notebook_stops_data_or_figures(backend: str, tmp_path: Path) -> None:
    """In a process of its own, which loads matplotlib; a matplotlibrc with every kind of fault lies where it looks."""
    (tmp_path / "matplotlibrc").write_text("backend: nothing\nlines.linewidth: 9\nno such key: 3\naxes.grid: maybe\n")
    code = (
        "from subtx_toy.data.glyphs import outlines; print(outlines('DejaVuSans')[1] > 0)\n"
        "from matplotlib.figure import Figure; from pathlib import Path; from subtx_toy.figures import style\n"
        "style.save(Figure(), Path('x.png'))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "MPLBACKEND": backend, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (found.returncode, found.stdout, found.stderr) == (0, "True\n", "")
    assert (tmp_path / "x.png").stat().st_size > 100


def test_a_users_matplotlibrc_changes_no_figure() -> None:
    with mpl.rc_context(style.paper()):
        usual = dict(mpl.rcParams)
    own: dict[Any, Any] = {"lines.linewidth": 9, "axes.facecolor": "red", "font.size": 30, "axes.grid": True}
    with mpl.rc_context(
        {**own, "axes.prop_cycle": "cycler('color', 'k')", "text.usetex": True, "svg.fonttype": "path"}
    ):
        with mpl.rc_context(style.paper()):
            assert dict(mpl.rcParams) == usual
        assert mpl.rcParams["lines.linewidth"] == 9, "and the user's figures stay theirs"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_reader_that_has_left_is_no_error_and_a_full_disk_is_one(encoding: str) -> None:
    def stream(number: int, what: str) -> io.TextIOWrapper:
        buffered = io.BufferedWriter(streams._Descriptor(number, what))
        return io.TextIOWrapper(buffered, encoding=encoding, errors="backslashreplace")

    reading, writing = os.pipe()
    os.close(reading)
    left = stream(writing, "stdout")
    for _ in range(3):
        left.write("± \udcff\n" * 10_000)
        left.flush()
    for what in ("stdout", "stderr"):
        full = stream(os.open("/dev/full", os.O_WRONLY), what)
        full.write("text")
        if what == "stdout":
            with pytest.raises(InputError, match="stdout: cannot be written: No space left on device"):
                full.flush()
        full.write("more")
        full.flush()


def run(command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    program = f"{sys.executable} -m subtx_toy"
    return subprocess.run(
        ["bash", "-c", command.replace("subtx-toy", program)], capture_output=True, text=True, timeout=60, check=False,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("subtx-toy run --help > /dev/full", 2, "error: stdout: cannot be written: No space left on device\n"),
        ("subtx-toy run --help | true; exit ${PIPESTATUS[0]}", 0, ""),
        ("subtx-toy run --help | head -1 > /dev/null; exit ${PIPESTATUS[0]}", 0, ""),
        ("subtx-toy run --help >&-", 0, ""),
        ("subtx-toy nothing 2>&-", 2, ""),
        ("subtx-toy nothing 2> /dev/full", 2, ""),
        ("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 subtx-toy data path $'\\xff\\xc2\\xb1'", 2, "error: data set: "),
    ],
)
def test_a_stream_that_is_gone_or_full_is_at_most_one_line(command: str, code: int, says: str) -> None:
    found = run(command)
    assert found.returncode == code
    assert found.stderr.startswith(says)
    assert found.stderr.count("\n") == says.count("\n") or "data set" in says
    assert [word for word in FOREIGN_WORDS if word in found.stderr] == []


def _raises(error: BaseException) -> Callable[..., Any]:
    def raising(*_args: object, **_given: object) -> Any:
        raise error

    return raising


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (
            RuntimeError("the \x1b[31munforeseen\nline 2"),
            2,
            r"internal error: RuntimeError: the \\x1b\[31munforeseen; ",
        ),
        (AssertionError(), 2, "internal error: AssertionError: no reason given; please report it with "),
        (EOFError("half a pickle"), 2, "internal error: EOFError: half a pickle; please report it with "),
        (RecursionError("deep"), 2, "internal error: RecursionError: deep; please report it with "),
        (KeyError("x" * 9999), 2, "internal error: KeyError: "),
        (
            OSError(errno.EMFILE, "?", "a.npz"),
            2,
            "error: Too many open files: a.npz; allow more of them with ulimit -n",
        ),
        (OSError(errno.ENOSPC, "?"), 2, "error: No space left on device"),
        (MemoryError(), 2, "error: not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 2, "error: not enough memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
    ],
)
def test_the_unforeseen_is_one_line_and_a_file(
    error: BaseException, code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("subtx_toy.data.catalogue.entries", _raises(error))
    assert call(["data", "list"]) == code
    _out, err = capsys.readouterr()
    line = err.strip()
    assert re.match(says, line)
    assert "\n" not in line
    assert len(line) < 600
    logs = list(tmp_path.iterdir())
    assert len(logs) == ("internal" in says)
    for log in logs:
        assert line.endswith(f"please report it with {log}")
        content = log.read_text()
        assert "Traceback" in content
        assert "arguments: ['data', 'list']" in content


def test_without_a_place_for_the_file_the_line_says_where_it_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    monkeypatch.setattr("subtx_toy.data.catalogue.entries", _raises(RuntimeError("unforeseen")))
    assert call(["data", "list"]) == 2
    assert re.search(r"please report it, at \S+test_environment\.py:\d+ \(no file for it", capsys.readouterr().err)


def test_what_a_library_makes_of_an_interrupt_is_still_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def half_loaded() -> None:
        try:
            interrupts._interrupt(signal.SIGINT, None)
        except KeyboardInterrupt:
            raise ImportError("numpy cannot be imported") from None

    monkeypatch.setattr("subtx_toy.data.catalogue.entries", half_loaded)
    assert call(["data", "list"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def _interrupted(
    moment: float, num: int, tmp_path: Path, engine: str = "local", *, number: int = signal.SIGINT, stored: int = 0
) -> tuple[int, str]:
    """Press Ctrl-C ``num`` times, ``moment`` seconds after a command with workers began and some trials are stored."""
    command = [sys.executable, "-m", "subtx_toy", "sweep", "tiny", "width=8,12", "num_train=500", "num_test=200"]
    command += ["num_inputs=500", "--seeds", "0:200", "--workers", "1", "--store", str(tmp_path / "r.sqlite")]
    command += ["--engine", engine]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background jobs have it ignored
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    finally:
        signal.signal(signal.SIGINT, before)
    time.sleep(moment)
    if stored:
        wait_for(tmp_path / "r.sqlite", stored, process)
    for _ in range(num):
        if process.poll() is None:
            os.killpg(process.pid, number)
            time.sleep(0.05)
    _out, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.parametrize("moment", [0.9, *slow(0.4, 1.4)])
def test_an_interrupt_while_it_loads_is_130_and_no_traceback(moment: float, tmp_path: Path) -> None:
    code, err = _interrupted(moment, 2, tmp_path)
    assert code == 130, err
    assert [word for word in FOREIGN_WORDS if word in err] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_waits_until_the_workers_are_known(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reaches another thread is answered in the main one, whatever the main one blocks."""
    made: list[str] = []

    def start() -> None:
        signal.raise_signal(number)
        made.append("half")
        signal.raise_signal(number)
        made.append("whole")

    def answer(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(number, answer)
    try:
        with pytest.raises(KeyboardInterrupt), workers._postponed():
            start()
        assert signal.getsignal(number) is answer
        made.append("interrupted")
    finally:
        signal.signal(number, before)
    assert made == ["half", "whole", "interrupted"]


STARTING = """
import os, signal, sys
from subtx_toy import __main__
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "subtx_toy.cli":
            os.kill(os.getpid(), signal.{name})
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
signal.signal(signal.SIGHUP, signal.{hangup})
sys.meta_path.insert(0, Finder)
sys.argv[1:] = ["--version"]
__main__.start()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_every_signal_while_it_starts_is_an_interrupt(name: str) -> None:
    program = STARTING.format(name=name, hangup="SIG_DFL")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_a_hang_up_that_is_ignored_is_left_alone() -> None:
    program = STARTING.format(name="SIGHUP", hangup="SIG_IGN")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "version" in done.stdout


def test_no_columns_are_as_good_as_unset() -> None:
    environment = {**os.environ, "COLUMNS": "0"}
    command = [sys.executable, "-m", "subtx_toy", "--help"]
    assert "Simulate subliminal learning" in subprocess.check_output(command, env=environment, text=True)


def test_a_hang_up_of_the_terminal_ends_a_sweep_without_a_warning(tmp_path: Path) -> None:
    """The signal reaches the command, its workers, and what multiprocessing keeps beside them."""
    code, err = _interrupted(0.0, 1, tmp_path, number=signal.SIGHUP, stored=1)
    assert code == 130, err
    assert err.endswith("interrupted\n")
    assert [word for word in (*FOREIGN_WORDS, "resource_tracker") if word in err] == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "dask"])
@pytest.mark.parametrize("seed", range(30))
def test_an_interrupt_at_sixty_moments(seed: int, engine: str, tmp_path: Path) -> None:
    rng = generator(seed, "test", "interrupt", engine)
    code, err = _interrupted(float(rng.uniform(0.2, 9.0)), int(rng.integers(1, 3)), tmp_path, engine)
    assert code == 130, err
    assert [word for word in FOREIGN_WORDS if word in err] == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EMFILE, "x"), "too many open files; allow more of them with ulimit -n"),
        (OSError(errno.EAGAIN, "x"), "Resource temporarily unavailable; use fewer --workers"),
        (ImportError("This platform lacks a functioning sem_open implementation"), "/dev/shm is missing"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
def test_processes_that_cannot_start_are_one_error(
    error: Exception, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", _raises(error))
    pool = workers.LocalWorkers(2)
    with pytest.raises(WorkerError) as caught:
        pool.submit([])
    assert str(caught.value).startswith("workers: cannot start 2 processes: ")
    assert says in str(caught.value)
    pool.close(at_once=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "limits", ["ulimit -n 12;", "unshare -m sh -c 'mount -t tmpfs -o ro none /dev/shm && \"$@\"' sh "]
)
def test_a_real_process_without_files_or_shared_memory_is_one_error(limits: str, tmp_path: Path) -> None:
    if limits.startswith("unshare") and os.getuid():
        pytest.skip("a file system of its own needs root")
    found = run(f"{limits} subtx-toy sweep tiny --seeds 0:2 --workers 2 --store {tmp_path}/r.sqlite")
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1].startswith("error: workers: cannot start 2 processes: ")
    assert [word for word in FOREIGN_WORDS if word in found.stderr] == []


def test_mount_points_may_hold_any_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    lines = [
        "none / ext4 rw 0 0",
        "a /\udcff\udcfe\\040x nfs rw 0 0",
        "b /\u2028y\u3000z nfs4 rw 0 0",
        "c /r\rs tmpfs 0 0",
    ]
    mounts.write_bytes("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
    monkeypatch.setattr(place, "_MOUNTS", mounts)
    assert place.file_system(Path("/\udcff\udcfe x/folder")) == "nfs"
    assert place.file_system(Path("/\u2028y\u3000z")) == "nfs4"
    assert place.file_system(Path("/r\rs")) == "tmpfs"
    assert place.file_system(Path("/elsewhere")) == "ext4"
