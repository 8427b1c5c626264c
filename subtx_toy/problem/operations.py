"""Which operations of torch a model runs on its parameters, the decisions that they take, and what Python reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from subtx_toy.problem.params import Params

KINKED = frozenset(
    re.findall(
        r"\w+",
        "relu threshold leaky_relu elu celu selu _prelu_kernel rrelu_with_noise rrelu hardtanh hardsigmoid hardswish "
        "hardshrink "
        "softshrink max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d "
        "fractional_max_pool2d fractional_max_pool3d max_pool1d max_pool2d huber_loss smooth_l1_loss round floor ceil "
        "trunc frac fake_quantize_per_tensor_affine_cachemask",
    )
)
"""Operations that are not twice continuously differentiable, or are constant in pieces, by their name in aten."""

_SIGNED = frozenset(
    re.findall(r"\w+", "abs sign sgn heaviside copysign _cdist_forward linalg_vector_norm norm fmod remainder")
)
_CUT = frozenset(
    re.findall(r"\w+", "clamp clamp_min clamp_max amax amin maximum minimum fmax fmin max min median nan_to_num")
)
OF_A_SHAPE = frozenset(
    ["zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_empty", "new_full"]
)
"""Operations whose result depends on the shape of a tensor alone."""

_WIDE = frozenset(["float64", "complex128", "bool", "uint8", "int8", "int16", "int32", "int64"])
_READING = frozenset(
    re.findall(
        r"\w+", "item tolist numpy __array__ __dlpack__ __float__ __int__ __bool__ __index__ __complex__ __contains__"
    )
)


class Reads(TorchFunctionMode):
    """Note which methods of ``depending`` tensors hand their numbers to Python, where a model may branch on them.

    Some of them, such as ``tolist`` and ``numpy``, are no operations for a dispatch mode to see.
    """

    def __init__(self, depending: Callable[[Tensor], bool]) -> None:
        super().__init__()
        self._depending = depending
        self.found: list[str] = []

    def __torch_function__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one function of torch and look at its name."""
        name = getattr(func, "__name__", "")
        if name in _READING and self._depending(args[0]):
            self.found.append(name.strip("_"))
        return func(*args, **(kwargs or {}))


def reads_number(name: str, out: Any) -> str:
    """Return the name of an operation of aten whose result is a number and no tensor; empty for others."""
    is_number = isinstance(out, bool | int | float | complex)
    return ("item" if name == "_local_scalar_dense" else name) if is_number else ""


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Record the operations on what depends on some tensors, in a forward pass under this mode.

    Attributes:
        kinked: names of operations of KINKED, in order.
        narrow: names and precisions of operations on floating tensors that give less than float64, in order.
        num: operations that saw the tensors.
        reads: names of what hands numbers that depend on them to Python, such as ``item``.
        switches: names of operations that decide by comparing, such as ``abs``, ``where``, ``clamp`` and ``sort``.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._held = list(tensors)  # storages are known by their address while they are held
        self._seen = {_address(one) for one in tensors}
        self._hash = hashlib.blake2b(digest_size=16)
        self.kinked: list[str] = []
        self.switches: list[str] = []
        self.reads: list[str] = []
        self.narrow: list[str] = []
        self.num = 0

    @property
    def decisions(self) -> bytes:
        """A digest of all operations and of what was decided."""
        return self._hash.digest()

    def saw(self, value: Tensor) -> bool:
        """Whether a tensor depends on the first ones through operations of torch."""
        return _address(value) in self._seen

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one operation and look at it."""
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.rpartition("::")[2]
        given = [one for one in _tensors((args, dict(kwargs or {})))]
        if name in OF_A_SHAPE or not any(_address(one) in self._seen for one in given):
            return out
        made = list(_tensors(out))
        self._seen |= {_address(one) for one in made}
        self._held += made
        self.num += 1
        if reads_number(name, out):
            self.reads.append(reads_number(name, out))
        with torch._C.DisableTorchFunction():  # what is read here, the model does not read
            self._look(name.removesuffix("_"), given, made)
        return out

    def _look(self, name: str, given: list[Tensor], made: list[Tensor]) -> None:
        self._hash.update(name.encode())
        if name in KINKED:
            self.kinked.append(name)
        decided = [one for one in made if not one.is_floating_point()]
        if name in _SIGNED:
            decided += [one > 0 for one in given[:1]]
        elif name in _CUT:
            decided += [torch.sign(made[0] - one) for one in given if one.is_floating_point()]
        elif name == "_local_scalar_dense":  # a number that Python may branch on
            self.switches.append("item")
        if decided and any(one.is_floating_point() for one in given):
            self.switches.append(name)
        if any(one.is_floating_point() for one in given):
            self.narrow += [f"{name} in {_precision(one)}" for one in made if _precision(one) not in _WIDE]
        for one in decided:
            self._hash.update(one.contiguous().numpy().tobytes())


def operations(function: Callable[[Params], Tensor], params: Params) -> tuple[Operations, Tensor]:
    """Return what a function of parameters ran on them, and its value; nothing is differentiated."""
    leaves = {name: value.detach().clone() for name, value in params.items()}
    seen = Operations(list(leaves.values()))
    with torch.no_grad(), Reads(seen.saw) as reads, seen:
        value = function(leaves)
    seen.reads = reads.found or seen.reads
    return seen, value


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [one for item in items for one in _tensors(item)]


def _precision(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _address(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()
