"""The operations of torch that a model runs, written down once and run again on jets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from subtx_toy.problem.operations import OF_A_SHAPE, Reads, reads_number
from subtx_toy.problem.params import Params
from subtx_toy.theory.taylor.ball import Ball
from subtx_toy.theory.taylor.jet import Jet
from subtx_toy.theory.taylor.operations import OPERATIONS, Unbounded

_OF_A_SIZE = frozenset(["nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive"])
_SAME = 1e-9
_KINKED = frozenset(["relu", "leaky_relu", "abs", "clamp", "clamp_min"])


@dataclass(frozen=True, eq=False)
class _Step:
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    made: tuple[int, ...]  # tensors of the result, 0 for what is none


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Write down what depends on some tensors; a tensor is known by its identity while it is held."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held: list[Tensor] = []
        self.known: set[int] = set()
        self._first = {id(one) for one in tensors}
        self._sharing: dict[int, dict[int, Tensor]] = {}  # which tensors share a storage
        self.stale: set[int] = set()
        for one in tensors:
            self._remember(one)
        self.constants: list[tuple[Tensor, int]] = []  # each with how often it had been written to
        self.steps: list[_Step] = []
        self.obstacle = ""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one operation and write it down."""
        kwargs = dict(kwargs or {})
        name = func._schema.name.rpartition("::")[2]
        if name in OF_A_SHAPE:
            return func(*args, **kwargs)
        given = _tensors((args, kwargs))
        depends = any(map(self.depends, given))
        if any(id(one) in self.stale for one in given):
            self.obstacle = self.obstacle or f"{name}, which reads what was written over"
        if any(_storage(one) in self._sharing and id(one) not in self.known for one in given):
            self.obstacle = self.obstacle or f"{name}, which reads memory that another tensor wrote"
        if depends:
            self.constants += [(one, one._version) for one in given if id(one) not in self.known]
        frozen = tree_map(self._name, args), tree_map(self._name, kwargs) if depends else {}
        out = func(*args, **kwargs)
        if not depends:
            return out
        if reads_number(name, out):
            self.obstacle = self.obstacle or _read(reads_number(name, out))
        masks = [one for one in given if name == "index" and one.dtype == torch.bool and self.depends(one)]
        if name in _OF_A_SIZE or masks:
            self.obstacle = self.obstacle or f"{name}, whose result has a size that depends on the parameters"
        writes = any(one.alias_info is not None and one.alias_info.is_write for one in func._schema.arguments)
        made = list(out) if isinstance(out, tuple | list) else [out]
        if writes:
            # The result takes the tensor's place; what overlaps it in memory is not to be read again.
            if not (len(made) == 1 and made[0] is args[0] and name.endswith("_") and id(made[0]) not in self._first):
                self.obstacle = self.obstacle or f"{name}, which writes into a tensor"
            for one in self._sharing.get(_storage(made[0]), {}).values():
                if one is not made[0] and _overlap(one, made[0]):
                    self.stale.add(id(one))
            name = name.removesuffix("_")
        for one in made:
            if isinstance(one, Tensor):
                self._remember(one)
        numbers = tuple(id(one) if isinstance(one, Tensor) else 0 for one in made)
        self.steps.append(_Step(name, *frozen, numbers))
        return out

    def depends(self, value: Tensor) -> bool:
        """Whether a tensor has the memory of one that depends on the first ones."""
        return _storage(value) in self._sharing

    def _remember(self, value: Tensor) -> None:
        self.held.append(value)
        self.known.add(id(value))
        self._sharing.setdefault(_storage(value), {})[id(value)] = value

    def _name(self, value: Any) -> Any:
        return _Reference(id(value)) if isinstance(value, Tensor) and id(value) in self.known else value


@dataclass(frozen=True)
class _Reference:
    number: int


@dataclass(frozen=True, eq=False)
class Tape:
    """A function of parameters as the operations that it ran at some of them.

    Attributes:
        obstacle: why nothing can be enclosed; empty if nothing speaks against it.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    steps: tuple[_Step, ...]
    result: int
    obstacle: str
    held: tuple[Tensor, ...]  # identities are of tensors that live

    @classmethod
    def of(cls, function: Callable[[Params], Tensor], params: Params) -> Tape:
        """Run the function once and write down its operations."""
        leaves = {name: value.detach().clone() for name, value in params.items()}
        try:
            seen = _Recorder(list(leaves.values()))
            with torch.no_grad(), Reads(seen.depends) as reads, seen:
                value = function(leaves)
        except (RuntimeError, TypeError, NotImplementedError) as error:
            return cls((), (), (), 0, f"its operations cannot be recorded: {type(error).__name__}", ())
        obstacle = _read(reads.found[0]) if reads.found else seen.obstacle
        if any(one._version != version for one, version in seen.constants):
            obstacle = obstacle or "an operation that writes into a constant"
        if id(value) in seen.stale:
            obstacle = obstacle or "what was written over"
        if id(value) not in seen.known:
            obstacle = obstacle or "what it does outside of torch's operations"
        numbers = tuple(id(one) for one in leaves.values())
        # The results that no step needs are let go with the recorder.
        return cls(tuple(leaves), numbers, tuple(seen.steps), id(value), obstacle, tuple(seen.held))

    @property
    def kinked(self) -> bool:
        """Whether an operation has kinks, so that what is affine on a range need not be so beyond it."""
        return any(step.name in _KINKED for step in self.steps)

    def differs(self, function: Callable[[Params], Tensor], params: Params) -> bool:
        """Whether the function gives something else at other parameters than its operations do, by more than rounding.

        It does where numbers left torch for a while, or where Python branched on them.

        Raises:
            Unbounded: if an operation has no enclosure there.
        """
        still = {name: torch.zeros_like(value) for name, value in params.items()}
        found = self.along(params, still, 0.0).value
        with torch.no_grad():
            value = function(params)
        slack = _SAME * (1 + float(value.abs().max()))
        return not bool(((value - found.mid).abs() <= found.rad + slack).all())

    def along(self, base: Params, direction: Params, eps: float) -> Jet:
        """Enclose the function and its first two derivatives in s at base + s direction, for every s in [0, eps].

        Raises:
            Unbounded: naming the operation that has no enclosure, or none there.
        """
        if self.obstacle:
            raise Unbounded(self.obstacle)
        half, missing = eps / 2, dict[int, str]()
        wide: dict[int, Any] = {}
        thin: dict[int, Any] = {}
        for name, number in zip(self.names, self.numbers, strict=True):
            d = direction[name]
            middle = Ball(base[name] + half * d, torch.zeros_like(d)).rounded(2, base[name].abs() + half * d.abs())
            slope, none = Ball.exact(d), Ball.exact(torch.zeros_like(d))
            thin[number] = Jet(middle, slope, none)
            wide[number] = Jet(Ball(middle.mid, middle.rad + half * d.abs()).rounded(), slope, none)
        for step in self.steps:
            if step.name not in OPERATIONS:
                missing.update(dict.fromkeys(step.made, step.name))
                continue
            found = []
            for jets in (thin, wide):
                look = partial(_looked_up, jets=jets, missing=missing)
                found.append(_run(step.name, tree_map(look, step.args), tree_map(look, dict(step.kwargs))))
            for number, centre, one in zip(step.made, *found, strict=True):
                if isinstance(one, Jet):
                    thin[number], wide[number] = centre, one.tightened(centre, half) if eps else centre
                else:
                    missing[number] = step.name
        if self.result not in wide:
            raise Unbounded(missing.get(self.result, "what it does outside of torch's operations"))
        jet: Jet = wide[self.result]
        # An infinite radius is an enclosure. What overflows on both sides gives no number, which proves nothing.
        if any(bool((one.mid.isnan() | one.rad.isnan()).any()) for one in jet.balls):
            raise Unbounded("so wide a range of steps: its enclosures overflow")
        return jet


def _run(name: str, args: Any, kwargs: Any) -> list[Any]:
    try:
        out = OPERATIONS[name](*args, **kwargs)
    except ValueError as error:
        raise Unbounded(f"{name}: {error}") from error
    return list(out) if isinstance(out, tuple | list) else [out]


def _looked_up(value: Any, jets: dict[int, Any], missing: dict[int, str]) -> Any:
    if not isinstance(value, _Reference):
        return value
    if value.number not in jets:
        raise Unbounded(missing[value.number])
    return jets[value.number]


def _read(name: str) -> str:
    return f"{name}, which reads a number that depends on the parameters"


def _storage(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


def _overlap(a: Tensor, b: Tensor) -> bool:
    num = a.untyped_storage().nbytes() // a.element_size()
    places = torch.arange(num)
    mine, yours = (places.as_strided(one.size(), one.stride(), one.storage_offset()).reshape(-1) for one in (a, b))
    return bool(torch.isin(mine, yours).any())


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [one for item in items for one in _tensors(item)]
