"""Every published value is computed from a transcription of its source's own file, or listed as out of reach."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from paper_figs.tables.published_sources import SourceKey, SourceValue, published_values, read_sources
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.packaged import names
from subtx_toy.settings.published import PublishedSweep

FOLDER = Path(__file__).parents[2] / "experiments" / "sources"
SOURCES = read_sources(FOLDER)
SWEEPS = {name: sweep for name in names() if isinstance(sweep := definition.read(name), DistillationSweep)}
PUBLISHED = {
    key: value
    for name, sweep in SWEEPS.items()
    if sweep.published is not None
    for key, value in published_values(name, sweep.published).items()
}
OUT_OF_REACH = {"blur", "cloud2025", "init-noise-relative", "noise-subspace", "squared-error-gap"}
"""Experiments whose values are from a paper's text or figure; one point of another stands beside them."""
ONE_POINT = SourceKey("shuffled-pixels", "inputs=images", "student_aux")
COMPUTED = sorted(key for key in PUBLISHED if key.experiment not in OUT_OF_REACH and key != ONE_POINT)


@pytest.mark.parametrize("key", COMPUTED, ids="-".join)
def test_a_published_value_is_that_of_the_source_s_own_file(key: SourceKey) -> None:
    assert PUBLISHED[key] == SOURCES[key]


def test_nothing_is_transcribed_that_no_experiment_publishes() -> None:
    assert sorted(SOURCES) == COMPUTED


def test_a_value_out_of_reach_is_listed_with_its_reason() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if "from the paper's text or figure" in line]
    listed = {line.split("`")[1] for line in rows if line.startswith("|")}
    assert listed == OUT_OF_REACH | {f"{ONE_POINT.experiment} {ONE_POINT.point}"}
    assert ONE_POINT in PUBLISHED


def test_the_page_describes_every_transcription_and_each_names_its_source() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    files = sorted(FOLDER.glob("*.csv"))
    assert files
    assert [path.name for path in files] == sorted(re.findall(r"^\| `(\S+\.csv)` \|", page, flags=re.MULTILINE))
    for path in files:
        header = path.read_text(encoding="utf-8").partition("\nexperiment,")[0]
        assert all(word in header for word in ("author: ", "year: ", "repository: ", "commit: "))


def _sources(folder: Path, text: str) -> dict[SourceKey, SourceValue]:
    (folder / "a.csv").write_text(f"# author: a\n{text}", encoding="utf-8")
    return read_sources(folder)


def test_the_mean_and_the_sample_spread_of_seeds_are_computed(tmp_path: Path) -> None:
    text = "experiment,point,metric,seed,value\nx,base,teacher,0,0.1\nx,base,teacher,1,0.2\n"
    assert _sources(tmp_path, text) == {SourceKey("x", "base", "teacher"): SourceValue([0.15, 0.0707], "sd", 2)}


@pytest.mark.parametrize(
    ("columns", "row", "value"),
    [
        ("mean,sd,n", "0.12345678,0.00015,3", SourceValue([0.1235, 0.0002], "sd", 3)),
        ("mean,ci95,n", "0.5,0.01,25", SourceValue([0.5, 0.01], "ci95", 25)),
        ("mean,sd,n", "0.874,,5", SourceValue([0.874], "none", 5)),
    ],
)
def test_what_a_file_gives_is_kept_to_four_decimals(columns: str, row: str, value: SourceValue, tmp_path: Path) -> None:
    text = f"experiment,point,metric,{columns}\nx,base,teacher,{row}\n"
    assert _sources(tmp_path, text) == {SourceKey("x", "base", "teacher"): value}


def test_a_value_that_is_transcribed_twice_is_refused(tmp_path: Path) -> None:
    text = "experiment,point,metric,mean,sd,n\nx,base,teacher,0.1,,3\nx,base,teacher,0.2,,3\n"
    with pytest.raises(ValueError, match="once"):
        _sources(tmp_path, text)


@pytest.mark.parametrize(
    "change",
    [{"values": {"teacher": [0.9, 0.02]}}, {"values": {"teacher": [0.9]}}, {"values": {"teacher": [0.91, 0.01]}}],
)
def test_a_value_that_was_changed_is_seen(change: dict[str, object], tmp_path: Path) -> None:
    sources = _sources(tmp_path, "experiment,point,metric,mean,sd,n\nx,width=8,teacher,0.9,0.01,3\n")
    right = {"at": {"width": 8}, "values": {"teacher": [0.9, 0.01]}}
    rest = {"source": "a source", "n": 3, "spread": "sd"}
    assert published_values("x", PublishedSweep.model_validate(rest | {"points": [right]})) == sources
    assert published_values("x", PublishedSweep.model_validate(rest | {"points": [right | change]})) != sources
    assert published_values("x", PublishedSweep.model_validate(rest | {"points": [right], "n": 4})) != sources
