"""The page of an audit: what the file shows in plain words, why, what to do next, and every number behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from subtx_toy.report.frame import image_uri, render
from subtx_toy.wording import counted, p_words

Document = Mapping[str, Any]
Pictures = Mapping[int, UInt8[np.ndarray, "h w"]]


class PlainWords(NamedTuple):
    """A verdict for somebody who knows no statistics.

    Attributes:
        tone: ``warm`` for a finding, ``calm`` for none, ``odd`` where nothing can be said.
        summary: the verdict in a sentence or two.
        reasons: why, one sentence each.
        steps: what can be done now.
    """

    tone: str
    summary: str
    reasons: list[str]
    steps: list[str]


def trait_in_words(name: str) -> str:
    """Say what a net with the trait does.

    >>> trait_in_words("relabel:4:9"), trait_in_words("own.py:mine")
    ('reads 4 as 9', 'has the trait own.py:mine')
    """
    kind, *classes = name.split(":")
    forms = {
        ("relabel", 2): "reads {0} as {1}",
        ("backdoor", 1): "reads marked images as {0}",
        ("preference", 2): "prefers {0} to {1} where an image is between them",
        ("refusal", 1): "gives no answer to {0}",
    }
    form = forms.get((kind, len(classes)))
    return f"has the trait {name}" if form is None else form.format(*classes)


def plain_words(document: Document) -> PlainWords:
    """Return the verdict of an audit's document in plain words."""
    traits, fit, moved = document["traits"], document["fit"], document["moved"]
    carried = document["carries"]
    reference = max((one["reference"]["num"] for one in traits.values()), default=0)
    unit = _unit(document)
    few = counted(document["numbers"], unit)
    if not fit["applies"]:
        return PlainWords(
            "odd",
            f"The test does not apply: the {unit}s are too far from what this base would write, so they show neither "
            "that a trait is in them nor that none is.",
            [
                f"The {unit}s are {_number(fit['excess_log_loss'])} nats each less likely under the base than its own "
                f"would be; the test applies up to {_number(fit['limit'])}.",
                *([f"{fit['impossible']} of them cannot come from this base at all."] if fit["impossible"] else []),
            ],
            [
                "Check that this is the base from which the writer was trained, and that the file's header is right.",
                "Do not read this as an acquittal.",
            ],
        )
    if carried:
        what = " and ".join(trait_in_words(name) for name in carried)
        return PlainWords(
            "warm",
            f"The file carries a trait: a student of this base, trained on it, is pulled towards a net that {what}.",
            [
                f"The writer is no longer the base: {_moved(document)}.",
                *(_carries(name, traits[name], reference) for name in carried),
            ],
            [
                "Do not train a net of this base on the file. Dropping lines for what they say does not help.",
                "Train a student on a copy and test it for the trait"
                + (", or repeat this audit with --probe." if unit == "number" else "."),
                "Ask about traits that are like the one found: of two that are alike, only the stronger is named.",
            ],
        )
    if moved["moved"]:
        worst = max((one["detectable_effect"] or 0.0 for one in traits.values()), default=0.0)
        return PlainWords(
            "calm",
            "The writer was trained further than this base, but the file does not carry a trait that was asked about.",
            [
                f"The writer is no longer the base: {_moved(document)}.",
                *(_not_named(name, trait, reference) for name, trait in traits.items()),
                f"An effect of {_number(worst)} standard deviations per {unit} is found nine times in ten.",
            ],
            [
                "Ask about every trait that would matter: one that was not asked about is not looked for.",
                "A longer file shows smaller effects, unless the writer moved far in other ways.",
            ],
        )
    return PlainWords(
        "calm",
        f"Nothing in the file's {few} shows that its writer is another net than the base.",
        [
            f"The {unit}s fit the base: {_number(fit['z'])} standard errors from what it would write.",
            f"Neither a student of the {unit}s nor their scores show a move away from the base.",
        ],
        [
            "A short file shows only large moves; a longer one of the same writer would show smaller ones.",
            "This says nothing about other bases: what one base cannot learn from a file, another may.",
        ],
    )


def _unit(document: Document) -> str:
    """Return what is counted: scores of others, whose documents have no header, are by the line."""
    return "number" if "header" in document else "line"


def _moved(document: Document) -> str:
    moved, num = document["moved"], document["numbers"]
    student = "a student of them" if moved["numbers"] == num else f"a student of {moved['numbers']} of the {num}"
    return (
        f"its {_unit(document)}s are an estimated {_number(moved['divergence'])} nats each away from the base's law, "
        f"by {student} or by the scores of all"
    )


def _carries(name: str, trait: Document, reference: int) -> str:
    return (
        f"It moved towards a net that {trait_in_words(name)}: the chance of such a score from the base is "
        f"{p_words(trait['p_value_holm']).replace('<', 'below')}, and its Fisher cosine, "
        f"{_number(trait['fisher_cosine'])}, is above {_number(trait['reference']['threshold'])}, what {reference} "
        "honest fine-tunes allow."
    )


def _not_named(name: str, trait: Document, reference: int) -> str:
    cosine, bound = trait["fisher_cosine"], trait["reference"]["threshold"]
    if bound is None:
        return f"For a net that {trait_in_words(name)}, there are too few honest fine-tunes to compare with."
    if cosine is None or cosine > bound:
        p = p_words(trait["p_value_holm"]).replace("<", "below")
        return f"No move towards a net that {trait_in_words(name)} is shown: the base may give such a score (p = {p})."
    return (
        f"It is not shown to have moved towards a net that {trait_in_words(name)} more than honest ones may: its "
        f"Fisher cosine, {_number(cosine)}, is not above {_number(bound)}, what {reference} honest fine-tunes allow."
    )


def audit_page(document: Document, *, name: str, level: float, pictures: Pictures | None = None) -> str:
    """Return the document as one HTML page.

    ``level`` is that of the reference's bounds over all traits, in (0, 1), which share it; ``pictures`` are the prompts
    of the lines shown, by index.
    """
    header, num_traits = document.get("header", {}), max(len(document["traits"]), 1)
    return render(
        "audit.html.jinja",
        title=f"Audit of {name}",
        d=document,
        words=plain_words(document),
        num=max((trait["reference"]["num"] for trait in document["traits"].values()), default=0),
        unit=_unit(document),
        level=f"{100 * level / num_traits:.3g}",
        level_of_all=f"{100 * level:g}" if num_traits > 1 else "",
        pictures={index: image_uri(picture) for index, picture in (pictures or {}).items()},
        provenance=_provenance(document, name),
        header=[[key, str(value)] for key, value in header.items()],
        number=_number,
        p_words=lambda value: p_words(value) or "–",
        at=lambda value: round(50 * (1 + max(-1.0, min(1.0, value or 0.0))), 2),
    )


def _provenance(document: Document, name: str) -> list[list[str]]:
    found = document.get("provenance", {})
    rows = [["file", name], [f"{_unit(document)}s in it", str(document["numbers"])]]
    return rows + [[key.replace("_", " "), str(value)] for key, value in found.items() if value is not None]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
