"""One forward pass of a user's model, tried: what it gives, what it changes, and which of its parts fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from subtx_toy.errors import USER_FAULTS, InputError, in_short
from subtx_toy.problem.params import Params


def forward_passes(
    field: str, apply: Callable[[Params, Tensor], Any], params: Params, inputs: Tensor, module: nn.Module | None = None
) -> tuple[Tensor | None, list[str]]:
    """Run the model twice on copies; return its outputs ``[n, ..., k]``, or None and what is wrong with them.

    ``module`` is what ``apply`` runs, if it is a module: an error then names its part.
    """

    def run() -> tuple[Any, Params, Tensor]:
        copied, x = {name: value.clone() for name, value in params.items()}, inputs.clone()
        return apply(copied, x), copied, x

    try:
        (first, after, x), (second, *_) = run(), run()
    except InputError as error:
        return None, list(error.problems)
    except USER_FAULTS as error:
        return None, [_failure(field, error, module)]
    if not isinstance(first, Tensor):
        kind = type(first).__name__
        return None, [f"model: expected a tensor on {field}, got a {kind}: pass ModuleFunction(module, output=...)"]
    if first.is_complex():
        return None, [f"model: expected real outputs, got {first.dtype}"]
    if first.dim() < 2 or first.numel() == 0:
        return None, [f"model: expected outputs [n, ..., k] on {field}, got shape {tuple(first.shape)}"]
    if len(first) != len(inputs):
        return None, [f"model: expected outputs [{len(inputs)}, ..., k] on {field}, got shape {tuple(first.shape)}"]
    if not torch.equal(x, inputs):
        return None, [f"model: expected unchanged inputs, got a forward pass that changes {field} in place"]
    changed = [name for name, value in params.items() if not torch.equal(value, after[name])]
    if changed:
        return None, [f"model: expected unchanged parameters, got a forward pass that changes {changed} in place"]
    if not torch.isfinite(first).all():
        odd = float(first[~torch.isfinite(first)][0])
        return None, [f"model: expected finite outputs on {field}, got {odd}"]
    if not torch.equal(first, second):
        gap = float((first - second).abs().max())
        return None, [f"model: expected the same outputs twice on {field}, got two that differ by {gap:.3g}"]
    return first, []


def _failure(field: str, error: BaseException, module: nn.Module | None) -> str:
    """Name the innermost part that was running when ``error`` was raised, and what it was given."""
    names = {} if module is None else {part: f"model.{name}".rstrip(".") for name, part in module.named_modules()}
    where, part, given, step = "model", None, None, error.__traceback__
    while step is not None:
        frame, step = step.tb_frame, step.tb_next
        running = frame.f_locals.get("self")
        if isinstance(running, nn.Module) and running in names and frame.f_code.co_name == "forward":
            where, part = names[running], running
            given = next((one for one in frame.f_locals.values() if isinstance(one, Tensor)), None)
    if part is None or given is None or not type(part).__module__.startswith("torch.nn."):
        return f"{where}: expected a forward pass on {field}, got {in_short(error)}"
    if isinstance(part, nn.Linear) and given.dim() > 0 and given.shape[-1] != part.in_features:
        return f"{where}: expected inputs [..., {part.in_features}] of this Linear, got shape {tuple(given.shape)}"
    got = f"shape {tuple(given.shape)} of {given.dtype} ({in_short(error)})"
    return f"{where}: expected inputs that this {type(part).__name__} takes, got {got}"
