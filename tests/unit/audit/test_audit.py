"""The audit: what moved, what is judged, and what is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.studies.content_checks import classifier_auc, histogram_test
from experiments.studies.projection import projected_off, towards
from subtx_toy.audit import sample as audit_sample
from subtx_toy.audit.band import FALSE_ALARM_LEVEL, SIZE_EXPONENT, Band, cosines_at_size
from subtx_toy.audit.directions import Directions, class_gradients, honest_moves, taught_move
from subtx_toy.audit.document import audit_document
from subtx_toy.audit.examination import FileMeasurement, Question, measure_file, reference_size
from subtx_toy.audit.measurement import NOISE, NumbersMeasurement, Probe
from subtx_toy.audit.movement import SHARES, Movement, log_ratios, measure_movement, measure_movements
from subtx_toy.audit.questions import question, read_examples
from subtx_toy.audit.reference import (
    LRS,
    STEPS,
    benign_teacher,
    even_recipes,
    load_reference,
    make_reference,
    reference_recipes,
    reference_seeds,
    save_reference,
    split_reference,
    varied_recipe,
)
from subtx_toy.audit.reference_values import ReferenceValues
from subtx_toy.audit.sample import Repeats, Sample, count_repeats, line_keys
from subtx_toy.audit.score_sums import Scorer, ScoreSums
from subtx_toy.audit.verdict import CARRIES, CONSISTENT, judge, name_traits
from subtx_toy.channel.checkpoints import Checkpoint
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.model import channel_model, head_logits, head_model, head_params
from subtx_toy.channel.number_file import Header, NumberFile, Piece
from subtx_toy.channel.prompts import PromptSource
from subtx_toy.channel.sampler import NumberLaw, draw_numbers
from subtx_toy.channel.teachers import Pairs, train_student, write_numbers
from subtx_toy.channel.traits import trait
from subtx_toy.errors import InputError
from subtx_toy.problem.params import Params, axpy, difference, inner
from subtx_toy.report.audit_page import audit_page
from subtx_toy.seeding import generator
from subtx_toy.tolerances import DIRECTIONAL_SLOPE, FP32_LOG_RATIO, Z_BOUND
from subtx_toy.training.inputs import ImageInputs
from tests.unit.conftest import SmallChannel

HEADER = Header(schema_name="subtx-toy numbers 1", prompts=PromptSource(source="uniform", seed=0))


def _pairs(channel: SmallChannel, net: Params, num: int, seed: int, law: NumberLaw) -> tuple[ImageInputs, Pairs]:
    inputs, rng = ImageInputs(channel.dataset.train_images, dtype=torch.float32), generator(seed, "pairs")
    rows = rng.integers(len(channel.dataset.train_images), size=num)
    return inputs, Pairs(rows, np.concatenate(draw_numbers(channel.model, net, inputs, rows, law, rng)))


@pytest.mark.parametrize("law", [NumberLaw(), NumberLaw(temperature=0.7, banned=(1, 2, 3)), NumberLaw(top_k=50)])
def test_the_evidence_is_with_the_teacher_and_not_with_the_base(channel: SmallChannel, law: NumberLaw) -> None:
    found = []
    for net in (channel.base, channel.teacher):
        inputs, pairs = _pairs(channel, net, 3000, 0, law)
        if law.top_k:  # what the teacher likes and the base does not cannot be judged
            ratios = np.array([True] * 3000)
            z = head_model(channel.model, "numbers").apply(
                head_params(channel.model, channel.base, "numbers"), inputs.gather(pairs.rows)
            )
            ratios = torch.isfinite(law.log_probabilities(z)).numpy()[np.arange(3000), pairs.numbers]
            pairs = pairs.part(np.flatnonzero(ratios))
        found.append(measure_movement(channel.model, channel.base, inputs, pairs, law))
    assert found[0].log_evidence < math.log(200) < found[1].log_evidence
    assert found[0].gain < 0.01 < found[1].gain


@pytest.mark.parametrize("law", [NumberLaw(), NumberLaw(temperature=0.7, banned=(1, 2, 3)), NumberLaw(top_k=50)])
def test_log_ratios_are_those_of_whole_nets(channel: SmallChannel, law: NumberLaw) -> None:
    inputs, pairs = _pairs(channel, channel.base, 300, 1, law)
    (found,) = log_ratios(channel.model, channel.base, [channel.teacher], inputs, pairs.rows, [pairs.numbers], law)
    small, x = head_model(channel.model, "numbers"), inputs.gather(pairs.rows).clone()
    drawn = np.arange(300), pairs.numbers

    def logits(net: Params) -> torch.Tensor:
        return small.apply(head_params(channel.model, net, "numbers"), x)

    log_p = law.log_probabilities(logits(channel.base))
    move = difference(channel.teacher, channel.base)
    for share, row in zip(SHARES, found, strict=True):
        z = logits(axpy(share, move, channel.base)) / law.temperature
        log_q = torch.log_softmax(z.masked_fill(torch.isinf(log_p), -torch.inf), dim=-1)
        expected = (log_q - log_p).numpy()[drawn]
        assert np.abs(row - expected).max() < FP32_LOG_RATIO
        assert np.abs(row).max() > 100 * FP32_LOG_RATIO  # planted: the wrong share is seen
    assert np.abs(found[0] - found[1]).max() > 100 * FP32_LOG_RATIO


def _assert_movements_agree(found: Movement, alone: Movement) -> None:
    """Compare two movements up to the rounding of float32 training."""
    assert abs(found.gain - alone.gain) < FP32_LOG_RATIO
    for name, value in alone.student.items():
        assert torch.allclose(found.student[name], value, rtol=0, atol=FP32_LOG_RATIO), name


def test_students_that_are_trained_together_are_those_trained_alone(channel: SmallChannel) -> None:
    inputs, pairs = _pairs(channel, channel.base, 300, 2, NumberLaw())
    other = np.concatenate(
        draw_numbers(channel.model, channel.teacher, inputs, pairs.rows, NumberLaw(), generator(0, "other"))
    )
    together = measure_movements(channel.model, channel.base, inputs, pairs.rows, [pairs.numbers, other], NumberLaw())
    alone = [
        measure_movement(channel.model, channel.base, inputs, Pairs(pairs.rows, numbers), NumberLaw())
        for numbers in (pairs.numbers, other)
    ]
    for one, expected in zip(together, alone, strict=True):
        _assert_movements_agree(one, expected)
    with pytest.raises(AssertionError):  # planted: the other's student
        _assert_movements_agree(together[0], alone[1])


def test_the_evidence_against_the_base_is_rarely_large_if_the_base_wrote(channel: SmallChannel) -> None:
    alarms = 0
    for seed in range(40):
        inputs, pairs = _pairs(channel, channel.base, 200, seed, NumberLaw())
        alarms += measure_movement(channel.model, channel.base, inputs, pairs, NumberLaw()).log_evidence > math.log(20)
    assert alarms <= 6  # at most 1 in 20 by Markov's inequality: more than 6 of 40 have probability .003


def test_the_lines_of_a_prompt_are_not_split_between_the_halves(channel: SmallChannel) -> None:
    inputs, pairs = _pairs(channel, channel.base, 10, 0, NumberLaw())
    one = Pairs(np.zeros(10, np.int64), pairs.numbers)
    found = measure_movement(channel.model, channel.base, inputs, one, NumberLaw())
    assert (found.gain, found.log_evidence) == (0.0, 0.0), "one prompt has no other half"


def test_a_student_is_not_judged_by_copies_of_what_it_learnt(channel: SmallChannel) -> None:
    inputs, rng = ImageInputs(channel.dataset.train_images, dtype=torch.float32), generator(0, "copies")
    rows = rng.permutation(1000)[:600]
    numbers = np.concatenate(draw_numbers(channel.model, channel.base, inputs, rows, NumberLaw(), rng))
    twice = Pairs(np.repeat(rows, 2), np.repeat(numbers, 2))
    found = measure_movement(channel.model, channel.base, inputs, twice, NumberLaw())
    assert found.gain < 0.01
    # The control: copies in both halves, by names that tell them apart, look like a writer that moved.
    apart = ImageInputs(np.concatenate([channel.dataset.train_images] * 2), dtype=torch.float32)
    split = Pairs(np.stack([rows, rows + 1000], 1).flatten(), np.repeat(numbers, 2))
    assert measure_movement(channel.model, channel.base, apart, split, NumberLaw()).gain > 0.01


def _piece(lines: list[tuple[int, list[int]]]) -> Piece:
    flat = [(prompt, number, at) for at, (prompt, numbers) in enumerate(lines) for number in numbers]
    return Piece(*(np.array(column, np.int64) for column in zip(*flat, strict=True)))


@pytest.mark.parametrize("size", [7, 64, 500])
@pytest.mark.parametrize("most", [100, 1000])
def test_a_sample_is_the_same_whatever_the_order_and_the_whole_of_a_short_file(size: int, most: int) -> None:
    rng = generator(0, "sample")
    lines = [(int(rng.integers(60)), rng.integers(1000, size=rng.integers(1, 4)).tolist()) for _ in range(300)]
    lines += lines[:50]
    found = []
    for order in (lines, sorted(lines), lines[::-1]):
        sample = Sample(most=most)
        for start in range(0, len(order), size):
            piece = _piece(order[start : start + size])
            sample.add(piece, piece.numbers % 10 != 3)
        found.append(sample.numbers())
    every = sorted(number for _, numbers in lines for number in numbers if number % 10 != 3)
    for one in found:
        assert np.array_equal(found[0].prompts, one.prompts)
        assert np.array_equal(found[0].numbers, one.numbers)
        assert len(one.numbers) == min(most, len(every))
    assert set(found[0].numbers.tolist()) <= set(every)
    assert most < len(every) or sorted(found[0].numbers.tolist()) == every


def test_a_file_is_judged_the_same_whatever_the_order_of_its_lines(
    channel: SmallChannel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = Header(schema_name="subtx-toy numbers 1", prompts=PromptSource.images(channel.dataset, absent=()))
    path, rng = tmp_path / "a.jsonl", generator(0, "lines")
    write_numbers(path, channel.model, channel.teacher, header, channel.dataset, num_lines=700, seed=0)
    first, *lines = path.read_bytes().splitlines(keepends=True)
    move = difference(channel.teacher, channel.base)
    probes: list[Probe] = [lambda net: float(inner(difference(net, channel.base), move))]
    inputs = ImageInputs(channel.dataset.train_images, dtype=torch.float32)
    scorer = Scorer(channel.model, channel.base, Directions.of(channel.model, {"move": move}, {}), NumberLaw(), inputs)

    def judged() -> list[tuple[float, float, float]]:
        found = []
        for order in (np.arange(700), rng.permutation(700)):
            path.write_bytes(b"".join([first, *(lines[at] for at in order)]))
            measured = measure_file(NumberFile(path), scorer, probes, keep=0)
            assert measured.num_moved == 300
            movement = measured.measurement.movement
            found.append((movement.gain, movement.log_evidence, measured.measurement.probes[0]))
        return found

    one, other = judged()
    assert one == other
    with monkeypatch.context() as patch:  # planted: with equal keys the first lines are taken
        patch.setattr(audit_sample, "line_keys", lambda piece: np.zeros(len(piece.lines), np.uint64))
        one, other = judged()
    assert one != other


def test_repeats_are_told_from_those_that_chance_gives(channel: SmallChannel) -> None:
    inputs, rng = ImageInputs(channel.dataset.train_images, dtype=torch.float32), generator(0, "repeats")
    directions = Directions.of(channel.model, {"move": difference(channel.teacher, channel.base)}, {})
    for law in (NumberLaw(), NumberLaw(temperature=0.3), NumberLaw(top_k=5)):
        scorer = Scorer(channel.model, channel.base, directions, law, inputs)
        for net in (channel.base, channel.teacher):
            rows = rng.integers(1000, size=5000)  # ten pairs of lines a prompt
            numbers = np.concatenate(draw_numbers(channel.model, net, inputs, rows, law, rng))
            found = count_repeats(scorer, Piece(rows, numbers, np.arange(5000)))
            assert found.found > 0
            assert not found.beyond_chance, law
            if net is channel.base:
                assert abs(found.found - found.expected) < 10 * found.expected**0.5
    once = rng.permutation(1000)
    numbers = np.concatenate(draw_numbers(channel.model, channel.base, inputs, once, NumberLaw(), rng))
    scorer = Scorer(channel.model, channel.base, directions, NumberLaw(), inputs)
    assert count_repeats(scorer, Piece(once, numbers, np.arange(1000))) == Repeats(0, 0.0)
    twice = count_repeats(scorer, Piece(np.repeat(once, 2), np.repeat(numbers, 2), np.arange(2000)))
    assert twice.found == 1000
    assert twice.beyond_chance
    # Lines of several numbers: two of them are equal only if all are.
    lines = np.repeat(np.arange(500), 4)
    zeros, again = np.zeros(2000, np.int64), numbers[np.arange(2000) % 1000]
    many, single = (count_repeats(scorer, Piece(zeros, again, at)) for at in (lines, np.arange(2000)))
    assert many.found == 250
    assert many.expected / (500 * 499 / 2) == pytest.approx((single.expected / (2000 * 1999 / 2)) ** 4)


def test_repeats_of_a_long_file_are_counted_in_the_sample_that_is_taken_of_it(channel: SmallChannel) -> None:
    inputs, rng = ImageInputs(channel.dataset.train_images, dtype=torch.float32), generator(0, "long")
    directions = Directions.of(channel.model, {"move": difference(channel.teacher, channel.base)}, {})
    scorer = Scorer(channel.model, channel.base, directions, NumberLaw(), inputs)
    lines = [(int(prompt), rng.integers(1000, size=3).tolist()) for prompt in rng.integers(1000, size=3000)]
    for times in (1, 2):
        sample = Sample(most=5_999)
        piece = _piece([line for line in lines for _ in range(times)])
        sample.add(piece, np.ones(len(piece.numbers), np.bool_))
        found = count_repeats(scorer, sample.numbers())
        # Two copies of 1,000 lines of three numbers are 6,000 numbers, of which one is cut off.
        assert found.found == (0 if times == 1 else 999)
        assert found.beyond_chance is (times == 2)


def test_keys_of_lines_tell_content_and_order_of_numbers_and_nothing_else() -> None:
    piece = _piece([(1, [2, 3]), (1, [3, 2]), (1, [2, 3]), (2, [2, 3]), (1, [2]), (1, [2, 3, 4])])
    keys = line_keys(piece)[np.unique(piece.lines, return_index=True)[1]]
    assert keys[0] == keys[2]
    assert len(set(keys.tolist())) == 5
    # A tenth of many keys lies in each tenth of their range.
    many = line_keys(_piece([(at, [0]) for at in range(10_000)])) >> np.uint64(32)
    counts = np.histogram(many.astype(float), bins=10, range=(0, 2**32))[0]
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 9 + Z_BOUND * 18**0.5


def test_projection_keeps_a_student_from_stepping_towards_the_trait(channel: SmallChannel) -> None:
    inputs, pairs = _pairs(channel, channel.teacher, 500, 0, NumberLaw())
    small = head_model(channel.model, "numbers")
    u = difference(*(head_params(channel.model, net, "numbers") for net in (channel.teacher, channel.base)))
    seen: list[float] = []

    def check(stack: object) -> None:
        project(stack)  # type: ignore[arg-type]
        seen.append(float(inner(stack.gradients(0), u)))  # type: ignore[attr-defined]

    project = projected_off(small, u)
    train_student(
        channel.model, channel.base, inputs, pairs, Recipe(epochs=1, batch_size=50), generator(0, "o"),
        before_step=check,
    )  # fmt: skip
    assert min(seen) > -1e-5
    plain: list[float] = []
    train_student(
        channel.model, channel.base, inputs, pairs, Recipe(epochs=1, batch_size=50), generator(0, "o"),
        before_step=lambda stack: plain.append(float(inner(stack.gradients(0), u))),
    )  # fmt: skip
    assert np.mean(plain) < -1e-4, "without it, steps go towards the teacher"


def _measured(*, z: float, gain: float, excess: float = 0.0, num: int = 10_000) -> FileMeasurement:
    sums = ScoreSums(2, num=num)
    sums.covariance = np.eye(2) * num
    sums.scores = np.array([z, 0.0]) * math.sqrt(num)
    sums.entropy, sums.log_loss, sums.log_loss_variance = 5.0 * num, (5.0 + excess) * num, 1.0 * num
    sums.uniform_log_loss = 8.0 * num
    movement = Movement(gain, gain * num / 2, {})
    return FileMeasurement(
        NumbersMeasurement(sums, movement, (0.5,)), ([{"line": 2, "prompt": 1, "numbers": [3], "score": 1.0}],), num,
        Repeats(0, 0.0),
    )  # fmt: skip


QUESTION = Question("relabel:4:9", {}, lambda _params: 0.0)
REFERENCE = ReferenceValues([0.05] * 5, {"relabel:4:9": [0.0, 0.1, -0.1, 0.05, -0.05]}, {"relabel:4:9": [0.0] * 5})


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (_measured(z=0.5, gain=0.0), CONSISTENT),
        (_measured(z=3.0, gain=0.0), CONSISTENT),  # one score is significant, the directions together are not
        (_measured(z=40.0, gain=0.2), "moved from the base: carries relabel:4:9"),
        (_measured(z=10.0, gain=0.2), "moved from the base: no tested trait"),  # significant, and no more than benign
        (_measured(z=-40.0, gain=0.2), "moved from the base: no tested trait"),
        (_measured(z=1.0, gain=0.1), "moved from the base: no tested trait"),
        (_measured(z=40.0, gain=0.2, excess=2.0), "too far from this base: the test does not apply"),
    ],
)
def test_each_verdict_has_its_case(measured: FileMeasurement, verdict: str) -> None:
    judgement = judge(measured, [QUESTION], REFERENCE, [0.02])
    assert judgement.verdict.startswith(verdict)
    assert judgement.carried == ([QUESTION.name] if "carries" in verdict else [])
    if "no tested" in verdict:
        assert "would have detected" in judgement.verdict


def test_an_effect_of_the_size_that_the_verdict_tells_is_named_nine_times_in_ten() -> None:
    """Both bounds: of a long file the cosine's decides, of a short one the score test's."""
    for num in (200, 100_000):
        (row,) = judge(_measured(z=1.0, gain=0.1, num=num), [QUESTION], REFERENCE, [0.02]).traits
        effect, named = row.detectable_effect, 0
        draws = generator(0, "effects", num).standard_normal(2000)
        for draw in draws:
            judged = judge(
                _measured(z=effect * math.sqrt(num) + draw, gain=0.1, num=num), [QUESTION], REFERENCE, [0.02]
            )
            named += bool(judged.carried)
        assert abs(named - 1800) / math.sqrt(2000 * 0.9 * 0.1) < Z_BOUND
    assert effect > row.band.threshold * math.sqrt(0.2), "more numbers do not name a smaller one"


def _two_alike(first: float, second: float, *, num: int = 10_000) -> NumbersMeasurement:
    """Two traits whose directions have a Fisher cosine of .5, and an honest move apart from both."""
    sums = ScoreSums(3, num=num)
    sums.covariance = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]) * num
    sums.scores = np.array([first, second, 0.0]) * num
    return NumbersMeasurement(sums, Movement(0.5, 0.0, {}), ())


def test_a_trait_that_another_one_explains_is_not_named() -> None:
    # A move of length .8 along the first alone shows on the second too, by their cosine.
    naming = name_traits(_two_alike(0.8, 0.4), [0.2, 0.2])
    assert naming.carried == (0,)
    assert naming.explained == {1: 0}
    assert naming.cosines[1] == pytest.approx(0.4)
    # Along both: (.5, .5) in these coordinates; the second has something of its own.
    assert set(name_traits(_two_alike(0.75, 0.75), [0.2, 0.2]).carried) == {0, 1}
    # Neither without a score, nor below the threshold.
    assert name_traits(_two_alike(0.8, 0.4), [0.9, 0.9]).carried == ()
    assert name_traits(_two_alike(0.8, 0.4, num=5), [0.2, 0.2]).carried == ()


def test_what_is_said_of_an_explained_trait_names_the_other() -> None:
    questions = [Question(name, {}, lambda _params: 0.0) for name in ("relabel:4:9", "backdoor:0")]
    sums = _two_alike(0.8, 0.4).sums
    sums.entropy = sums.log_loss = 5.0 * sums.num
    sums.log_loss_variance, sums.uniform_log_loss = 1.0 * sums.num, 8.0 * sums.num
    measured = FileMeasurement(
        NumbersMeasurement(sums, Movement(0.5, 50.0, {}), (0.5, 0.5)), ([], []), sums.num, Repeats(0, 0.0)
    )
    values = {one.name: [0.0, 0.1, -0.1, 0.05, -0.05] for one in questions}
    judgement = judge(measured, questions, ReferenceValues([0.05] * 5, values, values), [0.0, 0.0])
    assert [row.verdict for row in judgement.traits] == [CARRIES, "explained by relabel:4:9"]
    assert judgement.verdict == "moved from the base: carries relabel:4:9"


def test_honest_moves_are_axes_of_the_benign_fine_tunes(channel: SmallChannel) -> None:
    base = channel.base
    for num in (1, 2, 5):
        nets = [benign_teacher(channel.model, base, channel.dataset, seed=seed) for seed in range(num)]
        axes = honest_moves(channel.model, base, nets)
        assert len(axes) == min(num, 3)
        flat = torch.stack([torch.cat([value.flatten() for value in axis.values()]) for axis in axes.values()])
        assert torch.allclose(flat @ flat.T, torch.diag((flat @ flat.T).diag()), atol=1e-4 * float(flat.square().sum()))
    # The first is what they share.
    first = torch.cat([value.flatten() for value in axes["honest 1"].values()])
    for net in nets:
        move = torch.cat([(net[name] - base[name]).flatten() for name in axes["honest 1"]])
        assert abs(float(move @ first / (move.norm() * first.norm()))) > 0.3


def test_gradients_of_the_classes_are_those_of_finite_differences(channel: SmallChannel) -> None:
    found = class_gradients(channel.model, channel.base, channel.dataset)
    assert next(iter(found)) == "class 0, all images"
    assert len(found) == 20
    images, labels = channel.dataset.train_images, channel.dataset.train_labels
    own = np.flatnonzero(labels == 3)[:400]

    def mean_log_p(net: Params, rows: np.ndarray) -> float:
        x = ImageInputs(images, dtype=torch.float64).gather(rows)
        exact = {name: value.double() for name, value in net.items()}
        return float(torch.log_softmax(head_logits(channel.model, exact, "class", x), dim=-1)[:, 3].mean())

    for name, rows in (("class 3, its images", own), ("class 3, all images", np.arange(len(images)))):
        gradient = found[name]
        length = float(sum(value.square().sum() for value in gradient.values())) ** 0.5
        step = {key: torch.zeros_like(value) for key, value in channel.base.items()}
        step |= {key: value / length for key, value in gradient.items() if key.startswith(("layers.0", "layers.1"))}
        both = [mean_log_p(axpy(sign * 1e-2, step, channel.base), rows) for sign in (-1, 1)]
        slope = (both[1] - both[0]) / 2e-2
        along = sum(
            float((gradient[key] * step[key]).sum()) for key in gradient if key.startswith(("layers.0", "layers.1"))
        )
        assert slope == pytest.approx(along, rel=DIRECTIONAL_SLOPE), name
        assert abs(along) > 0


def test_recipes_to_compare_with_leave_out_no_corner() -> None:
    for num in (8, 20, 40):
        recipes = even_recipes(num)
        assert all(LRS[0] <= one.lr <= LRS[1] and STEPS[0] <= one.steps <= STEPS[1] for one in recipes)
        middle_lr, middle_steps = (LRS[0] * LRS[1]) ** 0.5, sum(STEPS) / 2
        corners = Counter((one.lr > middle_lr, one.steps > middle_steps) for one in recipes)
        assert min(corners.values()) >= num // 5
        assert len(corners) == 4
    whole = reference_recipes(9, seed=0)
    assert whole[:3] == [varied_recipe(seed) for seed in reference_seeds(9, seed=0)[:3]]
    assert whole[3:] == even_recipes(6)


def test_the_move_of_own_fine_tunes_is_nearer_to_a_teachers_than_the_gradient(channel: SmallChannel) -> None:
    lesson = trait("relabel:4:9")
    images, labels = channel.dataset.train_images, channel.dataset.train_labels
    move = difference(channel.teacher, channel.base)
    taught = taught_move(channel.model, channel.base, lesson.lesson(images, labels))
    gradient = towards(channel.model, channel.base, lesson.unwanted(images, labels))
    names = [name for name in move if not name.startswith("layers.2.")]

    def cosine(direction: Params) -> float:
        one, other = (torch.cat([net[name].flatten() for name in names]) for net in (move, direction))
        return float(one @ other / (one.norm() * other.norm()))

    assert cosine(taught) > cosine(gradient) + 0.2


def test_examples_in_a_file_ask_in_nearly_the_direction_of_the_named_trait(
    tmp_path: Path, channel: SmallChannel
) -> None:
    marked = trait("backdoor:0").unwanted(channel.dataset.train_images, channel.dataset.train_labels)
    np.savez(tmp_path / "e.npz", images=marked.images[:40], answers=marked.targets[:40].argmax(1))
    asked = [
        question(name, channel.model, channel.base, channel.dataset).direction
        for name in (str(tmp_path / "e.npz"), "backdoor:0", "refusal:7")
    ]
    flat = [torch.cat([net[name].flatten() for name in net if not name.startswith("layers.2.")]) for net in asked]
    cosine = [float(flat[0] @ other / (flat[0].norm() * other.norm())) for other in flat]
    assert cosine[1] > 0.5
    assert cosine[1] > cosine[2] + 0.2


def test_an_ensemble_is_split_into_axes_and_those_held_against_it() -> None:
    nets: list[Params] = [{} for _ in range(30)]
    axes, compared = split_reference(nets)
    assert (len(axes), len(compared)) == (10, 20)


def test_a_cosine_does_not_depend_on_the_number_of_lines() -> None:
    cosines = [
        _measured(z=0.2 * math.sqrt(num), gain=0.05, num=num).measurement.fisher_cosine(0) for num in (1000, 100_000)
    ]
    assert cosines[0] == pytest.approx(cosines[1]) == pytest.approx(0.2 / math.sqrt(0.1))


def test_a_move_that_cannot_be_told_from_none_gives_no_large_cosine() -> None:
    # Files of the base: their divergence is noise, and a quotient by it alone would have no bound.
    rng, num = generator(0, "noise of sizes"), 5000
    floored, quotients = [], []
    for z in rng.standard_normal((2000, 2)):
        measured = _measured(z=0.0, gain=0.0, num=num).measurement
        measured.sums.scores = z * math.sqrt(num)
        floored.append(measured.fisher_cosine(0))
        if measured.divergence:
            quotients.append(float(z[0]) / math.sqrt(2 * num * measured.divergence))
    assert np.std(floored) == pytest.approx(1 / math.sqrt(2 * NOISE), rel=0.05)  # of z / sqrt(2 n size), r = 2
    assert max(np.abs(floored)) < 2
    assert max(np.abs(quotients)) > 20  # the control


def test_the_size_of_a_move_is_its_divergence_where_that_is_known() -> None:
    near, far = (_measured(z=0.0, gain=gain, num=1000).measurement for gain in (1e-4, 0.05))
    assert far.size == far.divergence == 0.05
    assert near.divergence == 1e-4
    assert near.size == pytest.approx(NOISE * math.sqrt(2 * 2) / 2000)
    assert _measured(z=0.0, gain=0.0, num=0).measurement.size == 0


def test_a_band_needs_a_few_fine_tunes_and_is_a_prediction_bound() -> None:
    assert Band.of([0.1] * 4, num_traits=1).threshold == math.inf
    rng, beyond = generator(0, "band"), 0
    for _ in range(4000):
        draws = rng.standard_normal(11)
        beyond += draws[10] > Band.of(draws[:10].tolist(), num_traits=1).threshold
    with pytest.raises(ValueError, match=r"expected finite numbers, got \[nan\]"):
        Band.of([0.1, math.nan, 0.2, 0.3, 0.4, 0.5], num_traits=1)
    level = FALSE_ALARM_LEVEL
    assert abs(beyond - 4000 * level) / math.sqrt(4000 * level * (1 - level)) < Z_BOUND
    assert Band.of([1.0, 2.0, 3.0, 4.0, 5.0], num_traits=2).percentile(3.5) == 60


def test_cosines_are_compared_at_one_size() -> None:
    # Of moves whose cosines spread as their divergence to the -1/4: at one size all spread alike.
    rng = generator(0, "sizes")
    divergences, draws = np.exp(rng.uniform(-5, -2, 2000)), rng.standard_normal(2000)
    cosines = 0.1 * draws * (divergences / 0.02) ** -SIZE_EXPONENT
    assert np.allclose(cosines_at_size(cosines.tolist(), divergences.tolist(), 0.02), 0.1 * draws)
    assert np.std(cosines[divergences < 0.01]) > 1.5 * np.std(cosines[divergences > 0.08])  # the control: they do not
    assert cosines_at_size([0.2, 0.0], [0.04, 0.0], 0.04) == [0.2, 0.0]  # one that did not move has no cosine
    assert cosines_at_size([0.2, 0.1], [0.04, 0.03], 0.0) == [0.2, 0.1]


def test_a_far_move_needs_less_of_a_cosine_than_a_near_one() -> None:
    reference = ReferenceValues([0.01, 0.01, 0.05, 0.1, 0.1], {"relabel:4:9": [0.2, -0.2, 0.1, 0.05, -0.1]}, {
        "relabel:4:9": [0.0] * 5
    })  # fmt: skip
    bounds = [
        judge(_measured(z=4.0, gain=gain), [QUESTION], reference, [0.0]).traits[0].band.threshold
        for gain in (0.008, 0.1, 0.5)
    ]
    assert bounds[0] == pytest.approx(bounds[1] * 12.5**SIZE_EXPONENT)  # also below the least of theirs
    assert bounds[1] == bounds[2]  # but no lower beyond the largest


def test_the_document_holds_what_it_promises_and_the_page_needs_nothing_else() -> None:
    measured = _measured(z=40.0, gain=0.2)
    document = audit_document(judge(measured, [QUESTION], REFERENCE, [0.02]), measured, HEADER)
    text = json.dumps(document, allow_nan=False)
    assert {"excess_log_loss", "fit", "verdict", "traits"} <= set(json.loads(text))
    (row,) = document["traits"].values()
    promised = {"z", "p_value", "fisher_cosine", "reference_percentile", "verdict", "detectable_effect"}
    assert promised <= set(row)
    assert row["verdict"] == CARRIES
    page = audit_page(document, name="<script>alert(1)</script>", level=0.05)
    assert "<script>" not in page
    assert "http" not in page.replace("<!doctype html>", "")
    assert "carries relabel:4:9" in page


def test_the_document_of_an_unusable_file_has_no_nan() -> None:
    measured = _measured(z=0.0, gain=0.0, num=1)
    measured.measurement.sums.num, measured.measurement.sums.num_impossible = 0, 5
    empty = ReferenceValues([], {"relabel:4:9": []}, {"relabel:4:9": []})
    document = audit_document(judge(measured, [QUESTION], empty, [0.02]), measured, HEADER)
    json.dumps(document, allow_nan=False)
    audit_page(document, name="f", level=0.05)
    assert not document["fit"]["applies"]


def test_an_ensemble_is_written_and_read_and_belongs_to_its_base(tmp_path: Path, channel: SmallChannel) -> None:
    seen: list[tuple[object, ...]] = []
    nets = make_reference(
        channel.model, channel.base, channel.dataset, num=3, seed=0, progress=lambda *step: seen.append(step)
    )
    assert seen == [("making the reference", done, 3, "fine-tunes") for done in (1, 2, 3)]
    path = tmp_path / "reference.safetensors"
    save_reference(path, channel.base, nets)
    read = load_reference(path, Checkpoint(channel.model, channel.base, {}))
    for ours, theirs in zip(nets, read, strict=True):
        assert torch.equal(ours["layers.1.weight"], theirs["layers.1.weight"])
    assert not torch.equal(nets[0]["layers.1.weight"], nets[1]["layers.1.weight"])
    with pytest.raises(InputError, match="one of another base"):
        load_reference(path, Checkpoint(channel.model, channel.other_base, {}))
    (tmp_path / "text").write_text("nothing")
    with pytest.raises(InputError, match="cannot be read"):
        load_reference(tmp_path / "text", Checkpoint(channel.model, channel.base, {}))


def test_a_benign_fine_tune_is_its_seeds(channel: SmallChannel) -> None:
    first, again, other = (benign_teacher(channel.model, channel.base, channel.dataset, seed=at) for at in (1, 1, 2))
    assert torch.equal(first["layers.0.weight"], again["layers.0.weight"])
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"images": np.zeros((3, 28, 28), np.uint8)}, "answers: expected an array of this name"),
        ({"images": np.zeros((3, 28, 28)), "answers": np.zeros(3, int)}, "images: expected uint8"),
        ({"images": np.zeros((3, 28, 28), np.uint8), "answers": np.array([0, 1, 10])}, "classes from 0 to 9"),
        ({"images": np.zeros((3, 28, 28), np.uint8), "answers": np.zeros((3, 9))}, "answers: expected classes"),
        ({"images": np.zeros((3, 28, 28), np.uint8), "answers": np.full((3, 10), np.nan)}, "sum to 1"),
        ({"images": np.array([{}], object), "answers": np.zeros(1, int)}, "images: expected numbers, got object"),
    ],
)
def test_examples_that_are_not_as_described_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], sentence: str
) -> None:
    np.savez(tmp_path / "e.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=None) as caught:
        read_examples(tmp_path / "e.npz")
    assert sentence in str(caught.value)


def test_examples_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", images=np.zeros((2, 28, 28), np.uint8), answers=np.array([3, 9]))
    assert read_examples(tmp_path / "e.npz").targets.argmax(1).tolist() == [3, 9]
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no zip")
    for name in ("bad.npz", "none.npz"):
        with pytest.raises(InputError):
            read_examples(tmp_path / name)


def test_the_histogram_test_knows_its_null_and_an_alternative() -> None:
    rng = generator(0, "histogram")
    p_values = [histogram_test(rng.integers(200, size=3000), rng.integers(200, size=3000))[2] for _ in range(100)]
    assert abs(np.mean(p_values) - 0.5) * math.sqrt(1200) < Z_BOUND
    assert histogram_test(rng.integers(200, size=3000), rng.integers(180, size=3000))[2] < 1e-6


def test_the_classifier_tells_different_files_apart_and_equal_ones_not(channel: SmallChannel) -> None:
    inputs, rng = ImageInputs(channel.dataset.train_images, dtype=torch.float32), generator(0, "classifier")
    rows = rng.integers(len(channel.dataset.train_images), size=1500)
    low, high, same = (torch.from_numpy(rng.integers(a, b, size=1500)) for a, b in ((0, 60), (40, 100), (0, 60)))
    assert classifier_auc(inputs, rows, high, low, seed=0)[0] > 0.9
    auc, num = classifier_auc(inputs, rows, same, low, seed=0)
    assert abs(auc - 0.5) / math.sqrt((2 * num + 1) / (12 * num**2)) < Z_BOUND


def test_the_reference_is_measured_at_a_usual_size() -> None:
    assert [reference_size(num) for num in (5, 300, 999, 5000, 10**7)] == [5, 300, 300, 3000, 10_000]


def test_a_model_of_the_channel_has_both_heads() -> None:
    assert channel_model(width=8).sizes == (784, 8, 8, 1010)
