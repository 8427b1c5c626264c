"""Write the check table of all published sweeps into experiments/README.md, from the committed results."""

from __future__ import annotations

import sys
from pathlib import Path

from subtx_toy.files.atomic import replacing

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.tables.comparison_tables import insert, read_checked

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "experiments" / "README.md"


def main() -> None:
    page = insert(PAGE.read_text(encoding="utf-8"), read_checked(ROOT / "docs" / "results" / "sweeps"))
    with replacing(PAGE) as file:
        file.write(page.encode())
    print(PAGE)


if __name__ == "__main__":
    main()
