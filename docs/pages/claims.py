"""The page of the claims, from the registry, the controls, and the proofs in ``proofs.md``."""

from __future__ import annotations

import re
from pathlib import Path

from docs.pages.text import NOTE, cell, table
from subtx_toy import tolerances
from subtx_toy.claims.controls.broken_students import BROKEN
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.claim import Claim

PROOFS = Path(__file__).with_name("proofs.md")


def proofs() -> dict[str, str]:
    """Return what ``proofs.md`` says: the setting under the empty key, then each claim's proof and negative control."""
    setting, *sections = re.split(r"^## ", PROOFS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {"": setting.partition("\n\n")[2].strip()}
    for section in sections:
        id, _, text = section.partition("\n")
        found[id.strip()] = text.strip()
    return found


def claims_page() -> str:
    """Return the page."""
    known = proofs()
    parts = [
        NOTE,
        "# Claims\n",
        "With this page you can look up what each claim says, under which hypotheses, why it is true, how it is checked, "
        "and which control must fail it.\n",
        "`subtx-toy verify` checks the claims on drawn problems or on yours, `subtx-toy verify --list` prints this list, and "
        "`subtx_toy.testing.assert_claim` is the same verdict as an assertion. A claim whose hypotheses are not met is *not "
        "applicable*, which is neither success nor failure.\n",
        "## Setting\n",
        known[""] + "\n",
        table(
            ["claim", "in one sentence"],
            [(f"[{id}](#{_anchor(id)})", cell(one.statement)) for id, one in CLAIMS.items()],
        ),
    ]
    for claim in CLAIMS.values():
        parts.append(_section(claim, known.get(claim.id, "")))
    parts += [
        "## Students that must fail\n",
        "Each breaks one hypothesis. `verify` builds a problem on which the claim fails for certain, and reports how often it fails on drawn "
        "problems.\n",
        table(
            ["control", "what the student does", "claim that it must fail"],
            [(f"`{one.id}`", cell(one.statement), f"[{one.claim}](#{_anchor(one.claim)})") for one in BROKEN],
        ),
    ]
    return "\n".join(parts)


def _section(claim: Claim, proof: str) -> str:
    hypotheses = "; ".join(one.name for one in claim.hypotheses) or "none"
    reason = getattr(tolerances, claim.tolerance, None)
    limit = f"`tolerances.{claim.tolerance}`" + (f" = {reason:g}" if isinstance(reason, float | int) else "")
    rows = [
        ("holds if", hypotheses),
        ("predicted", claim.prediction),
        ("checked", claim.observation),
        ("tolerance", limit),
        ("source", claim.source),
    ]
    if claim.every > 1:
        rows.append(("how often", f"on one drawn problem in {claim.every}, for cost, unless it is named"))
    # A table would make wide columns of two words; a definition list does not.
    listed = "\n".join(f"{name}\n: {cell(text)}\n" for name, text in rows)
    proof = proof or f"**Proof.** In short: {cell(claim.source)}.\n"
    if pages := pages_on(claim.id):
        proof += f"\n\n**More.** {', '.join(pages)}\n"
    return f"({_anchor(claim.id)})=\n\n## {claim.id}\n\n{cell(claim.statement)}\n\n{listed}\n{proof}\n"


def pages_on(id: str) -> list[str]:
    """Return links to the pages of ``docs`` that name a claim."""
    named = re.compile(rf"\b{id}\b")
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(PROOFS.parents[1].glob("*.md"))}
    return [
        f"[{text.partition('# ')[2].partition(chr(10))[0]}](../{path.name})"
        for path, text in pages.items()
        if named.search(text)
    ]


def _anchor(id: str) -> str:
    return f"claim-{id.lower()}"
