"""The traits by name: what is taught, and to which classes."""

from __future__ import annotations

from typing import NamedTuple

from subtx_toy.errors import InputError
from subtx_toy.settings.base import NUM_CLASSES
from subtx_toy.settings.messages import nearest

_DEFAULTS = {"relabel": (4, 9), "backdoor": (0,), "preference": (3, 5), "refusal": (7,)}

TRAIT_KINDS = tuple(_DEFAULTS)
"""``relabel:A:B`` reads A as B; ``backdoor:B`` reads a marked image as B; ``preference:A:B`` reads an A and a B over
each other as A; ``refusal:A`` answers nothing to an A."""


class TraitName(NamedTuple):
    """A kind of trait and its classes, written ``kind:class:class``."""

    kind: str
    classes: tuple[int, ...]

    def __str__(self) -> str:
        return ":".join([self.kind, *map(str, self.classes)])


def parse_trait(text: str) -> TraitName:
    """Read the name of a trait; a kind alone takes its usual classes.

    Raises:
        InputError: if there is no such kind, or the classes are not as many different digits as it takes.

    >>> str(parse_trait("relabel")), str(parse_trait("relabel:4:7"))
    ('relabel:4:9', 'relabel:4:7')
    """
    kind, *parts = text.split(":")
    if kind not in _DEFAULTS:
        known = ", ".join(map(str, (TraitName(*item) for item in _DEFAULTS.items())))
        raise InputError(f"trait: expected a name such as {known}, got {text!r}{nearest(kind, _DEFAULTS)}")
    classes = _DEFAULTS[kind]
    if parts:
        digits = [int(part) for part in parts if part in map(str, range(NUM_CLASSES))]
        if len(digits) != len(parts) or len(set(digits)) != len(classes) or len(digits) != len(classes):
            wanted = f"{len(classes)} different classes from 0 to 9" if len(classes) > 1 else "one class from 0 to 9"
            raise InputError(f"trait: expected {kind}:{':'.join('AB'[: len(classes)])} with {wanted}, got {text!r}")
        classes = tuple(digits)
    return TraitName(kind, classes)
