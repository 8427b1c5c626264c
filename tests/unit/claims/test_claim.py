from __future__ import annotations

import math

import pytest

from subtx_toy import tolerances
from subtx_toy.claims.registry import CLAIMS, _found
from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, order_checks, outcome, small_eps
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.spec import ProblemSpec

RUNGS = [4.0**-power for power in range(6)]


@pytest.mark.parametrize(
    ("check", "verdict", "margin"),
    [
        (Inequality(1.0, 3.0), "holds", 0.5),
        (Inequality(3.0, 1.0), "violated", -0.5),
        (Inequality(2.0, 2.0), "holds", 0.0),
        (Inequality(0.0, 0.0), "holds", 0.0),
        (Inequality(0.0, 0.0, 1e-9), "undecided", 0.0),
        (Inequality(1.0, 1.0 - 1e-9, 1e-6), "undecided", -5e-10),
        (Inequality(1.0, math.inf), "holds", 1.0),
        (Inequality(math.inf, math.inf), "holds", 0.0),
        (Inequality(math.inf, 1.0), "violated", -1.0),
        (Inequality(math.nan, 1.0), "violated", -1.0),
    ],
)
def test_verdict_and_margin(check: Inequality, verdict: str, margin: float) -> None:
    assert check.verdict == verdict
    assert check.margin == pytest.approx(margin, rel=1e-6)


def test_worst_check_decides() -> None:
    checks = [Inequality(0.0, 1.0), Inequality(0.0, 0.0, 1.0), Inequality(2.0, 1.0), Inequality(1.0, 2.0)]
    assert outcome(checks).worst is checks[2]
    assert outcome(checks[:2]).worst is checks[1]
    assert outcome([checks[0], checks[3]]).worst is checks[3]
    assert math.isnan(Outcome((checks[0],)).ratio)
    assert Outcome((checks[0],), 1.0, 2.0).ratio == 0.5


def test_hypotheses_come_first_and_tell_why() -> None:
    claim = Claim(
        id="x", statement="", prediction="", observation="", source="", tolerance="Z_BOUND",
        evaluate=lambda _evidence: outcome([Inequality(2.0, 1.0, what="two and one")]),
        hypotheses=(Hypothesis("the net is wide", lambda evidence: "" if evidence.dT_norm > 0.5 else "it is not"),),
    )  # fmt: skip
    evidence = Evidence(ProblemSpec(hidden=(2,)).build(), dT_norm=1.0)
    assert claim.judge(evidence).reason == "two and one: asserted 2 <= 1"
    assert claim.judge(evidence).verdict == "violated"
    still = claim.judge(Evidence(ProblemSpec(hidden=(2,)).build(), dT_norm=0.1))
    assert (still.verdict, still.reason) == ("not applicable", "the net is wide: it is not")


@pytest.mark.parametrize(
    ("remainder", "verdict"),
    [
        (lambda e: 3 * e**2, "holds"),
        (lambda e: e**2 - 5 * e**3, "holds"),
        (lambda e: 1e-3 * e, "violated"),
        (lambda e: e**2 + 0.01 * e, "violated"),
        (lambda _e: 1e-18, "holds"),
    ],
)
def test_order_on_a_ladder(remainder: object, verdict: str) -> None:
    values = [remainder(e) for e in RUNGS]  # type: ignore[operator]
    found = outcome(order_checks(RUNGS, values, [1e-16] * 6, order=2, what="r"))
    assert found.worst.verdict == verdict


def test_small_eps_is_where_the_slope_is_twice_the_remainder() -> None:
    assert small_eps(RUNGS, [100 * e**2 for e in RUNGS], slope=0.1) == pytest.approx(0.1 / 200)
    assert small_eps(RUNGS, [0.0] * 6, slope=0.1) == RUNGS[-1]


def test_registry_is_complete_and_every_claim_says_what_it_is() -> None:
    expected = [
        "C1",
        "C1b",
        "C2",
        "C3",
        "C4",
        "C4b",
        "C5",
        "C6",
        "C7",
        "C7b",
        "C7c",
        "C8",
        "C8b",
        "C10",
        "C13",
        "C14",
        "C15",
        "C16",
        "C23",
        "C24",
        "C25",
        "C26",
        "C27",
        "C28",
        "C29",
        "C30",
        "C31",
        "C33",
    ]
    assert list(CLAIMS) == expected
    assert set(_found) == set(CLAIMS)
    for id, claim in CLAIMS.items():
        assert claim.id == id
        assert all((claim.statement.endswith("."), claim.prediction, claim.observation, claim.source))
        assert hasattr(tolerances, claim.tolerance)


def test_evidence_refuses_to_plant_what_it_does_not_have() -> None:
    with pytest.raises(TypeError, match=r"got \['W'\]"):
        Evidence(ProblemSpec().build(), W=1.0)


def test_kinked_models_are_not_applicable() -> None:
    evidence = Evidence(ProblemSpec(hidden=(3,), activation="relu").build())
    assert CLAIMS["C1"].judge(evidence).verdict == "not applicable"
    assert CLAIMS["C5"].judge(evidence).verdict == "holds"
