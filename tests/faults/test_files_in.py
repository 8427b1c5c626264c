"""Every file of others goes through one door: opened once, in bounds, one value a key; JSON out is strict."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import math
import os
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import safetensors.torch
import torch

from subtx_toy import cli
from subtx_toy.api.certify import check
from subtx_toy.api.choice import choose
from subtx_toy.audit.questions import MAX_EXAMPLES, read_examples
from subtx_toy.audit.reference import fingerprint, load_reference, save_reference
from subtx_toy.channel.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from subtx_toy.channel.number_file import NumberFile
from subtx_toy.channel.number_filter import FilterRules
from subtx_toy.channel.teachers import read_pairs
from subtx_toy.data import load
from subtx_toy.errors import InputError
from subtx_toy.files import input_file
from subtx_toy.files.json_text import json_text, not_finite, parse_json
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.protocols.protocol import run_experiment
from subtx_toy.settings.base import run_id
from subtx_toy.settings.experiment_file import read as read_experiment
from subtx_toy.store import Store

HEADER = b'{"schema": "subtx-toy numbers 1", "prompts": {"source": "uniform", "seed": 1}}\n'
NUMBERS = HEADER + b'{"prompt": 0, "numbers": [3]}\n'
BASE: Params = {
    "layers.0.weight": torch.zeros(2, 784),
    "layers.0.bias": torch.zeros(2),
    "layers.1.weight": torch.zeros(1010, 2),
    "layers.1.bias": torch.zeros(1010),
}
CHECKPOINT = Checkpoint(MLP((784, 2, 1010), ACTIVATIONS["relu"]), BASE, {})
NPZ: dict[str, np.ndarray] = {
    "train_images": np.zeros((4, 3), np.uint8), "train_labels": np.arange(4) % 2,
    "test_images": np.zeros((4, 3), np.uint8), "test_labels": np.arange(4) % 2,
}  # fmt: skip


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _checkpoint(path: Path) -> bytes:
    save_checkpoint(path, BASE, provenance={"role": "base"})
    return path.read_bytes()


def _reference(path: Path) -> bytes:
    save_reference(path, BASE, [{name: value.clone() for name, value in BASE.items()} for _ in range(3)])
    return path.read_bytes()


EXPERIMENT = b'question = "?"\nseeds = "0:2"\n[config]\nwidth = 8\n'
EXAMPLES = npz(images=np.zeros((2, 28, 28), np.uint8), answers=np.array([3, 9]))
READERS: dict[str, tuple[bytes | Callable[[Path], bytes], str, Callable[[Path], object]]] = {
    "numbers": (NUMBERS, "x.jsonl", lambda path: read_pairs(NumberFile(path)).numbers.tolist()),
    "packed numbers": (gzip.compress(NUMBERS), "x.gz", lambda path: read_pairs(NumberFile(path)).numbers.tolist()),
    "rules": (b"banned = [5]\n", "x.toml", FilterRules.read),
    "experiment": (EXPERIMENT, "x.toml", lambda path: read_experiment(str(path))),
    "checkpoint": (_checkpoint, "x.safetensors", lambda path: sorted(load_checkpoint(path).params)),
    "reference": (_reference, "x.safetensors", lambda path: len(load_reference(path, CHECKPOINT))),
    "examples": (EXAMPLES, "x.npz", lambda path: read_examples(path).targets.tolist()),
    "data set": (npz(**NPZ), "x.npz", lambda path: load(str(path)).sha256),
    "certificate": (b"nothing", "x.cert", lambda path: check(path).reason),
}
readers = pytest.mark.parametrize(("content", "name", "read"), READERS.values(), ids=READERS)


def bytes_of(content: bytes | Callable[[Path], bytes], folder: Path) -> bytes:
    return content if isinstance(content, bytes) else content(folder / "made")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_file, "WRITER_SECONDS", 0.1)


@readers
def test_a_pipe_works_as_a_file_does(
    content: bytes | Callable[[Path], bytes], name: str, read: Callable[[Path], object], tmp_path: Path
) -> None:
    whole = bytes_of(content, tmp_path)
    for folder in ("file", "pipe", "link"):
        (tmp_path / folder).mkdir()
    file, pipe, link = (tmp_path / folder / name for folder in ("file", "pipe", "link"))
    file.write_bytes(whole)
    os.mkfifo(pipe)
    link.symlink_to(file)
    writer = threading.Thread(target=lambda: pipe.write_bytes(whole))
    writer.start()
    found = read(pipe)
    writer.join()
    assert found == read(file) == read(link)


@readers
def test_what_cannot_be_read_is_one_message(
    content: object, name: str, read: Callable[[Path], object], tmp_path: Path
) -> None:
    silent, device, loop = (tmp_path / f"{kind}{name}" for kind in ("silent", "device", "loop"))
    os.mkfifo(silent)
    device.symlink_to("/dev/zero")
    loop.symlink_to(loop.name)
    for path, sentence in {
        silent: "nobody has written to this pipe",
        device: "expected a file or a pipe, got a device",
        loop: "symbolic links",
        tmp_path / "none" / name: "nothing there|(?i:no such file)",
    }.items():
        with pytest.raises(InputError, match=sentence) as caught:
            read(path)
        assert len(caught.value.problems) == 1


def test_a_pipe_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_file, "MAX_PIPE", 2**20)
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), (tmp_path / "pipe").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(2**16))

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(InputError, match="at most 1048576 bytes through a pipe, got more"):
        NumberFile(tmp_path / "pipe")
    writer.join(10)
    assert not writer.is_alive()


@pytest.mark.parametrize("endless", [b"\n" * 10**6, b" " * 2**25], ids=["blank lines", "a line without an end"])
def test_a_file_of_next_to_nothing_is_given_up(endless: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(HEADER + endless + NUMBERS, 1))
    with pytest.raises(InputError, match=r"x.gz:\d+: expected a line of at most 65536 bytes, got"):
        read_pairs(NumberFile(tmp_path / "x.gz"))
    (tmp_path / "y.jsonl").write_bytes(HEADER + b"\n" * 1000 + NUMBERS.splitlines()[1])
    assert read_pairs(NumberFile(tmp_path / "y.jsonl")).numbers.tolist() == [3]


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("x.jsonl", NUMBERS, lambda path: read_pairs(NumberFile(path)).numbers.tolist()),
        ("x.toml", b"banned = [5]\n", FilterRules.read),
        ("x.toml", EXPERIMENT, lambda path: read_experiment(str(path))),
    ],
)
def test_one_byte_order_mark_is_passed_over_and_two_are_not(
    name: str, content: bytes, read: Callable[[Path], object], tmp_path: Path
) -> None:
    mark, path = b"\xef\xbb\xbf", tmp_path / name
    found = []
    for start in (b"", mark):
        path.write_bytes(start + content.replace(b"\n", b"\r\n"))
        found.append(read(path))
    assert found[0] == found[1]
    path.write_bytes(mark + mark + content)
    with pytest.raises(InputError):
        read(path)


def _with_header(change: Callable[[str], str], path: Path) -> Path:
    """Change the header of a checkpoint as text."""
    whole = _checkpoint(path)
    size = int.from_bytes(whole[:8], "little")
    header = change(whole[8 : 8 + size].decode()).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + whole[8 + size :])
    return path


def _certificate(document: str, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("certificate.json", document)
    return path


def _text(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


TWICE: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "a line of numbers": (
        lambda path: _text(path, HEADER + b'{"prompt": 0, "numbers": [3], "numbers": [4]}\n'),
        lambda path: list(NumberFile(path).pieces()),
    ),
    "the header of numbers": (
        lambda path: _text(path, NUMBERS.replace(b'"seed": 1', b'"seed": 1, "seed": 2')), NumberFile,
    ),
    "the header of a checkpoint": (
        lambda path: _with_header(lambda text: text.replace("{", '{"layers.0.bias": 1, ', 1), path), load_checkpoint,
    ),
    "where a checkpoint is from": (
        lambda path: _with_header(lambda text: text.replace("{\\\"role", '{\\"role\\": 1, \\"role'), path),
        load_checkpoint,
    ),
    "a certificate": (
        lambda path: _certificate('{"format": "x", "format": "subtx_toy certificate"}', path),
        lambda path: _proved(path),
    ),
    "rules": (lambda path: _text(path, b"banned = [1]\nbanned = [2]\n"), FilterRules.read),
    "an experiment": (
        lambda path: _text(path.with_suffix(".toml"), EXPERIMENT + b"width = 9\n"),
        lambda path: read_experiment(str(path)),
    ),
    "an array of examples": (lambda path: _two_arrays(path), read_examples),
}  # fmt: skip


def _proved(path: Path) -> None:
    found = check(path)
    if not found:
        raise InputError(found.reason)


def _two_arrays(path: Path) -> Path:
    path.write_bytes(EXAMPLES)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("images.npy", b"")
    return path


@pytest.mark.parametrize(("make", "read"), TWICE.values(), ids=TWICE)
def test_a_key_that_stands_twice_is_refused(
    make: Callable[[Path], Path], read: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"twice|overwrite|expected one array of this name, got 2"):
        read(make(tmp_path / "x"))


def bomb(name: str, shape: tuple[int, ...], *, dtype: str = "|u1", size: int = 0) -> tuple[str, bytes]:
    """Return an entry whose header announces an array and that holds ``size`` zeros."""
    buffer = io.BytesIO()
    header: dict[str, Any] = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return f"{name}.npy", buffer.getvalue() + bytes(size)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """Two gigabytes of zeros are two megabytes in a zip file; here the header alone announces them."""
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(*bomb("images", (3_000_000, 28, 28), size=10_000_000))
        archive.writestr(*bomb("answers", (3_000_000,), dtype="<i8"))
    with pytest.raises(InputError, match=f"expected arrays of at most {MAX_EXAMPLES} bytes together, got 2376000000"):
        read_examples(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for split in ("train", "test"):
            archive.writestr(*bomb(f"{split}_images", (3_000_000, 28, 28)))
            archive.writestr(*bomb(f"{split}_labels", (3_000_000,)))
    with pytest.raises(InputError, match="expected arrays of at most 1073741824 bytes together"):
        load(str(path))
    certificate = tmp_path / "x.cert"
    with zipfile.ZipFile(certificate, "w") as archive:
        archive.writestr("certificate.json", "{}")
    content = bytearray(certificate.read_bytes())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = (2**31).to_bytes(4, "little")  # the size that the archive announces
    certificate.write_bytes(bytes(content))
    assert "the archive announces 2147483648 bytes" in check(certificate).reason


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"num": "1000000000000"}, "got 6 tensors and the number '1000000000000'"),
        ({"num": "-1"}, "the number '-1'"),
        ({"num": "three"}, "the number 'three'"),
        ({"num": "\u0663"}, "the number"),
        ({"num": None}, "got 6 tensors and the number ''"),
        ({"num": "2"}, "at least 3 nets"),
        ({"num": "0"}, "at least 3 nets"),
        ({"0.layers.0.bias": torch.zeros(3)}, r"0.layers.0.bias: expected the shape \[2\], got \[3\]"),
        ({"0.layers.0.weight": torch.full((2, 784), math.nan)}, "0.layers.0.weight: expected finite numbers"),
        ({"0.layers.0.weight": None, "other": torch.zeros(1)}, "0.layers.0.weight: expected the shape .*, got nothing"),
        ({"extra": torch.zeros(1)}, "got 7 tensors"),
        ({"base": "0" * 32}, "one of another base"),
    ],
)
def test_a_bad_reference_ensemble_is_one_message(change: Mapping[str, Any], sentence: str, tmp_path: Path) -> None:
    tensors = {
        f"{index}.layers.0.{kind}": BASE[f"layers.0.{kind}"] for index in range(3) for kind in ("weight", "bias")
    }
    metadata = {"base": fingerprint(BASE), "num": "3"}
    for name, value in change.items():
        table: dict[str, Any] = metadata if name in metadata else tensors
        table[name] = value
        if value is None:
            del table[name]
    safetensors.torch.save_file({name: value.clone() for name, value in tensors.items()}, tmp_path / "x", metadata)
    with pytest.raises(InputError, match=sentence):
        load_reference(tmp_path / "x", CHECKPOINT)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ("[1]", "expected an object"),
        ("{", "expected JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"dataset": "../secret.npz"}', "dataset: expected one of mnist, glyphs, fashion"),
        ('{"dataset": 5}', "dataset: expected one of"),
        ('{"num_train": NaN}', "NaN is no number"),
        ('{"num_train": true}', "num_train: expected an integer"),
        ('{"num_train": 1e3}', "num_train: expected an integer"),
        ('{"num_test": -4}', "num_test: expected an integer"),
        ('{"num_test": ' + "9" * 5000 + "}", "an integer of 5000 digits"),
    ],
)
def test_bad_metadata_of_a_checkpoint_is_one_message(made: str, sentence: str, tmp_path: Path) -> None:
    metadata = {"schema": "subtx-toy numbers checkpoint 1", "made": made}
    safetensors.torch.save_file(BASE, tmp_path / "x", metadata)
    with pytest.raises(InputError, match=sentence) as caught:
        load_checkpoint(tmp_path / "x")
    assert len(str(caught.value)) < 500
    safetensors.torch.save_file(BASE, tmp_path / "x", metadata | {"schema": "of another program"})
    assert load_checkpoint(tmp_path / "x").provenance == {}


def strict(text: str) -> Any:
    """Read JSON as other programs do."""

    def refuse(name: str) -> NoReturn:
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def nan_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A store with two records whose numbers are nan and infinity; return the words that name their experiment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUBTX_TOY_STORE", str(tmp_path / "store.sqlite"))
    Path("x.npz").write_bytes(npz(**NPZ))
    settings: dict[str, Any] = {"dataset": "x.npz", "num_train": 4, "num_test": 4, "num_inputs": 10}
    words = ["tiny", *(f"{name}={value}" for name, value in settings.items())]
    (config,) = choose(read_experiment("tiny"), settings, "0:2", quick=False)[1]
    data = load("x.npz", num_train=config.num_train, num_test=config.num_test)
    with Store(Path("store.sqlite")) as store:
        for seed, value in enumerate((math.nan, math.inf)):
            record = run_experiment(
                config.model_copy(update={"teacher_epochs": 1, "student_epochs": 1}), data, seed=seed
            )
            key = run_id(config, seed=seed, dataset_sha256=data.sha256)
            odd = {name: [value] * len(series) for name, series in record.series.items()}
            metrics = dict.fromkeys(record.metrics, value)
            store.add(replace(record, run_id=key, config=config.model_dump(), metrics=metrics, series=odd))
        first = store.matching("")[0]
    return [*words, first]


def test_json_is_strict_in_every_command_whatever_is_stored(
    nan_records: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    *words, key = nan_records
    commands = {
        "run": ["run", *words, "--seeds", "0:2", "--json"],
        "sweep": ["sweep", *words, "--seeds", "0:2", "--json"],
        "dry run": ["sweep", *words, "--seeds", "0:2", "--dry-run", "--json"],
        "list": ["results", "list", "--json"],
        "summary": ["results", "summary", *words, "--json"],
        "show": ["results", "show", key],
    }
    found = {}
    for name, arguments in commands.items():
        assert cli.call(arguments) == cli.OK
        out = capsys.readouterr().out
        found[name] = strict(out)
    assert found["summary"]["cells"][0]["not_finite"] == 2
    shown = found["show"]
    assert shown["metrics"]["teacher.accuracy"] is None
    assert shown["not_finite"]["metrics.teacher.accuracy"] in ("nan", "inf")
    assert shown["not_finite"]["series.teacher.loss[0]"] in ("nan", "inf")


def test_every_command_prints_json_by_the_one_door() -> None:
    for path in Path(cli.__file__).parent.glob("*.py"):
        assert "json.dump" not in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' stands there twice"), ("[NaN]", "NaN is no number"),
        ("[" * 100_000, "nested too deeply"), ("[" * 60 + "]" * 60, "nested too deeply"), ("[1", "from character 3 on"),
        ("1" * 5000, "an integer of 5000 digits"), ("[Infinity]", "Infinity is no number"),
    ],
)  # fmt: skip
def test_json_that_is_none_is_told_in_our_words(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_json(text)


def test_what_is_not_finite_is_null_and_named() -> None:
    document: dict[Any, Any] = {"a": [1.0, math.nan, {"b": -math.inf}], "c": (np.float64(math.inf),), 3: True}
    assert strict(json_text(document)) == {"a": [1.0, None, {"b": None}], "c": [None], "3": True}
    assert not_finite(document) == {"a[1]": "nan", "a[2].b": "-inf", "c[0]": "inf"}
