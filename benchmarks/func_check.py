"""Theorem checks as they are usually written, with a module and torch.func's transforms: in a loop, or by vmap."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem

Task = tuple[Params, Params, Tensor, slice | list[int], float]
"""Base parameters and teacher's update by the module's names, inputs, distilled outputs, eps."""


class FuncCheck:
    """Checks problems of the shape and loss of ``first``."""

    def __init__(self, first: Problem) -> None:
        assert isinstance(first.model, MLP)
        layers: list[nn.Module] = []
        for d_in, d_out in itertools.pairwise(first.model.sizes):
            layers += [nn.Linear(d_in, d_out), nn.Tanh()]
        self._net, self._kl = nn.Sequential(*layers[:-1]).double(), first.distillation_loss.name == "kl"

    def task(self, problem: Problem) -> Task:
        """Return the problem with the module's names of the parameters; not part of what is timed."""

        def renamed(params: Params) -> Params:
            return {
                f"{2 * int(layer)}.{part}": value
                for name, value in params.items()
                for _, layer, part in [name.split(".")]
            }

        base, update = renamed(problem.base_params), renamed(problem.teacher_update)
        return base, update, problem.inputs, problem.columns, problem.eps

    def check(self, task: Task) -> Tensor:
        """Return curvature, exact alignment, observed alignment and ||dS||, ``[4]``."""
        base, update, x, columns, eps = task

        def outputs(params: Params) -> Tensor:
            logits: Tensor = functional_call(self._net, params, (x,))
            return logits[:, columns]

        z, v = jvp(outputs, (base,), (update,))
        y = outputs({name: value + eps * update[name] for name, value in base.items()})
        p, q = torch.softmax(y, -1), torch.softmax(z, -1)

        def loss(params: Params) -> Tensor:
            if self._kl:
                return F.kl_div(torch.log_softmax(outputs(params), -1), p, reduction="batchmean")
            return 0.5 * ((outputs(params) - y) ** 2).sum(-1).mean()

        slopes = grad(loss)(base)
        observed = torch.stack([(slope * update[name]).sum() for name, slope in slopes.items()]).sum()
        norm = torch.stack([(slope**2).sum() for slope in slopes.values()]).sum().sqrt()
        residual, Mv = (q - p, q * (v - (q * v).sum(-1, keepdim=True))) if self._kl else (z - y, v)
        return torch.stack([(v * Mv).sum(-1).mean(), -(v * residual).sum(-1).mean(), -observed, norm])

    def loop(self, tasks: Sequence[Task]) -> Tensor:
        """Check one after another, ``[s, 4]``."""
        return torch.stack([self.check(task) for task in tasks])

    def vmapped(self, tasks: Sequence[Task]) -> Tensor:
        """Check all at once, ``[s, 4]``; stacking them included."""
        base, update, x, columns, eps = zip(*tasks, strict=True)

        def stacked(of: Sequence[Params]) -> Params:
            return {name: torch.stack([params[name] for params in of]) for name in of[0]}

        def check(base: Params, update: Params, x: Tensor, eps: Tensor) -> Tensor:
            return self.check((base, update, x, columns[0], eps))  # type: ignore[arg-type]

        found: Tensor = vmap(check)(stacked(base), stacked(update), torch.stack(x), torch.tensor(eps))
        return found
