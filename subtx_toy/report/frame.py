"""The frame that every page has in common, and pictures inside a page."""

from __future__ import annotations

import base64
import io
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from subtx_toy import __version__
from subtx_toy.errors import InputError
from subtx_toy.report.spacing import bound

CITATION = (
    "Cloud, Le, Chua, Betley, Sztyber-Betley, Hilton, Marks, Evans (2025), Subliminal Learning: Language models "
    "transmit behavioral traits via hidden signals in data, arXiv:2507.14805"
)
"""The effect."""

SOFTWARE = f"subtx_toy, version {__version__}"


def _load(name: str) -> str:
    return resources.files("subtx_toy.report").joinpath(name).read_text(encoding="utf-8")


_PAGES = jinja2.Environment(
    autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FunctionLoader(_load), trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip
_PAGES.filters["bound"] = bound  # for sentences: a command to copy keeps its spaces


def render(template: str, **values: Any) -> str:
    """Return a page; every value is escaped."""
    return _PAGES.get_template(template).render(citation=CITATION, software=SOFTWARE, **values)


def svg_uri(content: bytes) -> str:
    """Return an SVG picture as the address of an image inside a page."""
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode()


def image_uri(pixels: UInt8[np.ndarray, "h w"]) -> str:
    """Return a grey picture as the address of an image inside a page."""
    if pixels.ndim != 2:
        raise InputError(f"pixels: expected a grey picture [h, w], got {pixels.ndim} dimensions")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
