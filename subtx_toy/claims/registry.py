"""All claims of the package by id, in the order in which they are reported."""

from __future__ import annotations

from subtx_toy.claims.statements import (
    alignment,
    batch,
    cosine,
    distance,
    eps_range,
    loss_family,
    other_init,
    sampled_labels,
    trait,
    update,
)
from subtx_toy.claims.vocabulary.claim import Claim

_ORDER = ("C1", "C1b", "C2", "C3", "C4", "C5", "C6", "C7", "C7b", "C7c", "C8", "C8b", "C10", "C13", "C14", "C15", "C16")
_MODULES = (alignment, batch, cosine, distance, eps_range, loss_family, other_init, sampled_labels, trait, update)
_found = {claim.id: claim for module in _MODULES for claim in module.CLAIMS}

CLAIMS: dict[str, Claim] = {id: _found[id] for id in _ORDER}
"""By id."""
