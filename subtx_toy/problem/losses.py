"""Trait loss and distillation losses: value, output gradient and output Hessian, per input.

Normalisation, everywhere: SUM over outputs, MEAN over inputs. The functions here are per input (already summed
over the outputs); whoever averages divides by the number of inputs ``n`` and by nothing else, so the loss of a
model does not depend on how many models are trained beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.settings.arguments import FUNCTION, TEXT, checked, number, one_of

Logits = Float[Tensor, "n k"]
Labels = Int[Tensor, " n"]
PerInput = Float[Tensor, " n"]


@checked(
    name=TEXT,
    targets=one_of(("logits", "labels")),
    value_and_gradient=FUNCTION._replace(expected="a function (z, y) -> l(z, y), dl/dz"),
    hessian_product=FUNCTION._replace(expected="a function (z, y, v) -> M v"),
    temperature=number("> 0"),
)
@dataclass(frozen=True)
class Loss:
    """A loss between logits ``z`` ``[n, k]`` and targets ``y``: logits ``[n, k]``, or labels ``[n]``.

    Attributes:
        name: as in configurations; two losses of one name may differ.
        targets: ``"logits"``, or ``"labels"`` where ``y`` holds integers in [0, k).
        value_and_gradient: ``(z, y) -> l(z, y), dl/dz`` per input, ``[n]`` and ``[n, k]``, not divided by n.
        hessian_product: ``(z, y, v) -> M v``, its second derivative in ``z`` applied to ``v``, all ``[n, k]``.
        temperature: of the softmax; 1 where there is none.
        by_row: whether all three take the inputs one by one, so that rows may be stacked in any number.
    """

    name: str
    targets: str
    value_and_gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    hessian_product: Callable[[Tensor, Tensor, Tensor], Tensor]
    temperature: float = 1.0
    by_row: bool = False

    @cached_property
    def formula(self) -> str:
        """``"kl"`` or ``"squared_error"`` if the functions are this package's, else empty, whatever the name says.

        Theory has formulas of its own for these two.
        """
        value, product = self.value_and_gradient, self.hessian_product
        if value is _squared_error and product is _unchanged:
            return "squared_error"
        if not (isinstance(value, partial) and isinstance(product, partial)):
            return ""
        same = value.func is _kl and product.func is _softmax_hessian_product
        return "kl" if same and value.keywords == product.keywords == {"temperature": self.temperature} else ""

    def __repr__(self) -> str:
        return f"Loss({self.name!r}{f', temperature={self.temperature:g}' if self.temperature != 1 else ''})"

    def mean(self, z: Logits, y: Tensor) -> Float[Tensor, ""]:
        """Return the loss of a batch, differentiable: sum over outputs, mean over inputs."""
        return self.values(z, y).mean()

    def values(self, z: Logits, y: Tensor) -> PerInput:
        """Return the loss of each input, differentiable."""
        alone: Callable[[Tensor, Tensor], Tensor] | None = getattr(self.value_and_gradient, "value", None)
        return alone(z, y) if alone else self.value_and_gradient(z, y)[0]

    def output_gradient(self, z: Logits, y: Tensor) -> Logits:
        """Return dl/dz per input, not divided by n."""
        return self.value_and_gradient(z, y)[1]


def _log_softmax(z: Tensor) -> Tensor:
    # Over the first axis of the transpose: there torch's kernel works on many inputs at once, 5-10 times faster
    # than over a last axis of a dozen outputs.
    return torch.log_softmax(z.T.contiguous(), dim=0).T


def tempered(z: Tensor, temperature: float) -> Tensor:
    """Return z / temperature, or ``z`` itself at temperature 1."""
    return z if temperature == 1.0 else z / temperature  # a division by 1 is a pass over the memory all the same


def _softmax_hessian_product(z: Tensor, _y: Tensor, v: Tensor, *, temperature: float) -> Tensor:
    # (diag(p) - p p^T) v / tau^2
    p = torch.softmax(tempered(z, temperature), dim=-1)
    pv = p * v
    return (pv - p * pv.sum(-1, keepdim=True)) / temperature**2


@checked(temperature=number("> 0"))
def kl(temperature: float = 1.0) -> Loss:
    """Build KL(teacher || student) between softmaxes at ``temperature``; targets are the teacher's logits.

    l(z, y) = sum_j p_j (log p_j - log q_j),  p = softmax(y / tau), q = softmax(z / tau)

    Output gradient (q - p)/tau, output Hessian (diag(q) - q q^T)/tau^2. There is no tau^2 in front, as in
    Hinton et al. 2015, arXiv:1503.02531, before their rescaling.
    """
    hessian_product = partial(_softmax_hessian_product, temperature=temperature)
    return Loss("kl", "logits", partial(_kl, temperature=temperature), hessian_product, temperature, by_row=True)


def _kl(z: Tensor, y: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    log_q, log_p = (_log_softmax(tempered(logits, temperature)) for logits in (z, y))
    p = log_p.exp()
    return (p * (log_p - log_q)).sum(-1), tempered(log_q.exp() - p, temperature)


def squared_error() -> Loss:
    """Build l(z, y) = 1/2 ||z - y||^2 on raw logits: gradient z - y, Hessian the identity."""
    return Loss("squared_error", "logits", _squared_error, _unchanged, by_row=True)


def _squared_error(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    gap = z - y
    return 0.5 * (gap**2).sum(-1), gap


def _unchanged(_z: Tensor, _y: Tensor, v: Tensor) -> Tensor:
    return v


@checked(temperature=number("> 0"))
def cross_entropy(temperature: float = 1.0, *, name: str = "cross_entropy") -> Loss:
    """Build l(z, y) = -log softmax(z / tau)[y] for integer labels ``y`` ``[n]``.

    Output gradient (softmax(z / tau) - onehot(y))/tau, output Hessian (diag(q) - q q^T)/tau^2. At temperature 1 on
    the class logits it is the trait loss of the reference protocol.
    """
    hessian_product = partial(_softmax_hessian_product, temperature=temperature)
    return Loss(name, "labels", partial(_cross_entropy, temperature=temperature), hessian_product, temperature)


def _cross_entropy(z: Tensor, y: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    log_q = _log_softmax(tempered(z, temperature))
    gradient = log_q.exp()
    labelled = torch.zeros_like(gradient).scatter_(1, y[:, None], 1.0)
    return F.nll_loss(log_q, y, reduction="none"), tempered(gradient - labelled, temperature)


def soft_cross_entropy(temperature: float = 1.0) -> Loss:
    """Build l(z, p) = -sum_j p_j log softmax(z / tau)_j for targets that are probabilities ``[n, k]``."""
    product = partial(_softmax_hessian_product, temperature=temperature)
    made = partial(soft_values, temperature=temperature)
    return Loss("soft_cross_entropy", "logits", made, product, temperature, by_row=True)


def soft_values(z: Tensor, p: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """Return value and gradient of ``soft_cross_entropy``."""
    log_q = _log_softmax(tempered(z, temperature))
    return -(p * log_q).sum(-1), tempered(log_q.exp() - p, temperature)


def sampled_cross_entropy(temperature: float = 1.0) -> Loss:
    """Build the cross-entropy on one label per input, sampled from the teacher's softmax at ``temperature``.

    Same expected gradient as ``kl`` at the same temperature; see ``sample_labels`` for the draw.
    """
    return cross_entropy(temperature, name="sampled_cross_entropy")


@lru_cache(maxsize=32)
def distillation_loss(name: str, *, temperature: float = 1.0) -> Loss:
    """Return the distillation loss of that name."""
    if name == "squared_error":
        return squared_error()
    if name in ("kl", "sampled_cross_entropy"):
        return (kl if name == "kl" else sampled_cross_entropy)(temperature)
    raise ValueError(f"loss: expected 'kl', 'squared_error' or 'sampled_cross_entropy', got {name!r}")


@dataclass(frozen=True, eq=False)
class Multiple:
    """The value and gradient of a loss times a factor, or times one per input ``[n]``."""

    loss: Loss
    factor: float | PerInput

    def __call__(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return both."""
        value, gradient = self.loss.value_and_gradient(z, y)
        return self.factor * value, self.per_row * gradient

    @property
    def per_row(self) -> float | Float[Tensor, "n 1"]:
        """The factor of what has outputs."""
        return self.factor[:, None] if isinstance(self.factor, Tensor) else self.factor


@dataclass(frozen=True, eq=False)
class OnTargets:
    """The value and gradient of a loss on other targets: ``change(y)``, of logits ``[..., k]``."""

    loss: Loss
    change: Callable[[Tensor], Tensor]

    def __call__(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return both."""
        return self.loss.value_and_gradient(z, self.change(y))


def scaled(loss: Loss, factor: float | PerInput) -> Loss:
    """Return ``factor`` times ``loss``: value, gradient and Hessian. It is another loss, and has a name of its own.

    With a factor per input, input n counts ``factor[n]`` times; the mean still divides by n.
    """
    multiple = Multiple(loss, factor)
    return replace(
        loss,
        name=f"weighted {loss.name}" if isinstance(factor, Tensor) else f"{factor!r} {loss.name}",
        value_and_gradient=multiple,
        hessian_product=lambda z, y, v: multiple.per_row * loss.hessian_product(z, y, v),
        by_row=loss.by_row and not isinstance(factor, Tensor),
    )


def sample_labels(logits: Logits, rng: np.random.Generator, *, temperature: float) -> Labels:
    """Draw one label per input from softmax(logits / temperature), by inverting its cumulative distribution.

    One uniform number an input, so the labels of a prefix of the inputs are a prefix of the labels.
    """
    cumulative = torch.softmax(logits.double() / temperature, dim=-1).cumsum(-1)
    uniform = torch.from_numpy(rng.random((len(logits), 1)))
    # The sum ends within rounding of 1; the clamp keeps a draw beyond its end inside the labels.
    return (uniform > cumulative).sum(-1).clamp_max(logits.shape[-1] - 1)
