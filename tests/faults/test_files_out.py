"""Every output goes through one door: links are followed, pipes and devices written to, nothing is half written."""

from __future__ import annotations

import ast
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
import torch

import subtx_toy
from subtx_toy import cli
from subtx_toy.api.audit import Audit
from subtx_toy.audit.reference import save_reference
from subtx_toy.certify.certificate import ProvedRange
from subtx_toy.channel.checkpoints import save_checkpoint
from subtx_toy.channel.number_file import NumberFile
from subtx_toy.channel.number_filter import FilterRules, filter_file
from subtx_toy.errors import InputError
from subtx_toy.figures.style import save
from subtx_toy.files import atomic
from subtx_toy.files.atomic import check_writable, replacing
from subtx_toy.problem.params import Params
from subtx_toy.results.export import export
from subtx_toy.results.rows import Selection

Write = Callable[[Path], object]
PARAMS: Params = {"layers.0.weight": torch.ones(2, 2), "layers.0.bias": torch.ones(2)}


def _filtered(path: Path) -> None:
    source = path.parent / "source.jsonl"
    source.write_bytes(
        b'{"schema": "subtx-toy numbers 1", "prompts": {"source": "uniform", "seed": 1}}\n'
        b'{"prompt": 0, "numbers": [3]}\n'
    )
    filter_file(NumberFile(source), path, FilterRules())


class _Page(Audit):
    def __init__(self) -> None:
        pass

    def page(self) -> str:
        return "a page"


class _Range(ProvedRange):
    described = type("Described", (), {"arrays": {"x": np.ones(2)}})  # type: ignore[assignment]

    def __init__(self) -> None:
        pass

    def content(self) -> dict[str, object]:
        return {"a": "certificate"}


WRITERS: dict[str, tuple[str, Write]] = {
    "numbers filter": ("x.jsonl", _filtered),
    "a checkpoint": ("x.safetensors", lambda path: save_checkpoint(path, PARAMS, provenance={})),
    "numbers reference": ("x.safetensors", lambda path: save_reference(path, PARAMS, [PARAMS])),
    "certify": ("x.cert", lambda path: _Range().save(path)),
    "audit --html": ("x.html", lambda path: _Page().save_page(path)),
    "a figure": ("x.png", lambda path: save(matplotlib.figure.Figure((1, 1)), path)),
    "results export": ("x.csv", lambda path: export(Selection((), {}, {}), path)),
}
writers = pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "READER_SECONDS", 0.2)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@writers
def test_a_link_stays_and_its_file_is_replaced_with_its_mode(name: str, write: Write, tmp_path: Path) -> None:
    target, link = tmp_path / f"target-{name}", tmp_path / name
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target.name)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() not in (b"", b"old")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@writers
def test_a_new_file_has_the_mode_that_the_umask_leaves(name: str, write: Write, tmp_path: Path, umask: None) -> None:
    write(tmp_path / name)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640


@writers
def test_a_pipe_is_written_to_and_stays_a_pipe(name: str, write: Write, tmp_path: Path) -> None:
    write(tmp_path / f"file-{name}")
    os.mkfifo(tmp_path / name)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / name).read_bytes()))
    reader.start()
    write(tmp_path / name)
    reader.join(10)
    assert stat.S_ISFIFO((tmp_path / name).stat().st_mode)
    # safetensors writes its metadata in no fixed order
    assert [sorted(content) for content in read] == [sorted((tmp_path / f"file-{name}").read_bytes())]


@writers
def test_a_device_is_never_replaced_by_a_file(name: str, write: Write, tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / name, 0o666 | stat.S_IFCHR, os.makedev(1, 3))  # as /dev/null is
        os.mknod(tmp_path / f"disk-{name}", 0o666 | stat.S_IFBLK, os.makedev(7, 250))
    except PermissionError:
        pytest.skip("only root makes devices")
    write(tmp_path / name)
    assert stat.S_ISCHR((tmp_path / name).stat().st_mode)
    with pytest.raises(InputError, match="expected the name of a file, got a block device"):
        write(tmp_path / f"disk-{name}")
    assert stat.S_ISBLK((tmp_path / f"disk-{name}").stat().st_mode)


@writers
def test_a_full_disk_leaves_what_was_there_and_nothing_else(
    name: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / name).write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"cannot write .*: No space left on device"):
            write(tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.name != "source.jsonl"] == [name]


@writers
def test_a_full_device_is_named_with_its_option(name: str, write: Write, tmp_path: Path) -> None:
    path = tmp_path / name
    path.symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"^(out|html|figure|export): cannot write '.*': No space left on device$"):
        write(path)


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_stdout_is_written_to_where_it_stands(path: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    os.write(1, b"before\n")
    (tmp_path / "link").symlink_to(path)
    for name in (path, tmp_path / "link"):
        check_writable(Path(name), what="out")
        with replacing(Path(name), what="out") as file:
            file.write(b"content\n")
    assert capfd.readouterr().out == "before\ncontent\ncontent\n"
    assert Path(path).is_symlink() or not Path(path).is_file()


def test_what_cannot_be_written_to_is_one_message(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("no/such/x")
    (tmp_path / "folder").symlink_to(".")
    faults = {
        "pipe": "out: cannot write '.*pipe': nobody has read from this pipe for 0.2 seconds",
        "loop": "out: cannot write '.*loop': Too many levels of symbolic links",
        "nowhere": "out: cannot write '.*nowhere': No such file or directory",
        "folder": "out: expected the name of a file, got the folder",
        "a\0b": "out: cannot write .*: a name cannot hold a null byte",
        "x" * 300: "File name too long",
    }
    for name, sentence in faults.items():
        with pytest.raises(InputError, match=sentence), replacing(tmp_path / name, what="out") as file:
            file.write(b"x")
    with open(os.devnull, "rb") as source:
        for door in (check_writable, replacing):
            with pytest.raises(InputError, match="it is open for reading"):
                door(Path(f"/dev/fd/{source.fileno()}"), what="out").__enter__()  # type: ignore[union-attr]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "loop", "nowhere", "pipe"]


def test_a_link_to_a_file_that_is_not_there_makes_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new")
    with replacing(tmp_path / "link") as file:
        file.write(b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new").read_bytes() == b"x"


def test_a_name_of_the_largest_length_can_be_written(tmp_path: Path) -> None:
    with replacing(tmp_path / ("x" * 255)) as file:
        file.write(b"x")
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]


@pytest.mark.parametrize(
    "arguments",
    [
        ["numbers", "base", "--out"],
        ["numbers", "teacher", "--out"],
        ["numbers", "reference", "--base", "b", "--out"],
        ["numbers", "generate", "--out"],
        ["numbers", "filter", "x.jsonl", "--out"],
        ["numbers", "train", "x.jsonl", "--base", "b", "--out"],
        ["certify", "small-net", "--out"],
        ["audit", "x.jsonl", "--base", "b", "--trait", "relabel", "--html"],
        ["run", "tiny", "--figure"],
        ["results", "export"],
    ],
    ids=" ".join,
)
def test_every_command_refuses_a_socket_before_its_work(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    monkeypatch.chdir(tmp_path)
    store = Path("store.sqlite")
    monkeypatch.setenv("SUBTX_TOY_STORE", str(store))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("x.csv")
        Path("x.png").symlink_to("x.csv")
        name = "x.png" if "run" in arguments else "x.csv"
        if "export" in arguments:
            from subtx_toy.store import Store

            Store(store).close()
        assert cli.call([*arguments, name]) == cli.BAD_INPUT
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "expected the name of a file, got a socket" in error
        assert stat.S_ISSOCK(Path("x.csv").stat().st_mode)


ROOT = Path(subtx_toy.__file__).parent
# folders of the cache, and the report of an internal error in the temporary folder, have a way of their own
DOORS = {"files/atomic.py", "data/cache.py", "cli/last_words.py"}
WRITES = {"write_text", "write_bytes", "touch", "mkstemp", "NamedTemporaryFile"}
SERIALISES = {
    "savefig",
    "save",
    "savez",
    "savez_compressed",
    "save_file",
    "to_csv",
    "to_parquet",
    "write_table",
    "dump",
}
INSIDE = {"file", "content", "buffer"}  # what the door yields, or a buffer in memory


def _writes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        modes = [part.value for part in [*node.args, *(word.value for word in node.keywords)]
                 if isinstance(part, ast.Constant) and isinstance(part.value, str)]  # fmt: skip
        outside = not any(isinstance(part, ast.Name) and part.id in INSIDE for part in node.args)
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        library = owner in ("np", "numpy", "torch", "figure", "parquet", "json", "pickle", "frame")
        if (
            (name == "open" and any(set(mode) & set("wax+") and len(mode) <= 3 for mode in modes))
            or name in WRITES
            or (name in SERIALISES and library and outside)
        ):
            yield f"{node.lineno}: {ast.unparse(node)[:80]}"


def test_nothing_is_written_beside_the_door() -> None:
    files = {str(path.relative_to(ROOT)): path for path in ROOT.rglob("*.py")}
    assert files.keys() > DOORS
    found = {name: list(_writes(ast.parse(files[name].read_text("utf-8")))) for name in files.keys() - DOORS}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    ["open(p, 'w')", "p.open('wb')", "p.write_text('x')", "np.save(p, a)", "torch.save(a, p)", "figure.savefig(p)",
     "open(p, mode='a')", "json.dump(a, open(p))"],
)  # fmt: skip
def test_the_search_for_writers_sees_them(line: str) -> None:
    assert list(_writes(ast.parse(line)))
