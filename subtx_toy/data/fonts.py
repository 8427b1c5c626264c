"""The fonts the ``glyphs`` data set is drawn with, and each digit's outline as a distance field.

Of matplotlib's 40 fonts, the 22 with all ten digits. One of each family is kept for the test set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32

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
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont
    from scipy.ndimage import distance_transform_edt

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    if not path.is_file():
        raise FileNotFoundError(f"matplotlib {matplotlib.__version__} does not ship the font {path.name}")
    probe = ImageFont.truetype(path, 100, layout_engine=ImageFont.Layout.BASIC)
    tallest = max(box[3] - box[1] for box in (probe.getbbox(str(digit)) for digit in range(10)))
    drawn = ImageFont.truetype(path, 100 * DIGIT_HEIGHT / tallest, layout_engine=ImageFont.Layout.BASIC)
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
