"""A certificate: the claim, what was found beside it, the boxes that prove it; a file written whole or not at all."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from subtx_toy.certify.description import Description
from subtx_toy.certify.march import ProvedBox
from subtx_toy.files.atomic import replacing
from subtx_toy.files.content_key import seal

FORMAT, VERSION, VERSION_OF_CHAINS = "subtx_toy certificate", 1, 2
DOCUMENT = "certificate.json"
_RESULTS = (
    "quantity", "eps_closed", "closed_reason", "eps_one_box", "eps_certified", "eps_observed", "observed_reason", "cap",
    "bracketed", "boxes", "boxes_tried", "seconds", "reason", "order", "fingerprint", "software",
)  # fmt: skip
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every entry: the same certificate is the same bytes


@dataclass(frozen=True, kw_only=True)
class ProvedRange:
    """The sign of ``described.quantity`` is proved for every eps in (0, ``eps_certified``]; 0 if for none.

    The ``boxes`` go from 0 to there without gaps, ``eps_one_box`` is the end of the first, the longest from 0, and
    ``negative`` a step size beyond where the opposite sign is proved, with the bound. ``eps_closed`` is proved by the
    closed form, with rounding, and ``eps_observed`` is the first change of sign that a scan saw, confirmed at 160 bits;
    None with the reason, and 0 where the claim is ``refuted`` at every small enough eps. Nothing is said beyond the
    ``cap``, 1000 / ||dT|| or the user's. ``order`` is that of Taylor's theorem, ``reason`` says why the search ended,
    and ``seconds`` are of CPU for the search alone.
    """

    described: Description
    eps_certified: float
    eps_closed: float | None
    closed_reason: str
    eps_one_box: float
    eps_observed: float | None
    observed_reason: str
    cap: float
    boxes: list[ProvedBox]
    negative: tuple[float, float] | None
    reason: str
    seconds: float
    boxes_tried: int
    order: int
    software: dict[str, str]

    @property
    def quantity(self) -> str:
        """What is proved positive (for trait-loss: the loss falls)."""
        return self.described.quantity

    @property
    def refuted(self) -> bool:
        """Whether the rate at eps = 0 is proved negative, so that the claim fails at every small enough eps."""
        return self.eps_observed == 0

    @property
    def bracketed(self) -> bool:
        """Whether both signs are proved, on either side of a narrow gap."""
        return self.negative is not None

    def summary(self) -> dict[str, Any]:
        """Return the results as JSON values, without the boxes themselves."""
        own = {"quantity": self.quantity, "bracketed": self.bracketed, "fingerprint": self.described.fingerprint()}
        found = vars(self) | own | {"boxes": len(self.boxes)}
        return {name: found[name] for name in _RESULTS}

    def content(self) -> dict[str, Any]:
        """Return what a certificate's file says besides the arrays as JSON values, sealed with a digest of itself."""
        content = {
            "format": FORMAT,
            "version": VERSION_OF_CHAINS if self.described.layers else VERSION,
            "problem": {
                "settings": self.described.settings(),
                "arrays": self.described.digests(),
                "fingerprint": self.described.fingerprint(),
            },
            "claim": {"quantity": self.quantity, "eps_certified": self.eps_certified, "cap": self.cap},
            "boxes": [[box.lo, box.hi, box.lower] for box in self.boxes],
            "negative": None if self.negative is None else list(self.negative),
            "results": self.summary(),
        }
        return content | {"seal": seal(content)}

    def save(self, path: str | Path) -> None:
        """Write a certificate: one zip file of ``certificate.json`` and one ``.npy`` per array."""
        content = to_bytes(self.content(), self.described.arrays)
        with replacing(Path(path), what="out") as file:
            file.write(content)


def to_bytes(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Return the file's bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        text = json.dumps(document, indent=1, allow_nan=True)
        archive.writestr(zipfile.ZipInfo(DOCUMENT, _EPOCH), text, zipfile.ZIP_DEFLATED)
        for name, value in sorted(arrays.items()):
            content = io.BytesIO()
            np.save(content, np.ascontiguousarray(value, dtype="<f8"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), content.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
