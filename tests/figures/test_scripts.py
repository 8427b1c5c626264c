"""Every script of paper_figs writes where it is told, in the formats asked for, and nowhere in the checkout."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from docs.pages.gallery import script_of
from subtx_toy.settings.base import RESULTS_VERSION, run_id
from subtx_toy.settings.distillation import ARMS
from subtx_toy.settings.experiment_file import read_distillation
from subtx_toy.store import Store
from subtx_toy.store.record import RunRecord

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "paper_figs").glob("*.py"))
DEFINITION = read_distillation("cloud2025")

QUICKEST = {
    "check_table.py": [],
    "cloud2025.py": ["--formats", "png,svg"],
    "cost_curves.py": ["--formats", "svg"],
    "explorer_data.py": [],
    "many_steps.py": ["--formats", "svg", "modes"],
    "mechanism.py": ["--formats", "svg", "cloning"],
    "numbers_channel.py": ["--formats", "svg", "numbers-dose"],
    "one_step.py": ["--formats", "svg"],
    "published_sweeps.py": ["--formats", "svg", "loss"],
    "step_size_plane.py": ["--formats", "svg"],
}
"""Arguments with which a script draws a part of what it can."""


def _files() -> dict[Path, int]:
    folders = ("paper_figs", "docs", "experiments")
    return {
        path: path.stat().st_mtime_ns
        for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix != ".pyc" and path.is_file()
    }  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_writes_into_out_and_nowhere_else(script: Path, tmp_path: Path) -> None:
    before, out = _files(), tmp_path / "out"
    main = runpy.run_path(str(script))["main"]
    main(["--out", str(out), *QUICKEST.get(script.name, [])])
    written = [out] if out.is_file() else list(out.iterdir())
    assert written
    assert all(path.stat().st_size for path in written)
    assert _files() == before


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_without_out_writes_nothing(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(script))["main"]
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_a_script_can_be_started_from_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "paper_figs" / "check_table.py"), "--out", str(tmp_path / "page.md")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "page.md").exists()


def test_an_unknown_format_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(ROOT / "paper_figs" / "cloud2025.py"))["main"]
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--formats", "jpeg"])
    assert "expected some of png,svg,pdf, got 'jpeg'" in capsys.readouterr().err


def test_the_arms_can_be_drawn_from_a_store(tmp_path: Path) -> None:
    main = runpy.run_path(str(ROOT / "paper_figs" / "cloud2025.py"))["main"]
    path, out = tmp_path / "r.sqlite", tmp_path / "out"
    arguments = ["--store", str(path), "--out", str(out), "--formats", "pdf"]
    with pytest.raises(SystemExit, match="no results database"):
        main(arguments)
    Store(path).close()
    with pytest.raises(SystemExit, match="no records"):
        main(arguments)
    with Store(path) as store:
        for seed in range(2):
            store.add(
                RunRecord(
                    run_id=run_id(DEFINITION.config, seed=seed, dataset_sha256="0" * 64),
                    results_version=RESULTS_VERSION, config=DEFINITION.config.model_dump(), seed=seed,
                    dataset_sha256="0" * 64, versions={}, metrics={f"{arm}.accuracy": 0.1 * seed for arm in ARMS},
                    wall_seconds=1.0, cpu_seconds=1.0, training_cpu_seconds=1.0, peak_rss_mib=1.0,
                )
            )  # fmt: skip
    main(arguments)
    assert [path.name for path in out.iterdir()] == ["cloud2025-mnist.pdf"]
    assert (out / "cloud2025-mnist.pdf").read_bytes().startswith(b"%PDF")


def test_every_picture_of_the_pages_has_an_svg_and_is_drawn_by_a_script() -> None:
    images = ROOT / "docs" / "images"
    names = {path.stem for path in images.glob("*.png")}
    assert {path.stem for path in images.glob("*.svg")} == names
    assert [name for name in names if not script_of(name)] == []
    channel = runpy.run_path(str(ROOT / "paper_figs" / "numbers_channel.py"))["DRAWN"]
    assert names >= {"cloud2025-mnist", "cost-curves", "one-step-mnist", "published-sweeps", *channel}
