"""Forged certificates of chains: layers, their words and their arrays changed, with every hash brought into line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from subtx_toy.certify.certificate import ProvedRange, to_bytes
from subtx_toy.certify.description import describe
from subtx_toy.certify.search import find_range
from tests.unit.certify.drawn_chains import chain_problem
from tests.verdicts.forgeries import NUMBERS, Arrays, Change, Document, Forgery, in_line, parts

ORIGINALS = {"norm": ("every-batch", None), "convolution": ("alignment", 2.0), "kinks": ("alignment", 1.0)}


def chain_originals(*names: str) -> dict[str, ProvedRange]:
    """Return a true certificate of each chain."""
    found = {}
    for name in names:
        quantity, eps_max = ORIGINALS[name]
        found[name] = find_range(describe(chain_problem(name), quantity), eps_max=eps_max, max_boxes=60)
    return found


def _layers(document: Document) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = document["problem"]["settings"]["layers"]
    return layers


def _words(kind: str, field: str, value: Any) -> Change:
    def change(document: Document, _: Arrays, __: np.random.Generator) -> None:
        for words in _layers(document):
            if words["kind"] == kind:
                words[field] = value

    return change


def _setting(name: str, value: Any) -> Change:
    def change(document: Document, _: Arrays, __: np.random.Generator) -> None:
        document["problem"]["settings"][name] = value

    return change


def _flipped(_: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    name = rng.choice([one for one in sorted(arrays) if one.startswith("layers.")])
    place = int(rng.integers(arrays[name].size))
    arrays[name].ravel()[place] *= -1


def _swapped(document: Document, _: Arrays, rng: np.random.Generator) -> None:
    layers = _layers(document)
    place = int(rng.integers(len(layers) - 1))
    layers[place : place + 2] = layers[place : place + 2][::-1]


def _swapped_with_arrays(document: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    place = int(rng.integers(len(_layers(document)) - 1))
    _swapped(document, arrays, rng)
    for name in list(arrays):
        prefix, found, rest = name.partition("layers.")
        number, _, kind = rest.partition(".")
        if found and int(number) in (place, place + 1):
            arrays[f"{prefix}moved.{2 * place + 1 - int(number)}.{kind}"] = arrays.pop(name)
    for name in [one for one in arrays if "moved." in one]:
        arrays[name.replace("moved.", "layers.")] = arrays.pop(name)


def _other_activation(document: Document, _: Arrays, rng: np.random.Generator) -> None:
    for words in _layers(document):
        if words["kind"] in ("tanh", "gelu", "relu"):
            words["kind"] = str(rng.choice(["sigmoid", "softplus", "relu", "tanh"]))


def _left_out(document: Document, _: Arrays, rng: np.random.Generator) -> None:
    del _layers(document)[int(rng.integers(len(_layers(document))))]


def _twice(document: Document, _: Arrays, rng: np.random.Generator) -> None:
    place = int(rng.integers(len(_layers(document))))
    _layers(document).insert(place, dict(_layers(document)[place]))


def _no_bias(_: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    name = rng.choice([one for one in sorted(arrays) if one.startswith("layers.") and one.endswith("bias")])
    del arrays[name], arrays[f"direction.{name}"]


def _no_motion(_: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    del arrays[rng.choice([one for one in sorted(arrays) if one.startswith("direction.")])]


def _transposed(_: Document, arrays: Arrays, __: np.random.Generator) -> None:
    for name in arrays:
        if arrays[name].ndim > 1 and "layers." in name:
            arrays[name] = np.ascontiguousarray(arrays[name].swapaxes(-1, -2))


def _flat_weights(_: Document, arrays: Arrays, __: np.random.Generator) -> None:
    for name in arrays:
        arrays[name] = arrays[name].reshape(len(arrays[name]), -1)


def _other_inputs(_: Document, arrays: Arrays, rng: np.random.Generator) -> None:
    arrays["inputs"] = arrays["inputs"][:, rng.permutation(arrays["inputs"].shape[1])]


CHAIN_NUMBERS: dict[str, tuple[Change, int, bool]] = {
    "a weight flipped": (_flipped, 4, False),
    "layers swapped": (_swapped, 3, False),
    "layers swapped with their arrays": (_swapped_with_arrays, 3, False),
    "another activation": (_other_activation, 3, False),
    "a layer left out": (_left_out, 3, False),
    "a layer twice": (_twice, 3, False),
    "no bias": (_no_bias, 2, False),
    "no motion of an array": (_no_motion, 2, True),
    "kernels transposed": (_transposed, 1, False),
    "arrays of two axes": (_flat_weights, 1, False),
    "inputs in another order": (_other_inputs, 2, False),
    "another stride": (_words("conv2d", "stride", [1, 2]), 1, False),
    "another padding": (_words("conv2d", "padding", [0, 1]), 1, False),
    "another dilation": (_words("conv2d", "dilation", [1, 2]), 1, False),
    "other groups": (_words("conv2d", "groups", 2), 1, False),
    "another kernel": (_words("avg_pool2d", "kernel", [1, 2]), 1, False),
    "a stride of pooling": (_words("avg_pool2d", "stride", [1, 1]), 1, False),
    "padding of pooling": (_words("avg_pool2d", "padding", [1, 1]), 1, False),
    "another eps": (_words("layer_norm", "eps", 1e-4), 1, False),
    "a larger eps": (_words("layer_norm", "eps", 1.0), 1, False),
    "a small eps": (_words("layer_norm", "eps", 5e-324), 1, False),
    "another input shape": (_setting("input_shape", [2, 4, 8]), 1, False),
    "the shape of normalisation": (_words("layer_norm", "shape", [3]), 1, False),
    "a stride of zero": (_words("conv2d", "stride", [0, 1]), 1, False),
    "a stride beyond the image": (_words("conv2d", "stride", [10**9, 1]), 1, False),
    "much padding": (_words("conv2d", "padding", [16_000, 16_000]), 1, False),
    "a negative padding": (_words("conv2d", "padding", [-1, 0]), 1, False),
    "a stride that is true": (_words("conv2d", "stride", [True, True]), 1, False),
    "no groups": (_words("conv2d", "groups", 0), 1, False),
    "a huge kernel of pooling": (_words("avg_pool2d", "kernel", [10_000, 10_000]), 1, False),
    "an eps of zero": (_words("layer_norm", "eps", 0.0), 1, False),
    "an eps below zero": (_words("layer_norm", "eps", -1e-5), 1, False),
    "an eps as text": (_words("layer_norm", "eps", "1e-5"), 1, False),
    "no layers": (_setting("layers", []), 1, True),
    "layers as a table": (_setting("layers", {"0": {"kind": "linear"}}), 1, True),
    "a layer as a list": (_setting("layers", [["linear"]]), 1, True),
    "a layer of no kind": (_setting("layers", [{}]), 1, True),
    "an unknown kind": (_setting("layers", [{"kind": "max_pool2d"}]), 1, True),
    "a kind that is a list": (_setting("layers", [{"kind": ["linear"]}]), 1, True),
    "a hundred layers": (_setting("layers", [{"kind": "flatten"}] * 100), 1, True),
    "an unknown field": (_words("linear", "bias", True), 1, True),
    "an activation of a perceptron": (_setting("activation", "tanh"), 1, True),
    "a trait": (_setting("trait", "cross_entropy"), 1, True),
    "an input shape of four": (_setting("input_shape", [1, 1, 8, 8]), 1, True),
    "a huge input shape": (_setting("input_shape", [16_000, 16_000, 16_000]), 1, True),
    "an input shape as text": (_setting("input_shape", "8"), 1, True),
}
"""Change, seeds per original, and whether the file is malformed whatever its numbers."""

_SHARED = (
    "weights nudged", "weights or inputs redrawn", "another direction", "the direction reversed", "eps stretched",
    "one box", "a box of one ulp", "bounds changed", "another negative", "a negative where it is positive",
)  # fmt: skip


def chain_numbers(certificates: dict[str, ProvedRange]) -> Iterator[Forgery]:
    """Yield forgeries with everything in line; those that change nothing of an original are left out."""
    kinds = CHAIN_NUMBERS | {kind: (NUMBERS[kind][0], 2, NUMBERS[kind][2]) for kind in _SHARED if kind in NUMBERS}
    for kind, (change, seeds, malformed) in kinds.items():
        for name, certificate in certificates.items():
            before = to_bytes(in_line(*parts(certificate)), parts(certificate)[1])
            for seed in range(seeds):
                document, arrays = parts(certificate)
                change(document, arrays, np.random.default_rng([seed, len(kind), len(name)]))
                content = to_bytes(in_line(document, arrays), arrays)
                if content != before:
                    yield Forgery(f"{kind}, {name}, {seed}", content, malformed)


def versions(certificate: ProvedRange, perceptron: ProvedRange) -> Iterator[Forgery]:
    """Yield files whose version is that of the other kind of network."""
    for name, original, version in (("a chain", certificate, 1), ("a perceptron", perceptron, 2)):
        document, arrays = parts(original)
        document["version"] = version
        yield Forgery(f"{name} in version {version}", to_bytes(in_line(document, arrays), arrays), True)


def chain_bombs(certificate: ProvedRange) -> Iterator[Forgery]:
    """Yield chains that ask for memory or time by few words."""
    wide = {"kind": "conv2d", "stride": [1, 1], "padding": [60, 60], "dilation": [1, 1], "groups": 1}
    pool = {"kind": "avg_pool2d", "kernel": [126, 126], "stride": [1, 1], "padding": [0, 0]}
    ends = [{"kind": "flatten"}, {"kind": "linear"}]
    bombs: dict[str, tuple[list[dict[str, Any]], dict[str, tuple[int, ...]]]] = {
        "a frame of zeros": ([wide, *ends], {"layers.0.weight": (1, 1, 3, 3), "layers.2.weight": (2, 126 * 126)}),
        "windows of everything": (
            [{**pool, "padding": [63, 63]}, *ends], {"layers.2.weight": (2, 81)},
        ),
        "a large kernel": (
            [wide, {"kind": "tanh"}, *ends], {"layers.0.weight": (1, 1, 100, 100), "layers.3.weight": (2, 29 * 29)},
        ),
        "many normalisations": (
            [{"kind": "layer_norm", "shape": [8], "eps": 1e-5}] * 62 + ends, {"layers.63.weight": (2, 64)},
        ),
    }  # fmt: skip
    for name, (layers, shapes) in bombs.items():
        yield _of_layers(certificate, name, layers, shapes, [1, 8, 8], rows=8)


def slow_chain_bombs(certificate: ProvedRange) -> Iterator[Forgery]:
    """Yield chains within every limit that ask for as much time as they can."""
    norm, gelu = {"kind": "layer_norm", "shape": [64], "eps": 1e-5}, {"kind": "gelu"}
    layers: list[dict[str, Any]] = [{"kind": "linear"}, norm, gelu, norm, gelu, {"kind": "linear"}]
    shapes: dict[str, tuple[int, ...]] = {"layers.0.weight": (64, 8), "layers.5.weight": (4, 64)}
    yield _of_layers(certificate, "normalisations of many rows", layers, shapes, [8], rows=1500)
    pool = {"kind": "avg_pool2d", "kernel": [5, 5], "stride": [1, 1], "padding": [2, 2]}
    layers = [pool, {"kind": "tanh"}, pool, {"kind": "flatten"}, {"kind": "linear"}]
    yield _of_layers(certificate, "large windows", layers, {"layers.4.weight": (4, 256)}, [1, 16, 16], rows=36)


def _of_layers(
    certificate: ProvedRange,
    name: str,
    layers: list[dict[str, Any]],
    shapes: dict[str, tuple[int, ...]],
    input_shape: list[int],
    *,
    rows: int,
) -> Forgery:
    rng, (document, _) = np.random.default_rng(0), parts(certificate)
    arrays = {"inputs": rng.normal(size=(rows, int(np.prod(input_shape))))}
    for array, shape in shapes.items():
        for prefix in ("", "direction."):
            arrays[f"{prefix}{array}"] = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    document["problem"]["settings"] |= {"layers": layers, "input_shape": input_shape, "columns": [0, 1]}
    cap = float(500 / np.sqrt(sum(float((v**2).sum()) for n, v in arrays.items() if n.startswith("direction."))))
    document["claim"] |= {"cap": cap, "eps_certified": cap}
    document["boxes"], document["negative"] = [[0.0, cap, 1e-300]], None
    return Forgery(f"bomb: {name}", to_bytes(in_line(document, arrays), arrays), False)
