"""The words of a plan: what they mean, and what is wrong with those that mean nothing."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.errors import InputError
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.sweep.axes import Axis, Drawn, read_axis, written


@pytest.mark.parametrize(
    ("word", "names", "rows"),
    [
        ("width=64", ("width",), [(64,)]),
        ("width=64,128", ("width",), [(64,), (128,)]),
        ("activation=relu,tanh", ("activation",), [("relu",), ("tanh",)]),
        ("probe=true,false", ("probe",), [(True,), (False,)]),
        ("depth=range:1:5", ("depth",), [(1,), (2,), (3,), (4,)]),
        ("depth=range(1,5)", ("depth",), [(1,), (2,), (3,), (4,)]),
        ("width=range:64:8:-28", ("width",), [(64,), (36,)]),
        ("lr=log:1e-4:1e-1:4", ("lr",), [(1e-4,), (1e-3,), (1e-2,), (1e-1,)]),
        ("lr=log(1e-4,1e-1,4)", ("lr",), [(1e-4,), (1e-3,), (1e-2,), (1e-1,)]),
        ("width=log:64:512:4", ("width",), [(64,), (128,), (256,), (512,)]),
        ("width=log:1:4:5", ("width",), [(1,), (2,), (3,), (4,)]),
        ("init_scale=linear:0.5:2:4", ("init_scale",), [(0.5,), (1.0,), (1.5,), (2.0,)]),
        ("zip:lr:batch_size=1e-3:64,3e-4:32", ("lr", "batch_size"), [(1e-3, 64), (3e-4, 32)]),
        ("zip(lr,batch_size)=1e-3:64,3e-4:32", ("lr", "batch_size"), [(1e-3, 64), (3e-4, 32)]),
        ("width=64,64,32", ("width",), [(64,), (32,)]),
    ],
)
def test_a_word_gives_its_rows(word: str, names: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    axis = read_axis(word)
    assert isinstance(axis, Axis)
    settled = axis.settled(RunConfig())
    assert settled == Axis(names, tuple(rows))
    assert [list(map(type, row)) for row in settled.rows] == [list(map(type, row)) for row in rows]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("width", "'width': expected setting=values"),
        ("=3", "expected setting=values"),
        ("width=", "expected setting=values"),
        ("lr=lgo:1:2:3", "expected values, or one of the functions range, linear, log"),
        ("depth=range:1", "expected range:START:STOP"),
        ("depth=range:1:2.5", "expected range:START:STOP"),
        ("depth=range:1:5:0", "STEP not 0"),
        ("depth=range:5:1", "expected 1 to 100000 values, got 0"),
        ("lr=log:0:1:3", "expected ends > 0"),
        ("lr=log:1e-4:1e-1", "expected log:START:STOP:NUMBER"),
        ("lr=log:1e-4:1e-1:1", "a number >= 2"),
        ("lr=linear:a:1:3", "two finite ends"),
        ("zip:lr=1,2", "two or more different settings"),
        ("zip:lr:lr=1:2", "two or more different settings"),
        ("zap:lr:width=1:2", "expected zip:A:B=..."),
        ("zip:lr:width=1:2,3", "expected rows of 2 values"),
        ("lr=uniform:2:1", "LOW < HIGH"),
        ("lr=loguniform:0:1", "LOW > 0"),
        ("lr=choice:1", "two or more values"),
        ("lr=uniform:nan:1", "two finite numbers"),
        ("lr=uniform:1:1" + 400 * "0", "two finite numbers"),
        ("trait=relabel:4:9", "expected values, or one of the functions"),
    ],
)
def test_a_word_that_means_nothing_is_one_sentence(word: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read_axis(word)
    assert sentence in str(caught.value)
    assert len(caught.value.problems) == 1


@given(st.text(max_size=40))
def test_any_word_is_read_or_refused(word: str) -> None:
    with contextlib.suppress(InputError):
        read_axis(word)


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("trait=relabel:3:8", ["relabel:3:8"]),
        ("trait=relabel:3:8,backdoor:0", ["relabel:3:8", "backdoor:0"]),
        ("trait='relabel:3:8',backdoor", ["relabel:3:8", "backdoor"]),
        ('trait="choice:a:b"', ["choice:a:b"]),
        ("width=64,128", [64, 128]),
    ],
)
def test_a_setting_that_takes_any_text_keeps_it_whole(word: str, values: list[object]) -> None:
    axis = read_axis(word, NumbersConfig())
    assert isinstance(axis, Axis)
    assert [row[0] for row in axis.rows] == values


@pytest.mark.parametrize("word", ['trait=choice:"relabel:3:8":backdoor', 'trait=choice("relabel:3:8",backdoor)'])
def test_functions_still_work_on_a_setting_that_takes_any_text(word: str) -> None:
    assert read_axis(word, NumbersConfig()) == Drawn("trait", "choice", ("relabel:3:8", "backdoor"))


VALUES = (
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["true", "3", "log:1", "'"])
)


@given(st.lists(VALUES, min_size=2, max_size=4))
def test_values_that_are_written_are_read_back(values: list[object]) -> None:
    texts = [written(value) for value in values]
    listed = read_axis(f"x={','.join(texts)}")
    assert isinstance(listed, Axis)
    zipped = read_axis(f"zip:{':'.join(f'x{at}' for at in range(len(values)))}={':'.join(texts)}")
    assert isinstance(zipped, Axis)
    drawn = Drawn("x", "choice", tuple(values))
    again = read_axis(f"x={drawn.text}")
    assert isinstance(again, Drawn)
    for found in ([row[0] for row in listed.rows], list(zipped.rows[0]), list(again.arguments)):
        assert [(type(value), value) for value in found] == [(type(value), value) for value in values]


def test_draws_are_reproducible_and_more_of_them_begin_alike() -> None:
    drawn = read_axis("lr=loguniform:1e-4:1e-1")
    assert isinstance(drawn, Drawn)
    few, many = (drawn.values(RunConfig(), num=num, seed=0) for num in (5, 400))
    assert many[:5] == few
    assert drawn.values(RunConfig(), num=5, seed=1) != few
    assert all(isinstance(value, float) and 1e-4 <= value <= 1e-1 for value in many)
    below = sum(isinstance(value, float) and value < 10**-2.5 for value in many)  # the middle of the logarithm
    assert abs(below - 200) < 5 * math.sqrt(100), "uniform in the logarithm, within 5 standard deviations"


def test_integers_are_drawn_where_a_setting_takes_integers() -> None:
    drawn = read_axis("depth=uniform:1:3")
    assert isinstance(drawn, Drawn)
    values = drawn.values(RunConfig(), num=300, seed=0)
    assert set(map(type, values)) == {int}
    for value in (1, 2, 3):
        assert abs(values.count(value) - 100) < 5 * math.sqrt(300 * 2 / 9)


@pytest.mark.parametrize("word", ["width=loguniform:0.5:3", "width=uniform:0.5:3.9", "width=loguniform:1:3"])
def test_integers_are_drawn_between_ends_that_are_none(word: str) -> None:
    drawn = read_axis(word)
    assert isinstance(drawn, Drawn)
    assert set(drawn.values(RunConfig(), num=100, seed=0)) == {1, 2, 3}


def test_ends_without_an_integer_between_them_are_refused() -> None:
    drawn = read_axis("width=uniform:1.2:1.8")
    assert isinstance(drawn, Drawn)
    with pytest.raises(InputError, match=r"width: expected LOW:HIGH with an integer between them, got 1\.2:1\.8"):
        drawn.values(RunConfig(), num=1, seed=0)


def test_a_choice_takes_every_value() -> None:
    drawn = read_axis("activation=choice:relu:tanh")
    assert isinstance(drawn, Drawn)
    assert set(drawn.values(RunConfig(), num=50, seed=0)) == {"relu", "tanh"}
