"""The corpus of losses: a claim holds for none that breaks its hypothesis, and is violated for none."""

from __future__ import annotations

from collections import Counter

import pytest

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.problem.losses import Loss, kl
from subtx_toy.problem.spec import ProblemSpec
from tests.verdicts.loss_corpus import FALSE, TRUE
from tests.verdicts.published import published

SPEC = ProblemSpec(
    hidden=(4,), input_dim=3, num_classes=3, num_aux=1, num_inputs=6, num_trait_inputs=4, teacher="random"
)
IDS = ("C1", "C4", "C5")
COUNTS: Counter[str] = Counter()


def verdicts(loss: Loss) -> list[str]:
    problem = SPEC.build(distillation_loss=loss)
    return [CLAIMS[id].judge(Evidence(problem)).verdict for id in IDS]


@pytest.mark.parametrize("name", TRUE)
def test_claims_are_never_violated_where_the_loss_is_least_at_agreement(name: str) -> None:
    found = verdicts(TRUE[name])
    COUNTS.update(found)
    assert set(found) <= {"holds", "undecided"}


@pytest.mark.parametrize("name", FALSE)
def test_claims_do_not_apply_where_it_is_not(name: str) -> None:
    first, fourth, exact = found = verdicts(FALSE[name])
    COUNTS.update(found)
    assert first == fourth == "not applicable"
    assert exact != "violated"


def test_there_are_enough_and_the_counts_are_published() -> None:
    assert len(TRUE) + len(FALSE) >= 25
    if COUNTS.total() == 3 * (len(TRUE) + len(FALSE)):  # in a run of the whole file
        assert published("losses") == {"cases": len(TRUE) + len(FALSE), "verdicts": dict(COUNTS)}


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), "1"])
def test_a_temperature_that_is_none_is_refused(temperature: object) -> None:
    with pytest.raises(InputError, match="temperature: expected a finite number > 0"):
        kl(temperature)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TRUE)
def test_the_dichotomy_holds_or_does_not_apply(name: str) -> None:
    judgement = CLAIMS["C2"].judge(Evidence(SPEC.build(distillation_loss=TRUE[name])))
    expected = ("not applicable",) if name in ("quartic", "cubic") else ("holds", "undecided")
    assert judgement.verdict in expected, judgement.reason
