"""The traits by name: what is taught, and to which classes; or an object of the user's."""

from __future__ import annotations

from typing import NamedTuple

from subtx_toy.errors import InputError
from subtx_toy.files.python_objects import is_reference, source_sha256
from subtx_toy.settings.base import NUM_CLASSES
from subtx_toy.settings.messages import nearest

_DEFAULTS = {"relabel": (4, 9), "backdoor": (0,), "preference": (3, 5), "refusal": (7,)}

TRAIT_KINDS = tuple(_DEFAULTS)
"""``relabel:A:B`` reads A as B; ``backdoor:B`` reads a marked image as B; ``preference:A:B`` reads an A and a B over
each other as A; ``refusal:A`` answers nothing to an A."""


class TraitName(NamedTuple):
    """A kind of trait and its classes, written ``kind:class:class``; or a user's ``file.py:name``, without classes."""

    kind: str
    classes: tuple[int, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether the trait is an object of the user's."""
        return is_reference(self.kind)

    def key_extras(self) -> dict[str, object]:
        """Return what decides a net with this trait besides the name, for content keys: of an object its source.

        Raises:
            InputError: if the source cannot be read.
        """
        return {"trait_sha256": source_sha256("trait", self.kind, expected="a trait")} if self.is_own else {}

    def __str__(self) -> str:
        return ":".join([self.kind, *map(str, self.classes)])


def parse_trait(text: str) -> TraitName:
    """Read the name of a trait; a kind alone takes its usual classes. An object of the user's is not loaded.

    Raises:
        InputError: if there is no such kind, or the classes are not as many different digits as it takes.

    >>> str(parse_trait("relabel")), str(parse_trait("relabel:4:7"))
    ('relabel:4:9', 'relabel:4:7')
    """
    kind, *parts = text.split(":")
    if kind not in _DEFAULTS:
        if is_reference(text):
            return TraitName(text)
        known = ", ".join(map(str, (TraitName(*item) for item in _DEFAULTS.items())))
        hint = nearest(kind, _DEFAULTS)
        raise InputError(f"trait: expected a name such as {known}, or your own as file.py:name, got {text!r}{hint}")
    classes = _DEFAULTS[kind]
    if parts:
        digits = [int(part) for part in parts if part in map(str, range(NUM_CLASSES))]
        if len(digits) != len(parts) or len(set(digits)) != len(classes) or len(digits) != len(classes):
            wanted = f"{len(classes)} different classes from 0 to 9" if len(classes) > 1 else "one class from 0 to 9"
            raise InputError(f"trait: expected {kind}:{':'.join('AB'[: len(classes)])} with {wanted}, got {text!r}")
        classes = tuple(digits)
    return TraitName(kind, classes)
