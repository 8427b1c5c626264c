"""The command line: one file a command, heavy imports inside the commands, exit codes in one place."""

from __future__ import annotations

import sys

import rich_click as click

from subtx_toy import __version__
from subtx_toy.cli.audit import audit
from subtx_toy.cli.certify import certify, check
from subtx_toy.cli.data import data
from subtx_toy.cli.doctor import doctor
from subtx_toy.cli.echo import echo
from subtx_toy.cli.numbers import numbers
from subtx_toy.cli.results import results
from subtx_toy.cli.run import run
from subtx_toy.cli.sweep import sweep
from subtx_toy.cli.verify import verify
from subtx_toy.errors import InputError
from subtx_toy.sweep.threads import prefer_one_thread

click.rich_click.TEXT_MARKUP = "ansi"  # brackets in help texts are brackets
click.rich_click.TEXT_PARAGRAPH_LINEBREAKS = "\n\n"
click.rich_click.MAX_WIDTH = 110

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="subtx-toy")
def cli() -> None:
    """Simulate subliminal learning: predict it, reproduce the published experiments, and go beyond them.

    Exit codes: 0 ok; 1 a claim is violated or some trials failed; 2 bad usage or bad input; 3 an audit does not apply;
    130 interrupted.

    Example: subtx-toy run cloud2025 --seeds 0:10
    """


for _command in (run, sweep, results, doctor, data, verify, certify, check, numbers, audit):
    cli.add_command(_command)


def main() -> None:
    """Run the command line and exit with its code; a user's error is one message, never a traceback."""
    prefer_one_thread()  # before any of the libraries is loaded
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """Run the command line on ``arguments`` and return its exit code."""
    try:
        status = cli.main(arguments, prog_name="subtx-toy", standalone_mode=False)
    except InputError as error:
        for problem in error.problems:
            echo(f"error: {problem}", err=True)
        return BAD_INPUT
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    # Without standalone mode click returns the code of ctx.exit(), or what the command returns.
    return status if isinstance(status, int) else OK
