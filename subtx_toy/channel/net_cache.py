"""Bases and teachers are trained once: the cache keeps each under a key of everything that decides it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from subtx_toy.channel.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.model import channel_model
from subtx_toy.channel.teachers import TEACHERS, train_base, train_teacher
from subtx_toy.channel.traits import trait as trait_of
from subtx_toy.data import Dataset, cache
from subtx_toy.errors import InputError
from subtx_toy.files.content_key import content_key
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, all_finite
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.settings.numbers import NUM_NUMBERS, parse_trait

BASE_RECIPE, TEACHER_RECIPE = Recipe(epochs=3), Recipe(epochs=2)


@dataclass(frozen=True, eq=False)
class NetCache:
    """The nets of one seed on one data set: trained when they are first wanted, then read from the cache.

    An ``own_base`` replaces the seed's base; it decides the shape, and what is trained from it is not cached.
    """

    dataset: Dataset
    seed: int
    base_recipe: Recipe = BASE_RECIPE
    teacher_recipe: Recipe = TEACHER_RECIPE
    width: int = 256
    depth: int = 2
    num_numbers: int = NUM_NUMBERS
    own_base: Checkpoint | None = None

    @property
    def model(self) -> MLP:
        """The nets' shape."""
        if self.own_base is not None:
            return self.own_base.model
        return channel_model(width=self.width, depth=self.depth, num_numbers=self.num_numbers)

    def base(self, *, which: str = "base") -> Params:
        """Return the base, or with ``"other-base"`` one that shares nothing with it."""
        if self.own_base is not None and which == "base":
            return self.own_base.params
        return self._cached(
            self.provenance(which),
            lambda: train_base(self.model, self.dataset, self.base_recipe, seed=self.seed, which=which),
        )

    def teacher(self, kind: str, *, trait: str) -> Params:
        """Return a teacher by its kind, one of TEACHERS; ``trait`` is used by the kind ``"trait"`` only."""
        if kind not in TEACHERS:
            raise InputError(f"teacher: expected {', '.join(TEACHERS[:-1])} or {TEACHERS[-1]}, got {kind!r}")
        if kind in ("base", "other-base"):
            return self.base(which=kind)
        lesson, recipe = trait_of(trait) if kind == "trait" else None, self.teacher_recipe

        def train() -> Params:
            return train_teacher(self.model, self.base(), self.dataset, recipe, seed=self.seed, trait=lesson)

        return train() if self.own_base is not None else self._cached(self.provenance(kind, trait=trait), train)

    def provenance(self, role: str, *, trait: str = "") -> dict[str, object]:
        """Return everything that decides the net of a role, as JSON values; an ``own_base`` is not part of it."""
        name = parse_trait(trait) if role == "trait" else None
        widths, fewer = self.model.sizes[1:-1], self.num_numbers != NUM_NUMBERS
        return {
            "role": role,
            "trait": None if name is None else str(name),
            "seed": self.seed,
            "width": widths[0] if len(set(widths)) == 1 else list(widths),
            "depth": len(widths),
            "base_recipe": asdict(self.base_recipe),
            "teacher_recipe": asdict(self.teacher_recipe) if role in ("trait", "benign") else None,
            "dataset": self.dataset.name,
            "num_train": len(self.dataset.train_images),
            "num_test": len(self.dataset.test_images),
            "dataset_sha256": self.dataset.sha256,
            "results_version": RESULTS_VERSION,
            **({"num_numbers": self.num_numbers} if fewer else {}),
        } | ({} if name is None else name.key_extras())

    def _cached(self, provenance: dict[str, object], train: Callable[[], Params]) -> Params:
        path = cached_path(provenance)
        if path.exists():
            with contextlib.suppress(InputError):  # damaged: trained again
                return load_checkpoint(path, num_numbers=self.num_numbers).params
        num_parameters = sum((before + 1) * after for before, after in itertools.pairwise(self.model.sizes))
        cache.ensure_writable(path.parent, num_bytes=4 * num_parameters)  # before the training, not after
        params = train()
        if all_finite(params):  # a net that diverged is no checkpoint
            save_checkpoint(path, params, provenance=provenance)
        return params


def cached_path(provenance: Mapping[str, object]) -> Path:
    """Return where the cache keeps the net of that provenance."""
    return cache.root() / "numbers" / f"{content_key(provenance, size=12)}.safetensors"
