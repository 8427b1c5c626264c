"""The gradient of the cross-entropy of texts and lists, written out by hand: the fast route of training.

Autograd on ``scores.sampled_loss`` is the reference; both agree up to rounding. By hand, all lists of one text are
read in one product, probabilities are overwritten by their slopes, and nothing is kept that is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from subtx_toy.lm.attention import Groups, Heads, ListRead, TextRead
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.transformer import Transformer
from subtx_toy.problem.params import Params

_EPS = 1e-5
"""Of a layer norm, as torch has it."""


class _Norm(NamedTuple):
    name: str
    x: Tensor
    mean: Tensor
    deviation: Tensor


class _Tails(NamedTuple):
    """The tokens of lists that others follow, and where the lists stand."""

    tokens: Int[Tensor, "n j"]
    groups: Groups


class _Layer(NamedTuple):
    norms: tuple[_Norm, _Norm]
    normed: tuple[Tensor, Tensor]
    own: TextRead
    late: ListRead | None
    read: Tensor
    inner: Tensor
    active: Tensor


@dataclass(frozen=True, eq=False)
class TextGradient:
    """Gradients for texts ``[p, t]``, and for lists that go on from the text of their row.

    All tokens of a step are rows of one matrix: first those of the texts, text by text, and then those of the lists.
    ``embeddings`` says whether those are trained.
    """

    model: Transformer
    embeddings: bool = True

    @torch.no_grad()
    def of_texts(self, params: Params, texts: Int[Tensor, "p t"]) -> Params:
        """Return the gradient of the mean cross-entropy of every token after the first."""
        hidden, layers, last = self._forward(params, texts[:, :-1], None)
        slopes = self._softmax(params, hidden)
        targets = texts[:, 1:].flatten()
        slopes[torch.arange(len(targets)), targets] -= 1.0
        return self._backward(params, slopes.div_(len(targets)), hidden, layers, last, texts[:, :-1], None)

    @torch.no_grad()
    def of_lists(self, params: Params, lists: Lists) -> Params:
        """Return the gradient of ``sampled_loss``."""
        order = torch.argsort(lists.rows, stable=True)
        rows, tokens, counted = lists.rows[order], lists.tokens[order], lists.counted[order]
        num, length = lists.prompts.shape
        tails = _Tails(tokens[:, :-1], Groups.of(rows, num)) if tokens.shape[1] > 1 else None
        hidden, layers, last = self._forward(params, lists.prompts, tails)
        read = torch.cat([torch.arange(1, num + 1) * length - 1, torch.arange(num * length, len(hidden))])
        slopes = self._softmax(params, hidden[read])
        weights = torch.cat([torch.bincount(rows, minlength=num), counted[:, 1:].flatten()]).to(slopes.dtype)
        share = 1 / float(counted.sum())
        slopes.mul_(share * weights[:, None])
        later = counted[:, 1:].flatten()
        at = torch.cat([rows, num + later.nonzero()[:, 0]])
        targets = torch.cat([tokens[:, 0], tokens[:, 1:].flatten()[later]])
        slopes.index_put_((at, targets), slopes.new_tensor(-share), accumulate=True)
        return self._backward(params, slopes, hidden, layers, last, lists.prompts, tails, read)

    def _softmax(self, params: Params, hidden: Float[Tensor, "c d"]) -> Float[Tensor, "c v"]:
        return (hidden @ params["token" if self.model.tied else "output"].T).softmax(1)

    def _forward(self, params: Params, texts: Tensor, tails: _Tails | None) -> tuple[Tensor, list[_Layer], _Norm]:
        num, length = texts.shape
        x = (params["token"][texts] + params["position"][:length]).flatten(0, 1)
        if tails is not None:
            places = params["position"][length : length + tails.tokens.shape[1]]
            x = torch.cat([x, (params["token"][tails.tokens] + places).flatten(0, 1)])
        layers = []
        for index in range(self.model.depth):
            name = f"layers.{index}"
            first, before = _normed(params, f"{name}.before_attention", x)
            qkv = _affine(params, f"{name}.qkv", first)
            own, late = TextRead.of(self._text_heads(qkv[: num * length], num)), None
            read = self._tokens(own.read())
            if tails is not None:
                late = ListRead.of(own.heads, self._list_heads(qkv[num * length :], tails))
                read = torch.cat([read, self._list_tokens(late.read(), tails)])
            x = x + _affine(params, f"{name}.attention_out", read)
            second, after = _normed(params, f"{name}.before_mlp", x)
            inner = _affine(params, f"{name}.mlp_in", second)
            active = torch.nn.functional.gelu(inner)
            layers.append(_Layer((before, after), (first, second), own, late, read, inner, active))
            x = x + _affine(params, f"{name}.mlp_out", active)
        hidden, last = _normed(params, "last_norm", x)
        return hidden, layers, last

    def _backward(
        self, params: Params, slopes: Tensor, hidden: Tensor, layers: Sequence[_Layer], last: _Norm, texts: Tensor,
        tails: _Tails | None, read: Tensor | None = None,
    ) -> Params:  # fmt: skip
        """Return the slopes of the parameters from those of the logits, of the rows ``read`` or of all."""
        found: Params = {}
        output = "token" if self.model.tied else "output"
        if self.embeddings:
            found[output] = slopes.T @ (hidden if read is None else hidden[read])
        dx = slopes @ params[output]
        if read is not None:
            dx = torch.zeros_like(hidden).index_copy_(0, read, dx)
        dx = _norm_slope(params, last, dx, found)
        for index in reversed(range(self.model.depth)):
            name, layer = f"layers.{index}", layers[index]
            active = _affine_slope(params, f"{name}.mlp_out", layer.active, dx, found)
            inner = torch.ops.aten.gelu_backward(active, layer.inner)
            second = _affine_slope(params, f"{name}.mlp_in", layer.normed[1], inner, found)
            dx = dx + _norm_slope(params, layer.norms[1], second, found)
            of_read = _affine_slope(params, f"{name}.attention_out", layer.read, dx, found)
            qkv = self._attention_slope(of_read, layer, texts.shape, tails)
            first = _affine_slope(params, f"{name}.qkv", layer.normed[0], qkv, found)
            dx = dx + _norm_slope(params, layer.norms[0], first, found)
        if self.embeddings:
            self._embedding_slope(params, dx, texts, tails, found)
        return found

    def _embedding_slope(self, params: Params, dx: Tensor, texts: Tensor, tails: _Tails | None, found: Params) -> None:
        num, length = texts.shape
        of_token = found["token"] if self.model.tied else torch.zeros_like(params["token"])
        of_place = torch.zeros_like(params["position"])
        parts = [(texts, dx[: num * length], 0)]
        if tails is not None:
            parts.append((tails.tokens, dx[num * length :], length))
        for tokens, slope, start in parts:
            of_token.index_add_(0, tokens.flatten(), slope)
            of_place[start : start + tokens.shape[1]] += slope.view(*tokens.shape, -1).sum(0)
        found |= {"token": of_token, "position": of_place}

    def _attention_slope(self, slope: Tensor, layer: _Layer, shape: torch.Size, tails: _Tails | None) -> Tensor:
        num, length = shape
        own = layer.own.slopes(self._of_heads(slope[: num * length], num).transpose(1, 2))
        if tails is None or layer.late is None:
            return self._joined(own)
        spread = tails.groups.spread(self._of_heads(slope[num * length :], len(tails.tokens)))
        of_text, late = layer.late.slopes(spread.permute(0, 3, 1, 2, 4))
        own[1] += of_text[0]
        own[2] += of_text[1]
        stacked = tails.groups.gather(torch.stack([one.permute(0, 2, 3, 1, 4) for one in late], 3))
        return torch.cat([self._joined(own), stacked.reshape(-1, 3 * self.model.width)])

    def _of_heads(self, x: Tensor, num: int) -> Tensor:
        return x.view(num, -1, self.model.heads, self.model.width // self.model.heads)

    def _text_heads(self, qkv: Tensor, num: int) -> Heads:
        heads = self.model.heads
        parts = qkv.view(num, -1, 3, heads, self.model.width // heads).permute(2, 0, 3, 1, 4).contiguous()
        return parts[0], parts[1], parts[2]

    def _list_heads(self, qkv: Tensor, tails: _Tails) -> Heads:
        heads = self.model.heads
        each = qkv.view(len(tails.tokens), -1, 3, heads, self.model.width // heads)
        parts = tails.groups.spread(each).permute(3, 0, 4, 1, 2, 5).contiguous()
        return parts[0], parts[1], parts[2]

    @staticmethod
    def _tokens(read: Tensor) -> Tensor:
        return read.transpose(1, 2).reshape(-1, read.shape[1] * read.shape[3])

    def _list_tokens(self, read: Tensor, tails: _Tails) -> Tensor:
        return tails.groups.gather(read.permute(0, 2, 3, 1, 4)).reshape(-1, self.model.width)

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.stack([part.transpose(1, 2) for part in parts], 2).view(-1, 3 * self.model.width)


def _affine(params: Params, name: str, x: Tensor) -> Tensor:
    return torch.addmm(params[f"{name}.bias"], x, params[f"{name}.weight"].T)


def _affine_slope(params: Params, name: str, x: Tensor, slope: Tensor, found: Params) -> Tensor:
    """Note the slopes of weight and bias, and return that of ``x``."""
    found[f"{name}.weight"], found[f"{name}.bias"] = slope.T @ x, slope.sum(0)
    return slope @ params[f"{name}.weight"]


def _normed(params: Params, name: str, x: Tensor) -> tuple[Tensor, _Norm]:
    found, mean, deviation = torch.native_layer_norm(
        x, x.shape[-1:], params[f"{name}.weight"], params[f"{name}.bias"], _EPS
    )
    return found, _Norm(name, x, mean, deviation)


def _norm_slope(params: Params, norm: _Norm, slope: Tensor, found: Params) -> Tensor:
    weight, bias = f"{norm.name}.weight", f"{norm.name}.bias"
    of_x: Tensor
    of_x, found[weight], found[bias] = torch.ops.aten.native_layer_norm_backward(
        slope, norm.x, norm.x.shape[-1:], norm.mean, norm.deviation, params[weight], params[bias], [True, True, True]
    )
    return of_x
