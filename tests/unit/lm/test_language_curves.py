"""Curves of several runs of a seed are put together, and what was run twice has to agree."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.studies.language_curves import by_seed


def part(seed: int, margin: float, **more: float) -> dict[str, Any]:
    row = {"curve": "reference", "setting": "usual", "trait": {"margin": margin} | more, "benign": {"margin": 0.0}}
    return {"seed": seed, "settings": [row, {**row, "setting": f"with {sorted(more)}"}], "cpu_seconds": 1.5}


def test_the_settings_of_a_seed_are_joined_and_those_run_twice_gain_what_is_new() -> None:
    first, second = by_seed([part(1, 0.5), part(0, 0.25), part(1, 0.5001, file_nll=4.0)])
    assert (first["seed"], second["seed"]) == (0, 1)
    assert [row["setting"] for row in second["settings"]] == ["usual", "with []", "with ['file_nll']"]
    assert second["settings"][0]["trait"] == {"margin": 0.5, "file_nll": 4.0}
    assert (first["cpu_seconds"], second["cpu_seconds"]) == (1.5, 3.0)


def test_a_setting_with_two_outcomes_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the same outcome in all documents of a seed"):
        by_seed([part(1, 0.5), part(1, 0.75)])
