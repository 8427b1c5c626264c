"""The page's tables are what their documents say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_of_precision_is_that_of_its_document() -> None:
    found = json.loads((DOCS / "results" / "precision.json").read_text(encoding="utf-8"))["differences"]
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    for name, one in found.items():
        assert one["n"] == 30
        cells = [f"{arm['mean']:+.4f} ± {arm['ci95']:.4f}" for arm in one["arms"].values()]
        assert f"| {name} | {' | '.join(cells)} |" in page, f"expected the row of {name} as in docs/results"


def test_the_table_of_ratios_is_that_of_its_document() -> None:
    found = json.loads((DOCS / "results" / "protocol.json").read_text(encoding="utf-8"))
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    for name in ("fp32", "bf16", "einsum", "einsum_threads", "loop", "loop_threads", "loop_alone"):
        cells = [f"{found[key][name]['median']:.1f}" for key in ("cpu_seconds_a_model", "machine_seconds_a_model")]
        for fast in ("fp32", "bf16"):
            if ratio := found["machine_ratios"].get(f"{fast}_vs_{name}"):
                cells.append(f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})")
        assert f" | {' | '.join(cells)} |" in page, f"expected the row of {name} as in docs/results"


PROTOCOLS = [
    ("protocol", "fp32"),
    ("protocol", "bf16"),
    ("protocol-xeon", "fp32"),
    *(("protocol-amx", name) for name in ("fp32", "bf16")),
]


@pytest.mark.parametrize(("document", "name"), PROTOCOLS)
def test_the_shares_of_the_ceiling_are_those_of_their_documents(document: str, name: str) -> None:
    found = json.loads((DOCS / "results" / f"{document}.json").read_text(encoding="utf-8"))
    share, seconds = found["gemm_share"][name], found["cpu_seconds_a_model"][name]["median"]
    cells = f"{seconds:.1f} | {share['median']:.2f} ({share['min']:.2f} to {share['max']:.2f})"
    ceiling = f"{found['gemm_gflops_a_process'][name]:.0f}"
    assert f"| {name} | {cells} | {ceiling} |" in (DOCS / "speed.md").read_text(encoding="utf-8")


def test_the_tables_of_starting_and_of_bookkeeping_are_those_of_their_documents() -> None:
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    for row in json.loads((DOCS / "results" / "start-up.json").read_text(encoding="utf-8"))["rows"]:
        cpu = f"{row['cpu_seconds']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})"
        assert f"| `{row['command']}` | {row['n']} | {cpu} | {row['first_output_seconds']:.2f} |" in page
    for row in json.loads((DOCS / "results" / "start-up-without-torch.json").read_text(encoding="utf-8"))["rows"]:
        before, now = row["before"], row["after"]
        assert before["n"] == now["n"] >= 5
        cpu = f"{now['cpu_seconds']:.2f} ({now['lowest']:.2f} to {now['highest']:.2f})"
        assert f"| `{row['command']}` | {now['n']} | {before['cpu_seconds']:.2f} | {cpu} |" in page
    (row,) = json.loads((DOCS / "results" / "scale.json").read_text(encoding="utf-8"))["rows"]
    cells = [
        f"{row['trials']:,}",
        f"{row['trials_per_coordinator_cpu_second']:,.0f}",
        f"{row['trials_per_second']:,.0f}",
        *(str(row["coordinator_mib"][mark]) for mark in (1, 5, 10)),
    ]
    assert f"| {' | '.join(cells)} |" in page


def test_the_table_of_the_language_model_is_that_of_its_document() -> None:
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    found = json.loads((DOCS / "results" / "language-speed.json").read_text(encoding="utf-8"))
    for row in found["steps"]:
        ratio = f"{row['ratio']:.2f} ({row['ratios'][0]:.2f} to {row['ratios'][-1]:.2f})"
        cells = (row["size"], row["step"], f"{row['by_hand_ms']:.1f}", f"{row['autograd_ms']:.1f}", ratio)
        assert f"| {' | '.join(cells)} |" in page
    by_hand, usual = (found["quick_run_cpu_seconds"][route] for route in ("by_hand", "autograd"))
    assert f"{by_hand:.0f} s of CPU by hand and {usual:.0f} s by autograd" in page
