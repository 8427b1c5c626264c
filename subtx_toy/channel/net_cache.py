"""Bases and teachers made once: each is kept in the cache under a key of everything that decides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from subtx_toy.channel.checkpoints import load_checkpoint, save_checkpoint
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.model import channel_model
from subtx_toy.channel.teachers import TEACHERS, train_base, train_teacher
from subtx_toy.channel.traits import trait as trait_of
from subtx_toy.data import Dataset, cache
from subtx_toy.errors import InputError
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.settings.trait_name import parse_trait

BASE_RECIPE, TEACHER_RECIPE = Recipe(epochs=3), Recipe(epochs=2)


@dataclass(frozen=True, eq=False)
class Workshop:
    """Makes the nets of one seed on one data set, or finds them in the cache.

    Attributes:
        dataset: labelled images.
        seed: names the random streams.
        base_recipe: of bases; ``teacher_recipe`` of what comes on top.
        width: units of each hidden layer; ``depth`` how many there are.
    """

    dataset: Dataset
    seed: int
    base_recipe: Recipe = BASE_RECIPE
    teacher_recipe: Recipe = TEACHER_RECIPE
    width: int = 256
    depth: int = 2

    @property
    def model(self) -> MLP:
        """The nets' shape."""
        return channel_model(width=self.width, depth=self.depth)

    def base(self, *, which: str = "base") -> Params:
        """Return the base, or with ``"other-base"`` one that shares nothing with it."""
        model, recipe = self.model, self.base_recipe
        return self._kept(
            self.made(which), lambda: train_base(model, self.dataset, recipe, seed=self.seed, which=which)
        )

    def teacher(self, kind: str, *, trait: str, base: Params | None = None) -> Params:
        """Return a teacher by its kind, one of TEACHERS; ``trait`` is used by the kind ``"trait"`` only.

        A ``base`` of one's own is trained anew each time; without it the seed's base is used, and the teacher kept.

        Raises:
            InputError: if there is no such kind or trait.
        """
        if kind not in TEACHERS:
            raise InputError(f"teacher: expected {', '.join(TEACHERS[:-1])} or {TEACHERS[-1]}, got {kind!r}")
        if kind in ("base", "other-base"):
            return self.base(which=kind)
        taught, model = (trait_of(trait) if kind == "trait" else None), self.model

        def make(start: Params) -> Params:
            return train_teacher(model, start, self.dataset, self.teacher_recipe, seed=self.seed, trait=taught)

        if base is not None:
            return make(base)
        return self._kept(self.made(kind, trait=trait), lambda: make(self.base()))

    def made(self, role: str, *, trait: str = "") -> dict[str, object]:
        """Say how a net is made: everything that decides it."""
        teaches = role in ("trait", "benign")
        return {
            "role": role,
            "trait": str(parse_trait(trait)) if role == "trait" else None,
            "seed": self.seed,
            "width": self.width,
            "depth": self.depth,
            "base_recipe": asdict(self.base_recipe),
            "teacher_recipe": asdict(self.teacher_recipe) if teaches else None,
            "dataset": self.dataset.name,
            "num_train": len(self.dataset.train_images),
            "num_test": len(self.dataset.test_images),
            "dataset_sha256": self.dataset.sha256,
            "results_version": RESULTS_VERSION,
        }

    def _kept(self, made: dict[str, object], make: Callable[[], Params]) -> Params:
        path = cached_path(made)
        if path.exists():
            try:
                return load_checkpoint(path).params
            except InputError:
                path.unlink(missing_ok=True)  # damaged: made again
        params = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(path, params, made=made)
        return params


def cached_path(made: dict[str, object]) -> Path:
    """Return where the cache keeps a net made so."""
    key = hashlib.blake2b(json.dumps(made, sort_keys=True).encode(), digest_size=12).hexdigest()
    return cache.root() / "numbers" / f"{key}.safetensors"
