"""``subtx-toy certify`` and ``subtx-toy check``: prove how small is small enough, and re-prove it from the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from subtx_toy.cli.display import Display, interruptible
from subtx_toy.cli.output_file import writable
from subtx_toy.results.text_table import align

if TYPE_CHECKING:
    from subtx_toy.certify.certificate import Certificate
    from subtx_toy.certify.description import Description

_QUANTITIES = ("alignment", "every-batch", "trait-loss", "distance")
_SETTINGS = ("student_lr", "eps_max", "order", "max_boxes", "seed")
_TEACHER = "mnist-teacher"


@click.command(short_help="Prove up to which step size of the teacher a claim holds, for one network.")
@click.argument("problem", default="small-net")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE ...]")
@click.option(
    "--quantity", type=click.Choice(_QUANTITIES), default="alignment", show_default=True, help="What to prove."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), callback=writable, help="Write the certificate there."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the table.")
def certify(problem: str, settings: tuple[str, ...], *, quantity: str, out: Path | None, as_json: bool) -> int:
    """Prove a claim for every eps in (0, eps_certified], every rounding error included.

    PROBLEM is a packaged target (small-net, paper-net, paper-net-tanh), a TOML file or a factory as for `verify`, or
    mnist-teacher: the segment from the shared init to a teacher that is trained on MNIST first, half a minute.

    alignment: the student's step has a positive inner product with the teacher's. every-batch: so it has for every
    single input, hence for every batch. trait-loss: the trait loss falls at student_lr. distance: the student comes
    closer to the teacher.

    Settings: student_lr=NUMBER, eps_max=NUMBER below the cap 1000/||dT||, order=INTEGER of Taylor's theorem,
    max_boxes=INTEGER; seed=INTEGER of mnist-teacher.

    Exit codes: 0 something was proved; 1 nothing was, with the reason; 2 bad usage or bad input.

    Example: subtx-toy certify small-net --quantity alignment --out small-net.cert
    """
    import torch

    from subtx_toy.certify.certificate import write
    from subtx_toy.certify.search import MAX_BOXES, find_certificate

    torch.set_num_threads(1)
    given = _parse(settings, problem, _SETTINGS)
    with Display() as display, interruptible():
        described = _described(problem, quantity, given, display)
        display.start("certifying", 100, "per cent of the cap")
        found = find_certificate(
            described,
            eps_max=given.get("eps_max"),
            order=_integer(given, "order"),
            max_boxes=_integer(given, "max_boxes") or MAX_BOXES,
            progress=lambda share: display.progress("certifying", int(100 * share), 100, "per cent of the cap"),
        )
    proved = bool(found.boxes)
    if out is not None and proved:
        write(found, out)
    if as_json:
        click.echo(json.dumps({"problem": problem, **found.summary(), "out": str(out) if out and proved else None}))
    else:
        _print(problem, found, out if proved else None)
    return 0 if proved else 1


@click.command(short_help="Re-prove a certificate from its file, by other code and other arithmetic.")
@click.argument("certificate", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE ...]")
@click.option("--problem", help="The problem that it has to be about, as for `certify`.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check(certificate: Path, settings: tuple[str, ...], *, problem: str | None, as_json: bool) -> int:
    """Check that a certificate proves what it says: no gap from 0 on, and the sign on every box.

    Only the file is trusted to say what the claim is, nothing in it is trusted to be true. It cannot tell whether the
    network in the file is the one you care about: give that one as --problem.

    Settings, of the --problem: student_lr=NUMBER, which certificates of trait-loss and distance speak of, if it is not
    the problem's own; seed=INTEGER of mnist-teacher.

    Exit codes: 0 re-proved; 1 rejected, with the reason; 2 bad usage or no such file.

    Example: subtx-toy check small-net.cert --problem small-net
    """
    given = _parse(settings, problem, ("student_lr", "seed"))
    try:
        from subtx_toy.certify.checker.check import OF_A_STEP
        from subtx_toy.certify.checker.check import check as recheck
        from subtx_toy.certify.checker.document import Rejected, read
    except ImportError as error:
        from subtx_toy.errors import InputError

        raise InputError("python-flint: expected it to be installed for certificates, got none") from error

    try:
        with Display() as display, interruptible():
            expected = None
            if problem is not None:
                stored = read(certificate)
                written = stored.settings.get("student_lr")
                if stored.quantity not in OF_A_STEP and isinstance(written, float):
                    given = {**given, "student_lr": written}  # it has no part in the claim
                own = _described(problem, stored.quantity, given, display)
                if stored.quantity in OF_A_STEP and own.student_lr != written:
                    raise Rejected(f"it is about student_lr = {written!r}, where the problem has {own.student_lr!r}")
                expected = own.digests() | {"settings": json.dumps(own.settings(), sort_keys=True)}
            found = recheck(
                certificate,
                expected=expected,
                progress=lambda done, total: display.progress("checking", done, total, "boxes"),
            )
    except Rejected as verdict:
        if as_json:
            click.echo(json.dumps({"certificate": str(certificate), "verdict": "rejected", "reason": str(verdict)}))
        else:
            click.echo(f"rejected: {verdict}", err=True)
        return 1
    if as_json:
        click.echo(json.dumps({"certificate": str(certificate), "verdict": "proved", **vars(found)}))
    else:
        step = "" if found.student_lr is None else f" at student_lr = {found.student_lr!r}"
        click.echo(
            f"proved: {found.quantity}{step} for every eps in (0, {found.eps!r}], "
            f"{found.boxes} boxes in {found.pieces} pieces"
            + (", and the opposite sign just beyond" if found.bracketed else "")
            + f", {found.seconds:.1f} s"
        )
    return 0


def _parse(settings: tuple[str, ...], problem: str | None, known: tuple[str, ...]) -> dict[str, float]:
    from subtx_toy.errors import InputError
    from subtx_toy.settings.messages import nearest

    found, faults = {}, []
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals:
            faults.append(f"settings: expected key=value, got {text!r}")
        elif name not in known:
            faults.append(f"{name}: unknown key" + (nearest(name, known) or f" of {sorted(known)}"))
        else:
            try:
                found[name] = float(value)
            except ValueError:
                faults.append(f"{name}: expected a number, got {value!r}")
    faults += [f"{name}: expected a finite number > 0, got {found[name]!r}" for name in ("student_lr", "eps_max")
               if name in found and not 0 < found[name] < float("inf")]  # fmt: skip
    least = {"order": 2, "max_boxes": 1, "seed": 0}
    faults += [f"{name}: expected an integer >= {low}, got {found[name]!r}" for name, low in least.items()
               if name in found and not (found[name] >= low and found[name].is_integer())]  # fmt: skip
    if "seed" in found and problem != _TEACHER:
        given = "without a problem" if problem is None else f"with {problem!r}"
        faults.append(f"seed: expected none but with the problem {_TEACHER!r}, got one {given}")
    if problem is None and "student_lr" in found:
        faults.append("student_lr: expected none without a problem, got one")
    InputError.gather(faults)
    return found


def _integer(given: dict[str, float], name: str) -> int | None:
    return int(given[name]) if name in given else None


def _described(problem: str, quantity: str, given: dict[str, float], display: Display) -> Description:
    from subtx_toy.certify.description import describe
    from subtx_toy.certify.packaged import path_of
    from subtx_toy.claims.instance import given as read

    if problem != _TEACHER:
        return describe(read(path_of(problem)).build(), quantity, student_lr=given.get("student_lr"))
    from subtx_toy.data import load
    from subtx_toy.protocols.mnist_teacher import train_segment
    from subtx_toy.settings.distillation import RunConfig

    config = RunConfig()
    data = load(config.dataset, report=display.report, progress=display.progress)
    display.start("training a teacher", 1, "teacher")
    problem_, teacher, result = train_segment(config, data, seed=_integer(given, "seed") or 0)
    display.report(f"test accuracy of the teacher: {result.accuracy['teacher']:.4f}")
    return describe(problem_, quantity, student_lr=given.get("student_lr"), teacher=teacher)


def _print(problem: str, found: Certificate, out: Path | None) -> None:
    def number(value: float | None, reason: str = "") -> str:
        return reason if value is None else f"{value:.9g}"

    negative = "" if found.negative is None else f"; the opposite sign is proved at {found.negative[0]:.9g}"
    rows = [
        ["closed form", number(found.eps_closed, f"none: {found.closed_reason}")],
        ["one box", number(found.eps_one_box)],
        ["certified", number(found.eps_certified) + negative],
        ["observed", number(found.eps_observed, f"none: {found.observed_reason}")],
        ["cap", number(found.cap)],
    ]
    click.echo(align([f"{problem}: {found.quantity}", "eps"], rows))
    click.echo(f"\n{found.reason}; {len(found.boxes)} boxes of {found.boxes_tried} tried, {found.seconds:.1f} s of CPU")
    if found.boxes:
        click.echo("Proved for these float64 numbers and every eps from 0 up to there; nothing is said beyond.")
    if out is not None:
        click.echo(f"written to {out}: re-prove it with subtx-toy check {out}")
