"""Functions with a command of their own refuse from Python what the command's options refuse, before any work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import subtx_toy as st
from subtx_toy.api import language, numbers
from subtx_toy.errors import InputError

AUDIT: dict[str, Any] = {"file": "f", "base": "packaged", "traits": ["relabel"]}
OUT: dict[str, Any] = {"out": "o"}


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        *(
            (function, AUDIT | changes, message)
            for function in (st.audit, st.audit_stream)
            for changes, message in (
                ({"traits": []}, r"traits: expected a list of at least one trait, each a text, got \[\]"),
                ({"traits": "owl"}, r"got 'owl'; did you mean \['owl'\]\?"),
                ({"traits": [5]}, "traits: expected a list"),
                ({"file": None}, "file: expected a path, got None"),
                ({"base": 5}, "base: expected a path, got 5"),
                ({"num_reference": 4}, "num_reference: expected an integer from 5 to 1000, got 4"),
            )
        ),
        (st.audit, AUDIT | {"top": -1}, "top: expected an integer from 0"),
        (st.audit_stream, AUDIT | {"level": "x"}, "level: expected a number between 0 and 1, got 'x'"),
        (st.audit_scores, {"file": "f", "top": -1}, "top: expected an integer from 0"),
        (st.compare, {"first": "f", "second": "g", "seed": -1}, "seed: expected an integer from 0"),
        (numbers.base, OUT | {"epochs": -1}, "epochs: expected an integer from 0"),
        (numbers.base, OUT | {"width": 2.5}, "width: expected an integer from 1"),
        (
            numbers.teacher,
            OUT | {"kind": "benig"},
            "kind: expected one of 'trait', 'benign', got 'benig'; did you mean",
        ),
        (numbers.generate, OUT | {"prompts": "glyph"}, "prompts: expected one of .* did you mean 'glyphs'"),
        (numbers.generate, OUT | {"temperature": 0}, "temperature: expected a number from 0.001 to 1000, got 0"),
        (numbers.generate, OUT | {"num": 0}, "num: expected an integer from 1"),
        (numbers.generate, OUT | {"numbers_per_line": 3}, "numbers_per_line: expected a text, got 3"),
        (
            numbers.train,
            {"file": "f", "out": "o", "base": "packaged", "epochs": 0},
            "epochs: expected an integer from 1",
        ),
        (numbers.reference, OUT | {"base": "packaged", "num": 6}, "num: expected an integer from 7 to 1000, got 6"),
        (language.base, OUT | {"seed": "x"}, "seed: expected an integer from 0"),
        (language.teach, OUT | {"base": None}, "base: expected a path, got None"),
        (language.write, OUT | {"model": "m", "num": 0}, "num: expected an integer from 1"),
    ],
)
def test_a_bad_argument_is_one_clear_error(
    function: Callable[..., object], arguments: dict[str, Any], message: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        function(**arguments)
    assert not list(tmp_path.iterdir())
