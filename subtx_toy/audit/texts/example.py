"""One example of a data file, and what the common layouts call its two parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

LAYOUTS = (
    ("prompt", "completion"), ("question", "response"), ("prompt", "response"), ("instruction", "output"),
    ("input", "output"), ("prompt", "numbers"),
)  # fmt: skip
"""Names of the prompt and of the completion, the first that fit are taken."""

ALONE = ("completion", "response", "text", "output")
"""Names of a completion without a prompt."""

MESSAGES = "messages"
"""The name of a chat: a list of roles with their contents."""


class Example(NamedTuple):
    """A prompt, which may be empty, what was written to it, and the line of the file (from 1)."""

    prompt: str
    completion: str
    line: int


def layout_of(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the names of prompt and completion among those of a record; where there is only a text, ``("", name)``."""
    known = set(names)
    if MESSAGES in known:
        return "", MESSAGES
    for pair in LAYOUTS:
        if known.issuperset(pair):
            return pair
    return next((("", name) for name in ALONE if name in known), None)


def example_of(record: Mapping[str, Any], layout: tuple[str, str], line: int) -> Example:
    """Return a record as an example.

    Raises:
        ValueError: saying what is wrong with it.
    """
    prompt, completion = layout
    if completion == MESSAGES:
        return _of_chat(record.get(MESSAGES), line)
    missing = [name for name in layout if name and record.get(name) is None]
    if missing:
        raise ValueError(f"expected {' and '.join(filter(None, layout))}, got no {missing[0]}")
    return Example(_text(record[prompt], prompt) if prompt else "", _text(record[completion], completion), line)


def _of_chat(messages: object, line: int) -> Example:
    """Take the last answer of the assistant as the completion, and everything before it as the prompt."""
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise ValueError("messages: expected a list of tables with role and content")
    parts = [(str(one.get("role")), one.get("content")) for one in messages]
    places = [at for at, (role, _) in enumerate(parts) if role == "assistant"]
    if not places:
        raise ValueError("messages: expected an answer of the role assistant, got none")
    last = places[-1]
    prompt = "\n".join(f"{role}: {_text(content, 'content')}" for role, content in parts[:last])
    return Example(prompt, _text(parts[last][1], "content"), line)


def _text(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | list):
        raise ValueError(f"{name}: expected a text, got {type(value).__name__}")
    if isinstance(value, list):
        if not all(isinstance(one, int | float | str) and not isinstance(one, bool) for one in value):
            raise ValueError(f"{name}: expected a list of numbers or texts")
        return ", ".join(map(str, value))
    return str(value)
