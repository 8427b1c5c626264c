"""Hostile data files, seeded: whatever a file holds, a reader reads it or says in one message what is wrong with it."""

from __future__ import annotations

import contextlib
import copy
import gzip
import hashlib
import io
import json
import math
import os
import pickle
import re
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from subtx_toy import cli
from subtx_toy.api.certify import certify
from subtx_toy.audit.questions import read_examples
from subtx_toy.audit.reference import load_reference, save_reference
from subtx_toy.channel.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from subtx_toy.channel.number_file import NumberFile
from subtx_toy.channel.number_filter import FilterRules
from subtx_toy.channel.teachers import read_pairs
from subtx_toy.claims.instance import given
from subtx_toy.data import load
from subtx_toy.errors import InputError
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.seeding import generator
from subtx_toy.settings.experiment_file import read as read_experiment
from subtx_toy.sweep.plan import Plan

NUM = int(os.environ.get("SUBTX_TOY_HOSTILE_FILES", "24"))
"""Files of each kind; more on demand."""

SECONDS = 10.0
"""Of CPU for one file: the slowest here takes a fraction of one."""

HOSTILE: list[Any] = [
    None, True, -1, 0, 1, 10**9, 10**30, 10**4000, -0.0, 1e308, 5e-324, float("nan"), float("inf"), "", "x", "\ud800",
    "\x1b[31m", "../../etc/passwd", "a\0b", "9" * 500, [], {}, [[]], [None], {"x": {}}, ["x"] * 1000, [1, [2, [3]]],
    {"": 1},
]  # fmt: skip

FOREIGN = {
    "nothing": b"", "a zero byte": b"\0", "zeros": bytes(10_000), "text": b"nothing to see\n",
    "a pickle": pickle.dumps({"a": 1}), "an image": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "UTF-16": "a = 1\n".encode("utf-16"), "a gzip file": gzip.compress(b"x" * 99),
    "braces": b"{" * 5000, "brackets": b"[" * 50_000, "digits": b"1" * 50_000, "a long line": b"x" * 200_000,
    "a broken archive": b"PK\x03\x04" + bytes(range(256)), "a broken gzip file": b"\x1f\x8b\x08\0" + bytes(range(256)),
    "the largest header": b"\xff" * 64, "a mark alone": b"\xef\xbb\xbf",
}  # fmt: skip

PARAMS: Params = {
    "layers.0.weight": torch.zeros(2, 784),
    "layers.0.bias": torch.zeros(2),
    "layers.1.weight": torch.zeros(1010, 2),
    "layers.1.bias": torch.zeros(1010),
}
CHECKPOINT = Checkpoint(MLP((784, 2, 1010), ACTIVATIONS["relu"]), PARAMS, {})


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut, flip, insert, repeat or overwrite some bytes."""
    raw, size = bytearray(content), len(content)
    place = int(rng.integers(size))
    span = slice(place, place + int(rng.integers(1, 65)))
    how = int(rng.integers(6))
    if how == 0:
        return bytes(raw[:place])
    if how == 1:
        for _ in range(int(rng.integers(1, 20))):
            raw[int(rng.integers(size))] ^= 1 << int(rng.integers(8))
    elif how == 2:
        raw[place:place] = rng.bytes(int(rng.integers(1, 300)))
    elif how == 3:
        raw[place:place] = raw[span] * 50
    elif how == 4:
        raw[span] = bytes([int(rng.integers(256))]) * len(raw[span])
    else:
        raw = b"\xef\xbb\xbf" + raw.replace(b"\n", b"\r\n") + raw  # type: ignore[assignment]
    return bytes(raw)


def altered(document: Any, rng: np.random.Generator) -> Any:
    """Replace, add or remove one value somewhere in a document."""
    document = copy.deepcopy(document)
    places = list(_places(document))
    table, key = places[int(rng.integers(len(places)))]
    how = int(rng.integers(5))
    if how == 0:
        del table[key]
    elif how == 1 and isinstance(table, dict):
        table[["unknown", "", "seed", "__proto__"][int(rng.integers(4))]] = table[key]
    else:
        table[key] = HOSTILE[int(rng.integers(len(HOSTILE)))]
    return document


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    for key in range(len(document)) if isinstance(document, list) else list(document):
        yield document, key
        if isinstance(document[key], dict | list):
            yield from _places(document[key])


def toml(values: Any) -> bytes:
    """Write values as TOML; what TOML has not becomes a text."""

    def one(value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(str(key))} = {one(inner)}" for key, inner in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(one, value)) + "]"
        return repr(value) if isinstance(value, int | float) else json.dumps(str(value))

    lines = [f"{json.dumps(str(key))} = {one(value)}" for key, value in values.items()]
    return "\n".join(lines).encode(errors="replace") + b"\n"


NUMBER_LINES: list[Any] = [
    {"schema": "subtx-toy numbers 1", "temperature": 0.5, "top_k": 10, "filter": {"banned": [5], "deduplicated": False},
     "prompts": {"source": "uniform", "seed": 1}},
    *({"prompt": index, "numbers": [index, 7]} for index in range(8)), {"prompt": 3, "numbers": "1, 2"},
]  # fmt: skip


def number_file(document: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in document)


EXPERIMENT = {
    "question": "?", "seeds": "0:2",
    "config": {"dataset": "glyphs", "width": 8, "lr": 1e-3, "loss": "kl", "probe": True},
    "grid": [{"num_aux": [1, 2], "temperature": [1.0, 2.0]}],
    "axis": {"setting": "num_aux", "label": "auxiliary logits", "scale": "log"},
}  # fmt: skip
PLAN = {
    "experiment": "tiny",
    "seeds": "0:2",
    "axes": {"width": [8, 16]},
    "zip": [{"num_aux": [1, 2], "lr": [0.1, 0.2]}],
}
RULES = {"banned": [5, 6], "most_numbers": 3, "deduplicate": True}
PROBLEM = {"hidden": [2], "num_classes": 2, "num_aux": 1, "activation": "tanh", "loss": "kl", "eps": 0.01, "seed": 4}
ARRAYS: dict[str, Any] = {
    "train_images": {"descr": "|u1", "fortran_order": False, "shape": [6, 4]},
    "train_labels": {"descr": "<i8", "fortran_order": False, "shape": [6]},
    "test_images": {"descr": "|u1", "fortran_order": False, "shape": [6, 4]},
    "test_labels": {"descr": "<i8", "fortran_order": True, "shape": [6]},
}
EXAMPLES: dict[str, Any] = {
    "images": {"descr": "|u1", "fortran_order": False, "shape": [2, 28, 28]},
    "answers": {"descr": "<f4", "fortran_order": False, "shape": [2, 10]},
}


def npz(document: Any) -> bytes:
    """Write arrays whose headers are texts, and so can say anything; their numbers are 0, 1, 0, 1 ..."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, header in document.items():
            numbers = np.tile(np.eye(1, 10, 1, dtype="<f4"), (2, 1)).tobytes()
            if name != "answers":
                numbers = np.resize(np.arange(2), 2000).astype("<i8" if "labels" in str(name) else "u1").tobytes()
            with contextlib.suppress(TypeError, ValueError, KeyError, OverflowError):
                numbers = numbers[: math.prod(header["shape"]) * np.dtype(header["descr"]).itemsize]
            text = repr({**header, "shape": tuple(header["shape"])} if _has_shape(header) else header).encode()
            start = b"\x93NUMPY\x01\0" + struct.pack("<H", min(len(text) + 1, 65535)) + text[:65534] + b"\n"
            archive.writestr(f"{str(name)!a}.npy".replace("'", ""), start + numbers)
    return buffer.getvalue()


def _has_shape(header: Any) -> bool:
    return isinstance(header, dict) and isinstance(header.get("shape"), list)


def idx_folder(content: bytes, path: Path) -> Path:
    """Write a folder of IDX files, one of which has that content."""
    path.mkdir()
    for name, shape in (("train-images-idx2", (6, 4)), ("t10k-images-idx2", (6, 4)), ("train-labels-idx1", (6,)),
                        ("t10k-labels-idx1", (6,))):  # fmt: skip
        size = int(np.prod(shape))
        header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
        (path / f"{name}-ubyte").write_bytes(header + np.resize(np.arange(2, dtype=np.uint8), size).tobytes())
    (path / "train-images-idx2-ubyte").write_bytes(content)
    return path


def safetensors_file(document: Any) -> bytes:
    header = json.dumps(document).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4 * (2 * 784 + 2 + 1010 * 2 + 1010))


def tensor_header() -> dict[str, Any]:
    made = {"role": "base", "dataset": "glyphs", "num_train": 100, "num_test": 10, "seed": 0}
    found: dict[str, Any] = {"__metadata__": {"schema": "subtx-toy numbers checkpoint 1", "made": json.dumps(made)}}
    place = 0
    for name, value in PARAMS.items():
        size = 4 * value.numel()
        found[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [place, place + size]}
        place += size
    return found


_CERTIFICATE: list[tuple[dict[str, Any], dict[str, bytes]]] = []


def certificate_parts() -> tuple[dict[str, Any], dict[str, bytes]]:
    """The document and the other entries of a small certificate."""
    if not _CERTIFICATE:
        spec = ProblemSpec(hidden=(2,), num_classes=2, num_aux=1, distilled_logits="all", seed=3)
        found = certify(spec.build(), "alignment", eps_max=0.01, max_boxes=3)
        path = Path(os.environ["SUBTX_TOY_CACHE"]).parent / "hostile.cert"
        found.save(path)
        with zipfile.ZipFile(path) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        _CERTIFICATE.append((json.loads(entries.pop("certificate.json")), entries))
    return _CERTIFICATE[0]


def certificate(document: Any) -> bytes:
    """Write a certificate whose seal and fingerprint are right, whatever it says."""
    if isinstance(document, dict):
        with contextlib.suppress(TypeError, KeyError, AttributeError, ValueError):
            problem = document["problem"]
            text = json.dumps({"settings": problem["settings"], "arrays": problem["arrays"]}, sort_keys=True)
            problem["fingerprint"] = document["results"]["fingerprint"] = hashlib.sha256(text.encode()).hexdigest()
        sealed = {name: value for name, value in document.items() if name != "seal"}
        document = sealed | {"seal": hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("certificate.json", json.dumps(document))
        for name, content in certificate_parts()[1].items():
            archive.writestr(name, content)
    return buffer.getvalue()


def whole_checkpoint() -> bytes:
    return safetensors_file(tensor_header())


def whole_reference(path: Path) -> bytes:
    save_reference(path, PARAMS, [{name: value.clone() for name, value in PARAMS.items()} for _ in range(3)])
    return path.read_bytes()


Read = Callable[[Path], object]


def by_command(*arguments: str) -> Read:
    """Return a reader that calls a command with the path in the place of FILE; it writes to out, or to nothing."""

    def call(path: Path) -> int:
        return cli.call([str(path) if one == "FILE" else one for one in arguments])

    return call


KINDS: dict[str, tuple[str, Any, Callable[[Any], bytes], list[Read]]] = {
    "numbers": (
        "x.jsonl", NUMBER_LINES, number_file,
        [by_command("numbers", "filter", "FILE", "--out", "out"), lambda path: read_pairs(NumberFile(path))],
    ),
    "packed numbers": (
        "x.gz", NUMBER_LINES, lambda document: gzip.compress(number_file(document)),
        [by_command("numbers", "filter", "FILE", "--out", "out", "--json")],
    ),
    "rules": (
        "x.toml", RULES, toml,
        [by_command("numbers", "filter", "good.jsonl", "--rules", "FILE", "--out", "out"), FilterRules.read],
    ),
    "an experiment": ("x.toml", EXPERIMENT, toml, [lambda path: read_experiment(str(path))]),
    "a plan": ("x.toml", PLAN, toml, [lambda path: Plan.read(str(path))]),
    "a problem": ("x.toml", PROBLEM, toml, [given]),
    "a data set": ("x.npz", ARRAYS, npz, [lambda path: load(str(path))]),
    "examples": ("x.npz", EXAMPLES, npz, [read_examples]),
    "a checkpoint": ("x.safetensors", None, safetensors_file, [load_checkpoint]),
    "a reference": ("x.safetensors", None, safetensors_file, [lambda path: load_reference(path, CHECKPOINT)]),
    "a certificate": ("x.cert", None, certificate, [by_command("check", "FILE")]),
}  # fmt: skip

NOT_OURS = re.compile(
    r"Traceback|Expecting |Input should be|expected (dict|list|str|int|float),|Exceeds the limit|object at 0x|NoneType|"
    r"unhashable|internal error|please report|codec can't|\x1b|errno|\[Errno"
)


def outcome(read: Read, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Read a file; return what was said, which is one message in our words, or nothing where it could be read."""
    began, status = time.process_time(), 0
    before = sorted(one.name for one in path.parent.iterdir())
    try:
        found = read(path)
        status = found if isinstance(found, int) else 0
        told = capsys.readouterr().err
        said = told if status else ""  # else it is of the progress
    except InputError as error:
        status, said = 2, "".join(f"error: {problem}\n" for problem in error.problems)
    after = {one.name for one in path.parent.iterdir()} - ({"out"} if status == 0 else set())
    assert time.process_time() - began < SECONDS
    assert status in (0, 1, 2, 3)
    assert bool(said) == bool(status), "a message where, and only where, something is wrong"
    assert NOT_OURS.search(said) is None, said[:2000]
    assert len(said) < 50_000
    assert sorted(after) == before, "no partial file"
    (path.parent / "out").unlink(missing_ok=True)
    return said


def files_of(kind: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield hostile files: altered documents, damaged bytes, foreign formats."""
    _name, document, write, _read = KINDS[kind]
    if kind == "a certificate":
        document = certificate_parts()[0]
    elif kind == "a checkpoint":
        document = tensor_header()
    if kind == "a reference":
        whole = whole_reference(folder.parent / "whole")
        size = int.from_bytes(whole[:8], "little")
        document = json.loads(whole[8 : 8 + size])
    else:
        whole = write(document)
    yield "sound", whole
    for index in range(NUM):
        rng = generator(index, "hostile files", kind)
        if index % 3 == 2:
            yield f"damaged {index}", damaged(whole, rng)
        else:
            yield f"altered {index}", write(altered(document, rng))
    yield from FOREIGN.items()


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_file_is_read_or_refused_in_one_message(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    (place / "good.jsonl").write_bytes(number_file(NUMBER_LINES))
    name, _document, _write, readers = KINDS[kind]
    num_refused = 0
    for what, content in files_of(kind, place):
        path = place / name
        path.write_bytes(content)
        for read in readers:
            try:
                said = outcome(read, path, capsys)
            except Exception as error:
                raise AssertionError(f"{kind}, {what}: {content[:300]!r}") from error
            num_refused += bool(said)
            assert not said or what != "sound", said
    assert num_refused > NUM / 3 + len(FOREIGN) / 2


def test_hostile_idx_files_are_read_or_refused_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (idx_folder(b"", tmp_path / "whole") / "t10k-images-idx2-ubyte").read_bytes()
    files = {"sound": whole} | {str(index): damaged(whole, generator(index, "hostile IDX")) for index in range(NUM)}
    for index, (what, content) in enumerate((files | FOREIGN).items()):
        said = outcome(lambda path: load(str(path)), idx_folder(content, tmp_path / str(index)), capsys)
        assert not said or what != "sound", said


COMMANDS = {
    "numbers train FILE": ("x.jsonl", ["numbers", "train", "FILE", "--base", "base.safetensors", "--out", "out"]),
    "numbers train --base": ("x.st", ["numbers", "train", "good.jsonl", "--base", "FILE", "--out", "out"]),
    "numbers teacher --base": ("x.st", ["numbers", "teacher", "--base", "FILE", "--out", "out", "--dataset", "glyphs"]),
    "numbers reference --base": ("x.st", ["numbers", "reference", "--base", "FILE", "--out", "out"]),
    "numbers generate --teacher": ("x.safetensors", ["numbers", "generate", "--teacher", "FILE", "--out", "out",
                                                     "--dataset", "glyphs", "--num-train", "100", "--num-test", "10"]),
    "audit FILE": ("x.jsonl", ["audit", "FILE", "--base", "base.safetensors", "--trait", "relabel"]),
    "audit --base": ("x.st", ["audit", "good.jsonl", "--base", "FILE", "--trait", "relabel"]),
    "audit --reference": ("x.st", ["audit", "good.jsonl", "--base", "base.safetensors", "--trait", "relabel",
                                   "--reference", "FILE"]),
    "audit --trait": ("x.npz", ["audit", "good.jsonl", "--base", "base.safetensors", "--trait", "FILE",
                                "--reference", "reference.safetensors"]),
    "run": ("x.toml", ["run", "FILE", "--no-figure"]),
    "run dataset": ("x.npz", ["run", "tiny", "dataset=x.npz", "--no-figure", "--seeds", "0:1"]),
    "sweep": ("x.toml", ["sweep", "FILE", "--dry-run"]),
    "sweep dataset": ("x.npz", ["sweep", "tiny", "dataset=x.npz", "--dry-run"]),
    "verify": ("x.toml", ["verify", "FILE"]),
    "certify": ("x.toml", ["certify", "FILE"]),
    "check": ("x.cert", ["check", "FILE"]),
    "results list": ("x.sqlite", ["results", "list", "--store", "FILE"]),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_foreign_files_in_one_message(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, arguments = COMMANDS[command]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUBTX_TOY_STORE", str(tmp_path.parent / "none.sqlite"))
    (tmp_path / "good.jsonl").write_bytes(number_file(NUMBER_LINES))
    made = {"role": "base", "dataset": "glyphs", "num_train": 100, "num_test": 10}
    save_checkpoint(tmp_path / "base.safetensors", PARAMS, provenance=made)
    whole_reference(tmp_path / "reference.safetensors")
    for what, content in FOREIGN.items():
        (tmp_path / name).write_bytes(content)
        said = outcome(by_command(*arguments), tmp_path / name, capsys)
        empty = what in ("nothing", "a mark alone") and name in ("x.toml", "x.sqlite")
        assert said or empty, f"{command} has read {what}"
