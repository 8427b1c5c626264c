"""The page that follows a sweep: it needs its token, answers on this machine, and shows what the store holds."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from subtx_toy.errors import InputError
from subtx_toy.sweep.live_page import LivePage, parse_address
from subtx_toy.sweep.overview import SweepOverview
from subtx_toy.sweep.plan import Plan


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePage]:
    plan = Plan.of("tiny", {"width": [8, 16]}, seeds="0:3")
    store = tmp_path_factory.mktemp("live") / "r.sqlite"
    seen = SweepOverview(plan, plan.trials(), store)
    with LivePage(seen.document, ("127.0.0.1", 0)) as served:
        thread = threading.Thread(target=served.serve, daemon=True)
        thread.start()
        yield served
        served.stop()
        thread.join(10)


def _get(url: str, host: str | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={} if host is None else {"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_page_shows_a_store_that_is_not_there_yet(page: LivePage) -> None:
    status, content = _get(page.url + "data.json")
    found = json.loads(content)
    assert (status, found["trials"], found["left"], found["eta"]) == (200, 6, 6, None)
    assert [(one["settings"], one["states"]) for one in found["configurations"]] == [
        ({"width": 8}, "nnn"), ({"width": 16}, "nnn"),
    ]  # fmt: skip
    assert b"<title>subtx-toy sweep</title>" in _get(page.url)[1]


def test_without_the_token_or_with_another_host_nothing_is_shown(page: LivePage) -> None:
    base = page.url.removesuffix(f"{page.token}/")
    for path in ("", "data.json", "wrong/data.json", f"{page.token[:-1]}/data.json"):
        assert _get(base + path)[0] == 403
    assert _get(page.url + "data.json", host="evil.example")[0] == 403  # a name that leads here by its own DNS
    assert _get(page.url + "../../etc/passwd")[0] in (403, 404)


@pytest.mark.parametrize("text", ["", "x", "0.0.0.0:80", "example.org:80", "127.0.0.1:99999", "127.0.0.1:-1", ":x"])
def test_only_addresses_of_this_machine_are_served(text: str) -> None:
    with pytest.raises(InputError, match=r"^serve: expected"):
        parse_address(text)


def test_a_port_that_is_taken_is_told(page: LivePage) -> None:
    port = int(page.url.split(":")[2].split("/")[0])
    with pytest.raises(InputError, match=f"serve: cannot use 127.0.0.1:{port}"):
        LivePage(dict, ("127.0.0.1", port))


def test_an_unknown_metric_is_named(tmp_path: Path) -> None:
    plan = Plan.of("tiny", {"width": 8}, seeds="0:1")
    seen = SweepOverview(plan, plan.trials(), tmp_path / "r.sqlite", metric="los")
    assert seen.document()["metric"] == "los"  # nothing is stored that could tell
