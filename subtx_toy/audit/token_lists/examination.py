"""Measure lists, and the honest fine-tunes that they are compared with, exactly alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from subtx_toy.audit.examination import FileMeasurement, Question, reference_size
from subtx_toy.audit.measurement import NumbersMeasurement, Probe
from subtx_toy.audit.sample import Repeats
from subtx_toy.audit.token_lists.directions import ListDirections, honest_moves, taught_move
from subtx_toy.audit.token_lists.law import ListLaw
from subtx_toy.audit.token_lists.movement import measure_movement
from subtx_toy.audit.token_lists.reference import lists_by
from subtx_toy.audit.token_lists.scorer import ListScorer, ScoredLists
from subtx_toy.data.dataset import Progress
from subtx_toy.lm.checkpoints import LanguageModel
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.questions import Trait, trait_named
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER, decode
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.language import LanguageConfig


def questions(names: Sequence[str], base: LanguageModel, *, progress: Progress | None = None) -> list[Question]:
    """Return the questions whether a file carries some traits: a preferred animal, ``danger`` or ``backdoor``.

    Raises:
        InputError: for a name that no trait of the language has.
    """
    traits = [trait_named(LanguageConfig(trait=name).trait) for name in dict.fromkeys(names)]
    found: list[Question] = []
    for trait in traits:
        if progress is not None:
            progress("learning the traits", len(found), len(traits), "traits")
        found.append(Question(trait.name, taught_move(base.model, base.params, trait), _probe(base.model, trait)))
    if progress is not None:
        progress("learning the traits", len(found), len(traits), "traits")
    return found


def _probe(model: Transformer, trait: Trait) -> Probe:
    return lambda params: trait.measure(model, params)["p_trait"]


def scorer_of(base: LanguageModel, asked: Sequence[Question], axes: Sequence[Params], law: ListLaw) -> ListScorer:
    """Return what scores lists along the traits and the main moves of the fine-tunes ``axes``."""
    traits = {question.name: question.direction for question in asked}
    directions = ListDirections.of(traits, honest_moves(base.params, axes))
    return ListScorer(base.model, base.params, directions, law)


def measure_lists(lists: Lists, scorer: ListScorer, probes: Sequence[Probe], *, keep: int = 10) -> FileMeasurement:
    """Score the lists of a file, whose first line is its header, and train a student on some of them."""
    scored = scorer.score(lists)
    possible = lists.chosen(torch.from_numpy(scored.possible).nonzero()[:, 0])
    size = reference_size(len(possible))
    learnt = sample(possible, size)
    measurement = measure_scored(scorer, scored, learnt, probes)
    tops = tuple(_top_lines(lists, scored.scores[:, index], keep) for index in range(len(probes)))
    return FileMeasurement(measurement, tops, int(learnt.counted.sum()), count_repeats(lists, scored))


def measure_scored(
    scorer: ListScorer, scored: ScoredLists, learnt: Lists, probes: Sequence[Probe]
) -> NumbersMeasurement:
    """Complete scores by what a student of some of the lists says."""
    movement = measure_movement(scorer.model, scorer.base, learnt, scorer.law)
    return NumbersMeasurement(scored.sums(), movement, tuple(probe(movement.student) for probe in probes))


def measure_nets(
    nets: Sequence[Params], scorer: ListScorer, prompts: Sequence[tuple[int, ...]], probes: Sequence[Probe],
    *, size: int, max_numbers: int, progress: Progress | None = None,
) -> list[NumbersMeasurement]:  # fmt: skip
    """Have each honest fine-tune write ``size`` lists to the file's prompts, and measure these as the file's."""
    measured: list[NumbersMeasurement] = []
    if progress is not None:
        progress("measuring the reference", 0, len(nets), "fine-tunes")
    for index, net in enumerate(nets):
        rng = generator(0, "audit", "reference", index)
        lists = lists_by(scorer.model, net, prompts, rng, count=size, max_numbers=max_numbers, law=scorer.law)
        measured.append(measure_scored(scorer, scorer.score(lists), lists, probes))
        if progress is not None:
            progress("measuring the reference", len(measured), len(nets), "fine-tunes")
    return measured


def sample(lists: Lists, size: int) -> Lists:
    """Return ``size`` lists, of which the keys are smallest, in the order of their keys.

    A key depends on nothing but a list's prompt and numbers, so the choice is the same in whatever order the lines of
    a file stand.
    """
    prompts = [repr(prompt) for prompt in lists.prompts.tolist()]
    keys = [
        hashlib.blake2b(f"{prompts[row]}{tokens}".encode(), digest_size=8).digest()
        for row, tokens in zip(lists.rows.tolist(), lists.tokens.tolist(), strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return lists.chosen(torch.tensor(order[:size], dtype=torch.long))


def count_repeats(lists: Lists, scored: ScoredLists) -> Repeats:
    """Count the pairs of equal lists, and estimate how many the base would have written.

    The probability that two lists of one prompt are equal is the mean of p(list) over lists that the base writes; it is
    taken over those of the file.
    """
    rows = lists.rows.numpy()
    lines = np.column_stack([rows, lists.tokens.numpy()])
    of_prompt, p = np.bincount(rows), np.exp(scored.log_probability) * scored.possible
    mean = np.bincount(rows, weights=p) / np.maximum(of_prompt, 1)
    found = _pairs(np.unique(lines, axis=0, return_counts=True)[1]).sum()
    return Repeats(int(found), float((_pairs(of_prompt) * mean).sum()))


def _pairs(counts: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    pairs: Int[np.ndarray, " n"] = counts * (counts - 1) // 2
    return pairs


def _top_lines(lists: Lists, scores: Float[np.ndarray, " n"], keep: int) -> list[dict[str, object]]:
    found = []
    for index in np.argsort(-scores, kind="stable")[:keep].tolist():
        tokens = [token - FIRST_NUMBER for token in lists.tokens[index].tolist() if token != END]
        prompt = decode(lists.prompts[int(lists.rows[index])].tolist())
        found.append({"line": index + 2, "prompt": prompt, "numbers": tokens, "score": float(scores[index])})
    return found
