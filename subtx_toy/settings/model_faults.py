"""Validation errors in the form *field: expected ..., got ...*, derived from the field's own annotation."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import annotated_types
import pydantic
from pydantic.fields import FieldInfo

from subtx_toy.errors import MAX_PROBLEMS, InputError
from subtx_toy.settings.messages import NOUNS, nearest, quoted
from subtx_toy.wording import counted

_OTHER = "another kind of value"


def phrase(field: FieldInfo, value: object = None) -> str:
    """Say what values a field takes: ``an integer >= 1``; a largest value only where ``value`` is beyond it."""
    annotation, rules = field.annotation, list(field.metadata)
    for rule in rules:
        if hasattr(rule, "phrase"):  # such as NamedOr
            return str(rule.phrase)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *added = typing.get_args(annotation)
        rules += [rule for one in added for rule in (one.metadata if isinstance(one, FieldInfo) else [one])]
    if typing.get_origin(annotation) is typing.Literal:
        return "one of " + ", ".join(repr(value) for value in typing.get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return "a table"
    noun = NOUNS.get(typing.get_origin(annotation) or annotation, _OTHER)
    return " ".join([noun, " and ".join(_bounds(rules, value))]).strip()


def _bounds(rules: Iterable[object], value: object) -> Iterator[str]:
    for rule in rules:
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
    faults = error.errors(include_url=False)
    kept = len(faults) if len(faults) <= MAX_PROBLEMS else MAX_PROBLEMS - 1
    sentences = [sentence for fault in faults[:kept] for sentence in _sentences(model, fault)]
    return [*sentences, f"and {len(faults) - kept} more"] if len(faults) > kept else sentences


def _sentences(model: type[pydantic.BaseModel], fault: Any) -> list[str]:
    """Turn one fault into sentences of ours: never a word of the library that found it."""
    kind, loc, value, context = fault["type"], fault["loc"], fault["input"], fault.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, InputError):  # raised by a check of ours, already in words
        return list(cause.problems)
    where = ".".join(str(part) for part in loc) or "value"
    if kind in ("value_error", "assertion_error") and str(cause):  # of a user's protocol
        return [f"{where}: {cause}"]
    if kind == "extra_forbidden":
        known = list(_place(model, loc)[0].model_fields)
        return [f"{where}: unknown key{nearest(str(loc[-1]), known)}"]
    field = _place(model, loc)[1]
    if kind == "model_type" or (kind not in _OF_A_PART and field is not None):
        wanted = "a table" if kind == "model_type" or field is None else phrase(field, value)
    else:
        wanted = expectation(kind, context)
    return [f"{where}: expected {wanted}, got {'nothing' if kind == 'missing' else quoted(value)}"]


def expectation(kind: str, context: Mapping[str, Any]) -> str:
    """Say what was expected by the kind of a fault alone, for parts of a value that have no field of their own.

    >>> expectation("less_than", {"lt": 1000}), expectation("list_type", {}), expectation("of_a_later_release", {})
    ('a number < 1000', 'a list', 'another kind of value')
    """
    words = _EXPECTED.get(kind, _OTHER)
    if isinstance(words, str):
        return words
    try:
        return words(context)
    except KeyError:  # a release that gives other details
        return _OTHER


def _bound(sign: str, name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda context: f"a number {sign} {context[name]}"


def _length(name: str, noun: str, unit: str) -> Callable[[Mapping[str, Any]], str]:
    bound = "or more" if name == "min_length" else "at most"
    return lambda context: f"a {noun} with {counted(context[name], unit)} {bound}"


def _one_of(context: Mapping[str, Any]) -> str:
    return f"one of {context['expected']}".replace(" or ", ", ")


def _all(words: str | Callable[[Mapping[str, Any]], str], *kinds: str) -> dict[str, Any]:
    return dict.fromkeys(kinds, words)


_OF_A_PART = frozenset(
    {"too_short", "too_long", "string_too_short", "string_too_long", "recursion_loop", "recursion_depth_exceeded"}
)
"""Faults that say more than the field's own phrase does."""

_EXPECTED: dict[str, str | Callable[[Mapping[str, Any]], str]] = {
    **_all("a value", "missing", "missing_argument", "missing_keyword_only_argument", "none_required"),
    **_all("a value", "missing_positional_only_argument", "missing_sentinel_error", "ellipsis_error"),
    **_all("a value that stays as it is", "frozen_field", "frozen_instance"),
    **_all("no such key", "extra_forbidden", "unexpected_keyword_argument", "no_such_attribute"),
    **_all("no value without a name", "unexpected_positional_argument", "arguments_type", "named_tuple_type"),
    **_all("one value, not two", "multiple_argument_values"),
    **_all("a text as key", "invalid_key"),
    **_all("a table", "model_type", "model_attributes_type", "dataclass_type", "dataclass_exact_type", "dict_type"),
    **_all("a table", "frozen_dict_type", "ordered_dict_type", "counter_type", "mapping_type", "get_attribute_error"),
    **_all("a list", "list_type", "deque_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"),
    **_all("a list of simple values", "set_item_not_hashable", "iteration_error"),
    **_all("a text", "string_type", "string_unicode", "bytes_type", "bytes_invalid_encoding"),
    **_all("an ASCII text", "string_not_ascii"),
    **_all("a text of another form", "string_pattern_mismatch"),
    **_all("true or false", "bool_type", "bool_parsing"),
    **_all("an integer", "int_type", "int_parsing", "int_parsing_size", "int_from_float"),
    **_all("a finite number", "float_type", "float_parsing", "finite_number"),
    **_all("a number", "decimal_type", "decimal_parsing", "decimal_max_digits", "decimal_max_places"),
    **_all("a number", "decimal_whole_digits", "fraction_type", "fraction_parsing"),
    **_all("a complex number", "complex_type", "complex_str_parsing"),
    **_all("valid JSON", "json_invalid", "json_type"),
    **_all("a value that does not contain itself", "recursion_loop"),
    **_all("a value with fewer levels", "recursion_depth_exceeded"),
    **_all("a date", "date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
    **_all("a date in the past", "date_past", "datetime_past"),
    **_all("a date in the future", "date_future", "datetime_future"),
    **_all("a time", "time_type", "time_parsing", "time_delta_type", "time_delta_parsing"),
    **_all("a date with a time", "datetime_type", "datetime_parsing", "datetime_object_invalid"),
    **_all("a date with a time", "datetime_from_date_parsing"),
    **_all("a time without a time zone", "timezone_naive"),
    **_all("a time with a time zone", "timezone_aware", "timezone_offset"),
    **_all("an address", "url_type", "url_parsing", "url_syntax_violation", "url_too_long", "url_scheme"),
    **_all("a UUID", "uuid_type", "uuid_parsing", "uuid_version"),
    **_all("a function", "callable_type"),
    **_all(_OTHER, "is_instance_of", "is_subclass_of", "needs_python_object", "default_factory_not_called"),
    **_all("another value", "value_error", "assertion_error", "union_tag_invalid", "union_tag_not_found"),
    **_all(_one_of, "literal_error", "enum"),
    "greater_than": _bound(">", "gt"),
    "greater_than_equal": _bound(">=", "ge"),
    "less_than": _bound("<", "lt"),
    "less_than_equal": _bound("<=", "le"),
    "multiple_of": _bound("that is a multiple of", "multiple_of"),
    "too_short": _length("min_length", "list", "value"),
    "too_long": _length("max_length", "list", "value"),
    "string_too_short": _length("min_length", "text", "character"),
    "string_too_long": _length("max_length", "text", "character"),
    "bytes_too_short": _length("min_length", "text", "byte"),
    "bytes_too_long": _length("max_length", "text", "byte"),
}
"""By the kind of a fault, as pydantic names them; a test compares the names with those of the installed release."""


def _place(
    model: type[pydantic.BaseModel], loc: Sequence[int | str]
) -> tuple[type[pydantic.BaseModel], FieldInfo | None]:
    """Return the (possibly nested) model that the last part of ``loc`` belongs to, and its field, if it has one."""
    parts = list(loc)
    while parts:
        field = model.model_fields.get(str(parts[0]))
        if field is None or len(parts) == 1:
            return model, field
        inner, keys = _inner(field.annotation)
        parts = parts[1 + keys :]
        if inner is None:
            break
        model = inner
    return model, None


def _inner(annotation: Any) -> tuple[type[pydantic.BaseModel] | None, int]:
    """Return the model that a field holds, and how many keys lead to it: one in a list or a table of models."""
    kinds = [annotation, *typing.get_args(annotation)]
    found = next((one for one in kinds if isinstance(one, type) and issubclass(one, pydantic.BaseModel)), None)
    return found, int(typing.get_origin(annotation) in (list, dict, tuple))
