"""The other commands print what they printed."""

from __future__ import annotations

import pytest

from subtx_toy.tolerances import VERIFY_ROUTES
from tests.compatibility.commands import ABOUT_MACHINE, COMMANDS, FIXTURES, TIMES, TOLERANCE, Workplace, names


@pytest.mark.parametrize("name", ["verify", "verify-problem"])
def test_claims_have_the_same_counts_verdicts_and_margins(work: Workplace, name: str) -> None:
    tolerance = max(VERIFY_ROUTES, TOLERANCE or 0.0)
    work.assert_prints_what_it_did(name, *TIMES, "checks", tolerance=tolerance)  # claims have been added


@pytest.mark.parametrize("name", names("certify"))
def test_proofs_are_the_same(work: Workplace, name: str) -> None:
    work.assert_prints_what_it_did(name, *TIMES, *ABOUT_MACHINE)


NEEDLESS = {
    "C2": {"the distillation loss is squared error or kl"},  # the null space of other losses is looked at
    "C7": {"there are at most 4096 parameters, for the eigenvalues of a dense G"},  # Lanczos's iteration has none
}
"""Hypotheses that a claim does without since, each with what stands in its place."""


def test_claims_are_the_same_and_lose_no_hypothesis(work: Workplace) -> None:
    found = work.assert_prints_what_it_did("verify-list", "hypotheses", "prediction")  # which says how it is computed
    now = {claim["id"]: claim["hypotheses"] for claim in found}
    for claim in COMMANDS["verify-list"].document:
        assert set(claim["hypotheses"]) - NEEDLESS.get(claim["id"], set()) <= set(now[claim["id"]])


@pytest.mark.parametrize("name", names("cache-"))
def test_the_state_of_an_empty_cache_is_the_same(work: Workplace, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTX_TOY_CACHE", str(work.folder / "empty"))
    work.assert_prints_what_it_did(name, "text")  # of a finding: versions, and how much room there is


def test_every_document_belongs_to_a_command() -> None:
    kept = {path.stem for path in (FIXTURES / "json").iterdir()}
    printing = {name for name in COMMANDS if not name.startswith("file-")} | {"file-certificate"}
    assert kept == printing
