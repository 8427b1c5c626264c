"""Reading a certificate's file: every number is looked at before any is trusted."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from subtx_toy.certify.checker.archive import unpack
from subtx_toy.certify.checker.arrays import array_digest, read_array
from subtx_toy.certify.checker.json_text import parse
from subtx_toy.certify.checker.limits import MAX_BOXES, MAX_BYTES, MAX_NUMBERS, NEAR
from subtx_toy.certify.checker.rejected import Rejected, shortened
from subtx_toy.errors import InputError

LARGEST = sys.float_info.max
"""The largest float64; JSON has integers beyond it, which are no finite float."""

_PARTS = {
    "": ("boxes", "claim", "format", "negative", "problem", "results", "seal", "version"),
    "problem": ("arrays", "fingerprint", "settings"),
    "claim": ("cap", "eps_certified", "quantity"),
    "results": (
        "boxes", "boxes_tried", "bracketed", "cap", "closed_reason", "eps_certified", "eps_closed", "eps_observed",
        "eps_one_box", "fingerprint", "observed_reason", "order", "quantity", "reason", "seconds", "software",
    ),
    "settings": (
        "activation", "columns", "input_shape", "layers", "loss", "student_lr", "temperature", "trait",
        "trait_columns",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class CertificateFile:
    """What a file says, its form checked and nothing proved: ``quantity`` > 0 in (0, ``eps``].

    ``boxes`` are ``(lo, hi, lower)`` from 0 to ``eps`` without gaps; ``negative`` is a step size beyond and an upper
    bound below zero there, or None; nothing is said beyond the ``cap``; ``digests`` are the SHA-256 of the
    float64 ``arrays``.
    """

    settings: dict[str, Any]
    arrays: dict[str, np.ndarray]
    digests: dict[str, str]
    fingerprint: str
    quantity: str
    eps: float
    cap: float
    boxes: list[tuple[float, float, float]]
    negative: tuple[float, float] | None


def read(source: Path | bytes) -> CertificateFile:
    """Read a file, or its bytes, and check all that can be checked without arithmetic.

    Raises:
        InputError: if there is no such file.
        Rejected: with what is wrong with it.
    """
    content = source if isinstance(source, bytes) else _content(source)
    return _claimed(*_document(unpack(content)))


def _content(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"certificate: cannot read {str(path)!r}: {error.strerror}") from error


def _document(entries: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    content = entries.get("certificate.json")
    if content is None:
        raise Rejected("the archive has no certificate.json")
    document = parse(content)
    if not isinstance(document, dict) or document.get("format") != "subtx_toy certificate":
        raise Rejected("certificate.json is not that of a certificate")
    if document.get("version") not in (1, 2) or type(document["version"]) is not int:
        raise Rejected(f"version {shortened(document.get('version'))} of the format is not known, only 1 and 2")
    _known(document, "")
    sealed = {name: value for name, value in document.items() if name != "seal"}
    if document.get("seal") != hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest():
        raise Rejected("the seal does not fit: certificate.json was changed after it was written")
    return sealed, entries


def _known(table: dict[str, Any], name: str) -> None:
    if unknown := sorted(set(table) - set(_PARTS[name])):
        raise Rejected(f"{name or 'certificate.json'} holds {shortened(unknown[0])}, which no certificate has")


def _claimed(document: dict[str, Any], entries: dict[str, bytes]) -> CertificateFile:
    problem, claim = _table(document, "problem"), _table(document, "claim")
    settings, stored = _table(problem, "settings"), _named(problem, "arrays")
    if ("layers" in settings) != (document["version"] == 2):
        raise Rejected("version 1 of the format is of perceptrons and version 2 of chains of layers; this is neither")
    missing = {f"{name}.npy": name for name in sorted(stored) if f"{name}.npy" not in entries}
    if missing:
        raise Rejected(f"the array {shortened(next(iter(missing.values())))} is missing")
    extra = set(entries) - {f"{name}.npy" for name in stored} - {"certificate.json"}
    if extra:
        raise Rejected(f"the archive holds {sorted(extra)[0]!r}, which the certificate does not name")
    if (numbers := sum(len(entries[f"{name}.npy"]) // 8 for name in stored)) > MAX_NUMBERS + 100 * len(stored):
        raise Rejected(f"the arrays hold about {numbers} numbers, more than {MAX_NUMBERS}")
    arrays = {name: read_array(name, entries[f"{name}.npy"]) for name in sorted(stored)}
    digests = {name: array_digest(value) for name, value in arrays.items()}
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
    negative = _negative(document.get("negative"), eps, cap)
    _results(_table(document, "results"), claim, boxes, negative, fingerprint)
    quantity = claim.get("quantity")
    if not isinstance(quantity, str) or quantity not in ("alignment", "every-batch", "trait-loss", "distance"):
        raise Rejected(f"the quantity {shortened(quantity)} is not known")
    return CertificateFile(settings, arrays, digests, fingerprint, quantity, eps, cap, boxes, negative)


def _table(parent: dict[str, Any], name: str) -> dict[str, Any]:
    found = _named(parent, name)
    _known(found, name)
    return found


def _named(parent: dict[str, Any], name: str) -> dict[str, Any]:
    found = parent.get(name)
    if not isinstance(found, dict):
        raise Rejected(f"{name} is missing from certificate.json")
    return found


def _number(parent: dict[str, Any], name: str) -> float:
    found = parent.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not -LARGEST <= found <= LARGEST:
        raise Rejected(f"{name} is {shortened(found)}, not a finite number")
    return float(found)


def _boxes(stored: Any) -> list[tuple[float, float, float]]:
    if not isinstance(stored, list) or not stored:
        raise Rejected("there are no boxes, so nothing is claimed")
    if len(stored) > MAX_BOXES:
        raise Rejected(f"there are {len(stored)} boxes, more than {MAX_BOXES}")
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


def _negative(stored: Any, eps: float, cap: float) -> tuple[float, float] | None:
    if stored is None:
        return None
    if not isinstance(stored, list) or len(stored) != 2:
        raise Rejected("negative is not of two numbers")
    at, upper = (_number({"negative": one}, "negative") for one in stored)
    if not at > eps:
        raise Rejected(f"the negative value is claimed at {at!r}, where the boxes claim a positive one")
    if at > eps * (1 + NEAR) or at > cap:
        raise Rejected(f"the negative value is claimed at {at!r}, which is not just beyond {eps!r}, or beyond the cap")
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
        stated = results.get(name)
        if stated != expected or isinstance(stated, bool) != isinstance(expected, bool):
            raise Rejected(f"results.{name} is {shortened(stated)}, the certificate's own is {shortened(expected)}")
    eps = float(claim["eps_certified"])
    for name in ("eps_closed", "eps_one_box"):
        if results.get(name) is not None and _number(results, name) > eps:
            raise Rejected(f"results.{name} is {results[name]!r}, beyond eps_certified")
    if results.get("eps_observed") is not None and _number(results, "eps_observed") < eps:
        raise Rejected(f"results.eps_observed is {results['eps_observed']!r}, inside what is claimed to be positive")
