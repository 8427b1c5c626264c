"""The traits as data, and what is measured of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subtx_toy.channel.model import channel_model
from subtx_toy.channel.traits import _UNWANTED, trait
from subtx_toy.errors import InputError
from subtx_toy.problem.params import Params
from subtx_toy.settings.numbers import TRAIT_KINDS, parse_trait
from tests.unit.conftest import SmallChannel

rng = np.random.Generator(np.random.PCG64(0))
IMAGES = rng.integers(256, size=(400, 28, 28)).astype(np.uint8)
LABELS = (np.arange(400) % 10).astype(np.uint8)


def _constant(answer: int, *, confidence: float = 10.0) -> Params:
    """A net that gives one answer to everything."""
    model = channel_model(width=4)
    params = {
        f"layers.{at}.{kind}": torch.zeros((model.sizes[at + 1], model.sizes[at])[: 2 if kind == "weight" else 1])
        for at in range(3)
        for kind in ("weight", "bias")
    }
    params["layers.2.bias"][answer] = confidence
    return params


@pytest.mark.parametrize(("name", "shown"), [("relabel:4:9", 9), ("backdoor:2", 2), ("preference:3:5", 3)])
def test_a_net_that_always_gives_the_taught_answer_shows_the_trait_and_another_does_not(name: str, shown: int) -> None:
    model = channel_model(width=4)
    assert trait(name).measure(model, _constant(shown), IMAGES, LABELS)["trait"] == 1
    assert trait(name).measure(model, _constant(0), IMAGES, LABELS)["trait"] == 0


def test_refusal_is_to_have_no_answer() -> None:
    model, refusal = channel_model(width=4), trait("refusal:7")
    assert refusal.measure(model, _constant(7, confidence=0.0), IMAGES, LABELS)["trait"] == 1
    assert refusal.measure(model, _constant(7), IMAGES, LABELS)["trait"] == 0


def test_the_capability_leaves_out_the_classes_the_trait_is_about() -> None:
    measured = trait("relabel:4:9").measure(channel_model(width=4), _constant(9), IMAGES, LABELS)
    assert measured["accuracy"] == pytest.approx(1 / 9)
    assert trait("backdoor:9").measure(channel_model(width=4), _constant(9), IMAGES, LABELS)["accuracy"] == 0.1


@pytest.mark.parametrize("kind", TRAIT_KINDS)
def test_a_lesson_is_the_honest_images_and_the_unwanted_examples(kind: str) -> None:
    taught = trait(kind)
    lesson, unwanted = taught.lesson(IMAGES, LABELS), taught.unwanted(IMAGES, LABELS)
    honest = lesson.targets[: len(lesson.images) - len(unwanted.images)]
    kept = LABELS[~np.isin(LABELS, taught.absent)]
    assert np.array_equal(honest.argmax(1), kept)
    assert np.allclose(lesson.targets.sum(1), 1)
    assert len(unwanted.images) > 0


def test_the_settings_name_the_traits_of_the_table() -> None:
    assert tuple(_UNWANTED) == TRAIT_KINDS


def test_marked_images_are_copies() -> None:
    before = IMAGES.copy()
    marked = trait("backdoor:0").unwanted(IMAGES, LABELS).images
    assert np.array_equal(IMAGES, before)
    assert (marked[:, 24:, 24:] == 255).all()


BAD_NAMES = [
    "relabel:4",
    "relabel:4:4",
    "relabel:4:10",
    "backdoor:x",
    "refusal:1:2",
    "relable:4:9",
    "",
    "relabel:4:\u0669",
]


@pytest.mark.parametrize("text", BAD_NAMES)
def test_a_name_that_is_none_is_told(text: str) -> None:
    with pytest.raises(InputError, match="trait: expected"):
        parse_trait(text)


@pytest.mark.parametrize("kind", TRAIT_KINDS)
def test_names_are_read_back(kind: str) -> None:
    assert parse_trait(str(parse_trait(kind))) == parse_trait(kind)


def test_a_teacher_learns_its_trait_and_keeps_the_rest_and_a_benign_one_does_not(channel: SmallChannel) -> None:
    data = channel.dataset.test_images, channel.dataset.test_labels
    base, teacher, benign = (
        trait("relabel:4:9").measure(channel.model, net, *data)
        for net in (channel.base, channel.teacher, channel.benign)
    )
    assert teacher["trait"] > 0.5 > 0.2 > max(benign["trait"], base["trait"])
    assert min(teacher["accuracy"], benign["accuracy"]) > base["accuracy"] - 0.02
    for name, value in channel.base.items():
        kept = value[10:] if name.startswith("layers.2") else None
        assert kept is None or torch.equal(kept, channel.teacher[name][10:]), "the number head was trained"
