"""Between torch modules and the words of a chain: what a Sequential consists of, and one that is built from words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from subtx_toy.certify.chain.layout import Words
from subtx_toy.errors import InputError

_PLAIN: dict[type[nn.Module], str] = {
    nn.Linear: "linear", nn.Conv2d: "conv2d", nn.AvgPool2d: "avg_pool2d", nn.LayerNorm: "layer_norm",
    nn.Flatten: "flatten", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid", nn.Softplus: "softplus", nn.GELU: "gelu",
    nn.ReLU: "relu",
}  # fmt: skip
_NOTHING = (nn.Identity, nn.Dropout)
KNOWN = ", ".join(kind.__name__ for kind in _PLAIN)


def layers_of(module: nn.Module, place: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a Sequential in their order, with the places of their parameters; a layer alone is one."""
    if type(module) is nn.Sequential:
        for name, part in module._modules.items():  # a part that stands twice is two layers, of the same parameters
            assert part is not None
            yield from layers_of(part, f"{place}{name}.")
    elif not (type(module) in _NOTHING and (type(module) is nn.Identity or not module.training)):
        yield place, module


def obstacles(module: nn.Module) -> list[str]:
    """Say why a module is no chain that a certificate can speak of."""
    found = []
    for place, part in layers_of(module):
        name, kind = f"model.{place}".rstrip("."), type(part).__name__
        if type(part) not in _PLAIN:
            found.append(f"{name}: expected a perceptron or a Sequential of {KNOWN}, got {kind}")
        elif reason := _unusual(part):
            found.append(f"{name}: expected {reason}, got {part}{_hidden_option(part)}")
    for name, part in module.named_modules():
        hooks = part._forward_hooks, part._forward_pre_hooks, part._backward_hooks, part._backward_pre_hooks
        if any(hooks) or "forward" in vars(part):
            place, what = f"model.{name}".rstrip("."), "hooks" if any(hooks) else "a forward of its own"
            found.append(f"{place}: expected a {type(part).__name__} as torch has it, got one with {what}")
    return found


def _unusual(part: nn.Module) -> str:
    if isinstance(part, nn.Conv2d):
        if part.padding_mode != "zeros":
            return "padding with zeros"
        return "" if _padding(part) is not None else "the same padding on both sides"
    if isinstance(part, nn.AvgPool2d):
        return "means of whole windows, padding included" if _hidden_option(part) else ""
    if isinstance(part, nn.Flatten):
        return "" if (part.start_dim, part.end_dim) == (1, -1) else "all axes but the first to be flattened"
    if isinstance(part, nn.GELU):
        return "" if part.approximate == "none" else "no approximation"
    if isinstance(part, nn.Softplus):
        return "" if part.beta == 1 else "beta = 1"
    if isinstance(part, nn.LayerNorm):
        return "" if part.eps > 0 and math.isfinite(part.eps) else "a finite eps > 0"
    return ""


def _hidden_option(part: nn.Module) -> str:
    # What torch leaves out where it prints a layer.
    if not isinstance(part, nn.AvgPool2d):
        return ""
    if part.ceil_mode:
        return " with ceil_mode=True"
    if part.divisor_override:
        return f" with divisor_override={part.divisor_override}"
    return "" if part.count_include_pad or _pair(part.padding) == [0, 0] else " with count_include_pad=False"


def words_of(part: nn.Module) -> Words:
    """Return a layer in words; it has no obstacle."""
    words: Words = {"kind": _PLAIN[type(part)]}
    if isinstance(part, nn.Conv2d):
        padding = _padding(part)
        assert padding is not None
        words |= {"stride": _pair(part.stride), "padding": padding}
        words |= {"dilation": _pair(part.dilation), "groups": part.groups}
    elif isinstance(part, nn.AvgPool2d):
        words |= {
            "kernel": _pair(part.kernel_size), "stride": _pair(part.stride), "padding": _pair(part.padding)
        }  # fmt: skip
    elif isinstance(part, nn.LayerNorm):
        words |= {"shape": list(part.normalized_shape), "eps": float(part.eps)}
    return words


def module_of(layers: list[Words], arrays: dict[str, torch.Tensor]) -> nn.Sequential:
    """Build a float64 Sequential from words and the arrays ``0.weight``, ``0.bias``, and so on by their places.

    Raises:
        InputError: if an array is missing, is left over, or has another number of axes.
    """
    parts, left = list[nn.Module](), set(arrays)
    for number, words in enumerate(layers):
        own = {kind: arrays[name] for kind in ("weight", "bias") if (name := f"{number}.{kind}") in arrays}
        part = _part(words, own, f"layer {number}, {words['kind']}")
        left -= {f"{number}.{kind}" for kind, _ in part.named_parameters()}
        parts.append(part)
    InputError.gather(f"arrays: expected only those of the layers, got {name!r} besides" for name in sorted(left))
    found = nn.Sequential(*parts).double()
    with torch.no_grad():
        for name, value in found.named_parameters():
            if value.shape != arrays[name].shape:
                want, got = list(value.shape), list(arrays[name].shape)
                raise InputError(f"{name}: expected the shape {want}, got {got}")
            value.copy_(arrays[name])
    return found


def _part(words: Words, own: dict[str, torch.Tensor], where: str) -> nn.Module:
    kind, bias = words["kind"], "bias" in own
    axes = {"linear": 2, "conv2d": 4}.get(kind)
    if axes and ("weight" not in own or own["weight"].ndim != axes):
        got = f"one of shape {list(own['weight'].shape)}" if "weight" in own else "none"
        raise InputError(f"{where}: expected a weight of {axes} axes, got {got}")
    if kind == "linear":
        outputs, inputs = own["weight"].shape
        return nn.Linear(inputs, outputs, bias=bias)
    if kind == "conv2d":
        outputs, inputs, *kernel = own["weight"].shape
        groups = words["groups"]
        if outputs % groups:
            raise InputError(f"{where}: expected a number of outputs that the {groups} groups share, got {outputs}")
        return nn.Conv2d(
            inputs * groups, outputs, _two(kernel), _two(words["stride"]), _two(words["padding"]),
            _two(words["dilation"]), groups, bias=bias,
        )  # fmt: skip
    if kind == "avg_pool2d":
        return nn.AvgPool2d(_two(words["kernel"]), _two(words["stride"]), _two(words["padding"]))
    if kind == "layer_norm":
        return nn.LayerNorm(words["shape"], words["eps"], elementwise_affine="weight" in own, bias=bias)
    return next(made for made, name in _PLAIN.items() if name == kind)()


def _pair(value: Any) -> list[int]:
    return [int(value)] * 2 if isinstance(value, int) else [int(one) for one in value]


def _two(value: Sequence[int]) -> tuple[int, int]:
    first, second = value
    return first, second


def _padding(part: nn.Conv2d) -> list[int] | None:
    if part.padding == "valid":
        return [0, 0]
    if part.padding != "same":
        return _pair(part.padding)
    total = [d * (k - 1) for d, k in zip(part.dilation, part.kernel_size, strict=True)]
    return None if any(one % 2 for one in total) else [one // 2 for one in total]
