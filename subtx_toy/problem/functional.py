"""Any torch.nn.Module as a pure function of its parameters, and one that a user's factory builds as a Model."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import is_lazy

from subtx_toy.errors import USER_FAULTS, InputError, in_short
from subtx_toy.problem.forward_pass import forward_passes
from subtx_toy.problem.model import Model, head_columns
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator, torch_stream
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
        InputError.gather((*_wrapped(module), *_without_numbers(module)))
        self.module = _copied(module)
        self.output = output
        self._places = _places(self.module)

    def parameters(self) -> Params:
        """Return the module's own trainable parameters, copied."""
        named = self.module.named_parameters()
        return {name: value.detach().clone() for name, value in named if value.requires_grad}

    def __call__(self, params: Params, inputs: Tensor) -> Any:
        """Return the outputs of the module at ``params``: a tensor, if ``output`` picks the right one."""
        named = self.module.named_parameters()
        frozen = {name: value.detach() for name, value in named if not value.requires_grad}
        # copied, so that a module that counts its calls in a buffer leaves it as it is
        constants = frozen | {name: value.clone() for name, value in self.module.named_buffers()}
        given, names = {**constants, **params}, set(self._places.values())
        missing, unknown = sorted(names - set(given)), sorted(set(params) - names)
        if missing or unknown:
            got = f"{missing} missing and {unknown} unknown"
            raise InputError(f"base_params: expected the names of the module's parameters, got {got}")
        values = {place: given[name] for place, name in self._places.items()}
        with differentiable_attention():  # each place is set once: torch restores a part under two names wrongly
            raw = torch.func.functional_call(self.module, values, (inputs,), tie_weights=False)
        return raw if self.output is None else self.output(raw)

    def double(self) -> ModuleFunction:
        """Return the same function with parameters and buffers in float64."""
        return ModuleFunction(_copied(self.module).double(), output=self.output)

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


def _places(module: nn.Module) -> dict[str, str]:
    """Return where tensors stand, each part under its first name, and the name of each tensor: ties share one."""
    names: dict[Tensor, str] = {}
    places: dict[str, str] = {}
    for kind in (nn.Module.named_parameters, nn.Module.named_buffers):
        for prefix, part in module.named_modules():
            for key, value in kind(part, prefix=prefix, recurse=False, remove_duplicate=False):
                places[key] = names.setdefault(value, key)
    return places


def _wrapped(module: nn.Module) -> Iterator[str]:
    """Say which module to pass instead of one that torch cannot run with other parameters."""
    kind = type(module).__name__
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        yield f"model: expected a module on one device, got {kind}: pass its .module"
    elif isinstance(module, torch.jit.ScriptModule):
        yield f"model: expected a module in Python, got {kind} of torch.jit: pass the module that it was made from"


def _copied(module: nn.Module) -> nn.Module:
    """Return a deep copy; tensors that the module has computed, as the old weight_norm does, are copied as numbers."""
    held = [value for part in module.modules() for value in vars(part).values() if isinstance(value, Tensor)]
    try:
        computed = {id(value): value.detach().clone() for value in held if not value.is_leaf}
        return copy.deepcopy(module, computed)
    except USER_FAULTS as error:  # a user's module can hold anything
        raise InputError(
            f"model: expected a {type(module).__name__} that can be copied, got {in_short(error)}"
        ) from error


def _without_numbers(module: nn.Module) -> Iterator[str]:
    """Say which parts have parameters without shapes or without numbers."""
    for name, part in module.named_modules():
        where, kind = f"model.{name}".rstrip("."), type(part).__name__
        for key, value in (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)):
            if is_lazy(value):
                yield f"{where}.{key}: expected a shape, got an uninitialised {kind}: call the module once on an input"
            elif value.is_meta:
                yield f"{where}.{key}: expected numbers, got a {kind} on the meta device: call to_empty() and load them"


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


@dataclass(frozen=True)
class ModuleModel:
    """A module as a Model. Buffers and frozen parameters are constants, the same for every seed and every arm.

    ``name`` says which source the module is built from: two models of one name and one shape are the same.
    """

    name: str
    image_shape: tuple[int, ...]
    num_outputs: int
    num_classes: int
    build: Callable[[np.random.Generator], ModuleFunction] = field(compare=False, repr=False)
    function: ModuleFunction = field(compare=False, repr=False)

    def initial(self, rng: np.random.Generator) -> Params:
        """Draw parameters as the module's constructor does, from ``rng``; in float64."""
        return {name: value.double() for name, value in self.build(rng).parameters().items()}

    def apply(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return the logits ``[n, k]`` of the inputs ``[n, d]``, which the module sees as images."""
        images = x.reshape(len(x), *self.image_shape)
        if len(self.image_shape) > 1:  # channels first, as convolutions take them
            images = images[:, None] if len(self.image_shape) == 2 else images.movedim(-1, 1)
        logits: Tensor = self.function(params, images)
        return logits

    def columns(self, distilled_logits: str) -> slice:
        """Return which outputs ``"class"``, ``"aux"`` or ``"all"`` stands for."""
        return head_columns(distilled_logits, self.num_classes)


def own_model(
    factory: object, *, name: str, image_shape: tuple[int, ...], num_outputs: int, num_classes: int, dtype: torch.dtype
) -> Model:
    """Return the model that a user's ``factory(shape, num_outputs)`` builds, its constants of ``dtype``.

    ``shape`` is (channels, height, width), or (pixels,) for inputs without rows and columns; ``image_shape`` has its
    channels last. The module takes ``[n, *shape]`` to ``[n, num_outputs]``, class logits first, draws from torch's
    generator alone, and is neither random nor mixes the inputs of a batch; anything else is an InputError.
    """
    where = f"model: {name}"
    shape = {2: (1, *image_shape), 3: (image_shape[-1], *image_shape[:-1])}.get(len(image_shape), image_shape)
    if not callable(factory):
        raise InputError(f"{where}: expected a function, got {type(factory).__name__}")

    def made(rng: np.random.Generator) -> Any:
        try:
            with torch_stream(rng):
                return factory(shape, num_outputs)
        except USER_FAULTS as error:
            raise InputError(f"{where}: {type(error).__name__}: {error}") from error

    def build(rng: np.random.Generator) -> ModuleFunction:
        return ModuleFunction(made(rng))

    module = made(generator(0, "model", "constants"))
    if isinstance(module, Model):
        return module
    if not isinstance(module, nn.Module):
        raise InputError(f"{where}: expected a torch.nn.Module, got {type(module).__name__}")
    function = ModuleFunction(module.to(dtype))
    InputError.gather(function.obstacles())
    model = ModuleModel(name, image_shape, num_outputs, num_classes, build, function)
    one, same = (model.initial(generator(0, "model", "initial")) for _ in range(2))
    if any(not torch.equal(one[key], same[key]) for key in one):
        raise InputError(f"{where}: expected initial weights from torch's own generator, got others at a second call")
    x = torch.zeros(2, int(np.prod(image_shape)), dtype=dtype)
    logits, faults = forward_passes(f"images {list(shape)}", model.apply, function.parameters(), x, function.module)
    if logits is not None and logits.shape != (2, num_outputs):
        faults = [f"{where}: expected outputs [n, {num_outputs}], got {list(logits.shape)} for 2 inputs"]
    InputError.gather(faults)
    return model
