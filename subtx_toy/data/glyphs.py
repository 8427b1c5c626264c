"""The ``glyphs`` data set: digits drawn from matplotlib's fonts, any number of them, without a download.

Each image is a digit of a font whose outline is turned, sheared, enlarged, bent, thickened or thinned, moved,
blurred and covered with noise. Training and test images use different fonts (see ``fonts``). After 5 epochs on
60,000 images (Adam, step 1e-3, batches of 128) a linear model is right on 77 % of the test set, a 784-256-256-10
ReLU network on 97 %. One process draws about 11,000 images a second.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from jaxtyping import UInt8

from subtx_toy.data import fonts, warp
from subtx_toy.seeding import generator

VERSION = 1  # raised by hand whenever the pixels change; part of the key of the cache
SIZES = {"train": 60_000, "test": 10_000}  # as many as MNIST, when no number is given
CHUNK = 500  # images per random stream; they are always drawn together, so that a smaller set is a prefix
_BLOCK = 100  # labels are balanced within every so many consecutive images
_SEED = 20_250_720  # of the data set, not of an experiment: every user has the same images

# Standard deviations of the distortions, chosen so that a linear model is clearly worse than a small network.
_ANGLE = 0.15  # radians
_LOG_SCALE = 0.11
_SHEAR = 0.14
_SHIFT = 1.3  # pixels
_ELASTIC = 1.0  # pixels
_NOISE = 0.05  # of the brightest pixel
_BLUR_MEAN, _BLUR_SPREAD = 0.5, 0.3  # pixels
_WEIGHT = 0.25  # of the usual stroke
_WEIGHT_RANGE = (0.6, 1.6)  # a thinner stroke breaks the hairlines of the Computer Modern fonts


def render(
    split: str, count: int, *, progress: Callable[[int], None] | None = None
) -> tuple[UInt8[np.ndarray, "count 28 28"], UInt8[np.ndarray, " count"]]:
    """Draw the first ``count`` images and labels of the split ``"train"`` or ``"test"``.

    Image i depends on the split and on i alone. Another version of Pillow, numpy, scipy or the fonts may round a few
    pixels differently. ``progress`` receives the number of images drawn so far.
    """
    images = np.empty((count, warp.SIDE, warp.SIDE), np.uint8)
    labels = np.empty(count, np.uint8)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        images[start:stop], labels[start:stop] = (part[: stop - start] for part in _chunk(split, start // CHUNK))
        if progress is not None:
            progress(stop)
    return images, labels


def _chunk(split: str, index: int) -> tuple[UInt8[np.ndarray, "500 28 28"], UInt8[np.ndarray, " 500"]]:
    """Draw one chunk from its own random stream."""
    names = {"train": fonts.TRAIN_FONTS, "test": fonts.TEST_FONTS}[split]
    fields, half_strokes = _outlines(names)
    rng = generator(_SEED, "glyphs", split, index)
    blocks = np.tile(np.arange(10), (CHUNK // _BLOCK, _BLOCK // 10))
    labels = rng.permuted(blocks, axis=1).reshape(CHUNK)
    font = rng.integers(len(names), size=CHUNK)
    scale = np.exp(rng.normal(0, _LOG_SCALE, CHUNK))
    knots = rng.standard_normal((CHUNK, 2, warp.KNOTS, warp.KNOTS), np.float32)
    points = warp.sample_points(
        angle=rng.normal(0, _ANGLE, CHUNK),
        scale=scale,
        shear=rng.normal(0, _SHEAR, CHUNK),
        shift=rng.normal(0, _SHIFT, (CHUNK, 2)),
        elastic=warp.elastic_field(knots * np.float32(_ELASTIC)),
    )
    points *= np.float32(fonts.OVERSAMPLE)
    points += np.float32((fonts.CANVAS - 1) / 2)
    distance = warp.bilinear(fields, font * 10 + labels, points)
    weight = np.clip(rng.normal(1, _WEIGHT, CHUNK), *_WEIGHT_RANGE)
    distance += ((weight - 1) * half_strokes[font]).astype(np.float32)[:, None, None]
    distance *= scale.astype(np.float32)[:, None, None]
    # A pixel whose centre is d inside a straight edge is covered to 1/2 + d.
    ink = np.clip(distance + np.float32(0.5), 0, 1)
    ink = warp.gaussian_blur(ink, np.abs(rng.normal(_BLUR_MEAN, _BLUR_SPREAD, CHUNK)))
    ink += np.float32(_NOISE) * rng.standard_normal(ink.shape, np.float32)
    pixels = np.rint(np.clip(ink, 0, 1) * np.float32(255)).astype(np.uint8)
    return pixels, labels.astype(np.uint8)


@cache
def _outlines(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """All digits of the fonts [10 fonts, CANVAS, CANVAS], and each font's half stroke [fonts]."""
    drawn = [fonts.outlines(name) for name in names]
    return np.concatenate([fields for fields, _ in drawn]), np.array([half for _, half in drawn])
