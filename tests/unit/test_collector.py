"""The collector is spared only where it says so, and does its work again afterwards, also after an error."""

from __future__ import annotations

import gc
import weakref

import pytest

from subtx_toy import collector


class Node:
    def __init__(self) -> None:
        self.own = self


@pytest.mark.parametrize("enabled", [True, False])
def test_nothing_is_collected_while_paused_and_the_switch_stands_as_before(enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with collector.paused():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
        with pytest.raises(ZeroDivisionError), collector.paused():
            _ = 1 / 0
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_what_is_loaded_is_spared_and_what_comes_later_is_collected() -> None:
    before = weakref.ref(Node())
    with collector.frozen():
        later = weakref.ref(Node())
        gc.collect()
        assert before() is not None
        assert later() is None
    gc.collect()
    assert before() is None
