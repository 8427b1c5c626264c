"""All claims of the package by id, in the order in which they are reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from subtx_toy.claims.statements import (
    alignment,
    descent,
    function_space,
    loss_family,
    momentum,
    other_init,
    ranges,
    recursion,
    restoring,
    sampled_labels,
    trait,
    trait_criterion,
    update,
)
from subtx_toy.claims.user import load_claim
from subtx_toy.claims.vocabulary.claim import Claim
from subtx_toy.errors import InputError
from subtx_toy.settings.messages import nearest

_ONE_STEP = (
    "C1", "C1b", "C2", "C3", "C4", "C4b", "C5", "C6", "C7", "C7b", "C7c", "C8", "C8b", "C10", "C13", "C14", "C15",
    "C16",
)  # fmt: skip
_MANY_STEPS = ("C23", "C24", "C25", "C26", "C27", "C28", "C29", "C30", "C31", "C33")
_ORDER = (*_ONE_STEP, *_MANY_STEPS)
_MODULES = (
    alignment, descent, function_space, loss_family, momentum, other_init, ranges, recursion, restoring, sampled_labels,
    trait, trait_criterion, update,
)  # fmt: skip
_found = {claim.id: claim for module in _MODULES for claim in module.CLAIMS}

CLAIMS: dict[str, Claim] = {id: _found[id] for id in _ORDER}
"""By id."""


def find_claim(claim: str | Claim) -> Claim:
    """Return the claim of an id such as ``"C1"``, or the user's own as it is or at ``"file.py:name"``."""
    if isinstance(claim, Claim):
        return claim
    if claim in CLAIMS:
        return CLAIMS[claim]
    if isinstance(claim, str) and ":" in claim:
        return load_claim(claim)
    hint = nearest(str(claim), CLAIMS, cutoff=0.5)
    raise InputError(f"claims: expected one of {', '.join(CLAIMS)}, or file.py:name, got {claim!r}{hint}")


def find_claims(claims: str | Claim | Iterable[str | Claim] | None) -> list[Claim]:
    """Return claims, given one by one or as a text such as ``"C1,mine.py:bound"``; None gives all of the package."""
    if claims is None:
        return list(CLAIMS.values())
    if isinstance(claims, str):
        claims = [name.strip() for name in claims.split(",")]
    found: list[Claim] = []
    faults: list[str] = []
    for claim in [claims] if isinstance(claims, Claim) else claims:
        try:
            found.append(find_claim(claim))
        except InputError as error:
            faults += error.problems
    twice = [id for id, count in Counter(one.id for one in found).items() if count > 1]
    InputError.gather([*faults, *(f"claims: expected each id once, got {id!r} twice" for id in sorted(twice))])
    return found
