"""``subtx-toy certify`` and ``subtx-toy check``: prove how small is small enough, and re-prove it from the file."""

from __future__ import annotations

import shlex
from pathlib import Path

import rich_click as click

from subtx_toy.cli.display import working
from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import FILE, JSON, writable
from subtx_toy.files.atomic import check_not_read
from subtx_toy.files.json_text import json_text

_QUANTITIES = ("alignment", "every-batch", "trait-loss", "distance")


@click.command(short_help="Prove the largest step size up to which a claim holds, for one network.")
@click.argument("problem", default="small-net")
@click.argument("settings", nargs=-1, metavar="[SETTING=VALUE]...")
@click.option(
    "--quantity", type=click.Choice(_QUANTITIES), default="alignment", show_default=True, help="What to prove."
)
@click.option("--out", type=FILE, callback=writable, help="Write the certificate there.")
@JSON
def certify(problem: str, settings: tuple[str, ...], *, quantity: str, out: Path | None, as_json: bool) -> int:
    """Prove a claim for every eps in (0, eps_certified], every rounding error included.

    PROBLEM is a packaged target (small-net, paper-net, paper-net-tanh, welch), a TOML file or a factory as for
    `verify`, or a network in files: a TOML file with its layers. Its model is a perceptron, or a torch Sequential of
    certain layers. mnist-teacher is the segment from the shared init to a teacher that is trained on MNIST first,
    half a minute.

    alignment: the student's step has a positive inner product with the teacher's. every-batch: so it is for every
    single input, hence for every batch. Of perceptrons alone: trait-loss, the trait loss falls at student_lr;
    distance, the student comes closer to the teacher.

    Settings: student_lr=NUMBER, eps_max=NUMBER below the cap 1000/||dT||, order=INTEGER of Taylor's theorem,
    max_boxes=INTEGER; seed=INTEGER of mnist-teacher.

    Exit codes: 0 something was proved; 1 nothing was, with the reason; 2 bad usage or bad input.

    Example: subtx-toy certify small-net --quantity alignment --out small-net.cert
    """
    from subtx_toy.settings.certificate import SearchSettings

    if out is not None:
        check_not_read(out, (problem,), what="out")
    given = SearchSettings().override(settings).model_dump()
    from subtx_toy.api.certify import certify as search
    from subtx_toy.results.presentation import wrapped

    with working() as display:
        found = search(problem, quantity, **given, **display)
    written = out if found.boxes else None
    if written is not None:
        found.save(written)
    if as_json:
        echo(json_text({**found.document(), "out": str(written) if written else None}, indent=None))
    else:
        echo(wrapped(repr(found)))
        if written is not None:
            echo(wrapped(f"written to {written}: re-prove it with {shlex.join(['subtx-toy', 'check', str(written)])}"))
        elif out is not None:
            echo(wrapped(f"nothing is written to {out}: there is no box for `check` to prove again"))
    return 0 if found.boxes else 1


@click.command(short_help="Re-prove a certificate from its file, by other code and other arithmetic.")
@click.argument("certificate", type=FILE)
@click.argument("settings", nargs=-1, metavar="[SETTING=VALUE]...")
@click.option("--problem", help="The problem that it has to be about, as for `certify`.")
@JSON
def check(certificate: Path, settings: tuple[str, ...], *, problem: str | None, as_json: bool) -> int:
    """Check that a certificate proves what it says: no gap from 0 on, and the sign on every box.

    The file says what the claim is, and nothing in it is trusted to be true. It cannot tell whether the
    network in the file is the one you care about: give that one as --problem.

    Settings, of the --problem: student_lr=NUMBER, which certificates of trait-loss and distance speak of, if it is not
    the problem's own; seed=INTEGER of mnist-teacher.

    Exit codes: 0 re-proved; 1 rejected, with the reason; 2 bad usage or bad input.

    Example: subtx-toy check small-net.cert --problem small-net
    """
    from subtx_toy.settings.certificate import ProblemChoice

    given = ProblemChoice().override(settings).model_dump()
    from subtx_toy.api.certify import check as prove_again
    from subtx_toy.results.presentation import wrapped

    with working() as display:
        found = prove_again(certificate, problem=problem, **given, **display)
    if as_json:
        echo(json_text(found.document(), indent=None))
    else:
        echo(wrapped(repr(found)), err=not found)
    return 0 if found else 1
