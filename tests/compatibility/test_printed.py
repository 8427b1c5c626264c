"""The other commands print what they printed."""

from __future__ import annotations

import pytest

from tests.compatibility.commands import ABOUT_MACHINE, COMMANDS, FIXTURES, TIMES, Workplace, names


@pytest.mark.parametrize("name", names("verify", "certify"))
def test_claims_and_proofs_have_the_same_values(work: Workplace, name: str) -> None:
    work.assert_prints_what_it_did(name, *TIMES, *ABOUT_MACHINE)


@pytest.mark.parametrize("name", names("cache-"))
def test_the_state_of_an_empty_cache_is_the_same(work: Workplace, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTX_TOY_CACHE", str(work.folder / "empty"))
    work.assert_prints_what_it_did(name, "text")  # of a finding: versions, and how much room there is


def test_every_document_belongs_to_a_command() -> None:
    kept = {path.stem for path in (FIXTURES / "json").iterdir()}
    printing = {name for name in COMMANDS if not name.startswith("file-")} | {"file-certificate"}
    assert kept == printing
