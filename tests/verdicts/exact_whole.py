"""Whole modules of the corpus, written again at 200 bits from their equations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from flint import arb

from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.problem import Problem
from tests.verdicts import exact_arrays as ex
from tests.verdicts.exact_arrays import Array
from tests.verdicts.exact_functions import FUNCTIONS, Function

Params = dict[str, Array]
Forward = Callable[[Params, Params], Array]
"""Outputs ``[n, k]`` at parameters, where what is detached sees the second ones."""


def affine(p: Params, name: str, x: Array) -> Array:
    """Return W x + b."""
    return x.dot(p[f"{name}.weight"].T) + p[f"{name}.bias"]


def between(function: Function, x: Array) -> Forward:
    """Return two layers with a function between them."""
    return lambda p, p0: affine(p, "second", function(affine(p, "first", x), affine(p0, "first", x)))


def _prelu(p: Params, x: Array) -> Array:
    hidden = affine(p, "first", x)
    return affine(p, "second", ex.larger(hidden, 0) + p["between.weight"] * ex.smaller(hidden, 0))


def recurrent(kind: str, p: Params, x: Array) -> Array:
    """Return the head of the last state; gates in torch's order: r, z, n of a GRU, i, f, g, o of an LSTM."""
    inputs, state = x.reshape(len(x), 2, 2), np.full((len(x), 4), arb(0), dtype=object)
    cell = state
    for t in range(2):
        a = inputs[:, t].dot(p["cell.weight_ih_l0"].T) + p["cell.bias_ih_l0"]
        b = state.dot(p["cell.weight_hh_l0"].T) + p["cell.bias_hh_l0"]
        if kind == "RNN":
            state = ex.tanh(a + b)
        elif kind == "GRU":
            r, z = (ex.sigmoid(a[:, part] + b[:, part]) for part in (slice(0, 4), slice(4, 8)))
            state = (1 - z) * ex.tanh(a[:, 8:] + r * b[:, 8:]) + z * state
        else:
            i, f, g, o = (a[:, part : part + 4] + b[:, part : part + 4] for part in (0, 4, 8, 12))
            cell = ex.sigmoid(f) * cell + ex.sigmoid(i) * ex.tanh(g)
            state = ex.sigmoid(o) * ex.tanh(cell)
    return affine(p, "head", state)


def attended(p: Params, name: str, z: Array, heads: int = 2) -> Array:
    """Return softmax attention of sequences ``[n, t, width]`` on themselves, by loops over inputs and heads."""
    width = z.shape[-1]
    size = width // heads
    qkv = z.dot(p[f"{name}.in_proj_weight"].T) + p[f"{name}.in_proj_bias"]
    found = np.empty_like(z)
    for row in range(len(z)):
        for head in range(heads):
            q, k, v = (qkv[row, :, start + head * size : start + (head + 1) * size] for start in (0, width, 2 * width))
            found[row, :, head * size : (head + 1) * size] = ex.softmax(q.dot(k.T) / arb(size).sqrt()).dot(v)
    return affine(p, f"{name}.out_proj", found)


def _attention(p: Params, x: Array) -> Array:
    seen = attended(p, "attend", affine(p, "embed", x.reshape(len(x), 2, 2)))
    return affine(p, "head", (seen[:, 0] + seen[:, 1]) / 2)


def _tied(p: Params, x: Array) -> Array:
    return affine(p, "head", ex.tanh(affine(p, "map", ex.tanh(affine(p, "map", x)))))


def _distances(p: Params, x: Array) -> Array:
    gaps = x[:, None, :] - p["centres"][None, :, :]
    return affine(p, "head", ex.exp(-ex.norm(gaps)[..., 0] / 2))


def _weight_normed(p: Params, x: Array) -> Array:
    scale, direction = (p[f"0.parametrizations.weight.original{part}"] for part in (0, 1))
    hidden = x.dot((scale * direction / ex.norm(direction)).T) + p["0.bias"]
    return affine(p, "2", ex.tanh(hidden))


def _spectral_normed(u: Array, v: Array, p: Params, x: Array) -> Array:
    raw = p["0.parametrizations.weight.original"]
    hidden = x.dot((raw / u.dot(raw.dot(v))).T) + p["0.bias"]
    return affine(p, "2", ex.tanh(hidden))


def _batch_normed(p: Params, x: Array) -> Array:
    # in eval mode, before any training: mean 0 and variance 1
    hidden = affine(p, "0", x) / arb(1 + arb(1e-5)).sqrt() * p["1.weight"] + p["1.bias"]
    return affine(p, "3", ex.tanh(hidden))


def _layer_normed(p: Params, x: Array) -> Array:
    hidden = ex.normalised(x) * p["0.weight"] + p["0.bias"]
    return affine(p, "3", ex.tanh(affine(p, "1", hidden)))


def _convolution(p: Params, x: Array) -> Array:
    # one window: the kernel is as large as the image
    hidden = x.dot(p["1.weight"].reshape(3, 4).T) + p["1.bias"]
    return affine(p, "4", ex.tanh(hidden))


def _bags(inputs: torch.Tensor, p: Params, _x: Array) -> Array:
    chosen = (inputs.abs() * 3).long().clamp(max=6).numpy()
    return affine(p, "head", ex.tanh(p["bag.weight"][chosen].sum(axis=1)))


WHOLE: dict[str, Callable[[Params, Array], Array]] = {
    "prelu": _prelu, "attention": _attention, "tied": _tied, "cdist": _distances, "weight_norm": _weight_normed,
    "BatchNorm in eval": _batch_normed, "convolution": _convolution,
    "counts its calls": lambda p, x: ex.tanh(affine(p, "map", x)), "unused ReLU": lambda p, x: affine(p, "0", x),
} | {kind: partial(recurrent, kind) for kind in ("GRU", "LSTM", "RNN")} | {
    f"LayerNorm at {centre}": _layer_normed for centre in ("10000", "1e+06", "1.7e+09", "1e+12")
}  # fmt: skip
"""By the names of the corpus."""


def forward_of(name: str, problem: Problem, inputs: torch.Tensor) -> Forward:
    """Return the outputs of a module of the corpus at inputs."""
    x = ex.exact(inputs)
    if name in FUNCTIONS:
        return between(FUNCTIONS[name], x)
    whole = WHOLE.get(name)
    if name == "EmbeddingBag":
        whole = partial(_bags, inputs)
    if name == "spectral_norm":
        assert isinstance(problem.model, ModuleFunction)
        buffers = dict(problem.model.module.named_buffers())
        u, v = (ex.exact(buffers[f"0.parametrizations.weight.0.{part}"]) for part in ("_u", "_v"))
        whole = partial(_spectral_normed, u, v)
    assert whole is not None, name
    return lambda p, _p0: whole(p, x)


def perceptron(x: Array, p: Params) -> Array:
    """Return the outputs of a tanh network of the package."""
    depth = len(p) // 2
    for layer in range(depth):
        x = x.dot(p[f"layers.{layer}.weight"].T) + p[f"layers.{layer}.bias"]
        x = ex.tanh(x) if layer < depth - 1 else x
    return x
