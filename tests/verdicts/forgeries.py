"""Forged certificates by kind: numbers that were changed with every hash brought into line, texts, archives, bombs."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from subtx_toy.certify.certificate import ProvedRange, to_bytes
from subtx_toy.certify.description import describe
from subtx_toy.certify.search import find_range
from subtx_toy.files.content_key import seal
from subtx_toy.problem.spec import ProblemSpec

Document = dict[str, Any]
Arrays = dict[str, np.ndarray]
Change = Callable[[Document, Arrays, np.random.Generator], None]

TINY = ProblemSpec(
    hidden=(4,), input_dim=3, num_classes=2, num_aux=2, num_inputs=4, num_trait_inputs=3, init="pytorch",
    trait="cross_entropy", loss="kl", distilled_logits="aux", student_lr=0.5, seed=6,
)  # fmt: skip


@dataclass(frozen=True)
class Forgery:
    """A file; ``malformed`` if no reading of it can be accepted, else it is accepted only if it is true."""

    name: str
    content: bytes
    malformed: bool


def originals() -> dict[str, ProvedRange]:
    """Return a true certificate per quantity."""
    return {
        quantity: find_range(describe(TINY.build(), quantity), eps_max=eps_max, max_boxes=80)
        for quantity, eps_max in (("alignment", 20.0), ("every-batch", None), ("trait-loss", 3.0), ("distance", 5.0))
    }


def parts(certificate: ProvedRange) -> tuple[Document, Arrays]:
    """Return its document and arrays, to be changed."""
    arrays = {name: value.copy() for name, value in certificate.described.arrays.items()}
    return json.loads(json.dumps(certificate.content())), arrays


def in_line(document: Document, arrays: Arrays) -> Document:
    """Bring the hashes, the summary and the seal into line."""
    problem, claim, results = document["problem"], document["claim"], document["results"]
    problem["arrays"] = {
        name: hashlib.sha256(repr(tuple(value.shape)).encode() + value.astype("<f8").tobytes()).hexdigest()
        for name, value in arrays.items()
    }
    text = json.dumps({"settings": problem["settings"], "arrays": problem["arrays"]}, sort_keys=True)
    problem["fingerprint"] = results["fingerprint"] = hashlib.sha256(text.encode()).hexdigest()
    results |= {"quantity": claim["quantity"], "eps_certified": claim["eps_certified"], "cap": claim["cap"]}
    results |= {"boxes": len(document["boxes"]), "bracketed": document["negative"] is not None}
    results |= {"eps_closed": None, "eps_one_box": None, "eps_observed": None}
    return sealed(document)


def sealed(document: Document) -> Document:
    """Renew the seal alone."""
    content = {name: value for name, value in document.items() if name != "seal"}
    return content | {"seal": seal(content)}


def _cap(arrays: Arrays) -> float:
    return 1000 / math.sqrt(sum(float((v**2).sum()) for n, v in arrays.items() if n.startswith("direction.")))


def _end(document: Document, eps: float) -> None:
    document["boxes"][-1][1] = document["claim"]["eps_certified"] = eps
    document["negative"] = None


def _weights(arrays: Arrays) -> list[str]:
    return sorted(name for name in arrays if name.startswith("layers."))


def _nudged(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    name = rng.choice(_weights(arrays))
    arrays[name] *= 1 + rng.normal(size=arrays[name].shape) * 10.0 ** rng.integers(-15, -1)


def _redrawn(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    name = rng.choice([*_weights(arrays), "inputs"])
    arrays[name] = rng.normal(size=arrays[name].shape)


def _other_direction(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    for name in [one for one in arrays if one.startswith("direction.")]:
        arrays[name] = rng.normal(size=arrays[name].shape) * np.abs(arrays[name]).mean()
    document["claim"]["cap"] = max(_cap(arrays) * 0.99, document["claim"]["eps_certified"])


def _reversed_direction(document: Document, arrays: Arrays, _: np.random.Generator) -> None:
    for name in [one for one in arrays if one.startswith("direction.")]:
        arrays[name] *= -1


def _one_component(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    # A first part of no length, and everything in the second.
    for name in [one for one in arrays if one.startswith("direction.")]:
        arrays[f"direction_low.{name.removeprefix('direction.')}"] = arrays[name] * 50
        arrays[name] = arrays[name] * 10.0 ** -int(rng.integers(3, 200))
    _end(document, document["claim"]["cap"])


def _no_direction(document: Document, arrays: Arrays, _: np.random.Generator) -> None:
    for name in [one for one in arrays if one.startswith("direction.")]:
        arrays[name] *= 0


def _scaled(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    scale = rng.choice([1e-310, 1e-160, 1e150, 1e300])
    name = rng.choice([*_weights(arrays), "inputs", "direction.layers.0.weight"])
    with np.errstate(over="ignore"):
        arrays[name] = np.nan_to_num(arrays[name] * scale)


def _not_finite(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    name = rng.choice(sorted(arrays))
    arrays[name].ravel()[rng.integers(arrays[name].size)] = rng.choice([np.nan, np.inf, -np.inf])


def _single_precision(document: Document, arrays: Arrays, _: np.random.Generator) -> None:
    for name in arrays:
        arrays[name] = arrays[name].astype(np.float32).astype(np.float64)


def _setting(name: str, *choices: Any) -> Change:
    def change(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
        document["problem"]["settings"][name] = choices[int(rng.integers(len(choices)))]

    return change


def _other_quantity(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    claim = document["claim"]
    claim["quantity"] = rng.choice(
        [one for one in ("alignment", "every-batch", "distance") if one != claim["quantity"]]
    )
    document["problem"]["settings"] |= {"trait": "", "trait_columns": []}
    for name in ("trait_inputs", "trait_targets"):
        arrays.pop(name, None)


def _stretched(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    eps, cap = document["claim"]["eps_certified"], _cap(arrays)
    document["claim"]["cap"] = cap
    _end(document, min(eps * (1 + 10.0 ** -float(rng.integers(0, 9))), cap))


def _one_box(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    eps = document["claim"]["eps_certified"]
    document["boxes"] = [[0.0, eps, 5e-324]]


def _one_ulp(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    # A box of one ulp whose middle is proved, where the sign changes within it or just beyond.
    eps = document["claim"]["eps_certified"]
    at = document["negative"][0] if document["negative"] else eps * 1.5
    ends = [eps, math.nextafter(at, 0), at]
    document["boxes"] += [[a, b, 5e-324] for a, b in pairwise(ends)]
    document["claim"]["cap"] = max(document["claim"]["cap"], at)
    _end(document, at)


def _ulps_at_zero(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    tiny = [5e-324 * place for place in range(1, 5)]
    first = document["boxes"][0]
    ends = [0.0, *tiny, first[1]]
    document["boxes"][:1] = [[a, b, first[2]] for a, b in pairwise(ends)]


def _bounds(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    box = document["boxes"][int(rng.integers(len(document["boxes"])))]
    box[2] = rng.choice([box[2] * 1.001, box[2] * 2, 1e300, 5e-324])


def _negative(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    eps = document["claim"]["eps_certified"]
    document["negative"] = [eps * (1 + rng.choice([1e-15, 1e-9, 1e-5, 1e-4, 0.1])), -5e-324]
    document["claim"]["cap"] = max(document["claim"]["cap"], document["negative"][0])


def _early_negative(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    document["boxes"] = document["boxes"][: int(rng.integers(1, len(document["boxes"])))]
    end = document["boxes"][-1][1]
    _end(document, end)
    document["negative"] = [end * 1.0001, -1e-300]


NUMBERS: dict[str, tuple[Change, int, bool]] = {
    "weights nudged": (_nudged, 8, False),
    "weights or inputs redrawn": (_redrawn, 8, False),
    "another direction": (_other_direction, 6, False),
    "the direction reversed": (_reversed_direction, 1, False),
    "the direction in one part": (_one_component, 3, False),
    "no direction": (_no_direction, 1, True),
    "tiny or enormous values": (_scaled, 8, False),
    "not finite": (_not_finite, 3, True),
    "single precision": (_single_precision, 1, False),
    "another activation": (_setting("activation", "sigmoid", "relu", "gelu", "softplus"), 4, False),
    "no activation": (_setting("activation", "Tanh", "", None, ["tanh"]), 2, True),
    "another loss": (_setting("loss", "squared_error"), 1, False),
    "another temperature": (_setting("temperature", 0.5, 3.0, 1e-9, 1e9), 3, False),
    "no temperature": (_setting("temperature", -1.0, 0, True, "1"), 2, True),
    "other columns": (_setting("columns", [0], [0, 1], [3, 2], [0, 1, 2, 3]), 4, False),
    "no such columns": (_setting("columns", [4], [-1], [2.0], [True], 2), 3, True),
    "another step": (_setting("student_lr", 1e-9, 5.0, 1e9), 3, False),
    "another quantity": (_other_quantity, 3, False),
    "eps stretched": (_stretched, 6, False),
    "one box": (_one_box, 1, False),
    "a box of one ulp": (_one_ulp, 1, False),
    "boxes of an ulp at zero": (_ulps_at_zero, 1, False),
    "bounds changed": (_bounds, 4, False),
    "another negative": (_negative, 4, False),
    "a negative where it is positive": (_early_negative, 2, False),
}
"""Change, seeds per original, and whether the file is malformed whatever its numbers."""


def numbers(certificates: dict[str, ProvedRange]) -> Iterator[Forgery]:
    """Yield forgeries with everything in line."""
    for kind, (change, seeds, malformed) in NUMBERS.items():
        for quantity, certificate in certificates.items():
            for seed in range(seeds):
                document, arrays = parts(certificate)
                change(document, arrays, np.random.default_rng([seed, len(kind), len(quantity)]))
                yield Forgery(f"{kind}, {quantity}, {seed}", to_bytes(in_line(document, arrays), arrays), malformed)


def texts(certificate: ProvedRange) -> Iterator[Forgery]:
    """Yield forgeries of certificate.json alone."""
    document, arrays = parts(certificate)
    whole = json.dumps(document)

    def packed(text: str | bytes) -> bytes:
        return archive({"certificate.json": text.encode() if isinstance(text, str) else text} | _npy(arrays))

    def changed(place: str, name: str, value: Any) -> bytes:
        other = copy.deepcopy(document)
        table = other if not place else other["problem"]["settings"] if place == "settings" else other[place]
        table[name] = value
        text = json.dumps(
            {"settings": other["problem"]["settings"], "arrays": other["problem"]["arrays"]}, sort_keys=True
        )
        if place == "settings":
            fingerprint = hashlib.sha256(text.encode()).hexdigest()
            other["problem"]["fingerprint"] = other["results"]["fingerprint"] = fingerprint
        return packed(json.dumps(sealed(other)))

    for place in ("", "problem", "claim", "results", "settings"):
        yield Forgery(f"unknown key in {place or 'the document'}", changed(place, "remark", 1), True)
    yield Forgery("unknown setting of the student", changed("settings", "momentum", 0.9), True)
    for name in ("format", "quantity", "eps_certified", "activation"):
        at = whole.index(f'"{name}"')
        yield Forgery(f"{name} twice", packed(f'{whole[:at]}"{name}": 1, {whole[at:]}'), True)
    for value in (
        "NaN", "Infinity", "-Infinity", "1e999", "1" * 400, "0." + "3" * 400, "true", '"1"', "null", "[1]", "0x1",
    ):  # fmt: skip
        text = json.dumps(document["claim"]["eps_certified"])
        yield Forgery(f"eps is {value[:9]}", packed(whole.replace(text, value)), True)
    yield Forgery("deep lists", packed("[" * 74_000), True)
    yield Forgery("deep tables", packed('{"a":' * 40_000), True)
    yield Forgery("deep reason", changed("results", "reason", json.loads("[" * 60 + "]" * 60)), True)
    yield Forgery("UTF-16", packed(whole.encode("utf-16")), True)
    yield Forgery("mark of byte order", packed(b"\xef\xbb\xbf" + whole.encode()), True)
    yield Forgery("no UTF-8", packed(whole.encode() + b"\xff"), True)
    yield Forgery("two documents", packed(whole + whole), True)
    yield Forgery("boxes as a table", changed("", "boxes", {"0": [0, 1, 1]}), True)
    yield Forgery("boxes of four", changed("", "boxes", [[0, 1, 1, 1]]), True)
    yield Forgery("true for 1", changed("", "version", True), True)


def _npy(arrays: Arrays) -> dict[str, bytes]:
    found = {}
    for name, value in sorted(arrays.items()):
        stream = io.BytesIO()
        np.save(stream, value)
        found[f"{name}.npy"] = stream.getvalue()
    return found


def archive(entries: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    """Return a zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        file.comment = comment
        for name, content in entries.items():
            file.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


def header(text: str, numbers: bytes = b"", *, version: bytes = b"\1\0") -> bytes:
    """Return a npy file with any header."""
    raw = text.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H" if version == b"\1\0" else "<I", len(raw)) + raw + numbers


def headers(certificate: ProvedRange) -> Iterator[Forgery]:
    """Yield forgeries of the header of one array, its numbers the same."""
    document, arrays = parts(certificate)
    entries = {"certificate.json": json.dumps(document).encode()} | _npy(arrays)
    inputs = arrays["inputs"]
    n, m = inputs.shape
    raw = inputs.tobytes()

    def like(descr: str, shape: str, numbers: bytes = b"", *, order: str = "False", version: bytes = b"\1\0") -> bytes:
        text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
        return header(text, numbers, version=version)

    kinds = {
        "big endian": like("'>f8'", f"({n}, {m})", inputs.astype(">f8").tobytes()),
        "float32": like("'<f4'", f"({n}, {m})", inputs.astype("<f4").tobytes()),
        "integers": like("'<i8'", f"({n}, {m})", raw),
        "objects": like("'|O'", f"({n}, {m})", raw),
        "records": like("[('a', '<f8')]", f"({n}, {m})", raw),
        "Fortran order": like("'<f8'", f"({n}, {m})", inputs.T.tobytes(), order="True"),
        "negative shape": like("'<f8'", f"(-{n}, -{m})", raw),
        "overflowing shape": like("'<f8'", "(4294967296, 4294967296)", raw),
        "overflowing product": like("'<f8'", f"({2**61 + n}, {m})", raw),
        "shape of true": like("'<f8'", "(True, 12)", raw),
        "empty shape": like("'<f8'", "()", raw),
        "no rows": like("'<f8'", f"(0, {m})"),
        "three axes": like("'<f8'", f"({n}, {m}, 1)", raw),
        "key twice": like("'<f8', 'descr': '<f8'", f"({n}, {m})", raw),
        "more keys": header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({n}, {m}), 'a': 1, }}", raw),
        "deep header": header("(" * 9_000 + ")" * 9_000, raw),
        "code": header("__import__('os').abort()", raw),
        "version 2": like("'<f8'", f"({n}, {m})", raw, version=b"\2\0"),
        "version 9": like("'<f8'", f"({n}, {m})", raw, version=b"\11\0"),
        "trailing numbers": entries["inputs.npy"] + b"\0" * 8,
        "missing numbers": entries["inputs.npy"][:-8],
        "a long header": b"\x93NUMPY\1\0\xff\xff" + entries["inputs.npy"][10:],
        "nothing": b"",
    }  # fmt: skip
    for kind, content in kinds.items():
        yield Forgery(f"header: {kind}", archive(entries | {"inputs.npy": content}), True)


def archives(certificate: ProvedRange) -> Iterator[Forgery]:
    """Yield tricks of the archive around a true certificate."""
    document, arrays = parts(certificate)
    entries = {"certificate.json": json.dumps(document).encode()} | _npy(arrays)
    whole = archive(entries)
    end, first = whole.rindex(b"PK\5\6"), whole.index(b"PK\1\2")

    def patched(place: int, value: bytes) -> bytes:
        return whole[:place] + value + whole[place + len(value) :]

    twice = bytearray(archive({**entries, "certificate.jsom": entries["certificate.json"]}))
    yield Forgery("archive: two of one name", bytes(twice).replace(b"certificate.jsom", b"certificate.json"), True)
    for name in (
        "../inputs.npy",
        "/inputs.npy",
        "a/inputs.npy",
        "C:\\inputs.npy",
        "in\nputs.npy",
        "é.npy",
        "n" * 60_000,
    ):
        yield Forgery(f"archive: the name {name[:14]!r}", archive(entries | {name: b"x"}), True)
    yield Forgery("archive: a folder", archive(entries | {"more/": b""}), True)
    yield Forgery("archive: a comment", archive(entries, comment=b"true"), True)
    yield Forgery("archive: bytes at the end", whole + b"\0", True)
    yield Forgery("archive: bytes at the beginning", b"#!/bin/sh\n" + whole, True)
    yield Forgery("archive: two archives", whole + whole, True)
    yield Forgery("archive: encrypted in the directory", patched(first + 8, b"\1\0"), True)
    yield Forgery("archive: encrypted in the entry", patched(6, b"\1\0"), True)
    yield Forgery("archive: sizes after the entry", patched(first + 8, b"\10\0"), True)
    yield Forgery("archive: another method", patched(first + 10, b"\14\0"), True)
    yield Forgery("archive: another size in the entry", patched(22, b"\1\0\0\0"), True)
    yield Forgery("archive: 64-bit sizes", patched(first + 20, b"\xff" * 8), True)
    yield Forgery("archive: 64-bit directory", patched(end + 8, b"\xff" * 12), True)
    yield Forgery("archive: fewer entries announced", patched(end + 8, b"\1\0\1\0"), True)
    yield Forgery("archive: two disks", patched(end + 4, b"\1\0\0\0"), True)
    yield Forgery("archive: a wrong checksum", patched(first + 16, b"\0\0\0\0"), True)
    yield Forgery("archive: the directory elsewhere", patched(end + 16, b"\0\0\0\0"), True)
    yield Forgery("archive: overlapping entries", patched(whole.index(b"PK\1\2", first + 4) + 42, b"\0\0\0\0"), True)
    yield Forgery("archive: packed with bzip2", archive(entries, method=zipfile.ZIP_BZIP2), True)
    yield Forgery("archive: packed with LZMA", archive(entries, method=zipfile.ZIP_LZMA), True)
    yield Forgery("archive: one entry more", archive(entries | {"more.npy": entries["inputs.npy"]}), True)
    yield Forgery("archive: cut", whole[:-1], True)
    yield Forgery("archive: empty", archive({}), True)
    yield Forgery("archive: stored entries, which is fine", archive(entries, method=zipfile.ZIP_STORED), False)


def bombs(certificate: ProvedRange) -> Iterator[Forgery]:
    """Yield files that ask for memory or time."""
    document, arrays = parts(certificate)
    text = json.dumps(document).encode()
    entries = {"certificate.json": text} | _npy(arrays)
    zeros = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = zeros.compress(bytes(2**26)) + zeros.flush()
    lying = archive(entries | {"more.npy": bytes(100)})
    yield Forgery("bomb: zeros announced", archive(entries | {"more.npy": bytes(2**26)}), True)
    yield Forgery("bomb: a text of spaces", archive(entries | {"certificate.json": text + b" " * 2**26}), True)
    local = (
        struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, zlib.crc32(bytes(100)), len(packed), 100, 8, 0)
        + b"more.npy"
    )
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, zlib.crc32(bytes(100)), len(packed), 100, 8, 0, 0, 0, 0, 0, 0
    )
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry) + 8, len(local) + len(packed), 0)
    yield Forgery("bomb: zeros that are not announced", local + packed + entry + b"more.npy" + tail, True)
    many = {f"{place}.npy": b"" for place in range(60_000)}
    yield Forgery("bomb: 60,000 entries", archive(many, method=zipfile.ZIP_STORED), True)
    yield Forgery("bomb: cut off", lying[: len(lying) // 2], True)
    for depth in (1_000, 100_000, 2_000_000):
        deep = b"[" * depth + b"]" * depth
        yield Forgery(f"bomb: {depth} lists in one another", archive({"certificate.json": deep}), True)
    yield Forgery("bomb: a million tables", archive({"certificate.json": b"[" + b"{}," * 1_300_000 + b"{}]"}), True)
    yield Forgery("bomb: an integer of four million digits", archive({"certificate.json": b"1" * 4_000_000}), True)
    yield Forgery(
        "bomb: a number of four million digits", archive({"certificate.json": b"1." + b"1" * 4_000_000}), True
    )
    boxes = [[place * 1e-6, (place + 1) * 1e-6, 1e-9] for place in range(21_000)]
    yield Forgery("bomb: 21,000 boxes", archive(_boxed(document, boxes) | _npy(arrays)), True)
    for name, sizes, rows in (
        ("layers", [3] + [4] * 70, 4), ("units", [3, 20_000, 4], 4), ("rows", [3, 4, 4], 80_000),
        ("products", [300, 700, 700, 4], 120), ("numbers", [1500, 1500, 4], 2),
    ):  # fmt: skip
        other, wide = _of_sizes(document, sizes, rows)
        yield Forgery(f"bomb: {name}", to_bytes(in_line(other, wide), wide), True)


def slow_bombs(certificate: ProvedRange) -> Iterator[Forgery]:
    """Yield files within every limit that ask for as much time as they can."""
    document, arrays = parts(certificate)
    boxes = [[place * 1e-3, (place + 1) * 1e-3, 1e9] for place in range(20_000)]
    yield Forgery("bomb: 20,000 boxes", archive(_boxed(document, boxes) | _npy(arrays)), False)
    for name, sizes, rows in (
        ("as large as may be", [500, 500, 500, 4], 130), ("deep", [3, *[16] * 60, 4], 60),
        ("many rows", [3, 16, 16, 4], 13_000),
    ):  # fmt: skip
        other, wide = _of_sizes(document, sizes, rows)
        other["problem"]["settings"]["activation"] = "gelu" if name == "many rows" else "tanh"
        yield Forgery(f"bomb: {name}", to_bytes(in_line(other, wide), wide), False)
        for value in wide.values():
            value *= 10.0 ** np.random.default_rng(0).integers(-200, 3, size=value.shape)
        yield Forgery(f"bomb: {name}, of all sizes", to_bytes(in_line(other, wide), wide), False)


def _boxed(document: Document, boxes: list[list[float]]) -> dict[str, bytes]:
    other = copy.deepcopy(document)
    other["boxes"], other["negative"] = boxes, None
    eps = other["claim"]["eps_certified"] = boxes[-1][1]
    other["results"] |= {"boxes": len(boxes), "bracketed": False, "eps_certified": eps, "eps_one_box": None}
    other["results"] |= {"eps_closed": None, "eps_observed": None}
    return {"certificate.json": json.dumps(sealed(other)).encode()}


def _of_sizes(document: Document, sizes: list[int], rows: int) -> tuple[Document, Arrays]:
    rng, other, arrays = np.random.default_rng(0), copy.deepcopy(document), {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        for prefix, scale in (("", 1.0), ("direction.", 0.1)):
            arrays[f"{prefix}layers.{layer}.weight"] = rng.normal(size=(fan_out, fan_in)) * scale / math.sqrt(fan_in)
            arrays[f"{prefix}layers.{layer}.bias"] = rng.normal(size=fan_out) * scale
    arrays["inputs"] = rng.normal(size=(rows, sizes[0]))
    other["claim"] |= {"cap": _cap(arrays) * 0.9, "eps_certified": _cap(arrays) * 0.9}
    other["boxes"], other["negative"] = [[0.0, other["claim"]["cap"], 1e-300]], None
    other["problem"]["settings"]["columns"] = [0, 1]
    return other, arrays
