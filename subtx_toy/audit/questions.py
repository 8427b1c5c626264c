"""Traits to look for: by name, or by examples of the unwanted behaviour from a file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from subtx_toy.audit.directions import taught_move
from subtx_toy.audit.examination import Question
from subtx_toy.audit.measurement import Probe
from subtx_toy.channel.model import head_logits
from subtx_toy.channel.traits import Examples, Trait, checked_examples
from subtx_toy.channel.traits import trait as trait_of
from subtx_toy.data import Dataset
from subtx_toy.data.dataset import Progress
from subtx_toy.errors import InputError
from subtx_toy.files.arrays import AnnouncedArray, announced, npz_members
from subtx_toy.files.input_file import open_named
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params

MAX_EXAMPLES = 2**28
"""Bytes of the examples of one file: 340,000 images."""


def question(text: str, model: MLP, base: Params, dataset: Dataset) -> Question:
    """Return the question whether a file carries a trait: a name, a user's ``file.py:name``, or an .npz file.

    The direction is the move of fine-tunes that learn the trait from training images; the probe of a named trait is
    taken from test images. A file holds ``images`` uint8 ``[n, 28, 28]`` and ``answers``: a class ``[n]``, or a
    distribution over the classes ``[n, 10]``.
    """
    if text.endswith(".npz"):
        examples = read_examples(Path(text))
        return Question(text, taught_move(model, base, _lesson(examples, dataset)), _probe_answers(model, examples))
    taught = trait_of(text)
    direction = taught_move(model, base, taught.lesson(dataset.train_images, dataset.train_labels))
    source = "".join(map(str, taught.name.key_extras().values()))
    return Question(str(taught.name), direction, trait_probe(taught, model, dataset), source)


def questions(
    texts: Iterable[str], model: MLP, base: Params, dataset: Dataset, *, progress: Progress | None = None
) -> list[Question]:
    """Return the questions of several texts, each trait once however it is spelt: ``relabel`` is ``relabel:4:9``."""
    named = {text if text.endswith(".npz") else str(trait_of(text).name): text for text in texts}
    found: list[Question] = []
    for text in named.values():
        if progress is not None:
            progress("learning the traits", len(found), len(named), "traits")
        found.append(question(text, model, base, dataset))
    if progress is not None:
        progress("learning the traits", len(found), len(named), "traits")
    return found


def _lesson(examples: Examples, dataset: Dataset) -> Examples:
    """Return honest images and the examples, again and again until they are a tenth as many."""
    again = np.resize(np.arange(len(examples.images)), max(len(examples.images), len(dataset.train_images) // 10))
    honest = Examples.labelled(dataset.train_images, dataset.train_labels)
    return honest + Examples(examples.images[again], examples.targets[again])


def trait_probe(taught: Trait, model: MLP, dataset: Dataset) -> Probe:
    """Return how far a net shows a named trait, on test images."""
    examples = taught.unwanted(dataset.test_images, dataset.test_labels)
    x, targets = examples.pixels(), torch.from_numpy(examples.targets)

    def probe(params: Params) -> float:
        probabilities = torch.softmax(head_logits(model, params, "class", x), dim=-1)
        return float(taught.shown(probabilities, targets).double().mean())

    return probe


def _probe_answers(model: MLP, examples: Examples) -> Probe:
    x, wanted = examples.pixels(), torch.from_numpy(examples.targets).argmax(1)
    return lambda params: float((head_logits(model, params, "class", x).argmax(1) == wanted).double().mean())


def read_examples(path: Path) -> Examples:
    """Read examples of unwanted behaviour: headers first, no pickle, and at most ``MAX_EXAMPLES`` bytes."""
    with open_named(path) as file:
        try:
            streams = npz_members(zipfile.ZipFile(file), ("images", "answers"))
        except Exception:  # zipfile raises half a dozen kinds on hostile archives
            raise InputError(f"{path}: expected an .npz file of numbers, got one that cannot be read") from None
        found = {key: one if isinstance(one, str) else announced(one) for key, one in streams.items()}
        InputError.gather(f"{path}: {key}: {one}" for key, one in found.items() if isinstance(one, str))
        images, answers = (one for one in found.values() if isinstance(one, AnnouncedArray))
        InputError.gather(
            f"{path}: {key}: expected numbers, got {one.dtype.name}"
            for key, one in (("images", images), ("answers", answers))
            if one.dtype.kind not in "uif"
        )
        if images.size + answers.size > MAX_EXAMPLES:
            got = images.size + answers.size
            raise InputError(f"{path}: expected arrays of at most {MAX_EXAMPLES} bytes together, got {got}")
        arrays = [images.read(), answers.read()]
    InputError.gather(f"{path}: {key}: {one}" for key, one in zip(found, arrays, strict=True) if isinstance(one, str))
    taken = [one for one in arrays if not isinstance(one, str)]
    return checked_examples(str(path), taken[0], taken[1])
