"""A headless Chromium for the tests of pages; without one they are skipped, and say what is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def _executable() -> str | None:
    return os.environ.get("SUBTX_TOY_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser; `make browser` installs what it needs."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright; `make browser` installs it")
    executable = _executable()
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the path, and SUBTX_TOY_BROWSER is not set")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield opened
        opened.close()


class Seen:
    """An open page, with what went wrong on it.

    Attributes:
        page: of playwright.
        faults: console errors, uncaught exceptions and requests to a network.
    """

    def __init__(self, page: Any) -> None:
        self.page, self.faults = page, list[str]()
        page.on("console", lambda one: self.faults.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda one: None if one.url.startswith(("file:", "data:")) else self.faults.append(one.url))

    def fits(self) -> bool:
        """Return whether the page is no wider than its window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.fixture
def see(browser: Any) -> Iterator[Callable[..., Seen]]:
    """Open a file at a width, in light or dark colours."""
    contexts = []

    def open_file(path: Path, *, width: int = 1280, dark: bool = False, still: bool = True) -> Seen:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference", has_touch=width < 500,
        )  # fmt: skip
        contexts.append(context)
        found = Seen(context.new_page())
        found.page.goto(path.as_uri())
        return found

    yield open_file
    for context in contexts:
        context.close()
