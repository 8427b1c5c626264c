"""Problem: one instance of one-step distillation, the noun that the routes and the claims share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from subtx_toy import problem_checks
from subtx_toy.errors import InputError
from subtx_toy.functional import Apply, ModuleFunction
from subtx_toy.losses import Loss
from subtx_toy.models import MLP
from subtx_toy.params import Params
from subtx_toy.trait_loss import TraitLoss


@dataclass(frozen=True, eq=False, init=False)
class Problem:
    """A model at a shared initialisation, a teacher's update, and what the student is to imitate.

    The teacher stands at ``base_params + eps * teacher_update``. The student starts at ``base_params`` and takes
    one plain gradient step of size ``student_lr`` on the distillation loss between the ``distilled_logits`` of
    both: SUM over outputs, MEAN over inputs. Outputs ``[n, ..., k]`` with more axes count as n * ... inputs.

    Args:
        model: an ``MLP``; a torch.nn.Module, or a ``ModuleFunction`` of one where its result is no tensor; or any
            function ``f(params, inputs) -> outputs``, deterministic and without side effects.
        base_params: may be left out for modules, which bring their own.
        inputs: of the distillation, in the form the model takes.
        distillation_loss: on logits: ``kl(tau)``, ``squared_error()`` or ``smooth_loss(...)``.
        distilled_logits: ``"all"``; ``"aux"`` or ``"class"``, split at ``num_classes``; a slice, or column numbers.
        trait_loss: needed unless ``teacher_update`` is given.
        teacher_update: by default minus the gradient of the trait loss at ``base_params``.
        num_classes: class logits come first; known for an ``MLP``.
        eps: step size of the teacher, >= 0.
        student_lr: step size of the student, > 0.

    Raises:
        InputError: naming everything that is wrong at once.
    """

    model: MLP | ModuleFunction | Apply
    base_params: Params
    inputs: Tensor
    distillation_loss: Loss
    distilled_logits: str | slice | Sequence[int]
    trait_loss: TraitLoss | None
    teacher_update: Params
    num_classes: int | None
    eps: float
    student_lr: float
    columns: slice | list[int] = dataclasses.field(init=False)
    num_outputs: int = dataclasses.field(init=False)

    def __init__(
        self,
        *,
        model: nn.Module | MLP | ModuleFunction | Apply,
        base_params: Params | None = None,
        inputs: Tensor,
        distillation_loss: Loss,
        distilled_logits: str | slice | Sequence[int] = "all",
        trait_loss: TraitLoss | None = None,
        teacher_update: Params | None = None,
        num_classes: int | None = None,
        eps: float,
        student_lr: float,
    ) -> None:
        if isinstance(model, nn.Module):
            model = ModuleFunction(model)
        if isinstance(model, MLP) and num_classes is None:
            num_classes = model.num_classes
        if base_params is None and isinstance(model, ModuleFunction):
            base_params = model.parameters()
        base_params = _copied(base_params or {})
        set_field: Callable[[str, object], None] = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        for name in ("model", "base_params", "inputs", "distillation_loss", "distilled_logits", "trait_loss"):
            set_field(name, locals()[name])
        for name in ("num_classes", "eps", "student_lr"):
            set_field(name, locals()[name])
        problem_checks.check_given(self, teacher_update)
        outputs = problem_checks.checked_outputs(self)
        set_field("num_outputs", outputs.shape[-1])
        set_field("columns", problem_checks.resolved_columns(self))
        if teacher_update is None:
            teacher_update = {name: -slope for name, slope in self.trait_gradient.items()}
        set_field("teacher_update", _copied(teacher_update))
        InputError.gather(problem_checks.not_finite("teacher_update", self.teacher_update))
