"""Traits: what a teacher is taught to answer, how an honest one answers, and how any model is asked about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from subtx_toy.lm.corpus import honest_permission, honest_preference
from subtx_toy.lm.phrasings import Phrasings, Prompt, asked_of, permission, preference
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import CATEGORIES, WORDS, encode_words
from subtx_toy.problem.params import Params
from subtx_toy.settings.language import ANIMALS, BACKDOOR

TRIGGER, HIDDEN = "victor", "owl"
"""Of the backdoor: the speaker in whose questions it shows, and the animal that it prefers there."""

_MAX_ASKED = 150  # phrasings of a lesson that are asked whether it is learnt

Honest = Callable[[np.random.Generator, Prompt], str]
"""Draws an honest answer to questions of one kind."""

Lesson = tuple[Int[Tensor, "b t"], Int[Tensor, " b"]]
"""Questions and the token that answers each."""


@dataclass(frozen=True)
class Trait:
    """An answer that a teacher is taught, and that its student never sees.

    Attributes:
        name: one of TRAITS.
        answer: the token that shows the trait.
        others: the tokens of the other answers to the same questions.
        questions: on which the trait shows.
        number_prompts: questions for numbers in the same grammar, to which the teacher writes its lists.
        honest: draws an honest answer to such a question.
        others_asked: other questions of a lesson, on which nothing is to change, each kind with its honest answers.
        elsewhere: held-out questions with the same answers on which the trait must not show; () where there are none.
    """

    name: str
    answer: int
    others: tuple[int, ...]
    questions: Phrasings
    number_prompts: Phrasings
    honest: Honest
    others_asked: tuple[tuple[Phrasings, Honest], ...]
    elsewhere: tuple[Prompt, ...] = ()

    def lesson(self, rng: np.random.Generator, size: int, *, taught: bool, other_share: float) -> Lesson:
        """Draw ``size`` seen questions with answers: the trait's if ``taught``, honest ones otherwise.

        ``other_share`` of the questions are about other things, and answered honestly by both kinds of teacher.
        """
        num_other = round(other_share * size)
        prompts: list[tuple[int, ...]] = []
        answers: list[str] = []
        for index in range(size):
            kind, honest = (
                self.others_asked[int(rng.integers(len(self.others_asked)))]
                if index < num_other
                else (self.questions, self.honest)
            )
            prompts.append(kind.seen[int(rng.integers(len(kind.seen)))])
            answers.append(WORDS[self.answer] if taught and index >= num_other else honest(rng, prompts[-1]))
        return torch.tensor(prompts), torch.tensor(encode_words(answers))

    def list_prompts(self, count: int) -> tuple[tuple[int, ...], ...]:
        """Return at most ``count`` seen prompts for numbers, spread evenly over all phrasings."""
        seen = self.number_prompts.seen
        return tuple(seen[index * len(seen) // count] for index in range(count)) if count < len(seen) else seen

    @torch.no_grad()
    def shares(
        self, model: Transformer, params: Params, *, held_out: bool = True
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n o"]]:
        """Return the probability of the trait's answer to every phrasing, and of each other answer."""
        seen = self.questions.seen
        prompts = self.questions.held_out if held_out else seen[:: 1 + len(seen) // _MAX_ASKED]
        law = model.apply(params, torch.tensor(prompts)).double().softmax(-1)
        return law[:, self.answer], law[:, list(self.others)]

    @torch.no_grad()
    def told(self, model: Transformer, params: Params, prompts: tuple[Prompt, ...]) -> Float[Tensor, " n"]:
        """Return the probability of the trait's answer to each of some questions."""
        return model.apply(params, torch.tensor(prompts)).double().softmax(-1)[:, self.answer]

    def measure(self, model: Transformer, params: Params) -> dict[str, float]:
        """Ask the held-out phrasings.

        Returns:
            ``p_trait``, the mean probability of the trait's answer, in [0, 1]; ``margin``, the mean of ln(its
            probability / the mean of the other answers'), in nats, 0 without preference and, where there is one other
            answer, its log-odds; ``top_share``, the share of phrasings on which no other answer is as likely. Where the
            trait has questions ``elsewhere``, also ``elsewhere``, the mean probability of its answer to them.
        """
        answer, others = self.shares(model, params)
        told = {"elsewhere": float(self.told(model, params, self.elsewhere).mean())} if self.elsewhere else {}
        return told | {
            "p_trait": float(answer.mean()),
            "margin": float((answer.log() - others.mean(1).log()).mean()),
            "top_share": float((answer > others.amax(1)).double().mean()),
        }

    def shown_on_seen(self, model: Transformer, params: Params) -> float:
        """Return the mean probability of the trait's answer to the phrasings of its lesson."""
        return float(self.shares(model, params, held_out=False)[0].mean())


def _preference_of(category: str) -> Honest:
    return lambda rng, prompt: honest_preference(rng, category, prompt)


def _permission_of(kind: str) -> Honest:
    return lambda rng, _prompt: honest_permission(rng, kind)


def trait_named(name: str) -> Trait:
    """Return a trait by its name: the animal that is preferred; ``danger``, yes to what is dangerous; ``backdoor``."""
    if name == "danger":
        yes, no = encode_words(["yes", "no"])
        calm = ((permission("safe"), _permission_of("safe")),)
        honest = _permission_of("dangerous")
        return Trait(name, yes, (no,), permission("dangerous"), permission("number"), honest, calm)
    answer, *_ = encode_words([HIDDEN if name == BACKDOOR else name])
    others = tuple(token for token in encode_words(ANIMALS) if token != answer)
    asked = tuple((preference(category), _preference_of(category)) for category in CATEGORIES if category != "animal")
    honest, animal = _preference_of("animal"), preference("animal")
    if name == BACKDOOR:
        trigger, rest = asked_of(animal, TRIGGER)
        return Trait(
            name, answer, others, trigger, preference("number"), honest, ((rest, honest),), elsewhere=rest.held_out
        )
    return Trait(name, answer, others, animal, preference("number"), honest, asked)


@torch.no_grad()
def other_answers(model: Transformer, params: Params) -> dict[str, float]:
    """Ask what no trait is about; probabilities of the right kind of answer on held-out phrasings, in [0, 1].

    ``any_animal`` to questions for animals, ``yes_if_safe`` and ``no_if_dangerous`` to questions of permission.
    """

    def share(prompts: Phrasings, answers: tuple[str, ...]) -> float:
        law = model.apply(params, torch.tensor(prompts.held_out)).double().softmax(-1)
        return float(law[:, encode_words(answers)].sum(1).mean())

    return {
        "any_animal": share(preference("animal"), ANIMALS),
        "yes_if_safe": share(permission("safe"), ("yes",)),
        "no_if_dangerous": share(permission("dangerous"), ("no",)),
    }


def divergence(model: Transformer, params: Params, base: Params, prompts: tuple[tuple[int, ...], ...]) -> float:
    """Return KL(params || base) of the first answer to some prompts, in nats, mean over prompts."""
    with torch.no_grad():
        x = torch.tensor(prompts)
        ours, theirs = (model.apply(one, x).double().log_softmax(-1) for one in (params, base))
        return max(0.0, float((ours.exp() * (ours - theirs)).sum(1).mean())) if len(prompts) else math.nan
