"""The student of a file: its update as backward passes, its norm and its trait loss along a box."""

from __future__ import annotations

from flint import arb, arb_mat

from subtx_toy.certify.checker.network import Network, Rows, matrix
from subtx_toy.certify.checker.passes import Path, Range, activated, at_init, dot, entrywise, mean_log_sum_exp, nothing


class Update:
    """dS = (1/n) sum_i J_i^T rho_i: of layer l, delta_l^T a_l and 1^T delta_l, delta_l the backward pass of rho / n."""

    def __init__(self, network: Network) -> None:
        self.network, passed = network, at_init(network, matrix(network.inputs), network.columns)
        self.inputs = [a for a, _ in passed]
        self.slopes = [entrywise(lambda at: network.unit.slopes(at)[0], z) for _, z in passed[:-1]]
        self.back = [network.weight(layer).transpose() for layer in range(network.depth - 1)]
        self.back.append(network.weight(network.depth - 1, rows=network.columns).transpose())

    def backward(self, rho: Path) -> list[Path]:
        """Return delta_l of every layer for rho ``[n, k]``."""
        delta = rho.linear(lambda one: one * (1 / arb(one.nrows())))
        found = [delta]
        for layer in range(self.network.depth - 2, -1, -1):
            delta = delta.linear(lambda one, at=layer: self._through(one, at))  # type: ignore[misc]
            found.append(delta)
        return found[::-1]

    def _through(self, delta: arb_mat, layer: int) -> arb_mat:
        return entrywise(lambda a, b: a * b, delta * self.back[layer + 1], self.slopes[layer])

    def squared_norm(self, deltas: list[Path], over: Range) -> list[arb]:
        """Return value, slope (if smooth) and last of ||dS||^2."""
        kernels = [one * one.transpose() for one in self.inputs]
        parts = [arb(0) for _ in deltas[0].parts()]
        for kernel, delta in zip(kernels, deltas, strict=True):
            whole, whole_slope = delta.whole(over)
            parts[0] += _form(kernel, delta.value, delta.value)
            if delta.slope is None:
                parts[1] += 2 * _form(kernel, whole, delta.last)
            else:
                parts[1] += 2 * _form(kernel, delta.value, delta.slope)
                parts[2] += 2 * _form(kernel, whole, delta.last) + _form(kernel, whole_slope, whole_slope)
        return parts

    def constant_norm(self, deltas: list[arb_mat]) -> arb:
        """Return ||dS||^2 for given deltas."""
        forms = (_form(one * one.transpose(), delta, delta) for one, delta in zip(self.inputs, deltas, strict=True))
        return sum(forms, arb(0))

    def trait_loss(self, rho: Path, over: Range) -> list[arb]:
        """Return value, slope (if smooth) and last of the trait loss after the student's step."""
        network, x = self.network, matrix(self.network.trait_inputs)
        y = Path(x, None if rho.slope is None else nothing(x), nothing(x))
        for layer, delta in enumerate(self.backward(rho)):
            is_last = layer == network.depth - 1
            step = delta.linear(lambda one: one * network.student_lr)
            if is_last:
                step = step.linear(self._onto_trait)
            z = self._moved(layer, y, step, over, rows=network.trait_columns if is_last else slice(None))
            y = z if is_last else activated(network, z, over)
        return self._loss(y, over)

    def loss_at_init(self) -> arb:
        """Return the trait loss at the shared init."""
        _, z = at_init(self.network, matrix(self.network.trait_inputs), self.network.trait_columns)[-1]
        return self._loss(Path(z, None, nothing(z)), Range(arb(0), arb(0)))[0]

    def _moved(self, layer: int, y: Path, step: Path, over: Range, *, rows: Rows) -> Path:
        # z = y W + b + (y a^T + 1) step, and its first two derivatives by the product rule
        W, a = self.network.weight(layer, rows=rows), self.inputs[layer].transpose()
        b = self.network.bias(layer, y.value.nrows(), rows=rows)
        whole_y, slope_y = y.whole(over)
        whole, slope = step.whole(over)
        gram, gram_whole, gram_slope = _plus_one(y.value * a), _plus_one(whole_y * a), slope_y * a
        value = y.value * W + b + gram * step.value
        if y.slope is None or step.slope is None:
            return Path(value, None, y.last * W + gram_slope * whole + gram_whole * step.last)
        first = y.slope * W + (y.slope * a) * step.value + gram * step.slope
        last = y.last * W + (y.last * a) * whole + gram_slope * slope + gram_whole * step.last
        return Path(value, first, last)

    def _onto_trait(self, delta: arb_mat) -> arb_mat:
        # of the trait's outputs only the distilled ones move
        wanted, moved = self.network.trait_columns, self.network.columns
        return arb_mat(
            [[row[moved.index(one)] if one in moved else arb(0) for one in wanted] for row in delta.tolist()]
        )

    def _loss(self, z: Path, over: Range) -> list[arb]:
        rows, targets = z.value.nrows(), self.network.targets
        if self.network.trait == "cross_entropy":
            labels = [int(one) for one in targets.tolist()]
            picked = [sum((one[i, labels[i]] for i in range(rows)), arb(0)) / rows for one in z.parts()]
            return [a - b for a, b in zip(mean_log_sum_exp(z, over), picked, strict=True)]
        y = matrix(targets)
        gap = Path(z.value - y, z.slope, z.last)
        whole, whole_slope = gap.whole(over)
        parts = [_inner(gap.value, gap.value) / 2]
        if gap.slope is None:
            parts += [_inner(whole, gap.last)]
        else:
            parts += [_inner(gap.value, gap.slope), _inner(whole, gap.last) + _inner(whole_slope, whole_slope) / 2]
        return [one / rows for one in parts]


def _plus_one(of: arb_mat) -> arb_mat:
    return entrywise(lambda one: one + 1, of)


def _inner(a: arb_mat, b: arb_mat) -> arb:
    return dot(a.entries(), b.entries())


def _form(kernel: arb_mat, a: arb_mat, b: arb_mat) -> arb:
    # <a, (kernel + 1) b>: the 1 is for the bias
    return _inner(a, _plus_one(kernel) * b)
