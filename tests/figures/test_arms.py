"""The figure of the arms: what it shows, and that files are whole and reproducible."""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib as mpl
import pytest

from subtx_toy.errors import InputError
from subtx_toy.figures import style
from subtx_toy.figures.arms import draw_arms
from subtx_toy.figures.style import save
from subtx_toy.results.comparison import compare
from subtx_toy.settings.base import RESULTS_VERSION, run_id
from subtx_toy.settings.distillation import ARMS
from subtx_toy.settings.experiment_file import read_distillation
from subtx_toy.store import Store
from subtx_toy.store.record import RunRecord

DEFINITION = read_distillation("cloud2025")


def _figure(n: int = 3) -> mpl.figure.Figure:
    values = {arm: [0.1 * at + 0.01 * seed for seed in range(n)] for at, arm in enumerate(ARMS)}
    return draw_arms(compare(DEFINITION, DEFINITION.config, values), dataset="mnist", source="a source")


def test_every_role_has_a_colour_and_a_label_of_its_own() -> None:
    assert set(style.COLOURS) == set(style.LABELS) == set(ARMS)
    assert len(set(style.COLOURS.values())) == len(ARMS)


def test_the_figure_says_n_the_interval_the_data_set_and_the_source() -> None:
    (axes,) = _figure().axes
    legend = axes.get_legend()
    assert legend is not None
    texts = " ".join(text.get_text() for text in legend.get_texts())
    for part in ("n = 3 seeds", "95 % t-interval", "n = 100 models", "a source"):
        assert part in texts
    assert axes.get_ylabel() == "test accuracy on MNIST"
    assert [label.get_text() for label in axes.get_xticklabels()] == [style.LABELS[arm] for arm in ARMS]


def test_one_seed_can_be_drawn() -> None:
    assert _figure(n=1).axes


def test_the_style_is_accepted_by_matplotlib() -> None:
    with mpl.rc_context(style.paper()):
        assert mpl.rcParams["text.usetex"] is False


@pytest.mark.parametrize("ending", [".png", ".pdf", ".svg"])
def test_the_same_figure_is_the_same_file(tmp_path: Path, ending: str) -> None:
    for name in ("a", "b"):
        save(_figure(), tmp_path / f"{name}{ending}")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{ending}", f"b{ending}"]


def test_a_figure_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ending in"):
        save(_figure(), tmp_path / "x.jpeg")
    with pytest.raises(InputError, match="cannot write"):
        save(_figure(), tmp_path / "none" / "x.png")
    (tmp_path / "x.png").mkdir()
    with pytest.raises(InputError, match="got the folder"):
        save(_figure(), tmp_path / "x.png")
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_the_script_draws_from_records_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "paper_figs" / "cloud2025.py"))
    store_path, target = tmp_path / "r.sqlite", tmp_path / "x.pdf"
    with pytest.raises(SystemExit, match="no results database"):
        script["main"](store_path, target)
    Store(store_path).close()
    with pytest.raises(SystemExit, match="no records"):
        script["main"](store_path, target)
    with Store(store_path) as store:
        for seed in range(2):
            record = RunRecord(
                run_id=run_id(DEFINITION.config, seed=seed, dataset_sha256="0" * 64), results_version=RESULTS_VERSION,
                config=DEFINITION.config.model_dump(), seed=seed, dataset_sha256="0" * 64, versions={},
                metrics={f"{arm}.accuracy": 0.1 * seed for arm in ARMS},
                wall_seconds=1.0, cpu_seconds=1.0, training_cpu_seconds=1.0, peak_rss_mib=1.0,
            )  # fmt: skip
            store.add(record)
    script["main"](store_path, target)
    assert target.read_bytes().startswith(b"%PDF")
    assert str(target) in capsys.readouterr().out
