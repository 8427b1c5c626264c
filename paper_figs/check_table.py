"""Write the check table of all published sweeps into experiments/README.md, from the committed results."""

from __future__ import annotations

from pathlib import Path

from subtx_toy.files.atomic import replacing
from subtx_toy.results.comparison_tables import insert, read_checked

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "experiments" / "README.md"


def main() -> None:
    page = insert(PAGE.read_text(encoding="utf-8"), read_checked(ROOT / "docs" / "results" / "sweeps"))
    with replacing(PAGE) as file:
        file.write(page.encode())
    print(PAGE)


if __name__ == "__main__":
    main()
