"""Digits drawn from the fonts that come with matplotlib, with other fonts for the test set."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from subtx_toy.data import glyphs as fonts
from subtx_toy.data import warp
from subtx_toy.data.drawing_library import import_matplotlib
from subtx_toy.seeding import generator

TRAIN_FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-BoldOblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic",
    "STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta",
    "cmb10", "cmmi10", "cmr10", "cmtt10", "cmti10",
)  # fmt: skip
TEST_FONTS = ("DejaVuSans-Oblique", "DejaVuSansMono-Oblique", "DejaVuSerif-Italic", "STIXGeneralItalic", "cmss10")

OVERSAMPLE = 4  # samples per pixel of the finished image; an outline is then right to 1/8 of a pixel
CANVAS = 40 * OVERSAMPLE  # room around the 28 x 28 frame for digits that are shifted, turned or enlarged
DIGIT_HEIGHT = 20 * OVERSAMPLE  # the tallest digit of a font fills 20 of the 28 pixels, as in MNIST


def outlines(font: str) -> tuple[Float32[np.ndarray, "10 canvas canvas"], float]:
    """Return the signed distances [10, CANVAS, CANVAS] of a font's digits to their outline, and its usual half stroke.

    Distances are in pixels of the finished image, positive inside the stroke, sampled ``OVERSAMPLE`` times a pixel. A
    field may be turned, bent and thickened (by adding a constant) before it is made into an image; edges stay sharp.
    """
    from PIL import Image, ImageDraw, ImageFont
    from scipy.ndimage import distance_transform_edt

    matplotlib = import_matplotlib()
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    if not path.is_file():
        raise FileNotFoundError(f"matplotlib {matplotlib.__version__} does not ship the font {path.name}")
    name = str(path)  # pillow 10.1 takes no other
    probe = ImageFont.truetype(name, 100, layout_engine=ImageFont.Layout.BASIC)
    tallest = max(box[3] - box[1] for box in (probe.getbbox(str(digit)) for digit in range(10)))
    drawn = ImageFont.truetype(name, 100 * DIGIT_HEIGHT / tallest, layout_engine=ImageFont.Layout.BASIC)
    fields = np.empty((10, CANVAS, CANVAS), np.float32)
    for digit in range(10):
        left, top, right, bottom = drawn.getbbox(str(digit))
        image = Image.new("L", (CANVAS, CANVAS))
        place = ((CANVAS - left - right) / 2, (CANVAS - top - bottom) / 2)
        ImageDraw.Draw(image).text(place, str(digit), fill=255, font=drawn)
        inside = np.asarray(image) >= 128
        fields[digit] = (distance_transform_edt(inside) - distance_transform_edt(~inside)) / OVERSAMPLE
    fields.flags.writeable = False
    return fields, float(np.median(fields.max(axis=(1, 2))))


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
