"""The gallery: every picture of the pages, with the command that draws it."""

from __future__ import annotations

import re
from pathlib import Path

from docs.pages.text import NOTE, cell

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "paper_figs" / "README.md"
PREFIXES = {
    "attribution": "numbers_channel", "audit": "numbers_channel", "numbers": "numbers_channel", "sweeps": "published_sweeps",
}  # fmt: skip
"""Scripts that draw several pictures, by the first word of a picture's name."""


def gallery_page() -> str:
    """Return the page: every picture with what the pages say of it, and its command."""
    said = captions()
    parts = [
        NOTE,
        "# Gallery\n",
        "With this page you can draw every figure again, from stored records or committed results: the command is below "
        "each. `subtx-toy run NAME` draws the figure of an experiment next to its table.\n",
    ]
    for name in sorted(path.stem for path in (ROOT / "docs" / "images").glob("*.png")):
        caption = said.get(name, name.replace("-", " "))
        parts += [f"## {name}\n", f"![{cell(caption)}](../images/{name}.png)\n", f"{cell(caption)}\n"]
        script = script_of(name)
        parts.append(f"```sh\npython paper_figs/{script} --out out/pictures\n```\n" if script else "")
        if (ROOT / "docs" / "images" / f"{name}.svg").exists():
            parts.append(f"{{download}}`as SVG <../images/{name}.svg>`\n")
    return "\n".join(parts)


def captions() -> dict[str, str]:
    """Return what the pages say of each picture, by its name; of several texts the longest."""
    found: dict[str, str] = {}
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for text, name in re.findall(r"!\[([^\]]+)\]\([\w/]*images/([\w-]+)\.\w+\)", page.read_text(encoding="utf-8")):
            words = " ".join(text.split())
            found[name] = max(found.get(name, ""), words, key=len)
    return found


def script_of(name: str) -> str:
    """Return the script that draws a picture, named in the table of ``paper_figs/README.md``; empty for none.

    >>> script_of("numbers-dose"), script_of("one-step-mnist")
    ('numbers_channel.py', 'one_step.py')
    """
    scripts = re.findall(r"^\| `(\w+)\.py` \|", SCRIPTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stem = name.replace("-", "_")
    first = PREFIXES.get(stem.partition("_")[0])
    wanted = [script for script in scripts if stem.startswith(script)] or [
        script for script in scripts if script == first
    ]
    return f"{wanted[0]}.py" if wanted else ""
