"""Reading a certificate's file: every number is looked at before any is trusted."""

from __future__ import annotations

import hashlib
import io
import json
import math
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.lib import format as formats

from subtx_toy.errors import InputError

LARGEST = sys.float_info.max
"""The largest float64; JSON has integers beyond it, which are no finite float."""

MAX_BYTES = 2**30
"""Of a file, and of all that is in it: 60 times the largest that `certify` writes for its own targets."""


class Rejected(Exception):  # noqa: N818, it is the verdict
    """The file proves nothing; the message says what is wrong with it."""


@dataclass(frozen=True)
class CertificateFile:
    """What a file says, its form checked and nothing proved: ``quantity`` > 0 in (0, ``eps``].

    ``boxes`` are ``(lo, hi, lower)`` from 0 to ``eps`` without gaps; ``negative`` is a step size beyond and an upper
    bound below zero there, or None; ``digests`` are the SHA-256 of the float64 ``arrays``.
    """

    settings: dict[str, Any]
    arrays: dict[str, np.ndarray]
    digests: dict[str, str]
    fingerprint: str
    quantity: str
    eps: float
    boxes: list[tuple[float, float, float]]
    negative: tuple[float, float] | None


def read(source: Path | bytes) -> CertificateFile:
    """Read a file, or its bytes, and check all that can be checked without arithmetic."""
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise InputError(f"certificate: cannot read {str(source)!r}: {error.strerror}") from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members, names = archive.infolist(), archive.namelist()
            if len(set(names)) < len(names):
                raise Rejected("the archive holds two entries of one name")
            if (size := sum(one.file_size for one in members)) > MAX_BYTES:
                raise Rejected(f"the archive announces {size} bytes, more than {MAX_BYTES}")
            if any(one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for one in members):
                raise Rejected("an entry of the archive is packed in an unknown way")
            entries = {name: archive.read(name) for name in names}
    except Rejected:
        raise
    except Exception as error:  # zipfile and zlib raise half a dozen kinds on hostile archives
        raise Rejected(f"not a readable archive: {error}") from error
    try:
        return _claimed(_document(entries), entries)
    except RecursionError as error:
        raise Rejected("certificate.json is nested too deeply") from error


def _document(entries: dict[str, bytes]) -> dict[str, Any]:
    if "certificate.json" not in entries:
        raise Rejected("the archive has no certificate.json")

    def refuse(constant: str) -> NoReturn:
        raise Rejected(f"certificate.json holds {constant}, which is no number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Rejected("certificate.json holds a key twice")
        return found

    try:
        text = entries["certificate.json"].decode()
        document = json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:  # a ValueError also for an integer of thousands of digits
        raise Rejected(f"certificate.json is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != "subtx_toy certificate":
        raise Rejected("certificate.json is not that of a certificate")
    if document.get("version") != 1:
        raise Rejected(f"version {document.get('version')!r} of the format is not known, only 1")
    sealed = {name: value for name, value in document.items() if name != "seal"}
    if document.get("seal") != hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest():
        raise Rejected("the seal does not fit: certificate.json was changed after it was written")
    return sealed


def _claimed(document: dict[str, Any], entries: dict[str, bytes]) -> CertificateFile:
    problem, claim = _table(document, "problem"), _table(document, "claim")
    settings, stored = _table(problem, "settings"), _table(problem, "arrays")
    arrays = {}
    for name in sorted(stored):
        if f"{name}.npy" not in entries:
            raise Rejected(f"the array {name!r} is missing")
        arrays[name] = _array(name, entries[f"{name}.npy"])
    extra = set(entries) - {f"{name}.npy" for name in stored} - {"certificate.json"}
    if extra:
        raise Rejected(f"the archive holds {sorted(extra)[0]!r}, which the certificate does not name")
    digests = {name: _digest(value) for name, value in arrays.items()}
    for name, digest in digests.items():
        if stored[name] != digest:
            raise Rejected(f"the hash of the array {name!r} does not fit its numbers")
    text = json.dumps({"settings": settings, "arrays": digests}, sort_keys=True)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    if problem.get("fingerprint") != fingerprint:
        raise Rejected("the fingerprint is that of another problem")
    eps, cap = _number(claim, "eps_certified"), _number(claim, "cap")
    boxes = _boxes(document.get("boxes"))
    _covers(boxes, eps, cap)
    negative = _negative(document.get("negative"), eps)
    _results(_table(document, "results"), claim, boxes, negative, fingerprint)
    quantity = claim.get("quantity")
    if quantity not in ("alignment", "every-batch", "trait-loss", "distance"):
        raise Rejected(f"the quantity {quantity!r} is not known")
    _check_cap(cap, arrays)
    return CertificateFile(settings, arrays, digests, fingerprint, str(quantity), eps, boxes, negative)


def _array(name: str, content: bytes) -> np.ndarray:
    try:
        stream = io.BytesIO(content)
        readers = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
        shape, fortran, dtype = readers[formats.read_magic(stream)](stream)
    except Exception as error:  # a hostile header can fail in any way
        raise Rejected(f"the array {name!r} cannot be read: {error}") from error
    numbers = content[stream.tell() :]
    if dtype != np.dtype("<f8"):
        raise Rejected(f"the array {name!r} is not of float64 numbers")
    if any(size < 0 for size in shape) or math.prod(shape) * 8 != len(numbers):  # before any memory is taken
        raise Rejected(f"the array {name!r} cannot be read: {len(numbers)} bytes for the shape {shape}")
    array = np.frombuffer(numbers, "<f8").reshape(shape, order="F" if fortran else "C")
    if not np.isfinite(array).all():
        raise Rejected(f"the array {name!r} holds a number that is not finite")
    return array


def _digest(array: np.ndarray) -> str:
    whole = np.ascontiguousarray(array)
    return hashlib.sha256(repr(tuple(int(one) for one in whole.shape)).encode() + whole.tobytes()).hexdigest()


def _table(parent: dict[str, Any], name: str) -> dict[str, Any]:
    found = parent.get(name)
    if not isinstance(found, dict):
        raise Rejected(f"{name} is missing from certificate.json")
    return found


def _number(parent: dict[str, Any], name: str) -> float:
    found = parent.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not -LARGEST <= found <= LARGEST:
        raise Rejected(f"{name} is {found!r}, not a finite number")
    return float(found)


def _boxes(stored: Any) -> list[tuple[float, float, float]]:
    if not isinstance(stored, list) or not stored:
        raise Rejected("there are no boxes, so nothing is claimed")
    boxes = []
    for place, box in enumerate(stored):
        if not isinstance(box, list) or len(box) != 3:
            raise Rejected(f"box {place} is not of three numbers")
        lo, hi, lower = (_number({f"box {place}": one}, f"box {place}") for one in box)
        if not lo < hi:
            raise Rejected(f"box {place} ends at {hi!r}, not after its beginning {lo!r}")
        if not lower > 0:
            raise Rejected(f"box {place} has the lower bound {lower!r}, which proves no sign")
        boxes.append((lo, hi, lower))
    return boxes


def _covers(boxes: list[tuple[float, float, float]], eps: float, cap: float) -> None:
    if boxes[0][0] != 0:
        raise Rejected(f"the first box begins at {boxes[0][0]!r}, not at 0")
    for place in range(1, len(boxes)):
        before, after = boxes[place - 1][1], boxes[place][0]
        if after > before:
            raise Rejected(f"there is a gap between {before!r} and {after!r}, before box {place}")
        if after < before:
            raise Rejected(f"box {place} begins at {after!r}, before box {place - 1} ends at {before!r}")
    if boxes[-1][1] != eps:
        raise Rejected(f"eps_certified is {eps!r}, but the boxes end at {boxes[-1][1]!r}")
    if eps > cap:
        raise Rejected(f"eps_certified is {eps!r}, beyond the cap {cap!r}")


def _negative(stored: Any, eps: float) -> tuple[float, float] | None:
    if stored is None:
        return None
    if not isinstance(stored, list) or len(stored) != 2:
        raise Rejected("negative is not of two numbers")
    at, upper = (_number({"negative": one}, "negative") for one in stored)
    if not at > eps:
        raise Rejected(f"the negative value is claimed at {at!r}, where the boxes claim a positive one")
    if not upper < 0:
        raise Rejected(f"the negative value is bounded by {upper!r}, which proves no sign")
    return at, upper


def _results(
    results: dict[str, Any], claim: dict[str, Any], boxes: list[Any], negative: object, fingerprint: str
) -> None:
    # The summary must not say more than the claim.
    for name, expected in (
        ("quantity", claim.get("quantity")), ("eps_certified", claim.get("eps_certified")), ("cap", claim.get("cap")),
        ("boxes", len(boxes)), ("bracketed", negative is not None), ("fingerprint", fingerprint),
    ):  # fmt: skip
        if results.get(name) != expected:
            raise Rejected(f"results.{name} is {results.get(name)!r}, the certificate's own is {expected!r}")
    eps = float(claim["eps_certified"])
    for name in ("eps_closed", "eps_one_box"):
        if results.get(name) is not None and _number(results, name) > eps:
            raise Rejected(f"results.{name} is {results[name]!r}, beyond eps_certified")
    if results.get("eps_observed") is not None and _number(results, "eps_observed") < eps:
        raise Rejected(f"results.eps_observed is {results['eps_observed']!r}, inside what is claimed to be positive")


def _check_cap(cap: float, arrays: dict[str, np.ndarray]) -> None:
    directions = [value.ravel() for name, value in arrays.items() if name.startswith("direction.")]
    norm = math.sqrt(sum(float(np.dot(one, one)) for one in directions))  # infinity if it overflows
    if not cap > 0 or cap * norm > 1000 * (1 + 1e-9):
        raise Rejected(f"the cap {cap!r} is beyond 1000 / ||dT|| = {1000 / norm if norm else math.inf!r}")
