"""The corpus of users' bounds: no true one is violated, no false one holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import mpmath as mp
import pytest

from subtx_toy.claims.instance import drawn
from subtx_toy.claims.user import claim
from subtx_toy.claims.verification import Summary, verify
from subtx_toy.claims.vocabulary.claim import Claim, Inequality
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from tests.reference.annotations import unchecked
from tests.verdicts.bound_corpus import FALSE, HIDDEN, TRUE, Floats, Sides
from tests.verdicts.exact import BITS, Exact
from tests.verdicts.published import num_cases, published

QUICK = ["V <= |G dT| |dT|", "V <= V", "(1e9 + V) - 1e9 <= V", "0 <= V", "a <= eps V", "V <= 40 |dT|^2", *HIDDEN]
NUM = 40
DRAWN = [
    ProblemSpec(hidden=(2,), input_dim=2, num_inputs=2, num_trait_inputs=2, num_classes=2, seed=1),
    ProblemSpec(
        hidden=(3,), input_dim=1, num_inputs=3, num_classes=2, loss="kl", temperature=2.0, teacher="random", seed=2
    ),
    ProblemSpec(hidden=(2, 2), activation="gelu", num_classes=2, teacher="random", eps=0.05, seed=3),
]


def bound_of(name: str, sides: Sides) -> Claim:
    @claim(id=name)
    def bound(problem: Problem, evidence: Evidence) -> Inequality:
        lhs, rhs = sides(Floats(evidence))
        return Inequality(lhs, rhs)

    return bound


def judged(name: str, sides: Sides) -> Summary:
    (summary,) = verify([bound_of(name, sides)], drawn(NUM, seed=0), seed=0).summaries
    return summary


def check(name: str, true: Mapping[str, Sides] = TRUE, false: Mapping[str, Sides] = FALSE) -> tuple[str, str]:
    sides = true[name] if name in true else false[name]
    summary = judged(name, sides)
    if name in true:
        assert summary.verdict in ("holds", "undecided"), summary.counterexample()
        return "true", summary.verdict
    if name in HIDDEN:
        assert summary.verdict == "undecided"
        assert_false(sides, DRAWN[0])
        return "false", summary.verdict
    assert summary.verdict == "violated"
    found = summary.counterexample()
    assert found is not None
    scope: dict[str, ProblemSpec] = {}
    exec(found[0].replace(".build()", ""), scope)
    assert_false(sides, scope["problem"])
    return "false", summary.verdict


def assert_false(sides: Sides, spec: ProblemSpec) -> None:
    with mp.workprec(BITS):
        lhs, rhs = sides(Exact(spec))
        assert lhs - rhs > mp.mpf(2) ** -150 * abs(rhs)


@unchecked()
@pytest.mark.parametrize("name", QUICK)
def test_no_verdict_on_a_bound_is_wrong(name: str) -> None:
    check(name)


@pytest.mark.parametrize("spec", DRAWN, ids=range(len(DRAWN)))
def test_200_bits_confirm_what_is_called_true_and_the_numbers_of_float64(spec: ProblemSpec) -> None:
    exact, floats = Exact(spec), Floats(Evidence(spec.build()))
    with mp.workprec(BITS):
        for name in ("V", "v2", "dT_norm", "G_norm", "dS_norm", "a"):
            assert float(abs(getattr(exact, name) - getattr(floats, name))) <= 1e-11 * float(abs(getattr(exact, name)))
        for sides in TRUE.values():
            lhs, rhs = sides(exact)
            assert lhs - rhs <= mp.mpf(2) ** -150 * (1 + abs(rhs))


def test_holds_says_on_how_many_problems() -> None:
    summary = judged("V <= |G dT| |dT|", TRUE["V <= |G dT| |dT|"])
    assert 0 < summary.decided < summary.applicable  # on problems with one direction both sides are equal
    assert judged("V <= V", TRUE["V <= V"]).decided == 0


def test_there_are_enough() -> None:
    assert len(TRUE) + len(FALSE) >= 40
    assert num_cases("bounds") == published("bounds").total() == len(TRUE) + len(FALSE)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@unchecked()
def test_all_bounds_and_the_published_counts() -> None:
    assert published("bounds") == Counter(check(name) for name in TRUE | FALSE)
