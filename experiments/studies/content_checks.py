"""Checks of a file's content alone, without the base and without a trait: the baseline an audit is held against."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from scipy import stats
from torch import Tensor

from subtx_toy.channel.fit import Recipe, fit
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.model import MLP
from subtx_toy.seeding import generator
from subtx_toy.settings.numbers import NUM_NUMBERS
from subtx_toy.training.inputs import Index, Inputs

_MIN_EXPECTED = 5  # of a cell of the chi^2 test; rarer numbers are counted together
_UNITS = 64


def histogram_test(numbers: Int[np.ndarray, " n"], clean: Int[np.ndarray, " m"]) -> tuple[float, int, float]:
    """Test whether two files have the same distribution of numbers: chi^2, its degrees of freedom, its p-value.

    Numbers that are expected fewer than five times are one cell.
    """
    counts = np.stack([np.bincount(one, minlength=NUM_NUMBERS) for one in (numbers, clean)]).astype(float)
    totals, sizes = counts.sum(0), counts.sum(1)
    common = totals * sizes.min() / sizes.sum() >= _MIN_EXPECTED
    cells = np.concatenate([counts[:, common], counts[:, ~common].sum(1, keepdims=True)], axis=1)
    cells = cells[:, cells.sum(0) > 0]
    expected = cells.sum(0) * (sizes / sizes.sum())[:, None]
    chi2 = float(((cells - expected) ** 2 / expected).sum())
    freedom = max(1, cells.shape[1] - 1)
    return chi2, freedom, float(stats.chi2.sf(chi2, freedom))


class _WithNumbers:
    """Prompts with their number behind them, as 1,000 further inputs of which one is not 0."""

    def __init__(self, inputs: Inputs, rows: Index, numbers: Int[Tensor, " n"]) -> None:
        self.num, self.dim = len(rows), inputs.dim + NUM_NUMBERS
        self._inputs, self._rows, self._numbers = inputs, rows, numbers
        self._size = inputs.dim**0.5  # so that the number weighs as much as the whole prompt

    def gather(self, index: Index) -> Tensor:
        x = torch.zeros(len(index), self.dim)
        x[:, : self._inputs.dim] = self._inputs.gather(self._rows[index])
        x[torch.arange(len(index)), self._inputs.dim + self._numbers[torch.from_numpy(index)]] = self._size
        return x


def classifier_auc(
    inputs: Inputs, rows: Index, numbers: Int[Tensor, " n"], clean: Int[Tensor, " n"], *, seed: int
) -> tuple[float, int]:
    """Train a net of its own to tell (prompt, number) pairs of a file from those of a clean one for the same prompts.

    Half of the prompts train it. Returns the area under the ROC curve on the other half, .5 for chance, and the
    number of pairs of each kind there.
    """
    half = len(rows) // 2
    model = MLP((inputs.dim + NUM_NUMBERS, _UNITS, 2), ACTIVATIONS["relu"], num_classes=0)
    start = initialise(model, generator(seed, "audit", "classifier"), init="fan_in_normal", dtype=torch.float32)
    shown = _WithNumbers(inputs, np.tile(rows[:half], 2), torch.cat([numbers[:half], clean[:half]]))
    labels = torch.cat([torch.ones(half, dtype=torch.int64), torch.zeros(half, dtype=torch.int64)])
    order, recipe = generator(seed, "audit", "classifier order"), Recipe(epochs=5, lr=1e-3, batch_size=128)
    (trained,) = fit(model, [start], shown, [labels], recipe, order)
    scores = []
    for part in (numbers[half:], clean[half:]):
        judged = _WithNumbers(inputs, rows[half:], part)
        pieces = [judged.gather(index) for index in np.array_split(np.arange(judged.num), max(1, judged.num // 512))]
        logits = torch.cat([model.apply(trained, x) for x in pieces])
        scores.append((logits[:, 1] - logits[:, 0]).numpy())
    statistic = stats.mannwhitneyu(scores[0], scores[1]).statistic
    return float(statistic / (len(scores[0]) * len(scores[1]))), len(scores[0])
