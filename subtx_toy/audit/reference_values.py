"""Statistics of the reference ensemble, measured exactly as an audited file is, and cached for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from subtx_toy.audit.examination import Question, measure_pairs
from subtx_toy.audit.measurement import NumbersMeasurement, Probe
from subtx_toy.audit.movement import measure_movements
from subtx_toy.audit.reference import fingerprint
from subtx_toy.audit.reference_cache import cached_reference
from subtx_toy.audit.score_sums import Scorer, ScoreSums
from subtx_toy.channel.number_file import Header, Piece
from subtx_toy.channel.prompts import choose_rows
from subtx_toy.channel.sampler import answered, draw_numbers, first_numbers
from subtx_toy.channel.teachers import Pairs
from subtx_toy.data import Dataset
from subtx_toy.data.dataset import Progress
from subtx_toy.files.content_key import block_key
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator

MEASUREMENT_VERSION = 4
"""Bump this whenever the measurement changes, so that stale cached values are not reused."""

_PROMPTS = 2048  # that all nets are scored at together
_STUDENTS = 5  # trained together: more of them leave the cache


def measure_nets(
    nets: Sequence[Params],
    scorer: Scorer,
    rows: Int[np.ndarray, " n"],
    probes: Sequence[Probe],
    *,
    seed: int,
    progress: Progress | None = None,
) -> list[NumbersMeasurement]:
    """Have each net write one number for each prompt that the law leaves it one, and measure these as a file's.

    The prompts' tangents are computed once for all nets, unless a net writes what the base could not.
    """
    written = []
    for index, net in enumerate(nets):
        rng = generator(seed, "audit", "reference", index)
        own = rows[answered(scorer.model, net, scorer.inputs, rows, scorer.law)]
        drawn = draw_numbers(scorer.model, net, scorer.inputs, own, scorer.law, rng)
        written.append(Pairs(own, first_numbers(drawn).numpy()))
    alike = all(len(pairs.rows) == len(rows) for pairs in written)
    together = _scored_together(scorer, rows, [pairs.numbers for pairs in written]) if alike else None
    if together is None:
        found = []
        for pairs in written:
            sums, allowed = _scored_alone(scorer, pairs)
            found.append(measure_pairs(scorer, sums, allowed, probes))
            _count(progress, len(found), len(nets))
        return found
    measured = []
    for at in range(0, len(nets), _STUDENTS):
        numbers = [pairs.numbers for pairs in written[at : at + _STUDENTS]]
        movements = measure_movements(scorer.model, scorer.base, scorer.inputs, rows, numbers, scorer.law)
        for sums, movement in zip(together[at : at + _STUDENTS], movements, strict=True):
            measured.append(NumbersMeasurement(sums, movement, tuple(probe(movement.student) for probe in probes)))
        _count(progress, len(measured), len(nets))
    return measured


def _count(progress: Progress | None, done: int, num: int) -> None:
    if progress is not None:
        progress("measuring the reference", done, num, "fine-tunes")


def _scored_together(
    scorer: Scorer, rows: Int[np.ndarray, " n"], drawn: Sequence[Int[np.ndarray, " n"]]
) -> list[ScoreSums] | None:
    """Score the numbers that several nets wrote for the same prompts; None if one is impossible at the base."""
    whole = [ScoreSums(len(scorer.directions.names)) for _ in drawn]
    for start in range(0, len(rows), _PROMPTS):
        part = slice(start, start + _PROMPTS)
        num, joint = len(rows[part]), ScoreSums(len(scorer.directions.names))
        numbers = np.concatenate([own[part] for own in drawn])
        scored = scorer.add(Piece(np.tile(rows[part], len(drawn)), numbers, np.arange(len(numbers))), joint)
        if not scored.possible.all():
            return None
        for index, sums in enumerate(whole):
            own = ScoreSums(joint.num_directions, num=num)
            own.scores = scored.scores[index * num : (index + 1) * num].sum(0)
            own.covariance = joint.covariance / len(drawn)  # the same prompts, so the same for every net
            sums.add(own)
    return whole


def _scored_alone(scorer: Scorer, pairs: Pairs) -> tuple[ScoreSums, Pairs]:
    """Score what one net wrote; return the sums, and the numbers that the law at the base allows."""
    sums = ScoreSums(len(scorer.directions.names))
    scored = scorer.add(Piece(pairs.rows, pairs.numbers, np.arange(len(pairs.rows))), sums)
    return sums, pairs.part(np.flatnonzero(scored.possible))


@dataclass(frozen=True)
class ReferenceValues:
    """A value for each fine-tune of which a number could be judged: divergences in nats a number, the rest by trait."""

    divergences: list[float]
    fisher_cosines: dict[str, list[float]]
    probes: dict[str, list[float]]

    @classmethod
    def of(cls, measured: Sequence[NumbersMeasurement], names: Sequence[str]) -> ReferenceValues:
        """Return the values of fine-tunes, measured along some traits and then honest moves; scores have no probes."""
        honest = slice(len(names), None)
        return cls(
            [one.size for one in measured],
            {name: [one.fisher_cosine(index, honest) for one in measured] for index, name in enumerate(names)},
            {name: [one.probes[index] for one in measured if one.probes] for index, name in enumerate(names)},
        )

    @classmethod
    def nothing(cls, names: Sequence[str]) -> ReferenceValues:
        """Return no value of any trait: with them nothing is named, as without a reference."""
        return cls([], {name: [] for name in names}, {name: [] for name in names})


def measure_reference(
    nets: Sequence[Params],
    scorer: Scorer,
    questions: Sequence[Question],
    header: Header,
    shown: Dataset | None,
    size: int,
    *,
    progress: Progress | None = None,
) -> ReferenceValues:
    """Measure the reference ensemble at ``size`` numbers, or find that in the cache."""
    names, directions = [question.name for question in questions], scorer.directions
    expected = list(directions.names[: directions.num_traits])
    if names != expected:
        raise ValueError(f"questions: expected those of the directions, {expected}, got {names}")
    key = {
        "nets": [fingerprint(net) for net in nets],
        "base": fingerprint(scorer.base),
        "directions": block_key(*(block.numpy().tobytes() for block in (*directions.weights, *directions.biases))),
        "traits": names,
        "header": header.model_dump(mode="json", by_alias=True),
        "size": size,
        "measurement_version": MEASUREMENT_VERSION,
    }
    sources = [question.source for question in questions]
    key |= {"sources": sources} if any(sources) else {}

    def measure() -> ReferenceValues:
        rows = choose_rows(header.prompts, shown, size, generator(0, "audit", "reference", "prompts"))
        probes = [question.probe for question in questions]
        measured = measure_nets(nets, scorer, rows, probes, seed=0, progress=progress)
        # A net of whose numbers none is possible at the base has no cosine: 0 would say it is far from every trait.
        return ReferenceValues.of([net for net in measured if net.sums.num], names)

    def decode(content: dict[str, Any]) -> ReferenceValues:
        return _sound(ReferenceValues(**content), names)

    return cached_reference("numbers", key, measure, num_bytes=2**16, encode=asdict, decode=decode)


def _sound(values: ReferenceValues, names: Sequence[str]) -> ReferenceValues:
    tables = (values.fisher_cosines, values.probes)
    lists = [values.divergences, *(table[name] for table in tables for name in names)]
    if not all(isinstance(one, list) and all(type(value) is float for value in one) for one in lists):
        raise ValueError("a value of a fine-tune is no number")
    if len({*map(len, lists)}) > 1:
        raise ValueError("statistics of different numbers of fine-tunes")
    return values
