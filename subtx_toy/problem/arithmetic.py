"""Monte Carlo arithmetic: how far rounding moves what a model computes, wherever inside it the rounding happens."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode
from torch.utils._pytree import tree_map

from subtx_toy.seeding import generator

UNIT_ROUNDOFF = torch.finfo(torch.float64).eps / 2

AMPLIFICATION = 16.0
"""How many times larger the random roundings are than real ones. What a mean rounding moves shows too then, such as the
least eigenvalue of a singular matrix, which rounding of any sign makes smaller."""

_EXACT = frozenset(
    re.findall(
        r"\w+",
        "abs alias amax amin arange as_strided cat ceil clamp clamp_max clamp_min clone constant_pad_nd "
        "contiguous copy cummax cummin diag_embed diagonal diagonal_backward diagonal_scatter embedding empty "
        "empty_like empty_strided expand eye fill flip floor fmax fmin full full_like gather hardtanh index "
        "index_select isfinite leaky_relu lift lift_fresh masked_fill masked_scatter masked_select max "
        "max_pool2d_with_indices max_pool3d_with_indices maximum median min minimum nan_to_num neg new_empty "
        "new_full new_ones new_zeros nonzero ones ones_like relu repeat reflection_pad1d replication_pad1d roll "
        "round scalar_tensor scatter select_backward select_scatter sign slice_backward slice_scatter sort stack "
        "threshold threshold_backward topk tril triu trunc unfold where zero zeros zeros_like _to_copy "
        "_unsafe_view _reshape_copy native_dropout rand randn rand_like randn_like ",
    )
)
_FACTORED = frozenset(["cholesky", "cholesky_solve", "geqrf", "inverse", "ormqr", "triangular_solve", "symeig", "svd"])
_FACTORED_UNITS = 8.0  # of roundoff, in the spectral norm: LAPACK's factorisations err by a few
_INNER_SUMS = frozenset(["addcdiv", "addcmul", "lerp", "rsub"])  # pointwise, with a rounding inside


class MonteCarloArithmetic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Multiply every float64 result under this mode by 1 + 2 A u xi, u the unit roundoff and xi uniform in [-1, 1].

    Operations that add inside, such as products of matrices, sums and normalisations, and all backward passes round
    their terms too: their operands are multiplied by 1 + A u xi. What only moves or compares numbers is exact. The
    spread of a result over several seeds is A = AMPLIFICATION times the size of its rounding. Every other seed draws
    one xi for all rows of a tensor: equal rows round alike, and their mean does not average that away.

    Works under plain autograd and inside ``torch.func``: numbers are changed in place, through numpy.

    Reference: Parker 1997, Monte Carlo Arithmetic, UCLA CSD-970002.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seed, self.rng = seed, generator(seed, "problem", "rounding")

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one operation of torch, rounded at random."""
        name = func._schema.name.rpartition("::")[2].removesuffix("_")
        if name in _EXACT:
            return func(*args, **(kwargs or {}))
        inner = torch.Tag.pointwise not in func.tags or name.endswith("_backward") or name in _INNER_SUMS
        writes = any(one.alias_info is not None and one.alias_info.is_write for one in func._schema.arguments)
        views = any(one.alias_info is not None for one in func._schema.returns) and not writes
        if inner and not writes and not views:
            moved = self._factored if "linalg" in name or name in _FACTORED else self._moved
            out = func(*tree_map(moved, args), **tree_map(moved, dict(kwargs or {})))
        else:
            out = func(*args, **(kwargs or {}))
        if not views:
            held = () if writes else {_storage(one) for one in args if isinstance(one, Tensor)}
            for one in out if isinstance(out, tuple | list) else (out,):
                if _is_float64(one) and _storage(one) not in held:
                    self._round(one)
        return out

    def _moved(self, value: Any) -> Any:
        if not _is_float64(value):
            return value
        copied = value.clone()
        self._round(copied, AMPLIFICATION * UNIT_ROUNDOFF)
        return copied

    def _factored(self, value: Any) -> Any:
        # A factorisation is that of a matrix nearby in norm, not entry by entry.
        copied = self._moved(value)
        if copied is not value and value.dim() >= 2:
            size = _FACTORED_UNITS * AMPLIFICATION * UNIT_ROUNDOFF * float(value.norm()) / max(value.shape[-2:]) ** 0.5
            copied.numpy()[...] += size * self.rng.uniform(-1.0, 1.0, tuple(value.shape))
        return copied

    def _round(self, value: Tensor, size: float = 2 * AMPLIFICATION * UNIT_ROUNDOFF) -> None:
        if any(step == 0 and length > 1 for step, length in zip(value.stride(), value.shape, strict=True)):
            return
        numbers = (value.detach() if value.requires_grad else value).numpy()
        rows = self._seed % 2 and numbers.ndim > 1
        xi = self.rng.uniform(-1.0, 1.0, (1, *numbers.shape[1:]) if rows else numbers.shape)
        with np.errstate(all="ignore"):
            numbers *= 1 + size * xi


def _storage(value: Tensor) -> int:
    return 0 if value._is_zerotensor() else value.untyped_storage().data_ptr()


def _is_float64(value: Any) -> bool:
    return (
        isinstance(value, Tensor)
        and value.dtype == torch.float64
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value._is_zerotensor() or value.is_neg())
    )


class NoisyFloat(float):
    """A number whose sums, products and quotients in Python round at random too."""

    _rng: np.random.Generator

    def __new__(cls, value: float, rng: np.random.Generator) -> NoisyFloat:
        """Take a number and what to draw from."""
        noisy = super().__new__(cls, value)
        noisy._rng = rng
        return noisy


def _noisy(operation: str) -> Callable[..., Any]:
    plain = getattr(float, operation)

    def rounded(self: NoisyFloat, *others: Any) -> Any:
        found = plain(self, *others)
        if not isinstance(found, float):
            return found
        return NoisyFloat(found * (1 + 2 * AMPLIFICATION * UNIT_ROUNDOFF * self._rng.uniform(-1.0, 1.0)), self._rng)

    return rounded


for _operation in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow"):
    setattr(NoisyFloat, f"__{_operation}__", _noisy(f"__{_operation}__"))


def as_rounded(value: float) -> float:
    """Return a number that rounds at random if Monte Carlo arithmetic is on, else the number itself."""
    mode = _get_current_dispatch_mode()
    return NoisyFloat(value, mode.rng) if isinstance(mode, MonteCarloArithmetic) else value


def rounds_at_random() -> bool:
    """Whether Monte Carlo arithmetic is on."""
    return isinstance(_get_current_dispatch_mode(), MonteCarloArithmetic)
