"""Problem: one instance of one-step distillation, the noun that the routes and the claims share."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from subtx_toy.errors import USER_FAULTS, InputError, in_short
from subtx_toy.problem import checks
from subtx_toy.problem import params as vectors
from subtx_toy.problem.forward_pass import forward_passes
from subtx_toy.problem.functional import Apply, ModuleFunction
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP, FastMLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.trait_loss import TraitLoss
from subtx_toy.settings.arguments import checked, described
from subtx_toy.tolerances import GRADIENT_ROUNDING


@checked(**checks.KINDS)
@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """A model at a shared initialisation, a teacher's update, and what the student is to imitate.

    The teacher stands at ``base_params + eps * teacher_update``. The student starts at ``base_params`` and takes
    one plain gradient step of size ``student_lr`` on the distillation loss between the ``distilled_logits`` of
    both: SUM over outputs, MEAN over inputs. Outputs ``[n, ..., k]`` with more axes count as n * ... inputs.

    Attributes:
        model: an ``MLP``; a torch.nn.Module, or a ``ModuleFunction`` of one where its result is no tensor; or any
            function ``f(params, inputs) -> outputs``, deterministic and without side effects.
        base_params: the shared initialisation; modules bring their own if it is left out.
        inputs: of the distillation, in the form the model takes.
        distillation_loss: on logits: ``kl(tau)``, ``squared_error()`` or ``smooth_loss(...)``.
        distilled_logits: ``"all"``; ``"aux"`` or ``"class"``, split at ``num_classes``; a slice, or column numbers. A
            perceptron of two tasks has its second head, ``"second"``, between them.
        trait_loss: may be None if ``teacher_update`` is given.
        teacher_update: if left out, minus the gradient of the trait loss at ``base_params``.
        num_classes: class logits come first; known for an ``MLP``.
        eps: step size of the teacher, >= 0.
        student_lr: step size of the student, > 0.

    Raises:
        InputError: naming everything that is wrong at once.
    """

    model: nn.Module | MLP | Apply
    base_params: Params = field(default_factory=dict)
    inputs: Tensor
    distillation_loss: Loss
    distilled_logits: str | slice | Sequence[int] = "all"
    trait_loss: TraitLoss | None = None
    teacher_update: Params = field(default_factory=dict)
    num_classes: int | None = None
    eps: float
    student_lr: float
    columns: slice | list[int] = field(init=False)

    def __post_init__(self) -> None:
        model, params, num_classes = self.model, self.base_params, self.num_classes
        if isinstance(model, nn.Module):
            model = ModuleFunction(model)
        if isinstance(model, ModuleFunction):
            params = params or model.parameters()
        if isinstance(model, MLP) and num_classes is None:
            num_classes = model.num_classes
        params = _detached(params)
        if isinstance(model, MLP) and set(params) == set(model.param_names):
            params = {name: params[name] for name in model.param_names}  # the order of flat vectors
        update = {name: self.teacher_update[name].detach().clone() for name in params if name in self.teacher_update}
        self._set(model=model, base_params=params, num_classes=num_classes)

        dtype = next(iter(params.values())).dtype if params else None
        faults = [*checks.numbers(self.eps, self.student_lr), *checks.loss(self.distillation_loss)]
        faults += [*checks.parameters("base_params", params), *checks.inputs("inputs", self.inputs, dtype)]
        if isinstance(model, ModuleFunction):
            faults += model.obstacles()
        if self.trait_loss is not None:
            faults += checks.inputs("trait_loss.inputs", self.trait_loss.inputs, dtype)
        if self.teacher_update:
            faults += checks.same_shapes("teacher_update", self.teacher_update, params)
            faults += checks.not_finite("teacher_update", self.teacher_update)
        elif self.trait_loss is None:
            faults.append("trait_loss: expected a trait loss where teacher_update is left out, got None")
        faults += self._check_outputs() if not faults else ()
        if not faults and not isinstance(model, MLP):
            module = model.module if isinstance(model, ModuleFunction) else model
            name = getattr(module, "__name__", type(module).__name__)
            faults += checks.derivatives(name, self.distilled, params)
        InputError.gather(faults)
        try:
            self._set(teacher_update=update or self._trait_step())
        except USER_FAULTS as error:  # of a loss that torch cannot differentiate
            raise InputError(f"trait_loss: expected a gradient, got {in_short(error)}") from error
        InputError.gather(checks.not_finite("teacher_update", self.teacher_update))

    def __repr__(self) -> str:
        size = sum(value.numel() for value in self.base_params.values())
        model = self.model.module if isinstance(self.model, ModuleFunction) else self.model
        name = repr(model) if isinstance(model, MLP) else type(model).__name__ + f" {getattr(model, '__name__', '')}"
        seen = f"{self.distilled_logits!r} " if isinstance(self.distilled_logits, str) else ""
        columns = self.columns
        written = f"{columns.start}:{columns.stop}" if isinstance(columns, slice) else described(columns)
        return (
            f"Problem({name.strip()}, {size} parameters, inputs {list(self.inputs.shape)}, {self.distillation_loss!r}, "
            f"distilled {seen}{written}, eps={self.eps:g}, student_lr={self.student_lr:g})"
        )

    @classmethod
    def trusted(cls, **fields: Any) -> Problem:
        """Take parts that are valid by construction as they are, unchecked."""
        problem: Problem = object.__new__(cls)
        problem.__dict__.update(fields)
        return problem

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _check_outputs(self) -> list[str]:
        module = self.model.module if isinstance(self.model, ModuleFunction) else None
        raw, faults = forward_passes("inputs", self._apply, self.base_params, self.inputs, module)
        if raw is None:
            return faults
        columns, faults = self.chosen(self.distilled_logits, raw.shape[-1])
        self._set(columns=columns)
        if (trait := self.trait_loss) is not None:
            raw, more = forward_passes("trait_loss.inputs", self._apply, self.base_params, trait.inputs, module)
            faults += more
            if raw is not None:
                faults += checks.scalar("trait_loss", partial(trait.value, raw.reshape(-1, raw.shape[-1])))
        return faults

    def chosen(self, which: str | slice | Sequence[int], num_outputs: int) -> tuple[slice | list[int], list[str]]:
        """Return the columns of some of the outputs, and what is wrong with the choice; a perceptron knows its own."""
        if isinstance(which, str) and isinstance(self.model, MLP) and self.num_classes == self.model.num_classes:
            with contextlib.suppress(ValueError):  # no name of its: what names there are is said below
                which = self.model.columns(which)
        return checks.columns(which, num_outputs, self.num_classes)

    def _apply(self, params: Params, inputs: Tensor) -> Any:
        # Whatever the model returns; the constructor has seen that it is a tensor.
        apply = self.model.apply if isinstance(self.model, MLP) else self.model
        return apply(params, inputs)

    def outputs(self, params: Params, inputs: Tensor) -> Float[Tensor, "n k"]:
        """Return all outputs ``[n, k]`` of the model at ``params``; further axes are flattened into n."""
        raw: Tensor = self._apply(params, inputs)
        return raw.reshape(-1, raw.shape[-1])

    def distilled(self, params: Params) -> Float[Tensor, "n k"]:
        """Return the distilled outputs on the distillation inputs."""
        return self.outputs(params, self.inputs)[:, self.columns]

    def trait_value(self, params: Params) -> Float[Tensor, ""]:
        """Return the trait loss at ``params``.

        Raises:
            InputError: if the problem has none.
        """
        if self.trait_loss is None:
            raise InputError("trait_loss: expected a trait loss, got None")
        return self.trait_loss.value(self.outputs(params, self.trait_loss.inputs))

    @torch.enable_grad()
    def trait_gradient(self) -> Params:
        """Return the gradient of the trait loss at ``base_params``."""
        leaves = {name: value.requires_grad_() for name, value in _detached(self.base_params).items()}
        slopes = torch.autograd.grad(
            self.trait_value(leaves), list(leaves.values()), allow_unused=True, materialize_grads=True
        )
        return dict(zip(leaves, slopes, strict=True))

    def _trait_step(self) -> Params:
        return {name: -slope for name, slope in self.trait_gradient().items()}

    @cached_property
    def is_trait_step(self) -> bool:
        """Whether the teacher's update is minus the trait gradient, as the claims on the trait loss ask.

        Up to rounding: with another number of threads torch adds in another order.
        """
        if self.trait_loss is None:
            return False
        pairs = [(slope, self.teacher_update[name]) for name, slope in self.trait_gradient().items() if slope.numel()]
        off = max((float((slope + update).abs().max()) for slope, update in pairs), default=0.0)
        largest = max((float(update.abs().max()) for _, update in pairs), default=0.0)
        unit = max((torch.finfo(update.dtype).eps for _, update in pairs), default=0.0)
        return off <= GRADIENT_ROUNDING * unit * largest

    @cached_property
    def flat(self) -> Float[Tensor, "2 p"]:
        """``base_params`` above ``teacher_update``, each as one vector; of an ``MLP`` from the inputs on.

        Computed at first use and kept, so that stacking thousands of problems takes two tensors of each and not dozens.
        """
        names = self.model.param_names if isinstance(self.model, MLP) else tuple(self.base_params)
        both = self.base_params, self.teacher_update
        if isinstance(self.model, FastMLP):
            return torch.from_numpy(np.array([flattened(params, names) for params in both]))
        return torch.cat([params[name].reshape(-1) for params in both for name in names]).view(2, -1)

    def teacher_params(self, eps: float | None = None) -> Params:
        """Return ``base_params + eps * teacher_update``, by default at the problem's own ``eps``."""
        return vectors.axpy(self.eps if eps is None else eps, self.teacher_update, self.base_params)

    def with_loss(self, distillation_loss: Loss) -> Problem:
        """Return the same problem with another distillation loss; the rest, checked before, is shared.

        Raises:
            InputError: if the loss does not compare logits with logits.
        """
        InputError.gather(checks.loss(distillation_loss))
        other = copy.copy(self)
        other._set(distillation_loss=distillation_loss)
        return other

    def restricted_to(self, column: int) -> Problem:
        """Return the same problem with one of the model's outputs distilled alone."""
        other = copy.copy(self)
        other._set(distilled_logits=[column], columns=slice(column, column + 1))
        return other

    def require_float64(self) -> None:
        """Refuse any other precision: the claims are about remainders of order eps^2.

        Raises:
            InputError: naming the field that is not float64.
        """
        for name, value in self.base_params.items():
            if value.dtype != torch.float64:
                raise InputError(
                    f"base_params[{name!r}]: expected torch.float64 for claims, got {value.dtype}: use problem.double()"
                )

    def double(self) -> Problem:
        """Return the problem in float64; the trait gradient is taken anew if the teacher followed it.

        Constants inside a model given as a function, and inside ``trait_loss.value``, are the caller's to convert.
        """
        update = {} if self.is_trait_step else {name: value.double() for name, value in self.teacher_update.items()}
        return dataclasses.replace(
            self,
            model=self.model.double() if isinstance(self.model, ModuleFunction) else self.model,
            base_params={name: value.double() for name, value in self.base_params.items()},
            inputs=self.inputs.double() if self.inputs.is_floating_point() else self.inputs,
            trait_loss=self.trait_loss and self.trait_loss.double(),
            teacher_update=update,
        )


def flattened(params: Params, names: Sequence[str]) -> Float[np.ndarray, " p"]:
    """Return float64 parameters as one vector."""
    return np.concatenate([params[name].numpy().ravel() for name in names])


def _detached(params: Params) -> Params:
    return {name: value.detach().clone() for name, value in params.items()}
