"""SETTING=VALUE words of a command whose function takes settings as keywords."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import rich_click as click
from click import get_current_context

from subtx_toy.errors import InputError


def settings_for(function: Callable[..., Any], overrides: Iterable[str]) -> dict[str, object]:
    """Return settings by name for ``function``, whose own arguments are none; they are options of the command, if any.

    Raises:
        InputError: naming all words that are no setting.
    """
    from subtx_toy.settings.overridable import read_assignments

    values, problems = read_assignments(overrides)
    parameters = inspect.signature(function).parameters.values()
    own = {one.name for one in parameters if one.kind is not one.VAR_KEYWORD}
    listed = get_current_context().command.params
    options = {one.name: one.opts[0] for one in listed if isinstance(one, click.Option)}
    for name in values:
        if name in own:
            problems.append(f"{name}: unknown key" + (f"; did you mean {options[name]}?" if name in options else ""))
    InputError.gather(problems)
    return values
