"""Scores of a file's lines that somebody else computed, for any model: an ``.npz`` file, and its measurement.

A line is any text that the model gives a probability to. Its score along a direction u is d/dt log p(line; base + t u);
for a sequence of tokens it is the sum over tokens of v_y - E_p v, with v the slope of the logits along u and p the
base's law of the next token. The covariance is summed over tokens too: Cov_p(v), given the tokens before.
"""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from subtx_toy.audit.measurement import NumbersMeasurement
from subtx_toy.audit.movement import Movement
from subtx_toy.audit.reference_values import ReferenceValues
from subtx_toy.audit.score_sums import ScoreSums
from subtx_toy.errors import InputError
from subtx_toy.files.arrays import AnnouncedArray, announced, npz_members
from subtx_toy.files.input_file import open_named
from subtx_toy.tolerances import FP32_SYMMETRY

MAX_BYTES = 2**30
"""Of all arrays together: a million lines along a hundred directions."""

MAX_DIRECTIONS = 256
"""Traits and honest moves together."""

MAX_TRAIT_NAME = 200
"""Characters of a trait's name."""

NEEDED: dict[str, tuple[str, ...]] = {
    "traits": ("t",),
    "scores": ("n", "r"),
    "covariance": ("r", "r"),
    "log_loss": ("n",),
    "entropy": ("n",),
    "log_loss_variance": ("n",),
    "uniform_log_loss": ("n",),
    "reference_scores": ("m", "r"),
    "reference_covariances": ("m", "r", "r"),
    "reference_lines": ("m",),
}
"""The arrays and their shapes; t <= r, and the directions after the first t are honest moves."""

OPTIONAL: dict[str, tuple[str, ...]] = {"gain": (), "log_evidence": (), "reference_gains": ("m",)}
"""Log-likelihood ratio of a student of one half of the lines, on the other: mean a line, sum, means; 0 without it."""

_NOT_NEGATIVE = ("log_loss", "entropy", "log_loss_variance", "uniform_log_loss")


@dataclass(frozen=True, eq=False)
class ScoresFile:
    """A scores file whose arrays are there, finite and of shapes that fit one another.

    Attributes:
        path: the file.
        traits: names of the first directions.
        arrays: float64, by name.
    """

    path: Path
    traits: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, path: Path) -> ScoresFile:
        """Read a file: headers first, no pickle, and at most ``MAX_BYTES`` bytes.

        Raises:
            InputError: naming every array that is missing or not as described.
        """
        raw = _raw_arrays(path)
        names = _trait_names(raw.pop("traits"))
        if isinstance(names, str):
            raise InputError(f"{path}: {names}")
        arrays = {key: one.astype(np.float64) for key, one in raw.items()}
        InputError.gather(f"{path}: {fault}" for fault in _faults(tuple(names), arrays))
        return cls(path, tuple(names), arrays)

    def measurement(self) -> NumbersMeasurement:
        """Return the sums over the lines, and what the student gained, if the file says it."""
        one = self.arrays
        sums = ScoreSums(one["scores"].shape[1], num=len(one["scores"]))
        sums.scores, sums.covariance = one["scores"].sum(0), one["covariance"]
        for key in _NOT_NEGATIVE:
            setattr(sums, key, float(one[key].sum()))
        gain, evidence = (float(one.get(key, np.zeros(()))) for key in ("gain", "log_evidence"))
        return NumbersMeasurement(sums, Movement(gain, evidence, {}), (math.nan,) * len(self.traits))

    def reference(self) -> ReferenceValues:
        """Return the cosines of the benign fine-tunes, measured as the file is."""
        one = self.arrays
        gains = one.get("reference_gains", np.zeros(len(one["reference_lines"])))
        measured = []
        for S, F, lines, gain in zip(
            one["reference_scores"], one["reference_covariances"], one["reference_lines"], gains, strict=True
        ):
            sums = ScoreSums(len(S), num=int(lines))
            sums.scores, sums.covariance = S, F
            measured.append(NumbersMeasurement(sums, Movement(float(gain), 0.0, {}), ()))
        return ReferenceValues.of(measured, self.traits)

    def top_lines(self, keep: int) -> tuple[list[dict[str, object]], ...]:
        """Return, by trait, the lines of the highest scores, counted from 1."""
        return tuple(
            [
                {"line": int(line) + 1, "score": float(column[line])}
                for line in np.argsort(-column, kind="stable")[:keep]
            ]
            for column in self.arrays["scores"].T[: len(self.traits)]
        )

    def notes(self) -> list[str]:
        """Say where the scores' own spread is far from what the covariance promises."""
        scores = self.arrays["scores"]
        if len(scores) < 100:
            return []
        promised, found = np.diag(self.arrays["covariance"]) / len(scores), scores.var(0)
        ratios = {
            index: float(ratio)
            for index, ratio in enumerate(found / np.where(promised > 0, promised, math.nan))
            if not 0.2 <= ratio <= 5
        }
        return [
            f"direction {index}: the variance of a line's score is {ratio:.3g} times what the covariance says: check "
            "that both are of the same direction, law and base"
            for index, ratio in list(ratios.items())[:3]
        ]


def _raw_arrays(path: Path) -> dict[str, np.ndarray]:
    with open_named(path) as file:
        try:
            archive = zipfile.ZipFile(file)
            there = {info.filename for info in archive.infolist()}
            keys = [*NEEDED, *(key for key in OPTIONAL if f"{key}.npy" in there)]
            streams = npz_members(archive, keys)
        except Exception:  # zipfile raises half a dozen kinds on hostile archives
            raise InputError(f"{path}: expected an .npz file of scores, got one that cannot be read") from None
        found = {key: one if isinstance(one, str) else announced(one) for key, one in streams.items()}
        InputError.gather(f"{path}: {key}: {one}" for key, one in found.items() if isinstance(one, str))
        arrays = {key: one for key, one in found.items() if isinstance(one, AnnouncedArray)}
        size = sum(one.size for one in arrays.values())
        if size > MAX_BYTES:
            raise InputError(f"{path}: expected arrays of at most {MAX_BYTES} bytes together, got {size}")
        # The names are looked at before any is read: an object array holds code, and is never read.
        InputError.gather(
            f"{path}: {key}: expected numbers{' or a text' if key == 'traits' else ''}, got {one.dtype.name}"
            for key, one in arrays.items()
            if one.dtype.kind not in ("U" if key == "traits" else "uif")
        )
        read = {key: one.read() for key, one in arrays.items()}
    InputError.gather(f"{path}: {key}: {one}" for key, one in read.items() if isinstance(one, str))
    return {key: one for key, one in read.items() if not isinstance(one, str)}


def _trait_names(array: np.ndarray) -> list[str] | str:
    if array.ndim != 1 or not len(array):
        return f"traits: expected the shape [t] with t >= 1, got {list(array.shape)}"
    if (array.astype("=U").view(np.uint32) > sys.maxunicode).any():  # four bytes that are no character
        return "traits: expected texts, got one that is not Unicode"
    names = [str(value) for value in array]
    if any(0xD800 <= ord(letter) < 0xE000 for name in names for letter in name):
        return "traits: expected texts, got half of a character"
    if len(set(names)) != len(names) or not all(0 < len(name.strip()) <= MAX_TRAIT_NAME for name in names):
        return f"traits: expected different names of at most {MAX_TRAIT_NAME} characters, got {names[:4]!r}"
    return names


def _faults(traits: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Return what is wrong with the numbers and their shapes; the latter first, since the rest needs them."""
    sizes = {"t": len(traits)}
    scores, lines = arrays["scores"], arrays["reference_lines"]
    sizes |= {"n": len(scores), "r": scores.shape[1]} if scores.ndim == 2 else {}
    sizes |= {"m": len(lines)} if lines.ndim == 1 else {}
    faults = []
    for key, letters in {**NEEDED, **OPTIONAL}.items():
        if key == "traits" or key not in arrays:
            continue
        shape = arrays[key].shape
        if len(shape) != len(letters) or any(
            sizes.get(one, size) != size for one, size in zip(letters, shape, strict=False)
        ):
            wanted = ", ".join(f"{one} = {sizes[one]}" if one in sizes else one for one in letters)
            faults.append(f"{key}: expected the shape [{wanted}], got {list(shape)}")
    if faults:
        return faults
    if not sizes["n"]:
        faults.append("scores: expected at least one line, got none")
    if not sizes["t"] <= sizes["r"] <= MAX_DIRECTIONS:
        faults.append(f"scores: expected from {sizes['t']} to {MAX_DIRECTIONS} directions, got {sizes['r']}")
    for key, one in arrays.items():
        if not np.isfinite(one).all():
            faults.append(f"{key}: expected finite numbers, got nan or infinity")
        elif key in _NOT_NEGATIVE and (one < 0).any():
            faults.append(f"{key}: expected numbers >= 0, got {one.min():.3g}")
    if not ((lines >= 1) & (lines == np.floor(lines)) & (lines < 2**53)).all():
        faults.append("reference_lines: expected integers >= 1")
    return faults or [
        f"{key}: expected {'covariances' if key != 'covariance' else 'a covariance'}, symmetric without negative "
        "eigenvalues, got something else"
        for key in ("covariance", "reference_covariances")
        if not all(_is_covariance(one) for one in arrays[key].reshape(-1, sizes["r"], sizes["r"]))
    ]


def _is_covariance(F: Float[np.ndarray, "r r"]) -> bool:
    """Return whether a matrix is one up to the rounding of sums in single precision."""
    room = FP32_SYMMETRY * max(float(np.abs(F).max()), 1e-300)
    return bool((np.abs(F - F.T) <= room).all() and np.linalg.eigvalsh((F + F.T) / 2).min() >= -len(F) * room)
