"""The check table of all published sweeps and the table of bfloat16, from the committed results.

    python paper_figs/check_table.py --out experiments/README.md

--out names a copy of experiments/README.md, or that page itself; the tables are put between its marks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.tables import precision_table
from paper_figs.tables.comparison_tables import insert, read_checked
from subtx_toy.files.atomic import replacing

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "sweeps"
PAGE = ROOT / "experiments" / "README.md"


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True, metavar="FILE", help="page to write")
    chosen = options.parse_args(arguments)
    page = insert(PAGE.read_text(encoding="utf-8"), read_checked(RESULTS))
    page = precision_table.insert(page, RESULTS)
    with replacing(chosen.out) as file:
        file.write(page.encode())
    print(chosen.out)


if __name__ == "__main__":
    main()
