"""The figure of the arms: what it shows, and that files are whole and reproducible."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest

from subtx_toy.errors import InputError
from subtx_toy.figures import style
from subtx_toy.figures.arms import draw_arms
from subtx_toy.figures.style import save
from subtx_toy.results.comparison import compare
from subtx_toy.settings.distillation import ARMS, RunConfig
from subtx_toy.settings.experiment_file import read_distillation
from subtx_toy.stats import estimate

DEFINITION = read_distillation("cloud2025")


def _figure(n: int = 3, config: RunConfig = DEFINITION.config) -> mpl.figure.Figure:
    values = {arm: [0.1 * at + 0.01 * seed for seed in range(n)] for at, arm in enumerate(ARMS)}
    return draw_arms(compare(DEFINITION, config, values), dataset=config.dataset, source="a source")


def test_every_role_has_a_colour_and_a_label_of_its_own() -> None:
    assert set(style.COLOURS) == set(style.LABELS) == set(ARMS)
    assert len(set(style.COLOURS.values())) == len(ARMS)


def test_the_figure_says_n_the_interval_the_data_set_and_the_source() -> None:
    (axes,) = _figure().axes
    legend = axes.get_legend()
    assert legend is not None
    texts = " ".join(text.get_text() for text in legend.get_texts())
    for part in ("n = 3 seeds", "95 % interval", "n = 100 models", "a source"):
        assert part in texts
    assert axes.get_ylabel() == "test accuracy on MNIST"
    assert [label.get_text() for label in axes.get_xticklabels()] == [style.LABELS[arm] for arm in ARMS]


def test_what_is_published_is_drawn_only_where_it_is_compared() -> None:
    quick = DEFINITION.quickened().config
    assert isinstance(quick, RunConfig)
    with_published, without = (len(figure.axes[0].containers) for figure in (_figure(), _figure(config=quick)))
    assert (with_published, without) == (2 * len(ARMS) + 2, len(ARMS) + 1)  # with the legend's own
    legend = _figure(config=quick).axes[0].get_legend()
    assert legend is not None
    assert not [text for text in legend.get_texts() if "published" in text.get_text()]


def test_bars_end_where_the_interval_of_the_table_does_and_never_leave_a_share() -> None:
    estimates = [estimate([0.0, 0.0, 0.02], num_images=100), estimate([0.5, 0.6], num_images=100), estimate([0.4])]
    low, high = style.interval_bars(estimates)
    for one, below, above in zip(estimates[:2], low, high, strict=False):
        assert one.mean - below == pytest.approx(max(0.0, one.interval.low), abs=1e-12)
        assert one.mean + above == pytest.approx(one.interval.high)
    assert (low[2], high[2]) == (0.0, 0.0)
    assert style.published_bars(0.02, 0.05)[0] == pytest.approx(0.02)


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
