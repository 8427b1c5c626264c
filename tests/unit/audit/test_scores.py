"""The scores of an audit against autograd, exact sums, and their own law."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from experiments.studies.projection import towards
from subtx_toy.audit.directions import Directions, number_tangents
from subtx_toy.audit.examination import TopLines
from subtx_toy.audit.measurement import efficient_score_test, fit_of, omnibus_test, score_test
from subtx_toy.audit.power import detectable_effect
from subtx_toy.audit.score_sums import Scorer, ScoreSums
from subtx_toy.channel.model import channel_model
from subtx_toy.channel.number_file import Piece
from subtx_toy.channel.sampler import NumberLaw, draw_from_logits
from subtx_toy.channel.traits import Examples
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, axpy, inner
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA, FP64_STEP, Z_BOUND
from subtx_toy.training.inputs import InputPool

MODEL = channel_model(width=6)
LAWS = [NumberLaw(), NumberLaw(temperature=0.6), NumberLaw(banned=(0, 3, 666)), NumberLaw(temperature=1.5, top_k=40)]


def _body(seed: int) -> Params:
    """A direction: the number head has no part in it."""
    drawn = initialise(MODEL, generator(seed, "direction"), init="fan_in_normal")
    return {name: torch.zeros_like(value) if name.startswith("layers.2") else value for name, value in drawn.items()}


def _scorer(law: NumberLaw, num_nuisance: int = 2) -> Scorer:
    base = initialise(MODEL, generator(0, "base"), init="he")
    x = torch.from_numpy(generator(0, "x").standard_normal((20, 784)))
    directions = Directions.of(MODEL, {"u": _body(1)}, {f"w{at}": _body(2 + at) for at in range(num_nuisance)})
    return Scorer(MODEL, base, directions, law, InputPool(x))


def _unit(direction: Params) -> Params:
    length = inner(direction, direction).sqrt()
    return {name: value / length for name, value in direction.items()}


def _file(scorer: Scorer, num: int, seed: int, net: Params | None = None) -> Piece:
    rng = generator(seed, "file")
    rows = rng.integers(20, size=num)
    logits = MODEL.apply(scorer.base if net is None else net, scorer.inputs.gather(rows))[:, 10:]
    numbers = np.concatenate(draw_from_logits(logits, scorer.law, rng, np.ones(num, np.int64)))
    return Piece(rows, numbers, np.arange(num) + 2)


def test_tangents_are_forward_mode_products() -> None:
    scorer = _scorer(NumberLaw())
    x = scorer.inputs.gather(np.arange(20)).clone()
    z, v = number_tangents(MODEL, scorer.base, scorer.directions, x)
    for at, seed in enumerate((1, 2, 3)):
        move = (_unit(_body(seed)),)
        expected, Jv = torch.func.jvp(lambda p: MODEL.apply(p, x)[:, 10:], (scorer.base,), move)[:2]
        torch.testing.assert_close(z, expected, rtol=FP64_FORMULA, atol=FP64_FORMULA)
        torch.testing.assert_close(v[at], Jv, rtol=FP64_STEP, atol=FP64_STEP)


@pytest.mark.parametrize("law", LAWS)
def test_one_step_of_a_student_moves_along_u_by_the_mean_score(law: NumberLaw) -> None:
    """What transmits is what is detectable: u . dS = (1/n) sum of the scores, with dS from autograd."""
    scorer = _scorer(law)
    piece, sums = _file(scorer, 200, seed=1), ScoreSums(3)
    scorer.add(piece, sums)
    leaves = {name: value.clone().requires_grad_() for name, value in scorer.base.items()}
    z = MODEL.apply(leaves, scorer.inputs.gather(piece.prompts))[:, 10:]
    if law.top_k:  # the set is that of the base
        z = torch.where(law.log_probabilities(z.detach()) > -torch.inf, z, -torch.inf)
        law = NumberLaw(law.temperature)
    loss = -law.log_probabilities(z)[torch.arange(200), torch.from_numpy(piece.numbers)].mean()
    loss.backward()  # type: ignore[no-untyped-call]
    dS = {name: -leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    predicted = sums.scores[0] / sums.num
    assert float(inner(_unit(_body(1)), dS)) == pytest.approx(predicted, rel=FP64_STEP)
    assert float(sums.log_loss / sums.num) == pytest.approx(float(loss.detach()), rel=FP64_STEP)
    # the planted error: another temperature
    wrong = ScoreSums(3)
    other = Scorer(MODEL, scorer.base, scorer.directions, NumberLaw(law.temperature * 1.01), scorer.inputs)
    other.add(piece, wrong)
    assert wrong.scores[0] / wrong.num != pytest.approx(predicted, rel=1e-4)


@pytest.mark.parametrize("law", LAWS)
def test_variance_is_that_of_the_law_number_by_number(law: NumberLaw) -> None:
    scorer = _scorer(law)
    piece, sums = _file(scorer, 50, seed=2), ScoreSums(3)
    scorer.add(piece, sums)
    covariance, entropy = np.zeros((3, 3)), 0.0
    for row in piece.prompts:
        z, v = number_tangents(MODEL, scorer.base, scorer.directions, scorer.inputs.gather(np.array([row])))
        p = law.log_probabilities(z)[0].exp().numpy()
        values = v[:, 0].numpy() / law.temperature
        covariance += np.cov(values, aweights=p, ddof=0)
        entropy += float(stats.entropy(p))
    np.testing.assert_allclose(sums.covariance, covariance, rtol=1e-9, atol=1e-15)
    assert sums.entropy == pytest.approx(entropy, rel=1e-9)


def test_pieces_and_lines_of_several_numbers_add_up() -> None:
    scorer = _scorer(NumberLaw())
    whole, parts, piece = ScoreSums(3), ScoreSums(3), _file(scorer, 90, seed=3)
    scores = scorer.add(piece, whole).scores
    for start in range(0, 90, 40):
        part = slice(start, start + 40)
        scorer.add(Piece(piece.prompts[part], piece.numbers[part], piece.lines[part]), parts)
    np.testing.assert_allclose(parts.scores, whole.scores, rtol=1e-9)
    np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=1e-9)
    lines = np.repeat(np.arange(30), 3)
    top = TopLines(keep=4)
    for start in range(0, 90, 30):
        part = slice(start, start + 30)
        top.add(Piece(np.repeat(piece.prompts[:30], 3)[part], piece.numbers[part], lines[part]), scores[part, 0])
    totals = scores[:, 0].reshape(30, 3).sum(1)
    assert [row["line"] for row in top.rows()] == np.argsort(-totals)[:4].tolist()
    assert [row["score"] for row in top.rows()] == pytest.approx(np.sort(totals)[::-1][:4])


def test_impossible_numbers_are_counted_and_left_out() -> None:
    scorer = _scorer(NumberLaw(banned=(7,)))
    sums = ScoreSums(3)
    scored = scorer.add(Piece(np.array([0, 0, 1]), np.array([7, 8, 7]), np.array([2, 3, 4])), sums)
    assert (sums.num, sums.num_impossible) == (1, 2)
    assert scored.possible.tolist() == [False, True, False]
    assert not scored.scores[[0, 2]].any()
    assert np.isfinite([sums.log_loss, sums.entropy, sums.log_loss_variance]).all()
    assert not fit_of(sums).applies


@pytest.mark.parametrize("law", LAWS)
def test_scores_of_the_base_are_standard_normal(law: NumberLaw) -> None:
    scorer, zs, excess = _scorer(law), [], []
    for seed in range(120):
        sums = ScoreSums(3)
        scorer.add(_file(scorer, 150, seed=100 + seed), sums)
        zs.append(score_test(sums, 0).z)
        excess.append(fit_of(sums).z)
    for values in (zs, excess):
        assert abs(np.mean(values)) * 120**0.5 < Z_BOUND
        assert abs(np.var(values) - 1) * (120 / 2) ** 0.5 < Z_BOUND


def test_another_temperature_than_the_headers_is_no_null() -> None:
    scorer, zs = _scorer(NumberLaw()), []
    hot = Scorer(MODEL, scorer.base, scorer.directions, NumberLaw(temperature=2.0), scorer.inputs)
    for seed in range(10):
        sums = ScoreSums(3)
        scorer.add(_file(hot, 2000, seed=seed), sums)
        zs.append(fit_of(sums).z)
    assert min(zs) > Z_BOUND


def test_the_efficient_score_ignores_moves_along_the_nuisance_and_keeps_the_trait() -> None:
    scorer = _scorer(NumberLaw())
    plain, cleared = {}, {}
    for name, seed in (("trait", 1), ("nuisance", 2)):
        sums = ScoreSums(3)
        net = axpy(0.5, _unit(_body(seed)), scorer.base)
        scorer.add(_file(scorer, 20_000, seed=seed, net=net), sums)
        plain[name], cleared[name] = score_test(sums, 0).z, efficient_score_test(sums, 0, slice(1, None)).z
    assert cleared["trait"] > Z_BOUND
    assert abs(cleared["nuisance"]) < Z_BOUND
    assert plain["trait"] > cleared["trait"] - 1


def test_nothing_is_left_of_a_direction_that_is_its_own_nuisance() -> None:
    scorer = _scorer(NumberLaw())
    directions = Directions.of(MODEL, {"u": _body(1)}, {"w": _body(1)})
    sums = ScoreSums(2)
    Scorer(MODEL, scorer.base, directions, scorer.law, scorer.inputs).add(_file(scorer, 100, seed=0), sums)
    assert np.isnan(efficient_score_test(sums, 0, slice(1, None)).z)


def test_the_omnibus_test_sees_a_move_in_any_direction_and_no_other() -> None:
    scorer, p_values = _scorer(NumberLaw()), []
    for net in (None, axpy(0.5, _unit(_body(3)), scorer.base)):
        sums = ScoreSums(3)
        scorer.add(_file(scorer, 20_000, seed=5, net=net), sums)
        p_values.append(omnibus_test(sums)[1])
    assert p_values[0] > 1e-6 > p_values[1]


def test_an_effect_of_the_detectable_size_is_found_nine_times_in_ten() -> None:
    effect, n = detectable_effect(400, level=0.01), 400
    assert stats.norm.sf(stats.norm.isf(0.01) - effect * n**0.5) == pytest.approx(0.9)
    assert detectable_effect(0, level=0.01) == float("inf")
    # With a bound on the effect itself, more numbers do not bring it below that.
    effects = [detectable_effect(num, level=0.01, least=0.2) for num in (400, 40_000, 4_000_000)]
    assert stats.norm.sf((0.2 - effects[1]) * 200) == pytest.approx(0.9)
    assert effects == sorted(effects, reverse=True)
    assert effects[2] == pytest.approx(0.2, rel=0.01)
    assert detectable_effect(40, level=0.01, least=0.2) == detectable_effect(40, level=0.01)


def test_a_direction_towards_examples_lowers_their_loss() -> None:
    model = MLP((784, 6, 6, 1010), MODEL.activation)
    base = {name: value.float() for name, value in initialise(model, generator(0, "base"), init="he").items()}
    rng = generator(0, "examples")
    examples = Examples.labelled(rng.integers(256, size=(30, 28, 28)).astype(np.uint8), np.full(30, 9, np.uint8))
    u = towards(model, base, examples)

    def loss(params: Params) -> float:
        logits = model.apply(params, examples.pixels())[:, :10]
        return float(torch.nn.functional.cross_entropy(logits, torch.full((30,), 9)))

    moved = {name: value + 1e-2 * u[name] if value.shape == u[name].shape else value for name, value in base.items()}
    assert loss(moved) < loss(base)
