"""``subtx-toy verify``: the claims on drawn or given problems."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.display import working
from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import FILE, JSON, SEED_NUMBER, writable
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.files.json_text import json_text
from subtx_toy.settings.limits import MAX_INSTANCES

if TYPE_CHECKING:
    from subtx_toy.claims.vocabulary.claim import Claim


@click.command(short_help="Check the claims on drawn problems, or on a model of your own.")
@click.argument("problem", required=False)
@click.option(
    "--claims",
    "chosen",
    metavar="LIST",
    help="Such as C1,C4,mine.py:my_bound. [default: all of the package, the costly ones on few of the drawn problems]",
)
@click.option("--instances", type=click.IntRange(1, MAX_INSTANCES), help="Problems to draw. [default: 200]")
@click.option("--seed", type=SEED_NUMBER, default=0, show_default=True, help="Seed of the draws.")
@click.option("--module", metavar="FILE:NAME", help="Your factory; the same as PROBLEM.")
@click.option("--seeds", metavar="SEEDS", help="Call the factory for each, as factory(seed); such as 0:200.")
@click.option(
    "--csv",
    "csv_file",
    type=FILE,
    callback=writable,
    help="Write the alignment at each eps: eps V, exact, observed, rounding.",
)
@click.option("--latex", "latex_file", type=FILE, callback=writable, help="The same as a LaTeX table.")
@click.option("--figure", type=FILE, callback=writable, help="Draw margins, and the alignment of a given problem.")
@JSON
@click.option("--list", "only_list", is_flag=True, help="Print the claims with their hypotheses and sources, and stop.")
def verify(
    problem: str | None,
    *,
    chosen: str | None,
    instances: int | None,
    seed: int,
    module: str | None,
    seeds: str | None,
    csv_file: Path | None,
    latex_file: Path | None,
    figure: Path | None,
    as_json: bool,
    only_list: bool,
) -> int:
    """Check the claims about one step and many: predicted, observed, verdict.

    Without PROBLEM, small random problems are drawn. PROBLEM is a TOML file with the fields of a drawn problem, a
    function that returns a Problem, as module:factory or file.py:factory, or the name welch, a net of eight
    parameters. A claim is `holds`, `violated`, `not applicable` where a hypothesis fails, or `undecided` where rounding
    decides. For a bound of your own, a function under subtx_toy.claim, the smallest counterexample is searched.

    The worst margin is the smallest signed slack (rhs - lhs) / (|lhs| + |rhs|) over the checks of a claim that decide,
    in [-1, 1]: below 0 is a violation, near 0 a tight check. Predicted/observed goes from the smallest to the largest
    over the problems. It is near 1 where theory predicts a value, and need not be where it predicts a bound or a
    leading term. Controls are students that must fail: each has a constructed problem on which it does, and its rate
    of failure over drawn ones is printed.

    Exit codes: 0 no claim is violated and every control failed, also where nothing was decided; 1 a claim is violated
    or a control did not fail; 2 bad usage or bad input.

    Example: subtx-toy verify --instances 200
    """
    from subtx_toy.api.verify import verify as verify_claims
    from subtx_toy.claims.registry import find_claims
    from subtx_toy.results.presentation import wrapped

    if only_list:
        _print_list(find_claims(chosen), as_json=as_json)
        return 0
    if problem is not None and module is not None:
        raise InputError("--module cannot be combined with PROBLEM: both name the problem")
    if figure is not None and figure.suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"figure: expected a name ending in .png, .pdf or .svg, got {str(figure)!r}")
    # A model that prints does not do so into the document.
    with working() as display, contextlib.redirect_stdout(sys.stderr):
        found = verify_claims(
            problem or module,
            instances=instances,
            claims=chosen,
            seed=seed,
            seeds=seeds,
            rungs=csv_file is not None or latex_file is not None,
            progress=display["progress"],
        )
        for path, text in ((csv_file, found.csv), (latex_file, found.latex)):
            if path is not None:
                with replacing(path, what="file") as file:
                    file.write(text().encode())
        if figure is not None:
            from subtx_toy.figures.style import save

            save(found.plot(), figure)
    if as_json:
        echo(json_text(found.document()))
    else:
        echo(wrapped(f"{found.conclusion}."))
        echo(found.table)
        if found.violations:
            echo(f"\n{found.violations}")
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
    from subtx_toy.results.presentation import wrapped

    for row in rows:
        echo(wrapped(f"{row['id']}: {row['statement']}", indent=2))
        echo(wrapped(f"  if        {'; '.join(row['hypotheses']) or 'always'}", indent=12))
        echo(wrapped(f"  predicts  {row['prediction']}", indent=12))
        echo(wrapped(f"  observes  {row['observation']}", indent=12))
        echo(wrapped(f"  source    {row['source']}", indent=12))
        if row["every"] > 1:
            echo(f"  on one drawn problem in {row['every']}, for cost, unless it is named")
