"""SETTING=VALUE words of a command, one of which may name an option by mistake."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import rich_click as click
from click import get_current_context

from subtx_toy.errors import InputError

_UNKNOWN = ": unknown key"


def settings_for(function: Callable[..., Any], overrides: Iterable[str]) -> dict[str, object]:
    """Return settings by name for ``function``, whose own arguments are none; they are options of the command, if any.

    Raises:
        InputError: naming all words that are no setting.
    """
    from subtx_toy.settings.overridable import read_assignments

    values, problems = read_assignments(overrides)
    parameters = inspect.signature(function).parameters.values()
    own = {one.name for one in parameters if one.kind is not one.VAR_KEYWORD}
    problems += [f"{name}{_UNKNOWN}" for name in values if name in own]
    with options_suggested():
        InputError.gather(problems)
    return values


@contextmanager
def options_suggested() -> Iterator[None]:
    """Add to every fault of an unknown setting the command's option of that name, if it has one."""
    options = {one.name: one.opts[0] for one in get_current_context().command.params if isinstance(one, click.Option)}
    try:
        yield
    except InputError as error:
        names = (fault.removesuffix(_UNKNOWN) for fault in error.problems)
        raise type(error)(*(
            f"{fault}; did you mean {options[name]}?" if name != fault and name in options else fault
            for fault, name in zip(error.problems, names, strict=True)
        )) from None  # fmt: skip
