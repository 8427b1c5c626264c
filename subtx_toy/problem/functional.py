"""Any torch.nn.Module as a pure function of its parameters."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from subtx_toy.problem.params import Params
from subtx_toy.settings.arguments import FUNCTION, checked, instance

Apply = Callable[[Params, Tensor], Tensor]
"""A model as a function ``f(params, inputs) -> outputs``."""


@contextlib.contextmanager
def differentiable_attention() -> Iterator[None]:
    """Choose the attention kernels that have forward-mode and second derivatives; undone on leaving.

    The fused encoder layer has no forward mode and the fused scaled-dot-product kernel on CPU has neither. To be
    entered inside the function that is differentiated: its derivatives may then be taken outside.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel([SDPBackend.MATH]):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@checked(
    module=instance(
        nn.Module, "a torch.nn.Module", lambda value: f"; write {value.__name__}()" if isinstance(value, type) else ""
    ),
    output=FUNCTION,
)
class ModuleFunction:
    """A module as a function of its trainable parameters; buffers and frozen parameters are constants.

    It holds a copy, so later changes of ``module`` do not reach it. Tied parameters count once.

    Args:
        module: in eval mode wherever train mode is random or mixes inputs (see ``obstacles``).
        output: picks the tensor where the module returns something else, as ``lambda out: out[0]`` for nn.GRU.
    """

    def __init__(self, module: nn.Module, *, output: Callable[[Any], Tensor] | None = None) -> None:
        self.module = copy.deepcopy(module)
        self.output = output

    def parameters(self) -> Params:
        """Return the module's own trainable parameters, copied."""
        named = self.module.named_parameters()
        return {name: value.detach().clone() for name, value in named if value.requires_grad}

    def __call__(self, params: Params, inputs: Tensor) -> Any:
        """Return the outputs of the module at ``params``: a tensor, if ``output`` picks the right one."""
        named = self.module.named_parameters()
        frozen = {name: value.detach() for name, value in named if not value.requires_grad}
        constants = frozen | dict(self.module.named_buffers())
        with differentiable_attention():
            raw = torch.func.functional_call(self.module, (params, constants), (inputs,), strict=True)
        return raw if self.output is None else self.output(raw)

    def double(self) -> ModuleFunction:
        """Return the same function with parameters and buffers in float64."""
        return ModuleFunction(copy.deepcopy(self.module).double(), output=self.output)

    def obstacles(self) -> list[str]:
        """Say what keeps the module from being one fixed function of parameters and single inputs."""
        found = [
            f"model.{name}".rstrip(".") + f": {reason}"
            for name, part in self.module.named_modules()
            if (reason := _obstacle(part))
        ]
        if not self.parameters():
            found.append("model: expected at least one trainable parameter, got none")
        return found


def _obstacle(part: nn.Module) -> str | None:
    kind = type(part).__name__
    if isinstance(part, _BatchNorm) and (part.training or part.running_mean is None):
        return (
            f"expected {kind} in eval mode with running statistics, got batch statistics: "
            "an input's outputs would depend on the others of its batch"
        )
    rate = part.p if isinstance(part, _DropoutNd) else getattr(part, "dropout", 0.0)
    if part.training and isinstance(rate, float | int) and rate > 0:
        return f"expected {kind} in eval mode, got active dropout of {rate}: teacher and student draw other masks"
    return None
