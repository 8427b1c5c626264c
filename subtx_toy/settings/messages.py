"""Validation errors in the form *field: expected ..., got ...*, derived from the field's own annotation."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Sequence

import annotated_types
import pydantic
from pydantic.fields import FieldInfo

_NOUNS = {int: "an integer", float: "a finite number", str: "a text", bool: "true or false", dict: "a table"}


def phrase(field: FieldInfo, value: object = None) -> str:
    """Say what values a field takes: ``an integer >= 1``; a largest value only where ``value`` is beyond it."""
    annotation = field.annotation
    for rule in field.metadata:
        if hasattr(rule, "phrase"):  # such as NamedOr
            return str(rule.phrase)
    if typing.get_origin(annotation) is typing.Literal:
        return "one of " + ", ".join(repr(value) for value in typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return "a table"
    noun = _NOUNS.get(typing.get_origin(annotation) or annotation, "another kind of value")  # type: ignore[arg-type]
    return " ".join([noun, " and ".join(_bounds(field, value))]).strip()


def _bounds(field: FieldInfo, value: object) -> Iterator[str]:
    for rule in field.metadata:
        if isinstance(rule, annotated_types.Ge):
            yield f">= {rule.ge}"
        elif isinstance(rule, annotated_types.Gt):
            yield f"> {rule.gt}"
        elif isinstance(rule, annotated_types.Le) and isinstance(value, int | float) and value > rule.le:  # type: ignore[operator]
            yield f"<= {rule.le}"
        elif isinstance(rule, annotated_types.Lt):
            yield f"< {rule.lt}"


def explain(model: type[pydantic.BaseModel], error: pydantic.ValidationError) -> list[str]:
    """Turn every fault of a failed validation into one sentence that names field, expectation and value."""
    sentences = []
    for fault in error.errors():
        if fault["type"] == "value_error":  # raised by a check of ours, already in words
            sentences.extend(str(fault["ctx"]["error"]).splitlines())
            continue
        where = ".".join(str(part) for part in fault["loc"])
        field = _field(model, fault["loc"])
        if fault["type"] == "extra_forbidden":
            known = list(_owner(model, fault["loc"]).model_fields)
            sentences.append(f"{where}: unknown key{nearest(str(fault['loc'][-1]), known)}")
        elif fault["type"] == "model_type":
            sentences.append(f"{where}: expected a table, got {fault['input']!r}")
        elif fault["type"] == "missing":
            sentences.append(f"{where}: expected {phrase(field) if field else 'a value'}, got nothing")
        else:
            sentences.append(
                f"{where}: expected {phrase(field, fault['input']) if field else fault['msg']}, got {fault['input']!r}"
            )
    return sentences


def _owner(model: type[pydantic.BaseModel], loc: Sequence[int | str]) -> type[pydantic.BaseModel]:
    """Return the (possibly nested) model that the last part of ``loc`` belongs to."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # a key of a table, which has no field of its own
        for candidate in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(candidate, type) and issubclass(candidate, pydantic.BaseModel):
                model = candidate
    return model


def _field(model: type[pydantic.BaseModel], loc: Sequence[int | str]) -> FieldInfo | None:
    return _owner(model, loc).model_fields.get(str(loc[-1])) if loc else None


def nearest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return a hint that names the closest of ``words``, or nothing when none is closer than ``cutoff`` in [0, 1].

    >>> nearest("widht", ["width", "depth"])
    "; did you mean 'width'?"
    """
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]!r}?" if close else ""
