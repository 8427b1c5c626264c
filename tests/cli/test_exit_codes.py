"""A command whose exit code says more than that it worked lists its codes in its help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
import pytest

from subtx_toy.cli import FAILED, INTERRUPTED, OK, cli


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


COMMANDS = dict(_commands(cli, "subtx-toy"))
START = "Exit codes: 0 "


def _codes(command: click.Command) -> list[str]:
    """Return the paragraphs of a help text that list exit codes."""
    return [text for part in (command.help or "").split("\n\n") if START in (text := " ".join(part.split()))]


def _returns_codes(command: click.Command) -> bool:
    assert command.callback is not None
    return inspect.unwrap(command.callback).__annotations__["return"] in ("int", int)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_lists_its_exit_codes_where_it_has_its_own(name: str) -> None:
    command = COMMANDS[name]
    found = _codes(command)
    assert len(found) == _returns_codes(command), "its callback returns an exit code: list it in the docstring"
    for text in found:
        assert text.startswith(START)
        assert "; 1 " in text
        assert "; 2 bad usage or bad input" in text


def test_the_program_lists_every_code() -> None:
    (text,) = _codes(cli)
    assert [f"{code} " in text for code in (OK, FAILED, 2, 3, INTERRUPTED)] == [True] * 5


def test_some_commands_have_codes_of_their_own() -> None:
    assert {name.removeprefix("subtx-toy ") for name, one in COMMANDS.items() if _returns_codes(one)} == {
        "audit", "certify", "check", "doctor", "run", "sweep", "verify",
    }  # fmt: skip
