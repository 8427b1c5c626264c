"""Sweeps by name: the plan, tags and a note, so that one can be found and gone on with.

The table is made with the first name. It is no part of the schema, so that earlier versions go on using the file.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from subtx_toy.errors import InputError
from subtx_toy.settings.limits import MAX_NAME, MAX_NOTE
from subtx_toy.settings.messages import nearest
from subtx_toy.store.inspection import damaged
from subtx_toy.store.records import Store, takes_store

_TABLE = (
    "CREATE TABLE IF NOT EXISTS sweeps (name TEXT PRIMARY KEY, plan TEXT NOT NULL, tags TEXT NOT NULL, "
    "note TEXT NOT NULL, changed_at REAL NOT NULL) STRICT"
)


@dataclass(frozen=True)
class Label:
    """A named sweep.

    Attributes:
        name: of the sweep.
        plan: the plan as a TOML text.
        tags: words that sort it.
        note: a text of one's own.
        changed_at: seconds since 1970 of its last start.
    """

    name: str
    plan: str
    tags: tuple[str, ...]
    note: str
    changed_at: float


def check(name: object, tags: Sequence[object], note: object) -> None:
    """Refuse names, tags and notes that cannot be kept.

    Raises:
        InputError: naming everything that is wrong.
    """
    problems = []
    for field, text in (("name", name), *(("tag", tag) for tag in tags)):
        if not isinstance(text, str) or not 0 < len(text.strip()) <= MAX_NAME or not text.isprintable():
            problems.append(f"{field}: expected 1 to {MAX_NAME} printable characters, got {str(text)[:60]!r}")
    if not isinstance(note, str) or len(note) > MAX_NOTE:
        problems.append(f"note: expected a text of at most {MAX_NOTE} characters, got {str(note)[:60]!r}")
    InputError.gather(problems)


@takes_store
def remember(store: Store, name: str, plan: str, *, tags: Sequence[str] = (), note: str | None = None) -> None:
    """Keep a plan under a name; tags are added, and a note replaces the earlier one.

    Raises:
        InputError: if the name has another plan, or a text cannot be kept.
    """
    check(name, tags, note or "")
    earlier = {one.name: one for one in labels(store)}.get(name)
    if earlier is not None and earlier.plan != plan:
        raise InputError(
            f"name: {name!r} is another sweep of this store; expected a new name, or --resume {name} to go on with it"
        )
    kept = list(dict.fromkeys([*(earlier.tags if earlier else ()), *tags]))
    text = note if note is not None else earlier.note if earlier else ""
    with store.connection.transaction() as connection:
        connection.execute(_TABLE)
        row = (name, plan, json.dumps(kept), text, time.time())
        connection.execute("INSERT OR REPLACE INTO sweeps VALUES (?, ?, ?, ?, ?)", row)


@takes_store
def labels(store: Store) -> list[Label]:
    """Return the named sweeps of a store, the latest last.

    Raises:
        StoreError: if the table is damaged.
    """
    if not store.connection.rows("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sweeps'"):
        return []
    found = []
    for name, plan, tags, note, moment in store.connection.rows("SELECT * FROM sweeps ORDER BY changed_at, name"):
        words = None
        with contextlib.suppress(ValueError, RecursionError, TypeError):
            words = json.loads(tags)
        if not isinstance(words, list) or not all(isinstance(one, str) for one in (name, plan, note, *words)):
            raise damaged(store.path, f"the sweep {name!r} cannot be read")
        found.append(Label(name, plan, tuple(words), note, moment))
    return found


@takes_store
def label(store: Store, name: str) -> Label:
    """Return a named sweep.

    Raises:
        InputError: if there is none of that name.
    """
    known = {one.name: one for one in labels(store)}
    if name not in known:
        there = ", ".join(known) or "(there are none)"
        raise InputError(f"resume: expected the name of a sweep, {there}, got {name[:60]!r}{nearest(name, known)}")
    return known[name]
