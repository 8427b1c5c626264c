"""Conditions on stored trials, such as ``width > 64 and dataset == 'mnist'``: read as data, never executed."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from subtx_toy.errors import InputError, shortened
from subtx_toy.settings.limits import MAX_CONDITION
from subtx_toy.settings.messages import nearest

_EXAMPLE = "such as \"width > 64 and dataset == 'mnist'\""

_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda one, among: one in among, ast.NotIn: lambda one, among: one not in among,
}  # fmt: skip
_ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_TRIED: tuple[type[Exception], ...] = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True)
class Condition:
    """What a trial has to fulfil: comparisons of settings, metrics, numbers and texts with ``and``, ``or``, ``not``.

    Attributes:
        text: as it was written.
        names: the settings and metrics that it reads.
    """

    text: str
    names: frozenset[str]
    _tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition in Python's notation; a metric's name keeps its dot, ``student_aux.accuracy > 0.5``.

        Raises:
            InputError: if the text is longer than MAX_CONDITION characters, no expression, or one of another kind.
        """
        if not isinstance(text, str) or len(text) > MAX_CONDITION:
            raise InputError(
                f"where: expected a text of at most {MAX_CONDITION} characters, got {shortened(text, 60)!r}"
            )
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except _TRIED:
            raise InputError(f"where: expected a condition, {_EXAMPLE}, got {shortened(text, 60)!r}") from None
        names: set[str] = set()
        try:
            _check_truth(tree, names)
        except RecursionError:
            raise InputError(f"where: expected a condition that is not nested so deeply, {_EXAMPLE}") from None
        return cls(text, frozenset(names), tree)

    def check_names(self, known: Collection[str]) -> None:
        """Refuse names that no selected trial has.

        Raises:
            InputError: naming each of them, with the nearest known one.
        """
        InputError.gather(
            f"where: expected the name of a setting or a metric, got {name!r}{nearest(name, known)}"
            for name in sorted(self.names - set(known))
        )

    def holds(self, row: Mapping[str, object]) -> bool:
        """Return whether a trial fulfils it; a comparison with a value that the trial lacks, or with nan, is false.

        Raises:
            InputError: if a text is compared with a number, or a number or a text stands where a truth value has to.
        """
        return _truth(self._tree, row)


def _check_truth(node: ast.expr, names: set[str]) -> None:
    """Refuse everything but truth values made of comparisons."""
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check_truth(value, names)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check_truth(operand, names)
        case ast.Compare(left=left, ops=ops, comparators=others):
            for one in (left, *others):
                _check_term(one, names)
            for op, other in zip(ops, others, strict=True):
                is_list = isinstance(other, ast.List | ast.Tuple)
                if type(op) not in _COMPARED or isinstance(op, ast.In | ast.NotIn) is not is_list:
                    raise _unknown(node)
            if isinstance(left, ast.List | ast.Tuple):
                raise _unknown(left)
        case ast.Name() | ast.Attribute():
            _check_term(node, names)
        case ast.Constant(value=bool()):
            pass
        case _:
            raise _unknown(node)


def _check_term(node: ast.expr, names: set[str]) -> None:
    match node:
        case ast.Name() | ast.Attribute():
            names.add(_name(node))
        case ast.Constant(value=bool() | int() | float() | str() | None):
            pass
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            pass
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for one in elements:
                _check_term(one, names)
        case _:
            raise _unknown(node)


def _unknown(node: ast.AST) -> InputError:
    text = shortened(ast.unparse(node), 60)
    return InputError(
        f"where: expected comparisons (==, !=, <, <=, >, >=, in [...]) joined by and, or, not, {_EXAMPLE}, got {text!r}"
    )


def _name(node: ast.expr) -> str:
    """Return ``student_aux.accuracy`` for the attribute of a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    raise _unknown(node)


def _truth(node: ast.expr, row: Mapping[str, object]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_truth(one, row) for one in values)
        case ast.BoolOp(values=values):
            return any(_truth(one, row) for one in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _truth(operand, row)
        case ast.Compare(left=left, ops=ops, comparators=others):
            terms = [left, *others]
            return all(_compared(op, a, b, row) for op, a, b in zip(ops, terms, terms[1:], strict=False))
    value = _value(node, row)
    if value is not None and not isinstance(value, bool):
        name = ast.unparse(node)
        raise InputError(f"where: expected a comparison, such as {name} == {value!r}, got {name} alone")
    return bool(value)


def _value(node: ast.expr, row: Mapping[str, object]) -> Any:
    match node:
        case ast.UnaryOp(operand=operand):
            return -_value(operand, row)
        case ast.Constant(value=value):
            return value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_value(one, row) for one in elements]
        case _:
            return row.get(_name(node))


def _compared(op: ast.cmpop, left: ast.expr, right: ast.expr, row: Mapping[str, object]) -> bool:
    first, second = _value(left, row), _value(right, row)
    if any(isinstance(one, float) and math.isnan(one) for one in (first, second)):
        return False
    if isinstance(op, _ORDERED):
        if first is None or second is None:
            return False
        kinds = {_kind(first), _kind(second)}
        if len(kinds) > 1 or kinds == {"other"}:
            raise _unlike(left, first, right, second, "to compare by size")
    for one in second if isinstance(right, ast.List | ast.Tuple) else [second]:
        if {_kind(first), _kind(one)} == {"text", "number"}:  # never equal: a != that holds of every trial
            raise _unlike(left, first, right, second, "to compare")
    return bool(_COMPARED[type(op)](first, second))


def _unlike(left: ast.expr, first: object, right: ast.expr, second: object, what: str) -> InputError:
    texts = f"{ast.unparse(left)} is {first!r}, {ast.unparse(right)} is {second!r}"
    return InputError(f"where: expected two numbers or two texts {what}, got {shortened(texts, 120)}")


def _kind(value: object) -> str:
    return "text" if isinstance(value, str) else "number" if isinstance(value, int | float) else "other"
