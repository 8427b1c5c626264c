"""``subtx-toy verify``: the claims on drawn or given problems."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.display import working
from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import JSON
from subtx_toy.files.json_text import json_text
from subtx_toy.settings.limits import MAX_INSTANCES, MAX_SEED

if TYPE_CHECKING:
    from subtx_toy.claims.vocabulary.claim import Claim


@click.command(short_help="Check the one-step claims on drawn problems, or on your own.")
@click.argument("problem", required=False)
@click.option(
    "--claims", "chosen", metavar="LIST", help="Such as C1,C4,mine.py:my_bound. [default: all of the package]"
)
@click.option("--instances", type=click.IntRange(1, MAX_INSTANCES), help="Problems to draw. [default: 200]")
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=0, show_default=True, help="Of the draws.")
@JSON
@click.option("--list", "only_list", is_flag=True, help="Print the claims with their hypotheses and sources, and stop.")
def verify(
    problem: str | None, *, chosen: str | None, instances: int | None, seed: int, as_json: bool, only_list: bool
) -> int:
    """Check the one-step claims: predicted, observed, verdict.

    Without PROBLEM, small random problems are drawn. PROBLEM is a TOML file with the fields of a drawn problem, or a
    function that returns a Problem, as module:factory or file.py:factory. A claim is `holds`, `violated`, `not
    applicable` where a hypothesis fails, or `undecided` where rounding decides. For a bound of your own, a function
    under subtx_toy.claim, the smallest counterexample is searched.

    The worst margin is the smallest signed slack (rhs - lhs) / (|lhs| + |rhs|) over all checks of a claim, in [-1, 1].
    Controls are students that must fail: each has a constructed problem on which it does, and its rate of failure
    over drawn ones is printed.

    Exit codes: 0 every claim holds; 1 a claim is violated or a control did not fail; 2 bad usage or bad input.

    Example: subtx-toy verify --instances 200
    """
    from subtx_toy.api.verify import verify as verify_claims
    from subtx_toy.claims.registry import find_claims
    from subtx_toy.results.presentation import wrapped

    if only_list:
        _print_list(find_claims(chosen), as_json=as_json)
        return 0
    # A model that prints does not do so into the document.
    with working() as display, contextlib.redirect_stdout(sys.stderr):
        found = verify_claims(problem, instances=instances, claims=chosen, seed=seed, progress=display["progress"])
    if as_json:
        echo(json_text(found.document()))
    else:
        echo(wrapped(f"{found.conclusion}."))
        echo(found.table)
        if found.violations:
            echo(f"\n{found.violations}")
    gc.freeze()  # the process ends: collecting torch's modules would take it half a second
    return int(not found.passed)


def _print_list(claims: Sequence[Claim], *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": one.id,
            "statement": one.statement,
            "hypotheses": [hypothesis.name for hypothesis in one.hypotheses],
            **{name: getattr(one, name) for name in ("prediction", "observation", "tolerance", "source", "every")},
        }
        for one in claims
    ]
    if as_json:
        echo(json_text(rows))
        return
    for row in rows:
        echo(f"{row['id']}: {row['statement']}")
        echo(f"  if        {'; '.join(row['hypotheses']) or 'always'}")
        echo(f"  predicts  {row['prediction']}")
        echo(f"  observes  {row['observation']}")
        echo(f"  source    {row['source']}")
        if row["every"] > 1:
            echo(f"  on one drawn problem in {row['every']}, for cost")
