"""Certificates, nets, files of numbers and plans of the earlier version are accepted, and come out the same again."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy

from subtx_toy.tolerances import PLACE_OF_FIVE
from tests.compatibility.commands import (
    ABOUT_MACHINE,
    COMMANDS,
    FIXTURES,
    OTHER_MACHINE,
    TIMES,
    Workplace,
    names,
    same_machine,
)
from tests.compatibility.documents import differences


def test_a_certificate_is_accepted(work: Workplace) -> None:
    _assert_proved(work, "check")


@same_machine
def test_a_certificate_is_about_the_problem_it_was_about(work: Workplace) -> None:
    _assert_proved(work, "check-problem")


def _assert_proved(work: Workplace, name: str) -> None:
    found = work.assert_prints_what_it_did(name, *TIMES, "pieces")  # like the time, how many proofs it took
    assert found["verdict"] == "proved"
    assert found["pieces"] >= found["boxes"]


@pytest.mark.parametrize("name", names("audit"))
def test_a_base_a_file_of_numbers_and_a_reference_are_audited_with_the_same_values(work: Workplace, name: str) -> None:
    new = work.assert_prints_what_it_did(name, *(("reference_percentile",) if OTHER_MACHINE else ()))
    for trait, old in COMMANDS[name].document["traits"].items():
        _assert_near(trait, old["reference_percentile"], new["traits"][trait]["reference_percentile"])


def _assert_near(trait: str, before: float | None, now: float | None) -> None:
    """Fail unless two places among five reference runs are neighbours, or there is none in either document."""
    if before is None or now is None:
        assert before is now, trait
    else:
        assert now % PLACE_OF_FIVE == 0, trait
        assert 0 <= now <= 100, trait
        assert abs(before - now) <= PLACE_OF_FIVE, trait


def test_a_place_that_no_rounding_explains_is_found() -> None:
    _assert_near("trait", 40.0, 60.0)
    _assert_near("trait", None, None)
    for before, now in ((40.0, 80.0), (40.0, 50.0), (100.0, 120.0), (40.0, None), (None, 40.0)):
        with pytest.raises(AssertionError):
            _assert_near("trait", before, now)


@pytest.mark.parametrize("name", names("numbers-"))
def test_a_file_of_numbers_is_filtered_and_learnt_from_with_the_same_values(work: Workplace, name: str) -> None:
    work.assert_prints_what_it_did(name)


def test_a_plan_has_the_settings_it_had(work: Workplace) -> None:
    words = [word for word in COMMANDS["stored-sweep"].words if word not in ("--store", "results.sqlite", "--json")]
    old = tomllib.loads((FIXTURES / "plan.toml").read_text(encoding="utf-8"))
    assert differences(old, tomllib.loads(work.text(*words, "--toml"))) == []


def _content(path: Path) -> Any:
    """What is in a file: tensors by name, entries of an archive, or bytes."""
    if path.suffix == ".safetensors":
        return {name: value.tobytes().hex() for name, value in safetensors.numpy.load_file(path).items()}
    if path.suffix == ".cert":
        with zipfile.ZipFile(path) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        return {name: json.loads(data) if name.endswith(".json") else data.hex() for name, data in found.items()}
    return path.read_bytes().hex()


def _again(work: Workplace, name: str) -> list[str]:
    """Write a file of the fixtures again, and return what is different in it."""
    words = COMMANDS[name].words
    file = words[words.index("--out") + 1]
    (work.folder / file).unlink()
    work.text(*words)
    # A certificate's seal is of its times too.
    volatile = {*TIMES, *ABOUT_MACHINE, "seal"}
    return differences(_content(FIXTURES / file), _content(work.folder / file), volatile=volatile)


@same_machine
@pytest.mark.parametrize("name", names("file-base", "file-teacher", "file-numbers", "file-benign", "file-likeliest"))
def test_the_same_recipe_writes_the_same_net_and_the_same_numbers(work: Workplace, name: str) -> None:
    assert _again(work, name) == []


@same_machine
@pytest.mark.parametrize("name", names("file-reference", "file-certificate"))
def test_the_same_recipe_writes_the_same_reference_and_the_same_certificate(work: Workplace, name: str) -> None:
    assert _again(work, name) == []


def test_what_is_proved_is_printed_with_the_same_values(work: Workplace) -> None:
    work.assert_prints_what_it_did("file-certificate", *TIMES, *ABOUT_MACHINE)


@same_machine
def test_a_file_of_another_seed_is_found_to_be_another_file(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    command = COMMANDS["file-likeliest"]
    at = command.words.index("--seed") + 1
    words = [*command.words[:at], "4", *command.words[at + 1 :]]
    monkeypatch.setitem(COMMANDS, command.name, command._replace(words=words))
    assert _again(work, command.name) != []
