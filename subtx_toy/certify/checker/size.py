"""How much a network asks of the checker, and the cap of its direction."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from subtx_toy.certify.checker.chain import Chain
from subtx_toy.certify.checker.document import LARGEST
from subtx_toy.certify.checker.limits import (
    MAX_BOX_ENTRIES,
    MAX_BOX_PRODUCTS,
    MAX_ENTRIES,
    MAX_LAYERS,
    MAX_NUMBERS,
    MAX_PIECES,
    MAX_PRODUCTS,
    MAX_UNITS,
)
from subtx_toy.certify.checker.network import Network
from subtx_toy.certify.checker.proof import network_of
from subtx_toy.certify.checker.rejected import Rejected


def most_pieces(
    settings: dict[str, Any], arrays: dict[str, np.ndarray], quantity: str, *, cap: float | None = None
) -> int:
    """Refuse a network that takes too much, and a cap beyond that of the direction; return the pieces for one box.

    Raises:
        Rejected: with the limit that it exceeds.
    """
    if (numbers := sum(value.size for value in arrays.values())) > MAX_NUMBERS:
        raise Rejected(f"the arrays hold {numbers} numbers, more than {MAX_NUMBERS}")
    network = network_of(settings, arrays, quantity)
    size = _size_of_chain(network) if isinstance(network, Chain) else _size(network)
    for what, found, limit in (
        ("layers", size.layers, MAX_LAYERS), ("units in a layer", size.units, MAX_UNITS),
        ("activations", size.entries, MAX_ENTRIES), ("multiplications in a pass", size.products, MAX_PRODUCTS),
    ):  # fmt: skip
        if found > limit:
            raise Rejected(f"the network has {found} {what}, more than {limit}")
    if cap is not None:
        _check_cap(cap, arrays)
    return min(MAX_PIECES, MAX_BOX_PRODUCTS // size.products, MAX_BOX_ENTRIES // size.entries)


class _Size(NamedTuple):
    layers: int
    units: int
    entries: int
    products: int


def _size(network: Network) -> _Size:
    sizes = [
        network.inputs.shape[1],
        *(network.arrays[f"layers.{layer}.weight"].shape[0] for layer in range(network.depth)),
    ]
    rows, width = [len(network.inputs)], sum(sizes)
    products = len(network.inputs) * sum(a * b for a, b in pairwise(sizes))
    if network.quantity == "trait-loss":
        rows.append(len(network.trait_inputs))
        products += rows[1] * sum(a * b for a, b in pairwise(sizes)) + rows[0] * rows[1] * width
    elif network.quantity == "distance":
        products += rows[0] ** 2 * width
    return _Size(network.depth, max(sizes), sum(rows) * width, products)


def _size_of_chain(chain: Chain) -> _Size:
    rows, widths, products = len(chain.inputs), [chain.inputs.shape[1]], 0
    for layer in chain.layers:
        widths.append(math.prod(layer.after))
        if layer.kind in ("conv2d", "avg_pool2d"):  # what every position sees is written down
            widths.append(math.prod(layer.windows))
        products += layer.products
    units = max(math.prod(layer.after) for layer in chain.layers)
    return _Size(len(chain.layers), units, rows * sum(widths), rows * products)


def _check_cap(cap: float, arrays: dict[str, np.ndarray]) -> None:
    parts = []
    for name in arrays:
        if name.startswith("direction."):
            low = arrays.get(name.replace("direction.", "direction_low.", 1))
            with np.errstate(over="ignore"):
                parts.append((arrays[name] + (0.0 if low is None else low)).ravel())
    whole = np.concatenate(parts)
    largest = float(np.abs(whole).max())
    if not 0 < largest <= LARGEST:
        raise Rejected("the direction is zero, so nothing moves" if largest == 0 else "the direction is too long")
    relative = math.sqrt(float(np.square(whole / largest).sum()))  # of no overflow, whatever the direction
    if not (cap > 0 and (cap * largest) * relative <= 1000 * (1 + 1e-9)):
        raise Rejected(f"the cap {cap!r} is beyond 1000 / ||dT||, where ||dT|| = {largest * relative!r}")
