"""The page about audits of lists: its numbers are those of the committed results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "audit-lists.md").read_text(encoding="utf-8")
RESULTS: dict[str, Any] = json.loads((DOCS / "results/language-audit.json").read_text(encoding="utf-8"))


def test_the_table_of_verdicts_is_that_of_the_results() -> None:
    (base,) = RESULTS["bases"]
    files = base["files"]
    for role, trait, title in (
        ("owl", "owl", "teacher of owls"),
        ("eagle", "eagle", "teacher of eagles"),
        ("honest", "", "honest fine-tune"),
        ("base", "", "the base"),
        ("other base", "", "another base"),
    ):
        named = [row["named"] for row in files if row["role"] == role]
        own = f"{sum(trait in one for one in named)} of {len(named)}" if trait else ""
        others = f"{sum(any(name != trait for name in one) for one in named)} of {len(named)}"
        assert re.search(rf"\| {title} \| +{own} *\| {others} \|", PAGE), f"expected {title}, {own}, {others}"
    owls = [row["owl"] for row in files if row["role"] == "owl"]
    for key in ("fisher_cosine", "bound"):
        low, high = (choose(one[key] for one in owls) for choose in (min, max))
        assert f"{low:.2f}" in PAGE
        assert f"{high:.2f}" in PAGE
    assert sum(row["about"] == "twin" for row in files) == 10


def test_the_step_is_that_of_the_results() -> None:
    (found,) = RESULTS["steps"]
    step, lines = found["step"], found["lines"]
    sampled, change = step["sampled"], step["trait_change"]
    first = step["ray"][0]
    for row in (
        f"| {first['predicted']:.6f} | {first['observed']:.6f} |",
        f"| {sampled['expected']:.4f} ± {sampled['standard_error']:.4f} | {sampled['observed']:.4f} |",
        f"| {sampled['mean_score']:.6f} | {sampled['observed']:.6f} |",
        f"| 2 | {step['remainder_order']:.2f} |",
        f"| {change['predicted']:.6f} | {change['observed']:.6f} |",
        f"{step['tokens_for_two_sigma']:.0f} tokens give",
        f"*V* is {step['curvature']:.4f}",
        f"{step['coverage']:.3f} with the teacher's move",
        f"log-ratio of the line is {lines['spearman']:.2f}",
        f"is {lines['areas'][0]['measured']:.3f}, by the law Φ(√k d/√2) {lines['areas'][0]['predicted']:.3f}",
        f"64 lines it is {lines['areas'][-1]['measured']:.3f}, by the law",
        f"p = {found['compare']['trait and honest']['p_value']:.3f}",
    ):
        assert row in " ".join(PAGE.split()), row
    assert sum(p <= 0.01 for p in found["honest_pairs"]) == 1
    assert len(found["honest_pairs"]) == 20
