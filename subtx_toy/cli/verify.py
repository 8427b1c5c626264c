"""``subtx-toy verify``: the claims on drawn or given problems."""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.display import Display, interruptible
from subtx_toy.cli.given import is_given
from subtx_toy.files.json_values import finite
from subtx_toy.results.text_table import align

if TYPE_CHECKING:
    from subtx_toy.claims.controls.control_runs import ControlResult
    from subtx_toy.claims.instance import Instance
    from subtx_toy.claims.verification import Summary
    from subtx_toy.claims.vocabulary.claim import Claim


_MOST_CONTROLS = 120  # problems behind the controls' rates: intervals of 19 points at most, where all apply


@click.command(short_help="Check the one-step claims on drawn problems, or on your own.")
@click.argument("problem", required=False)
@click.option(
    "--claims", "chosen", metavar="LIST", help="Such as C1,C4,mine.py:my_bound. [default: all of the package]"
)
@click.option("--instances", type=click.IntRange(min=1), default=200, show_default=True, help="Problems to draw.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draws.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the tables.")
@click.option("--list", "only_list", is_flag=True, help="Print the claims with their hypotheses and sources, and stop.")
def verify(
    problem: str | None,
    *,
    chosen: str | None,
    instances: int,
    seed: int,
    as_json: bool,
    only_list: bool,
) -> int:
    """Check the one-step claims: predicted, observed, verdict.

    Without PROBLEM, small random problems are drawn. PROBLEM is a TOML file with the fields of a drawn problem, or a
    function that returns a Problem, as module:factory or file.py:factory. A claim is `holds`, `violated`, `not
    applicable` where a hypothesis fails, or `undecided` where rounding decides. A bound of your own, a function under
    subtx_toy.claims.user.claim, is hunted for its smallest counterexample.

    The worst margin is the least signed slack (rhs - lhs) / (|lhs| + |rhs|) over all checks of a claim, in [-1, 1].
    Controls are students that must fail: each has a constructed problem on which it does, and its rate of failure
    over drawn ones is printed.

    Exit codes: 0 every claim holds; 1 a claim is violated or a control did not fail; 2 bad usage or bad input.

    Example: subtx-toy verify --instances 200
    """
    import torch

    from subtx_toy.claims.controls.control_runs import run_controls
    from subtx_toy.claims.instance import drawn, given
    from subtx_toy.claims.registry import CLAIMS
    from subtx_toy.claims.verification import verify as verify_claims
    from subtx_toy.errors import InputError

    if problem is not None and is_given("instances"):
        raise InputError("instances: expected no number beside a problem of your own, got both")
    torch.set_num_threads(1)
    claims = _choose(chosen) if chosen is not None else list(CLAIMS.values())
    if only_list:
        _print_list(claims, as_json=as_json)
        return 0
    sources: Iterable[Instance] = drawn(instances, seed=seed) if problem is None else [given(problem)]
    total = instances if problem is None else 1
    num_controls = min(instances, _MOST_CONTROLS)
    with Display() as display, interruptible(), _frozen():
        display.start("verifying", total, "problems")
        found = verify_claims(
            claims, sources, progress=lambda done: display.progress("verifying", done, total, "problems")
        )
        counterexamples = {one.claim.id: one.counterexample() for one in found.summaries}
        controls = [] if chosen is not None or problem is not None else run_controls(drawn(num_controls, seed=seed))
    failed = any(counterexamples.values()) or not all(control.failed_as_it_must for control in controls)
    if as_json:
        document = {
            "problem": problem or "drawn",
            "seed": seed,
            "instances": total,
            "claims": [_document(one, counterexamples[one.claim.id]) for one in found.summaries],
            "controls": [_control_document(one) for one in controls],
            "checks": found.num_checks,
            "cpu_seconds": round(found.cpu_seconds, 3),
            "checks_per_second": round(found.checks_per_second, 1),
        }
        click.echo(json.dumps(document, indent=2, allow_nan=False))
        return int(failed)
    header = ["claim", "instances", "applicable", "undecided", "worst margin", "predicted/observed", "verdict"]
    click.echo(align(header, [_row(one) for one in found.summaries]))
    click.echo(f"{found.num_checks} checks, {found.checks_per_second:.0f} a CPU second")
    if controls:
        header = ["control", "claim", "built to fail", "failed drawn", "95 % interval", "student"]
        click.echo("\n" + align(header, [_control_row(one) for one in controls]))
    for id, counterexample in counterexamples.items():
        if counterexample is not None:
            snippet, reason = counterexample
            click.echo(f"\n{id} is violated: {reason}\n{snippet}")
    return int(failed)


@contextlib.contextmanager
def _frozen() -> Iterator[None]:
    """Spare the collector what is loaded: walking torch's modules took it every tenth second."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _choose(text: str) -> list[Claim]:
    from subtx_toy.claims.registry import CLAIMS
    from subtx_toy.claims.user import load_claim
    from subtx_toy.errors import InputError
    from subtx_toy.settings.messages import nearest

    claims: list[Claim] = []
    faults: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        if name in CLAIMS:
            claims.append(CLAIMS[name])
        elif ":" in name:
            try:
                claims.append(load_claim(name))
            except InputError as error:
                faults += error.problems
        else:
            hint = nearest(name, CLAIMS, cutoff=0.5)
            faults.append(f"claims: expected one of {', '.join(CLAIMS)}, or file.py:name, got {name!r}{hint}")
    ids = [one.id for one in claims]
    faults += [
        f"claims: expected each id once, got {id!r} twice" for id in sorted({i for i in ids if ids.count(i) > 1})
    ]
    InputError.gather(faults)
    return claims


def _print_list(claims: list[Claim], *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": one.id,
            "statement": one.statement,
            "hypotheses": [hypothesis.name for hypothesis in one.hypotheses],
            "prediction": one.prediction,
            "observation": one.observation,
            "tolerance": one.tolerance,
            "source": one.source,
            "every": one.every,
        }
        for one in claims
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['id']}: {row['statement']}")
        click.echo(f"  if        {'; '.join(row['hypotheses']) or 'always'}")
        click.echo(f"  predicts  {row['prediction']}")
        click.echo(f"  observes  {row['observation']}")
        click.echo(f"  source    {row['source']}")
        if row["every"] > 1:
            click.echo(f"  on one drawn problem in {row['every']}, for cost")


def _row(one: Summary) -> list[str]:
    ratio, margin = one.ratio(), one.worst_margin
    return [
        one.claim.id,
        str(one.instances),
        str(one.applicable),
        str(one.counts["undecided"]),
        "" if margin is None else f"{margin:.3g}",
        "" if ratio is None else "{:.4g} / {:.4g} / {:.4g}".format(*ratio),
        one.verdict,
    ]


def _document(one: Summary, counterexample: tuple[str, str] | None) -> dict[str, Any]:
    ratio = one.ratio()
    return {
        "id": one.claim.id,
        "statement": one.claim.statement,
        "verdict": one.verdict,
        "instances": one.instances,
        "applicable": one.applicable,
        "counts": {verdict: one.counts[verdict] for verdict in ("holds", "violated", "undecided", "not applicable")},
        "worst_margin": one.worst_margin,
        "ratio": None if ratio is None else dict(zip(("min", "median", "max"), ratio, strict=True)),
        "undecided_bound": finite(one.bound) or None,
        "reasons": dict(one.reasons.most_common(5)),
        "every": one.claim.every,
        "counterexample": None
        if counterexample is None
        else dict(zip(("snippet", "check"), counterexample, strict=True)),
    }


def _control_row(one: ControlResult) -> list[str]:
    low, high = one.interval
    built = "failed" if one.failed_as_it_must else "DID NOT FAIL"
    rate = f"{one.failures} of {one.num_drawn}"
    return [one.control.id, one.control.claim, built, rate, f"{low:.3f} to {high:.3f}", one.control.statement]


def _control_document(one: ControlResult) -> dict[str, Any]:
    return {
        "id": one.control.id,
        "statement": one.control.statement,
        "claim": one.control.claim,
        "verdict": one.verdict,
        "failed_as_it_must": one.failed_as_it_must,
        "failures": one.failures,
        "num_drawn": one.num_drawn,
        "interval": list(one.interval),
    }
