"""The page on certificates does what it says: its network in Python is certified, and proved again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "certificates.md").read_text(encoding="utf-8")


def test_the_network_of_the_page_is_certified_and_proved_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs/certificates.md", "exec"), {})
    assert (tmp_path / "network.cert").exists()
