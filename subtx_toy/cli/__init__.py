"""The command line: one file a command, heavy imports inside the commands, exit codes in one place."""

from __future__ import annotations

import gc
import os
import sys

import rich_click as click
from click.shell_completion import shell_complete

from subtx_toy import __version__
from subtx_toy.cli import interrupts, last_words, streams
from subtx_toy.cli.audit import audit
from subtx_toy.cli.certify import certify, check
from subtx_toy.cli.compare import compare_command
from subtx_toy.cli.data import data
from subtx_toy.cli.doctor import doctor
from subtx_toy.cli.echo import echo
from subtx_toy.cli.experiments import list_command
from subtx_toy.cli.explorer import explorer
from subtx_toy.cli.language import lm
from subtx_toy.cli.numbers import numbers
from subtx_toy.cli.predict import predict
from subtx_toy.cli.report import report
from subtx_toy.cli.results import results
from subtx_toy.cli.run import run
from subtx_toy.cli.sweep import sweep
from subtx_toy.cli.verify import verify
from subtx_toy.errors import InputError, StoreLostError
from subtx_toy.sweep.threads import prefer_one_thread

click.rich_click.TEXT_MARKUP = "ansi"  # brackets in help texts are brackets
click.rich_click.TEXT_PARAGRAPH_LINEBREAKS = "\n\n"
click.rich_click.MAX_WIDTH = 110

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, last_words.BAD_INPUT, interrupts.INTERRUPTED


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="subtx-toy")
def cli() -> None:
    """Simulate subliminal learning: predict it, reproduce the published experiments, and go beyond them.

    Exit codes: 0 all is well; 1 a claim is violated, a certificate is rejected, a check or some trials failed, or what
    --fail-on names was found; 2 bad usage or bad input; 3 an audit does not apply; 130 interrupted; 141 nobody reads
    the output any more. A command that has a 1 or a 3 says in its help what they mean.

    Example: subtx-toy run cloud2025 --seeds 0:10
    """


for _command in (
    list_command,
    run,
    sweep,
    predict,
    results,
    report,
    explorer,
    doctor,
    data,
    verify,
    certify,
    check,
    numbers,
    lm,
    audit,
    compare_command,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line and exit with its code; a user's error is one message, never a traceback."""
    streams.guard()
    prefer_one_thread()  # before any of the libraries is loaded
    os.environ.pop("MPLBACKEND", None)  # of the notebook that started this: figures here are files
    if os.environ.get("COLUMNS", "").strip() == "0":  # nobody's width: the help would be empty
        del os.environ["COLUMNS"]
    interrupts.answer()
    status = call(sys.argv[1:])
    interrupts.finish()
    try:
        streams.flush()
    except InputError as error:
        status = last_words.explained(error, sys.argv[1:])
    gc.freeze()  # the process ends: collecting torch's modules would take it a third of a second
    sys.exit(status)


def call(arguments: list[str]) -> int:
    """Run the command line on ``arguments`` and return its exit code."""
    interrupts.forget()
    try:
        if asked := os.environ.get("_SUBTX_TOY_COMPLETE"):  # by a shell; within main click would end the process
            return shell_complete(cli, {}, "subtx-toy", "_SUBTX_TOY_COMPLETE", asked)
        status = cli.main(arguments, prog_name="subtx-toy", standalone_mode=False)
    except BaseException as error:
        # click says Abort for an interrupt, and for an end of file inside some library
        cause = error.__context__ or error if isinstance(error, click.Abort) else error
        interrupted = interrupts.came() or isinstance(cause, KeyboardInterrupt | click.Abort)
        if interrupted and not isinstance(error, StoreLostError):
            echo("interrupted", err=True)
            return INTERRUPTED
        if isinstance(error, SystemExit):  # of a module of the user's, or of click, for a pipe inside some library
            cause = error.__context__ or InputError(f"a module of yours ended the process: sys.exit({error.code!r})")
        return last_words.explained(cause, arguments)
    # Without standalone mode click returns the code of ctx.exit(), or what the command returns.
    return status if isinstance(status, int) else OK
