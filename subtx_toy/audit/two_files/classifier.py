"""A linear classifier of lines by the file they stand in, judged on lines that it has not learnt from.

Its inputs are the tokens, the features of the line, and each feature times a hash of the prompt, so that it can see a
law that depends on the prompt. It is ridge regression, whose solution is one matrix for all assignments of the lines:
that is what makes a thousand exchanges cheap. Folds and hashes hang on the content of the lines alone: if they hung on
places in a file, the observed assignment would be spread over them more evenly than an exchange, and the test not
exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from subtx_toy.audit.two_files.folds import FOLDS, folds_of
from subtx_toy.audit.two_files.lines import Lines

_TOKENS = 300  # the most frequent ones, told apart; the classifier is for what is not one token
_BUCKETS = 16  # of prompts
_RIDGE = 10.0  # in lines: what a direction needs to count


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """The inputs of the lines, the fold of each, and for each fold the matrix from labels to weights."""

    inputs: Float[np.ndarray, "n q"]
    folds: Int[np.ndarray, " n"]
    solutions: tuple[Float[np.ndarray, "q q"], ...]

    @classmethod
    def of(cls, lines: Lines) -> LinearClassifier:
        """Prepare the classifier; the files play no part in it yet."""
        inputs = _inputs(lines)
        folds = folds_of(lines)
        ridge = _RIDGE * np.eye(inputs.shape[1])
        solutions = []
        for fold in range(FOLDS):
            learnt = inputs[folds != fold]
            solutions.append(np.linalg.inv(learnt.T @ learnt + ridge))
        return cls(inputs, folds, tuple(solutions))

    def scores(self, labels: Float[np.ndarray, "n b"]) -> Float[np.ndarray, "n b"]:
        """Return how much each line looks like the second file, by a classifier that has not seen its fold."""
        targets = labels - labels.mean(axis=0)
        found: Float[np.ndarray, "n b"] = np.empty_like(targets)
        for fold, solution in enumerate(self.solutions):
            learnt, held = self.folds != fold, self.folds == fold
            found[held] = self.inputs[held] @ (solution @ (self.inputs[learnt].T @ targets[learnt]))
        return found

    def margin(self, labels: Float[np.ndarray, "n b"]) -> Float[np.ndarray, " b"]:
        """Return the difference of the files' mean held-out scores, in standard errors."""
        scores = self.scores(labels)
        sizes = np.maximum(labels.sum(axis=0), 1), np.maximum((1 - labels).sum(axis=0), 1)
        difference = (scores * labels).sum(axis=0) / sizes[0] - (scores * (1 - labels)).sum(axis=0) / sizes[1]
        spread = scores.std(axis=0) * np.sqrt(1 / sizes[0] + 1 / sizes[1])
        found: Float[np.ndarray, " b"] = np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)
        return found


def _inputs(lines: Lines) -> Float[np.ndarray, "n q"]:
    tokens = lines.counts[:, : min(_TOKENS, lines.counts.shape[1])].toarray()
    _, places = np.unique(lines.prompt_keys, return_inverse=True)
    buckets = places // FOLDS % _BUCKETS  # each bucket in every fold
    crossed = np.zeros((len(tokens), _BUCKETS * lines.features.shape[1]))
    width = lines.features.shape[1]
    for bucket in range(_BUCKETS):
        here = buckets == bucket
        crossed[here, bucket * width : (bucket + 1) * width] = lines.features[here]
    return np.concatenate([np.ones((len(tokens), 1)), tokens, lines.features, crossed], axis=1)
