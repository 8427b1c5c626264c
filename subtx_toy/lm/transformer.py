"""A decoder-only transformer as a pure function of its parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.errors import InputError
from subtx_toy.problem.params import Params

EMBEDDINGS = ("token", "position", "output")
"""Parameters with one row per token or position; of the others, some are matrices."""

KeysAndValues = tuple[tuple[Tensor, Tensor], ...]
"""Of every layer, ``[n, heads, t, width / heads]`` each: what later tokens read of earlier ones."""


@dataclass(frozen=True)
class Transformer:
    """The shape of a transformer with layer norms before its blocks, learned positions, and GELU.

    Parameters are named ``token`` ``[v, d]``, ``position`` ``[context, d]``, ``layers.0.qkv.weight`` ``[3 d, d]`` and
    so on, as torch's linear layers have them; with ``tied`` the rows of ``token`` are the output weights too, otherwise
    ``output`` ``[v, d]`` is. Inputs are tokens ``[n, t]``; logits have ``num_tokens`` columns.

    Raises:
        InputError: if ``heads`` does not divide ``width``.
    """

    num_tokens: int
    width: int = 64
    depth: int = 2
    heads: int = 4
    context: int = 32
    tied: bool = True
    embedding_scale: float = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise InputError(f"heads: expected a divisor of width = {self.width}, got {self.heads}")

    @property
    def num_outputs(self) -> int:
        """Logits of the next token."""
        return self.num_tokens

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, by name."""
        d = self.width
        found: dict[str, tuple[int, ...]] = {"token": (self.num_tokens, d), "position": (self.context, d)}
        for layer in range(self.depth):
            name = f"layers.{layer}"
            found |= {f"{name}.before_attention.weight": (d,), f"{name}.before_attention.bias": (d,)}
            for part, rows, columns in (("qkv", 3 * d, d), ("attention_out", d, d)):
                found |= {f"{name}.{part}.weight": (rows, columns), f"{name}.{part}.bias": (rows,)}
            found |= {f"{name}.before_mlp.weight": (d,), f"{name}.before_mlp.bias": (d,)}
            for part, rows, columns in (("mlp_in", 4 * d, d), ("mlp_out", d, 4 * d)):
                found |= {f"{name}.{part}.weight": (rows, columns), f"{name}.{part}.bias": (rows,)}
        found |= {"last_norm.weight": (d,), "last_norm.bias": (d,)}
        return found if self.tied else found | {"output": (self.num_tokens, d)}

    @property
    def num_parameters(self) -> int:
        """All of them, embeddings included."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def columns(self, distilled_logits: str) -> slice:
        """Return all outputs, of which none is set apart for the trait.

        Raises:
            InputError: for anything but ``"all"``.
        """
        if distilled_logits != "all":
            raise InputError(f"distilled_logits: expected 'all' for a transformer, got {distilled_logits!r}")
        return slice(None)

    def initial(self, rng: np.random.Generator) -> Params:
        """Draw parameters in float64: matrices N(0, 1 / inputs), embeddings of one length in random directions.

        That length is ``embedding_scale`` sqrt(``width``): no word is more distinct than another by chance.

        What adds to the residual stream is divided by sqrt(2 ``depth``) (Radford et al. 2019, section 2.3).
        """
        return {name: self._drawn(name, shape, rng) for name, shape in self.shapes.items()}

    def _drawn(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
        if name.endswith("bias"):
            return torch.zeros(shape, dtype=torch.float64)
        if len(shape) == 1:  # of a layer norm
            return torch.ones(shape, dtype=torch.float64)
        scale = 1 / math.sqrt(shape[1])
        if name.endswith(("attention_out.weight", "mlp_out.weight")):
            scale /= math.sqrt(2 * self.depth)
        drawn = torch.from_numpy(rng.standard_normal(shape))
        if name in EMBEDDINGS:
            lengths: Tensor = drawn.norm(dim=1, keepdim=True)
            return drawn * (self.embedding_scale * math.sqrt(self.width) / lengths)
        return drawn * scale

    def hidden(
        self, params: Params, tokens: Int[Tensor, "n t"], past: KeysAndValues | None = None
    ) -> tuple[Float[Tensor, "n t d"], KeysAndValues]:
        """Return the last layer's activations at every token, and the keys and values of all tokens so far.

        ``past`` is what a call on the tokens before returned: a text in two pieces gives what it gives in one.
        """
        start = 0 if past is None else past[0][0].shape[2]
        length = start + tokens.shape[1]
        x = F.embedding(tokens, params["token"]) + params["position"][start:length]
        visible = torch.ones(tokens.shape[1], length, dtype=torch.bool).tril(start)
        kept = []
        for layer in range(self.depth):
            name = f"layers.{layer}"
            before = None if past is None else past[layer]
            read, pair = self._attend(params, name, _normed(params, f"{name}.before_attention", x), visible, before)
            kept.append(pair)
            x = x + read
            inner = F.gelu(_affine(params, f"{name}.mlp_in", _normed(params, f"{name}.before_mlp", x)))
            x = x + _affine(params, f"{name}.mlp_out", inner)
        return _normed(params, "last_norm", x), tuple(kept)

    def logits(self, params: Params, hidden: Float[Tensor, "... d"]) -> Float[Tensor, "... v"]:
        """Return the logits of the next token, given the last layer's activations."""
        return hidden @ params["token" if self.tied else "output"].T

    def apply(self, params: Params, x: Int[Tensor, "n t"]) -> Float[Tensor, "n v"]:
        """Return the logits of what follows some texts of one length."""
        return self.logits(params, self.hidden(params, x)[0][:, -1])

    def _attend(
        self, params: Params, name: str, x: Tensor, visible: Tensor, before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        n, t, d = x.shape
        size = d // self.heads
        query, key, value = _affine(params, f"{name}.qkv", x).view(n, t, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        if before is not None:
            key, value = torch.cat([before[0], key], dim=2), torch.cat([before[1], value], dim=2)
        scores = (query @ key.transpose(-1, -2) / math.sqrt(size)).masked_fill(~visible, -math.inf)
        read = (scores.softmax(-1) @ value).transpose(1, 2).reshape(n, t, d)
        return _affine(params, f"{name}.attention_out", read), (key, value)


def take(kept: KeysAndValues, rows: Int[Tensor, " m"] | Sequence[int]) -> KeysAndValues:
    """Return the keys and values of some rows, which may repeat: of the prompt that each text begins with."""
    index = torch.as_tensor(rows)
    return tuple((key[index], value[index]) for key, value in kept)


def _affine(params: Params, name: str, x: Tensor) -> Tensor:
    return F.linear(x, params[f"{name}.weight"], params[f"{name}.bias"])


def _normed(params: Params, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], params[f"{name}.weight"], params[f"{name}.bias"])
