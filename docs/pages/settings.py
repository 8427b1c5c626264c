"""The pages on settings and on TOML files, from the models that read them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from itertools import starmap

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.pages.text import NOTE, cell, code, table
from subtx_toy.channel.number_filter import FilterRules
from subtx_toy.problem.spec import WORDS, ProblemSpec
from subtx_toy.protocols.protocol import PROTOCOLS
from subtx_toy.settings.certificate import SearchSettings
from subtx_toy.settings.definitions import Definition, FigureAxis, Quick
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.model_faults import phrase
from subtx_toy.settings.packaged import experiments
from subtx_toy.settings.published import Published, PublishedArm, PublishedPoint, PublishedSweep


def settings_page() -> str:
    """Return the page that lists every setting of every protocol."""
    parts = [
        NOTE,
        "# Settings\n",
        "With this page you can look up every setting that a run takes: in a TOML file under `[config]`, on the command "
        "line as `SETTING=VALUE`, and in Python as an argument of `st.run`. `subtx-toy run --settings` prints the same list.\n",
        "A setting at its default takes no part in the content key of a run: see [the store](../store.md).\n",
    ]
    for protocol in PROTOCOLS:
        kind = protocol.settings
        packaged = sorted(one.name for one in experiments() if read(one.name).protocol == protocol.name)
        names = ", ".join(f"`{name}`" for name in packaged)
        sentence = f"Of {names}. In Python: `{kind.__module__}.{kind.__name__}`."
        parts += [f"## Protocol `{protocol.name}`\n", sentence + "\n", fields(kind)]
    parts += [
        "## Certificates\n",
        "What `subtx-toy certify` and `subtx-toy check` take as `SETTING=VALUE`.\n",
        fields(SearchSettings),
    ]
    return "\n".join(parts)


def toml_page() -> str:
    """Return the page on the TOML files that the commands read."""
    return "\n".join(
        [
            NOTE,
            "# TOML files\n",
            "With this page you can write an experiment, a plan of a sweep, a drawn problem or filter rules as a file. "
            "An unknown key is an error that suggests the nearest known one.\n",
            "## Experiment\n",
            "`subtx-toy run FILE.toml` runs it. The packaged ones are in the folder `experiments/`.\n",
            fields(Definition, without={"name"}),
            "### `[quick]`\n",
            fields(Quick),
            "### `[axis]`, of a sweep with a figure\n",
            fields(FigureAxis),
            "### `[published]`, of one configuration\n",
            fields(Published),
            "Each `[published.arms.NAME]`:\n",
            fields(PublishedArm),
            "### `[published]`, of a sweep\n",
            fields(PublishedSweep),
            "Each entry of `points`:\n",
            fields(PublishedPoint),
            "## Plan of a sweep\n",
            "`subtx-toy sweep FILE.toml` runs it, and `subtx-toy sweep ... --toml` writes one.\n",
            table(["key", "takes", "what it is"], _PLAN),
            "[Sweeps](../sweeps.md) walks through one.\n",
            "## Drawn problem\n",
            "`subtx-toy verify FILE.toml` and `subtx-toy certify FILE.toml` read it; in Python it is `st.ProblemSpec`.\n",
            "\n".join(starmap(entry, _problem_rows())),
            "## Filter rules\n",
            "`subtx-toy numbers filter --rules FILE.toml` reads them.\n",
            fields(FilterRules),
        ]
    )


_PLAN = [
    ("`experiment`", "a text", "the packaged name or the path of an experiment"),
    ("`seeds`", 'a text such as `"0:10"`', "the seeds of every configuration"),
    ("`[axes]`", "a table", 'a setting with its values: a list, one value, or a text such as `"log:1e-4:1e-1:7"`'),
    ("`[[zip]]`", "tables", "settings that change together: lists of one length"),
    ("`sample`", "an integer", "how many random draws"),
    ("`sample_seed`", "an integer", "names the stream of the draws"),
]


def fields(kind: type[BaseModel], *, without: set[str] | None = None) -> str:
    """Return the fields of a model as a list of definitions, which fits on a phone: key, default, what it is and takes."""
    chosen = {name: field for name, field in kind.model_fields.items() if name not in (without or set())}
    return "\n".join(
        entry(name, _default(field), f"{cell(field.description)}. Takes {cell(phrase(field))}.")
        for name, field in chosen.items()
    )


def entry(name: str, default: str, text: str) -> str:
    """Return one definition.

    >>> print(entry("width", "`256`", "units. Takes an integer."))
    `width`, by default `256`
    : Units. Takes an integer.
    <BLANKLINE>
    """
    head = f"`{name}`, {default}" if default in ("required", "none", "empty") else f"`{name}`, by default {default}"
    return f"{head}\n: {text[0].upper()}{text[1:]}\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ({}, []) or isinstance(value, BaseModel):
        return "none"
    if value == "":
        return "empty"
    return f"{len(value)} values" if isinstance(value, list) and len(value) > 6 else code(value)


def _problem_rows() -> Iterator[tuple[str, str, str]]:
    described = attributes(ProblemSpec.__doc__ or "")
    for field in dataclasses.fields(ProblemSpec):
        default = field.default
        takes = "one of " + ", ".join(WORDS[field.name]) if field.name in WORDS else _NOUNS[type(default)]
        yield (
            field.name,
            code(list(default) if isinstance(default, tuple) else default),
            f"{_mentioned(field.name, described)} Takes {takes}.",
        )


_NOUNS: dict[type, str] = {tuple: "a list of integers", int: "an integer", float: "a number"}


def attributes(docstring: str) -> dict[str, str]:
    r"""Return what a docstring says of its attributes; some share one sentence.

    >>> attributes("A.\n\n    Attributes:\n        a, b: two\n            lines.\n        c: ``x``.\n\n    Raises:")
    {'a': 'two lines.', 'b': 'two lines.', 'c': '`x`.'}
    """
    block = docstring.partition("Attributes:\n")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    for entry in re.split(r"\n {8}(?=\S)", "\n" + block)[1:]:
        names, _, text = entry.strip().partition(": ")
        found |= dict.fromkeys(names.split(", "), cell(text.replace("``", "`")))
    return found


def _mentioned(name: str, described: dict[str, str]) -> str:
    """Return what is said of a field, in an entry of its own or in that of another one."""
    return described.get(name) or next(text for text in described.values() if f"`{name}`" in text)
