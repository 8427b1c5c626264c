"""The student of a file: its update as backward passes, its norm and its trait loss along a box."""

from __future__ import annotations

from flint import arb, arb_mat

from subtx_toy.certify.checker.network import Network, Rows, matrix
from subtx_toy.certify.checker.passes import activated, at_init, mean_log_sum_exp
from subtx_toy.certify.checker.path import Path, Range, dot, entrywise, multiplied, nothing


class Update:
    """dS = (1/n) sum_i J_i^T rho_i: of layer l, delta_l^T a_l and 1^T delta_l, delta_l the backward pass of rho / n."""

    def __init__(self, network: Network) -> None:
        self.network, passed = network, at_init(network, matrix(network.inputs), network.columns)
        self.inputs = [a for a, _ in passed]
        self.slopes = [entrywise(lambda at: network.unit.slopes(at)[0], z) for _, z in passed[:-1]]
        back = [network.weight(layer).transpose() for layer in range(1, network.depth - 1)]
        if network.depth > 1:
            back.append(network.weight(network.depth - 1, rows=network.columns).transpose())
        self.back = [(network.fine(one), network.coarse(one)) for one in back]
        if network.quantity == "distance":
            self.kernels = [_plus_one(a * a.transpose()) for a in self.inputs]
        else:
            self._student()

    def _student(self) -> None:
        # What the student's pass needs at every step size: its weights, and the Gram matrices of the first layer.
        network, x = self.network, matrix(self.network.trait_inputs)
        self.x, last = x, network.depth - 1
        self.layers = []
        for layer in range(network.depth):
            rows: Rows = network.trait_columns if layer == last else slice(None)
            W, a = network.weight(layer, rows=rows), self.inputs[layer].transpose()
            forms = (network.fine(W), network.coarse(W), network.fine(a), network.coarse(a))
            self.layers.append((forms, network.bias(layer, x.nrows(), rows=rows)))
        rows = network.trait_columns if last == 0 else slice(None)
        self.first = x * network.weight(0, rows=rows) + self.layers[0][1]
        self.gram = _plus_one(x * self.inputs[0].transpose())

    def backward(self, rho: Path) -> list[Path]:
        """Return delta_l of every layer for rho ``[n, k]``."""
        delta = rho.linear(lambda one: one * (1 / arb(one.nrows())))
        found = [delta]
        for layer in range(self.network.depth - 2, -1, -1):
            delta = self._through(delta, layer)
            found.append(delta)
        return found[::-1]

    def _through(self, delta: Path, layer: int) -> Path:
        fine, coarse = self.back[layer]
        value, *rest = delta.parts()
        products = [self.network.fine(value) * fine, *(self.network.coarse(one) * coarse for one in rest)]
        return Path.of([entrywise(arb.__mul__, one, self.slopes[layer]) for one in products])

    def squared_norm(self, deltas: list[Path], over: Range) -> list[arb]:
        """Return the coefficients of ||dS||^2, the last one over the box."""
        forms = [_squared(kernel, delta, over) for kernel, delta in zip(self.kernels, deltas, strict=True)]
        return [sum(one, arb(0)) for one in zip(*forms, strict=True)]

    def constant_norm(self, deltas: list[arb_mat]) -> arb:
        """Return ||dS||^2 for given deltas."""
        return sum((_form(kernel, one, one) for kernel, one in zip(self.kernels, deltas, strict=True)), arb(0))

    def trait_loss(self, rho: Path, over: Range) -> list[arb]:
        """Return the coefficients of the trait loss after the student's step, the last one over the box."""
        y = Path.of([self.x, self.x])  # of the first layer, which does not use it
        for layer, delta in enumerate(self.backward(rho)):
            step = delta.linear(lambda one: one * self.network.student_lr)
            if layer == self.network.depth - 1:
                step = step.linear(self._onto_trait)
            z = self._moved(layer, y, step, over) if layer else self._first_moved(step)
            y = z if layer == self.network.depth - 1 else activated(self.network.unit, z, over)
        return self._loss(y, over)

    def loss_at_init(self) -> arb:
        """Return the trait loss at the shared init."""
        _, z = at_init(self.network, matrix(self.network.trait_inputs), self.network.trait_columns)[-1]
        return self._loss(Path(z, None, nothing(z)), Range(arb(0), arb(0)))[0]

    def _first_moved(self, step: Path) -> Path:
        fine, coarse = self.network.fine(self.gram), self.network.coarse(self.gram)
        value, *rest = step.parts()
        moved = [coarse * self.network.coarse(one) for one in rest]
        return Path.of([self.first + fine * self.network.fine(value), *moved])

    def _moved(self, layer: int, y: Path, step: Path, over: Range) -> Path:
        # z = y W + b + (y a^T + 1) step
        fine, coarse = self.network.fine, self.network.coarse
        (W, coarse_W, a, coarse_a), b = self.layers[layer]
        value, *rest = y.parts()
        value, rest = fine(value), [coarse(one) for one in rest]
        gram = Path.of([_plus_one(value * a), *(one * coarse_a for one in rest)])

        def product(one: arb_mat, other: arb_mat, number: int) -> arb_mat:
            rounded = coarse if number else fine
            return rounded(one) * rounded(other)

        through = [value * W + b, *(one * coarse_W for one in rest)]
        moved = multiplied(gram, step, over, product).parts()
        return Path.of([one + other for one, other in zip(through, moved, strict=True)])

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
        gap = Path.of([z.value - y, *z.parts()[1:]])
        squares = multiplied(gap, gap, over, lambda a, b, _: arb_mat([[_inner(a, b)]]))
        return [one[0, 0] / (2 * rows) for one in squares.parts()]


def _squared(kernel: arb_mat, delta: Path, over: Range) -> list[arb]:
    form = multiplied(delta, delta, over, lambda a, b, _: arb_mat([[_form(kernel, a, b)]]))
    return [one[0, 0] for one in form.parts()]


def _plus_one(of: arb_mat) -> arb_mat:
    return entrywise(lambda one: one + 1, of)


def _inner(a: arb_mat, b: arb_mat) -> arb:
    return dot(a.entries(), b.entries())


def _form(kernel: arb_mat, a: arb_mat, b: arb_mat) -> arb:
    return _inner(a, kernel * b)
