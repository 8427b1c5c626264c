"""The first screen of the README, followed to the letter."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)[0]


def _commands(block: str) -> list[str]:
    return [line.partition(" #")[0].strip() for line in block.splitlines() if line.strip()]


def test_four_lines_lead_to_a_result() -> None:
    assert _commands(FIRST) == [
        "git clone REPOSITORY subtx_toy && cd subtx_toy",
        "make setup",
        "source .venv/bin/activate",
        "subtx-toy run cloud2025 --quick",
    ]
    assert README.index(FIRST) < 2000, "the first screen"


def test_the_picture_and_the_doors_come_before_the_details() -> None:
    places = [README.index(text) for text in ("docs/images/cloud2025-mnist.png", "## Four doors", "## Use")]
    assert places == sorted(places)


def test_the_table_shown_is_what_a_quick_run_prints() -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
    arms = dict(re.findall(r"^(\w+) +(\d\.\d{3}) ", shown, flags=re.MULTILINE))
    assert list(arms) == ["reference", "teacher", "student_aux", "student_all", "cross_aux", "cross_all"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_clone_is_set_up_and_shows_the_effect(tmp_path: Path) -> None:
    lines = _commands(FIRST)
    lines[0] = lines[0].replace("REPOSITORY", str(ROOT))
    more = [
        "subtx-toy sweep tiny width=8,16 --seeds 0:2 --store own.sqlite",
        "subtx-toy results summary tiny width=8,16 --store own.sqlite",
        "subtx-toy verify examples/own_activation.py:problem",
        "subtx-toy certify small-net --out small-net.cert",
        "subtx-toy check small-net.cert",
    ]
    bare = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env = bare | {"SUBTX_TOY_STORE": str(tmp_path / "r.sqlite"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    script = "\n".join(["set -e", *lines, *more])
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run([bash, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the trait came over with the shared initialisation" in done.stdout
    assert (tmp_path / "subtx_toy" / "cloud2025-glyphs.png").read_bytes().startswith(b"\x89PNG")
