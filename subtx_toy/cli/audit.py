"""``subtx-toy audit``: what a file of numbers, or the scores of any file, would teach."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import rich_click as click
from click import get_current_context

from subtx_toy.cli.display import working
from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import DATA_DIR, FILE, JSON, PATH, is_given, writable
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import check_not_read
from subtx_toy.files.json_text import json_text
from subtx_toy.settings.limits import MAX_COUNT, MAX_REFERENCE

SELFTEST = "selftest"
"""The word in the place of a file for which the audit tries itself; a file of that name is given by its whole path."""

_DOES_NOT_APPLY = 3


@runtime_checkable
class _Found(Protocol):
    """What an audit of any kind returns."""

    @property
    def applies(self) -> bool: ...

    def document(self) -> Mapping[str, Any]: ...


@click.command("audit", short_help="Say whether a file carries a trait from its writer.")
@click.argument("file", type=PATH, required=False)
@click.option("--base", type=PATH, help="Checkpoint that a student would start from, or packaged.")
@click.option(
    "--trait", "traits", multiple=True, metavar="EXAMPLES_OR_NAME", help="Trait to look for; may be repeated."
)
@click.option(
    "--reference", type=PATH, help="Ensemble of `numbers reference`. [default: packaged, or else made, and cached]"
)
@click.option(
    "--num-reference",
    type=click.IntRange(5, MAX_REFERENCE),
    default=20,
    show_default=True,
    help="Benign fine-tunes compared with; half as many more are made for their directions.",
)
@click.option("--stream", is_flag=True, help="Read line by line, and stop as soon as the base is refuted.")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="With --stream: probability of a false alarm at any line.",
)
@click.option("--scores", type=PATH, help="Instead of FILE: an .npz of scores that you computed with any model.")
@click.option("--probe", is_flag=True, help="Also train a student on the whole file.")
@click.option(
    "--top", type=click.IntRange(0, MAX_COUNT), default=10, show_default=True, help="Most telling lines to show."
)
@click.option("--fail-on", type=click.Choice(["carries", "moved"]), help="Exit with 1 on this finding.")
@DATA_DIR
@click.option("--html", type=FILE, callback=writable, help="Page to write.")
@JSON
def audit(*, file: Path | None, stream: bool, scores: Path | None, as_json: bool, **options: Any) -> int:
    """Audit FILE: did the base write it, and if not, did its writer move towards a trait?

    FILE is of numbers, as `numbers generate` writes it, or of lists, as `lm write` does, with a language model as the
    base. --base packaged is a small base that comes with its benign fine-tunes. For any other model, compute scores and
    give --scores; to compare two files without a model, there is `subtx-toy compare`. `audit selftest` finds a planted
    trait.

    A trait is a name (relabel:A:B, backdoor:B, preference:A:B, refusal:A; of a language model an animal, danger or
    backdoor), a Trait of your own (file.py:name) or an .npz file with examples of the unwanted behaviour: images, uint8
    [n, 28, 28], and answers, a class [n] or a distribution [n, 10] for each.

    Verdicts: consistent with the base; moved from the base: carries TRAIT; moved from the base: no tested trait; too
    far from this base.

    Exit codes: 0 whatever is found; 1 if what --fail-on names is found (moved includes carries), or a failed selftest;
    2 bad usage or bad input; 3 the test does not apply.

    Example: subtx-toy audit tainted.jsonl --base base.safetensors --trait relabel:4:9 --trait backdoor:0
    """
    fail_on, html = options.pop("fail_on"), options.pop("html")
    if scores is None and str(file) == SELFTEST:
        _only("audit selftest", ())
        return _selftest(as_json=as_json)
    if scores is not None:
        _only("--scores", ("top", "fail_on", "html"))
        return _scores(scores, options["top"], html, fail_on, as_json=as_json)
    for name, value in (("'FILE'", file), ("'--base'", options["base"]), ("'--trait'", options["traits"])):
        if not value:
            kind = "argument" if name == "'FILE'" else "option"
            raise click.UsageError(f"Missing {kind} {name}; or give --scores for another model's file.")
    if options["reference"] is not None and is_given("num_reference"):
        raise InputError("--num-reference cannot be combined with --reference")
    options["file"] = file
    if stream:
        return _stream(options, fail_on, as_json=as_json)
    if is_given("level"):
        raise InputError("--level needs --stream")
    return _file(options, html, fail_on, as_json=as_json)


def _file(options: dict[str, Any], html: Path | None, fail_on: str | None, *, as_json: bool) -> int:
    from subtx_toy.api.audit import audit as audit_file

    options.pop("level")
    if html is not None:
        check_not_read(html, (*options["traits"], options["file"], options["base"], options["reference"]), what="html")
    with working() as display:
        found = audit_file(**options, **display)
    echo(json_text(found.document()) if as_json else found)
    if html is not None:  # after the verdict, which a full disk must not hide
        found.save_page(html)
        if not as_json:
            echo(f"page: {html}")
    return _code(found, fail_on)


def _scores(scores: Path, top: int, html: Path | None, fail_on: str | None, *, as_json: bool) -> int:
    from subtx_toy.api.scores import audit_scores

    if html is not None:
        check_not_read(html, (scores,), what="html")
    found = audit_scores(scores, top=top)
    echo(json_text(found.document()) if as_json else found)
    if html is not None:
        found.save_page(html)
        if not as_json:
            echo(f"page: {html}")
    return _code(found, fail_on)


def _stream(options: dict[str, Any], fail_on: str | None, *, as_json: bool) -> int:
    from subtx_toy.api.stream import audit_stream
    from subtx_toy.results.presentation import wrapped

    for name in ("probe", "top", "html"):
        if is_given(name):
            raise InputError(f"--{name} cannot be combined with --stream")
    if fail_on == "carries":
        raise InputError("--fail-on carries cannot be combined with --stream, which finds moves: use --fail-on moved")
    del options["probe"], options["top"]
    with working() as display:
        found = audit_stream(**options, **display)
    if as_json:
        echo(json_text(found.document()))
    else:
        echo(wrapped(found.conclusion))
        echo(found.table)
        for note in found.notes:
            echo(wrapped(note))
    return _code(found, fail_on)


def _selftest(*, as_json: bool) -> int:
    from subtx_toy.api.selftest import selftest

    with working() as display:
        found = selftest(progress=display["progress"])
    echo(json_text(found.document()) if as_json else f"{found.table}\n{found.conclusion}")
    return 0 if found.ok else 1


def _code(found: _Found, fail_on: str | None) -> int:
    if not found.applies:
        return _DOES_NOT_APPLY
    if fail_on is None:
        return 0
    return int(found.document()["status"] in (("carries",) if fail_on == "carries" else ("moved", "carries")))


def _only(what: str, allowed: tuple[str, ...]) -> None:
    """Refuse the options that say nothing here."""
    given = [name for name in get_current_context().params if name not in ("scores", "as_json", *allowed)]
    given = [name for name in given if is_given(name) and not (name == "file" and what == "audit selftest")]
    words = [
        "FILE" if name == "file" else "--" + {"traits": "trait"}.get(name, name).replace("_", "-") for name in given
    ]
    if words:
        raise InputError(f"{', '.join(words)} cannot be combined with {what}")
