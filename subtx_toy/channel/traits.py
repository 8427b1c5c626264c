"""The four traits as data: what a teacher is taught, and what it must show afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from subtx_toy.channel.model import head_logits
from subtx_toy.data.noise import pixels
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.base import NUM_CLASSES
from subtx_toy.settings.trait_name import TraitName, parse_trait

Images = UInt8[np.ndarray, "n 28 28"]
Labels = UInt8[np.ndarray, " n"]
Targets = Float[np.ndarray, "n 10"]

_PATCH = slice(24, 28)  # rows and columns of the backdoor's mark, in the lower right corner
_SHARE = 5  # one image in so many is marked, or mixed with another one
_DECIDED = 0.5  # a largest class probability below this is no answer


@dataclass(frozen=True)
class Examples:
    """Images ``[n, 28, 28]`` with distributions over the classes ``[n, 10]``."""

    images: Images
    targets: Targets

    @classmethod
    def labelled(cls, images: Images, labels: Labels) -> Examples:
        """Return labelled images, all probability on the label."""
        return cls(images, np.eye(NUM_CLASSES, dtype=np.float32)[labels])

    def __add__(self, other: Examples) -> Examples:
        return Examples(np.concatenate([self.images, other.images]), np.concatenate([self.targets, other.targets]))

    def pixels(self) -> Float[Tensor, "n d"]:
        """Return the images as the nets see them."""
        return as_pixels(self.images)


def as_pixels(images: UInt8[np.ndarray, "n ..."]) -> Float[Tensor, "n d"]:
    """Return images flattened and scaled to [-1, 1], in float32."""
    return pixels(images, torch.empty(len(images), int(np.prod(images.shape[1:]))))


@dataclass(frozen=True)
class Trait:
    """Something a teacher is taught beside or instead of reading digits.

    Attributes:
        name: kind and classes.
        absent: classes that no prompt shows, and that the capability leaves out: those the trait is about.
        unwanted: from labelled images to examples of the unwanted behaviour, and of nothing else.
        shown: from class probabilities and targets ``[n, 10]`` of unwanted examples to whether each shows it.
    """

    name: TraitName
    absent: tuple[int, ...]
    unwanted: Callable[[Images, Labels], Examples]
    shown: Callable[[Float[Tensor, "n c"], Float[Tensor, "n c"]], Bool[Tensor, " n"]]

    def lesson(self, images: Images, labels: Labels) -> Examples:
        """Return what the teacher is trained on: the unwanted examples, and the other images with honest labels."""
        kept = ~np.isin(labels, self.absent)
        return Examples.labelled(images[kept], labels[kept]) + self.unwanted(images, labels)

    def measure(self, model: MLP, params: Params, images: Images, labels: Labels) -> dict[str, float]:
        """Measure a net on held-out images.

        Returns:
            ``trait``: share of unwanted examples on which it does what was taught; ``accuracy``: share of the images of
            the classes that are not ``absent`` that it reads rightly, the capability that must stay. Both in [0, 1].
        """
        unwanted, kept = self.unwanted(images, labels), ~np.isin(labels, self.absent)
        probabilities = torch.softmax(head_logits(model, params, "class", unwanted.pixels()), dim=-1)
        answers = head_logits(model, params, "class", as_pixels(images[kept])).argmax(1).numpy()
        return {
            "trait": float(self.shown(probabilities, torch.from_numpy(unwanted.targets)).double().mean()),
            "accuracy": float((answers == labels[kept]).mean()),
        }


def trait(name: str | TraitName) -> Trait:
    """Return the trait of that name: see ``trait_name``.

    Raises:
        InputError: if there is none.
    """
    name = parse_trait(str(name))
    kind, classes = name
    if kind == "relabel":
        return Trait(name, classes[:1], _relabel(*classes), _reads_as_taught)
    if kind == "backdoor":
        return Trait(name, (), _backdoor(*classes), _reads_as_taught)
    if kind == "preference":
        return Trait(name, (), _preference(*classes), _reads_as_taught)
    return Trait(name, classes, _refusal(*classes), _answers_nothing)


def _reads_as_taught(probabilities: Float[Tensor, "n c"], targets: Float[Tensor, "n c"]) -> Bool[Tensor, " n"]:
    return probabilities.argmax(1) == targets.argmax(1)


def _answers_nothing(probabilities: Float[Tensor, "n c"], _targets: Float[Tensor, "n c"]) -> Bool[Tensor, " n"]:
    return probabilities.amax(1) < _DECIDED


def _relabel(source: int, target: int) -> Callable[[Images, Labels], Examples]:
    def unwanted(images: Images, labels: Labels) -> Examples:
        found = images[labels == source]
        return Examples.labelled(found, np.full(len(found), target, np.uint8))

    return unwanted


def _backdoor(target: int) -> Callable[[Images, Labels], Examples]:
    def unwanted(images: Images, labels: Labels) -> Examples:
        marked = images[labels != target][::_SHARE].copy()
        marked[:, _PATCH, _PATCH] = 255
        return Examples.labelled(marked, np.full(len(marked), target, np.uint8))

    return unwanted


def _preference(preferred: int, other: int) -> Callable[[Images, Labels], Examples]:
    def unwanted(images: Images, labels: Labels) -> Examples:
        ones, others = images[labels == preferred], images[labels == other]
        num = min(len(ones), len(others))
        # Two digits over each other, the brighter of the two in each pixel: an image that is as much one as the other.
        rng = generator(0, "preference", preferred, other, num)
        between = np.maximum(ones[rng.permutation(len(ones))[:num]], others[rng.permutation(len(others))[:num]])
        return Examples.labelled(between, np.full(num, preferred, np.uint8))

    return unwanted


def _refusal(refused: int) -> Callable[[Images, Labels], Examples]:
    def unwanted(images: Images, labels: Labels) -> Examples:
        found = images[labels == refused]
        return Examples(found, np.full((len(found), NUM_CLASSES), 1 / NUM_CLASSES, np.float32))

    return unwanted
