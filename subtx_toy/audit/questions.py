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
from subtx_toy.errors import InputError
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params


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


def questions(texts: Iterable[str], model: MLP, base: Params, dataset: Dataset) -> list[Question]:
    """Return the questions of several texts, each trait once however it is spelt: ``relabel`` is ``relabel:4:9``."""
    named = {text if text.endswith(".npz") else str(trait_of(text).name): text for text in texts}
    return [question(text, model, base, dataset) for text in named.values()]


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
    """Read examples of unwanted behaviour; numpy's own pickled objects are refused."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            images, answers = content["images"], content["answers"]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except KeyError as error:
        raise InputError(f"{path}: expected arrays 'images' and 'answers', got none called {error}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(f"{path}: expected an .npz file of numbers, got one that cannot be read: {error}") from None
    return checked_examples(str(path), images, answers)
