"""Write the generated pages into a folder; one that has not changed keeps its time and is not built again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.pages.api import api_page
from docs.pages.claims import claims_page
from docs.pages.commands import commands_page
from docs.pages.formats import formats_page
from docs.pages.gallery import gallery_page
from docs.pages.settings import settings_page, toml_page

PAGES: dict[str, Callable[[], str]] = {
    "claims": claims_page,
    "commands": commands_page,
    "settings": settings_page,
    "toml": toml_page,
    "formats": formats_page,
    "api": api_page,
    "gallery": gallery_page,
}
"""By the name of the page, in the order of the table of contents."""


def write_pages(folder: Path) -> None:
    """Write every page into ``folder``."""
    folder.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        text, path = page(), folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
