"""Stores that are broken, read-only, somebody else's, or none at all: one message of every command, nothing changed."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from subtx_toy import cli
from subtx_toy.seeding import generator
from subtx_toy.store import Store
from subtx_toy.store.trials import Entry, Leases
from subtx_toy.sweep import engine, workers
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.trial import Trial
from tests.faults.quick_workers import QuickWorkers, quick_record
from tests.reference.examples import slow
from tests.unit.store.test_schema import _old_store, _record

SETTINGS = ["num_train=100", "num_test=100", "num_inputs=100"]
PLAN = ["tiny", *SETTINGS, "width=4,5", "--seeds", "0:15"]
NOBODY = 65534


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no trial compute."""
    for module in (workers, engine):
        monkeypatch.setattr(module, "LocalWorkers", QuickWorkers)


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    return Plan.read("tiny", PLAN[1:5], seeds="0:15").trials()


@pytest.fixture(scope="module")
def content(trials: list[Trial], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a store with 28 records and a failed trial."""
    path = tmp_path_factory.mktemp("store") / "r.sqlite"
    with Store(path) as store:
        leases = Leases(store)
        leases.enter([Entry(one.run_id, "tiny", one.seed, {"width": 4}) for one in trials], retry_failed=False)
        leases.claim([one.run_id for one in trials[:2]])
        leases.fail({trials[0].run_id: "Traceback\nValueError: no"})
        leases.close()
        store.add_all([quick_record(one) for one in trials[2:]])
    return path.read_bytes()


READING = [
    ["results", "list"],
    ["results", "list", "--json"],
    ["results", "summary"],
    ["results", "summary", *PLAN],
    ["results", "export", "{folder}/out.csv"],
    ["results", "show", "{run_id}"],
    ["sweep", *PLAN, "--dry-run"],
    ["doctor", "--backup", "{folder}/copy.sqlite"],
    ["doctor"],
]
WRITING = [["sweep", *PLAN], ["run", "tiny", *SETTINGS, "width=4", "--seeds", "2:4", "--no-figure"]]


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def _call(words: Sequence[str], store: Path | str, folder: Path, run_id: str = "") -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.call([*(word.format(folder=folder, run_id=run_id) for word in words), "--store", str(store)])
    return Answer(code, out.getvalue(), err.getvalue())


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _is_one_message(answer: Answer) -> bool:
    errors = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    return answer.code == 2 and answer.out == "" and len(errors) == 1 and len(errors[0]) < 700


@pytest.mark.parametrize(
    "path",
    [":memory:", "", "file:x", "file:x?mode=memory", "sqlite:///x.db", "http://a/b", "~nouser/x", "n" * 300,
     "/dev/null", "{folder}", "{folder}/", "{folder}/none/", "{folder}/a\0b"],
)  # fmt: skip
@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_what_cannot_be_a_file_is_one_message(words: list[str], path: str, tmp_path: Path) -> None:
    answer = _call(words, path.format(folder=tmp_path), tmp_path)
    assert _is_one_message(answer), answer
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_a_present_folder_that_vanished_is_one_message(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    with contextlib.chdir(tmp_path / "gone"):
        (tmp_path / "gone").rmdir()
        answer = _call(words, "r.sqlite", tmp_path)
    assert _is_one_message(answer), answer


def _foreign(path: Path, statements: Sequence[str]) -> None:
    """Make a database of another program, whose last changes stand in a log beside it."""
    scratch = path.with_name("scratch")
    with contextlib.closing(sqlite3.connect(scratch, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        for ending in ("", "-wal"):  # as a program leaves them that is killed
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{scratch}{ending}", f"{path}{ending}")
    scratch.unlink()


FOREIGN = {
    "tables": ["CREATE TABLE photos (id)"],
    "runs": ["CREATE TABLE runs (id INTEGER, distance REAL)", "INSERT INTO runs VALUES (1, 5.0)"],
    "empty but numbered": ["PRAGMA user_version = 1"],
    "application": ["PRAGMA application_id = 252006674", "CREATE TABLE runs (id)"],
    "log": ["PRAGMA journal_mode = WAL", "CREATE TABLE photos (id)"],
    "log of runs": ["PRAGMA journal_mode = WAL", "CREATE TABLE runs (run_id TEXT)", "INSERT INTO runs VALUES ('a')"],
    "later": ["PRAGMA user_version = 99", "PRAGMA application_id = 1398013952", "CREATE TABLE runs (id)"],
}


TEXTS = {"text": "my thesis " * 1000, "line": "my thesis", "letter": "m"}


@pytest.mark.parametrize("name", [*FOREIGN, *TEXTS])
@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_a_file_that_is_not_ours_keeps_every_byte(words: list[str], name: str, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    if name in TEXTS:
        (folder / "r.sqlite").write_text(TEXTS[name])
    else:
        _foreign(folder / "r.sqlite", FOREIGN[name])
    before = _files(folder)
    answer = _call(words, folder / "r.sqlite", tmp_path)
    assert _is_one_message(answer) or (words == ["doctor"] and answer.code == 1), answer
    assert "sound" not in answer.out
    assert _files(folder) == before


def _damage(content: bytes, kind: str, at: float) -> bytes:
    draw = generator(0, "test", "damage", kind)
    filling = {"ones": b"\xff" * 500, "zeros": bytes(500), "digits": b"7" * 500, "random": draw.bytes(500)}[kind]
    start = int(at * (len(content) - 500))
    return content[:start] + filling + content[start + 500 :]


DAMAGES = [(kind, share / 5) for kind in ("ones", "zeros", "digits", "random") for share in range(6)]


@pytest.mark.parametrize(("kind", "at"), DAMAGES)
def test_overwritten_bytes_are_one_message_and_the_doctor_finds_them_first(
    kind: str, at: float, content: bytes, trials: list[Trial], tmp_path: Path
) -> None:
    store, damaged = tmp_path / "r.sqlite", _damage(content, kind, at)
    answers = []
    for words in [*READING, *WRITING]:
        for old in tmp_path.iterdir():
            old.unlink()
        store.write_bytes(damaged)
        answers.append(_call(words, store, tmp_path, trials[5].run_id))
        last = answers[-1]
        assert last.code in (0, 1) or _is_one_message(last), (words, last)
        if words == ["doctor"]:
            doctor = last
    if any(answer.code == 2 for answer in answers):
        assert doctor.code == 1
        assert "sound" not in doctor.out


@pytest.mark.parametrize("table", ["runs", "series", "configs", "results", "trials", "coordinators"])
@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_a_dropped_table_is_one_message(
    words: list[str], table: str, content: bytes, trials: list[Trial], tmp_path: Path
) -> None:
    store = tmp_path / "r.sqlite"
    store.write_bytes(content)
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute(f"DROP TABLE {table}")
        connection.commit()
    answer = _call(words, store, tmp_path, trials[5].run_id)
    assert _is_one_message(answer) or (words == ["doctor"] and answer.code == 1), answer
    assert f"the table {table} is missing" in answer.out + answer.err


def test_a_record_that_is_gone_is_made_again(content: bytes, trials: list[Trial], tmp_path: Path) -> None:
    store = tmp_path / "r.sqlite"
    store.write_bytes(content)
    lost = trials[7].run_id
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute("DELETE FROM runs WHERE run_id = ?", (lost,))  # and not its other rows
        connection.commit()
    assert "27 of them done, 2 to run" in _call(["sweep", *PLAN, "--dry-run"], store, tmp_path).out
    assert _call(["sweep", *PLAN], store, tmp_path).code == 1, "one trial has failed before"
    with Store(store, read_only=True) as opened:
        assert opened.get([lost])[lost].seed == trials[7].seed
    assert "sound" in _call(["doctor"], store, tmp_path).out


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may read and only its owner may write."""
    with tempfile.TemporaryDirectory(prefix="subtx-toy-test-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def _as_nobody(words: Sequence[str], store: Path, folder: Path, run_id: str) -> Answer:
    """Run a command as another user, in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.environ["SUBTX_TOY_CACHE"] = str(folder / "cache")
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            answer = _call(words, store, folder, run_id)
        except BaseException:
            answer = Answer(255, "", traceback.format_exc())
        os.write(writer, repr(tuple(answer)).encode()[:60_000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(child, 0)
    return Answer(*eval(text))


STATES = ["closed", "in use", "killed", "schema 1", *slow("in use, by a link", "killed, without its index", "one file")]


@contextlib.contextmanager
def _writer(store: Path, trial: Trial) -> Iterator[None]:
    """Let another process add a record, and keep the store open."""
    words = f"store.add(quick_record(pickle.loads({pickle.dumps(trial)!r}))); print(flush=True); input()"
    program = (
        "import pickle; from subtx_toy.store import Store; from tests.faults.quick_workers import quick_record\n"
        f"with Store({str(store)!r}) as store: {words}"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate(b"\n")


@contextlib.contextmanager
def _published(state: str, content: bytes, trials: list[Trial], folder: Path) -> Iterator[Path]:
    """A store with 28 records, or 27 and one in its log."""
    store = folder / "r.sqlite"
    store.write_bytes(content)
    with contextlib.ExitStack() as stack:
        if state in ("killed", "killed, without its index"):
            (folder / "scratch").mkdir()
            scratch = shutil.copyfile(store, folder / "scratch" / "r.sqlite")
            with Store(scratch) as opened:
                opened.add(quick_record(trials[1]))
                for ending in ("", "-wal", *(["-shm"] if state == "killed" else [])):
                    shutil.copyfile(f"{scratch}{ending}", f"{store}{ending}")
        if state.startswith("in use"):
            stack.enter_context(_writer(store, trials[1]))
        if state == "one file":
            with contextlib.closing(sqlite3.connect(store)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")
        if state == "schema 1":
            store.unlink()
            _old_store(store, [_record(seed) for seed in range(28)]).close()
        if state.endswith("link"):
            store = folder / "link.sqlite"
            store.symlink_to("r.sqlite")
        yield store


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize("state", STATES)
def test_a_store_of_somebody_else_can_be_read_and_not_written(
    state: str, content: bytes, trials: list[Trial], shared: Path, tmp_path: Path
) -> None:
    run_id = _record(3).run_id if state == "schema 1" else trials[5].run_id
    (tmp_path / "own.sqlite").write_bytes(content)
    for words in [*READING, *WRITING]:  # what they import, the other user may not be able to read
        _call(words, tmp_path / "own.sqlite", tmp_path, trials[5].run_id)
    num = 29 if state.startswith(("in use", "killed")) else 28
    with _published(state, content, trials, shared) as store, tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        before = _files(shared)
        answers = {" ".join(words): _as_nobody(words, store, Path(folder), run_id) for words in READING}
        refused = [_as_nobody(words, store, Path(folder), run_id) for words in WRITING]
        assert _files(shared) == before
        assert (Path(folder) / "out.csv").read_text().count("\n") == num + 1
    codes = {words: answer.code for words, answer in answers.items()}
    assert set(codes.values()) == {0}, [answer for answer in answers.values() if answer.code]
    assert f'"trials": {num}' in answers["results list --json"].out or f" {num} " in answers["results list"].out
    assert "read-only for you" in answers["doctor"].out
    for answer in refused:
        assert _is_one_message(answer), answer
        assert "read-only for you" in answer.err
