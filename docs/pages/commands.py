"""The page of the commands, from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from docs.pages.text import NOTE, cell, table
from subtx_toy.cli import cli


def commands_page() -> str:
    """Return the page, one section for each command in the order of ``subtx-toy --help``."""
    parts = [
        NOTE,
        "# Commands\n",
        "With this page you can look up every command and option. `subtx-toy COMMAND --help` prints the same.\n",
        f"{_exit_codes()}\n",
    ]
    return "\n".join([*parts, *_sections(cli, "subtx-toy", 2)])


def _exit_codes() -> str:
    """Return the paragraph of ``subtx-toy --help`` about them."""
    paragraphs = (" ".join(part.split()) for part in (cli.help or "").split("\n\n"))
    return next(part for part in paragraphs if part.startswith("Exit codes: "))


def _sections(group: click.Group, path: str, level: int) -> Iterator[str]:
    context = click.Context(group, info_name=path)
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        assert command is not None
        words = f"{path} {name}"
        yield f"{'#' * level} {words.removeprefix('subtx-toy ')}\n"
        yield _usage(command, words)
        yield from map(_paragraph, (command.help or "").split("\n\n"))
        if rows := list(_options(command)):
            yield table(["option", "what it is"], rows)
        if isinstance(command, click.Group):
            yield from _sections(command, words, level + 1)


def _usage(command: click.Command, words: str) -> str:
    pieces = command.collect_usage_pieces(click.Context(command, info_name=words))
    return f"```text\n{words} {' '.join(pieces)}\n```\n"


def _paragraph(text: str) -> str:
    """Return a paragraph of a help text; one that shows a command is written as code."""
    plain = " ".join(text.replace("\b", "").split())
    example = re.fullmatch(r"Example: (subtx-toy .*)", plain)
    return f"```sh\n{example[1]}\n```\n" if example else f"{cell(plain)}\n"


def _options(command: click.Command) -> Iterator[tuple[str, str]]:
    context = click.Context(command)
    for option in command.params:
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            yield f"`{record[0]}`".replace("|", "\\|"), cell(record[1])
