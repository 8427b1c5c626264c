"""The corpus of losses: a claim holds for none that breaks its hypothesis, and is violated for none."""

from __future__ import annotations

from collections import Counter

import pytest

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.problem.losses import kl
from subtx_toy.problem.spec import ProblemSpec
from tests.verdicts.agreement import assert_numbers_agree, judged
from tests.verdicts.exact_losses import LOSSES
from tests.verdicts.loss_corpus import FALSE, TRUE
from tests.verdicts.published import num_cases, published
from tests.verdicts.truth import IDS, Truth, of_loss

SPEC = ProblemSpec(
    hidden=(4,), input_dim=3, num_classes=3, num_aux=1, num_inputs=6, num_trait_inputs=4, trait="cross_entropy"
)
QUICK = ["kl at 4", "cosine distance", "huber", "correlation", "quartic", "power 5/2", "saddle", "wrong Hessian"]


def check(name: str) -> list[tuple[Truth, str]]:
    problem = SPEC.build(distillation_loss=(TRUE | FALSE)[name])
    evidence, exact = Evidence(problem), of_loss(problem, LOSSES[name])
    if exact.truths["C1"] == "true":
        assert_numbers_agree(evidence, exact)
    assert (name in TRUE) == (exact.truths["C1"] == "true")
    return judged(evidence, exact)


@pytest.mark.parametrize("name", QUICK)
def test_no_verdict_on_a_loss_is_wrong(name: str) -> None:
    check(name)


def test_there_are_enough() -> None:
    assert num_cases("losses") == len(TRUE) + len(FALSE) >= 25
    assert published("losses").total() == num_cases("losses") * len(IDS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_losses_and_the_published_counts() -> None:
    assert published("losses") == Counter(pair for name in TRUE | FALSE for pair in check(name))


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), "1"])
def test_a_temperature_that_is_none_is_refused(temperature: object) -> None:
    with pytest.raises(InputError, match="temperature: expected a finite number > 0"):
        kl(temperature)  # type: ignore[arg-type]
