"""A chain's distilled outputs along the ray."""

from __future__ import annotations

from flint import arb, arb_mat

from subtx_toy.certify.checker.chain import Chain
from subtx_toy.certify.checker.chain_layers import Affine, LayerNorm, Pool, Rounding
from subtx_toy.certify.checker.grid import COARSE, FINE, on_grid
from subtx_toy.certify.checker.network import matrix
from subtx_toy.certify.checker.passes import activated
from subtx_toy.certify.checker.path import Path, Range, nothing
from subtx_toy.certify.checker.rejected import Rejected
from subtx_toy.certify.checker.units import UNITS, Unit

_EXACT = Rounding(lambda given: given, lambda given: given)
_ON_GRIDS = Rounding(lambda given: on_grid(given, FINE), lambda given: on_grid(given, COARSE))


class ChainOutputs:
    """The teacher's distilled outputs, as ``Outputs`` are of a perceptron."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.rounding = chain, _EXACT if chain.exact else _ON_GRIDS
        self.inputs = matrix(chain.inputs)
        self.layers = [self._layer(number) for number in range(len(chain.layers))]

    def _layer(self, number: int) -> Affine | Pool | LayerNorm | Unit | None:
        layer = self.chain.layers[number]
        if layer.kind in ("linear", "conv2d"):
            return Affine(self.chain, layer)
        if layer.kind == "layer_norm":
            return LayerNorm(self.chain, layer)
        return Pool(layer) if layer.kind == "avg_pool2d" else UNITS.get(layer.kind)

    def _through(self, over: Range, rounding: Rounding, *, kinks: bool = False) -> Path:
        still = nothing(self.inputs)
        z = Path(self.inputs, still if self.chain.smooth else None, still)
        for layer in self.layers:
            if isinstance(layer, Affine):
                z = layer.through(z, over, rounding)
            elif isinstance(layer, Pool):
                z = layer.through(z)
            elif isinstance(layer, LayerNorm):
                z = layer.through(z, over)
            elif layer is not None:  # flattened rows are the same rows
                if kinks and not layer.smooth and any(one.contains(0) for one in z.value.entries()):
                    raise Rejected("a unit stands at its kink at the shared init")
                z = activated(layer, z, over)
        return z.linear(self._distilled)

    def _distilled(self, values: arb_mat) -> arb_mat:
        return arb_mat([[row[column] for column in self.chain.columns] for row in values.tolist()])

    def over(self, box: Range) -> Path:
        """Enclose them over a box, ``[n, k]``."""
        return self._through(box, self.rounding)

    def start(self) -> tuple[arb_mat, arb_mat]:
        """Return outputs and v = J dT at the init.

        Raises:
            Rejected: if a unit stands at its kink there, where the Jacobian is a convention.
        """
        found = self._through(Range(arb(0), arb(0)), _EXACT, kinks=True)
        return found.value, found.last if found.slope is None else found.slope
