"""The experiments of the mechanism protocol as figures, and the table of docs/known.md, from the committed results.

python paper_figs/mechanism.py --out docs/images [NAME ...]
python paper_figs/mechanism.py --out docs/known.md table
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.defence_axes import draw_defences
from paper_figs.drawings.half_lives import draw_half_lives
from paper_figs.drawings.output import parser, write
from paper_figs.tables.exported import read_trials
from paper_figs.tables.known import insert
from subtx_toy.figures.points import draw_points
from subtx_toy.files.atomic import replacing
from subtx_toy.results.comparison import Comparison, compare_sweep
from subtx_toy.settings.definitions import DistillationSweep, FigureAxis
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.mechanism import MechanismConfig

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results" / "mechanism"
NAMES = sorted(path.stem for path in RESULTS.glob("*.csv"))


def figure(name: str) -> Figure:
    """Draw one experiment."""
    definition = read(name)
    assert isinstance(definition, DistillationSweep)
    order = list(definition.configs())
    trials = sorted(read_trials(RESULTS / f"{name}.csv", MechanismConfig), key=lambda trial: order.index(trial.config))
    rows = compare_sweep(definition, trials)
    if name == "defences":
        return draw_defences(rows)
    if name == "generations":
        return draw_half_lives(rows, default=definition.config.num_aux)
    if name == "selection":
        return draw_points(_by_selected_share(definition), [_without_num_inputs(row) for row in rows], dataset="mnist")
    if name == "optimisers":
        rows = [replace(row, at={"student_optimizer": definition.config.optimizer, **row.at}) for row in rows]
    if name == "shared-share":
        rows = [_along_the_share(row) for row in rows]
    return draw_points(definition, rows, dataset="mnist")


def _by_selected_share(definition: DistillationSweep) -> DistillationSweep:
    """Put the share of the lines on the axis, and leave the number they were chosen from to the text."""
    axis = FigureAxis(setting="selected_share", label="share of the lines that is kept, 6,000 lines each", scale="log")
    return definition.model_copy(update={"axis": axis})


def _without_num_inputs(row: Comparison) -> Comparison:
    return replace(row, at={name: value for name, value in row.at.items() if name != "num_inputs"})


def _along_the_share(row: Comparison) -> Comparison:
    """Place a student of whose weights nothing is drawn again at the share 0."""
    at = {"redrawn_share": 0.0, **row.at} if "redrawn" not in row.at else dict(row.at)
    at.pop("redrawn", None)
    return replace(row, at=at)


def main(arguments: list[str] | None = None) -> None:
    """Draw all figures, or those named, or write the table."""
    options = parser(__doc__)
    options.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}, or table; all figures by default"
    )
    chosen = options.parse_args(arguments)
    if chosen.names == ["table"]:
        page = insert((DOCS / "known.md").read_text(encoding="utf-8"))
        with replacing(Path(chosen.out)) as file:
            file.write(page.encode())
        return
    for name in chosen.names or NAMES:
        write(figure(name), f"mechanism-{name}", chosen)


if __name__ == "__main__":
    main()
