"""One theorem check as it is usually written: a module and torch.func's transforms, a problem at a time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.models import MLP
from subtx_toy.params import Params
from subtx_toy.problem import Problem

Task = tuple[Params, Params, Tensor, slice | list[int], float]
"""Base parameters and teacher's update by the module's names, inputs, distilled outputs, eps."""


class FuncLoop:
    """Checks problems of the shape and loss of ``first``, one after another."""

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

    def check(self, task: Task) -> tuple[float, float, float, float]:
        """Return curvature, exact alignment, observed alignment and ||dS||."""
        base, update, x, columns, eps = task

        def outputs(params: Params) -> Tensor:
            logits: Tensor = functional_call(self._net, params, (x,))
            return logits[:, columns]

        z, v = jvp(outputs, (base,), (update,))
        y = outputs({name: value + eps * update[name] for name, value in base.items()})

        def loss(params: Params) -> Tensor:
            return self._loss(outputs(params), y)

        slopes = grad(loss)(base)
        observed = -sum(float((slope * update[name]).sum()) for name, slope in slopes.items())
        norm = float(torch.stack([(slope**2).sum() for slope in slopes.values()]).sum().sqrt())
        return float((v * self._hessian_product(z, v)).sum(-1).mean()), self._exact(z, y, v), observed, norm

    def _loss(self, z: Tensor, y: Tensor) -> Tensor:
        if self._kl:
            return F.kl_div(torch.log_softmax(z, -1), torch.softmax(y, -1), reduction="batchmean")
        return 0.5 * ((z - y) ** 2).sum(-1).mean()

    def _exact(self, z: Tensor, y: Tensor, v: Tensor) -> float:
        residual = torch.softmax(z, -1) - torch.softmax(y, -1) if self._kl else z - y
        return -float((v * residual).sum(-1).mean())

    def _hessian_product(self, z: Tensor, v: Tensor) -> Tensor:
        if not self._kl:
            return v
        q = torch.softmax(z, -1)
        return q * (v - (q * v).sum(-1, keepdim=True))


def checked(problems: Sequence[Problem]) -> list[tuple[float, float, float, float]]:
    """Return what each problem's check finds."""
    loop = FuncLoop(problems[0])
    return [loop.check(loop.task(problem)) for problem in problems]
