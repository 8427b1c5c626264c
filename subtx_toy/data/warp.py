"""Distortions of many small images at once: where each pixel looks, how its neighbours blur into it.

Products go through ``einsum`` without BLAS, whose rounding depends on the number of threads.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, Int64

SIDE = 28
_KNOT_SPACING = 7  # pixels between the control points of the elastic field: bends a stroke, does not crumple it
KNOTS = SIDE // _KNOT_SPACING + 3
_BLUR_RADIUS = 3  # twice the largest blur that is drawn in practice (.5 + 3 * .3 pixels)


def elastic_field(knots: Float32[np.ndarray, "n 2 knots knots"]) -> Float32[np.ndarray, "n 2 28 28"]:
    """Return a smooth displacement of every pixel, in units of the standard deviation of ``knots``.

    A cubic B-spline through random control points, each row of weights scaled to norm 1, so that independent
    knots of standard deviation s displace every pixel with standard deviation s.
    """
    position = (np.arange(SIDE) + 0.5) / _KNOT_SPACING
    distance = np.abs(position[:, None] + 1 - np.arange(KNOTS))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    weights = (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)
    rows = np.einsum("yi,ncij->ncyj", weights, knots)
    field: np.ndarray = np.einsum("ncyj,xj->ncyx", rows, weights)
    return field


def sample_points(
    *,
    angle: Float64[np.ndarray, " n"],
    scale: Float64[np.ndarray, " n"],
    shear: Float64[np.ndarray, " n"],
    shift: Float64[np.ndarray, "n 2"],
    elastic: Float32[np.ndarray, "n 2 28 28"],
) -> Float32[np.ndarray, "n 2 28 28"]:
    """Return where each pixel of each image looks in the undistorted one: (row, column) from the centre.

    The image seen is turned by ``angle`` (radians), sheared and enlarged about its centre, then moved by
    ``shift`` and the elastic field (pixels).
    """
    cos, sin = np.cos(angle), np.sin(angle)
    # The inverse of  scale * turn(angle) @ [[1, 0], [shear, 1]]  in (row, column) coordinates.
    inverse = np.stack([cos, sin, -sin - shear * cos, cos - shear * sin], axis=1) / scale[:, None]
    inverse = inverse.reshape(-1, 2, 2).astype(np.float32)
    centred = np.arange(SIDE, dtype=np.float32) - np.float32((SIDE - 1) / 2)
    seen = np.stack(np.meshgrid(centred, centred, indexing="ij")) - elastic
    seen -= shift.astype(np.float32)[:, :, None, None]
    looks: np.ndarray = inverse[:, :, 0, None, None] * seen[:, None, 0]
    looks += inverse[:, :, 1, None, None] * seen[:, None, 1]
    return looks


def bilinear(
    fields: Float32[np.ndarray, "fields height width"],
    which: Int64[np.ndarray, " n"],
    points: Float32[np.ndarray, "n 2 28 28"],
) -> Float32[np.ndarray, "n 28 28"]:
    """Read field ``which[i]`` at ``points[i]`` (row, column), points beyond the edge at the edge."""
    height, width = fields.shape[1:]
    row = np.clip(points[:, 0], 0, np.float32(height - 1.001))
    column = np.clip(points[:, 1], 0, np.float32(width - 1.001))
    whole_row, whole_column = row.astype(np.int32), column.astype(np.int32)
    row -= whole_row
    column -= whole_column
    corner = which[:, None, None].astype(np.int32) * np.int32(height * width) + whole_row * np.int32(width)
    corner += whole_column
    flat = fields.reshape(-1)
    above = flat[corner] * (1 - column) + flat[corner + 1] * column
    corner += np.int32(width)
    below = flat[corner] * (1 - column) + flat[corner + 1] * column
    blended: np.ndarray = above * (1 - row) + below * row
    return blended


def gaussian_blur(
    images: Float32[np.ndarray, "n 28 28"], sigma: Float64[np.ndarray, " n"]
) -> Float32[np.ndarray, "n 28 28"]:
    """Blur each image by its own ``sigma`` (pixels, >= 0); what lies outside the frame is black."""
    offsets = np.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1)
    taps = np.exp(-0.5 * (offsets / np.maximum(sigma, 0.05)[:, None]) ** 2)  # below .05 a blur does nothing
    taps = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    for _axis in range(2):  # along the rows, then along the columns
        padded = np.pad(images, ((0, 0), (_BLUR_RADIUS, _BLUR_RADIUS), (0, 0)))
        blurred = np.zeros_like(images)
        for tap in range(len(offsets)):
            blurred += taps[:, tap, None, None] * padded[:, tap : tap + SIDE]
        images = blurred.swapaxes(1, 2)
    return images
