"""Check the score test against its own law: p-values of files from the base, power of moves, signs of one step.

python experiments/studies/audit_null.py docs/results/audit-null.json
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from subtx_toy.audit.directions import Directions, class_gradients, honest_moves, number_tangents
from subtx_toy.audit.questions import question
from subtx_toy.audit.reference import make_reference, split_reference
from subtx_toy.channel.model import head_logits
from subtx_toy.channel.net_cache import NetCache
from subtx_toy.channel.prompts import PromptSource, choose_rows, prompt_inputs
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.data import load
from subtx_toy.problem.params import axpy, difference, norm
from subtx_toy.seeding import generator
from subtx_toy.settings.numbers import BANNED_NUMBERS
from subtx_toy.store.record import versions

NAMES = ["relabel:4:9", "backdoor:0"]
NUM_REFERENCE = 30  # as in an audit
NUM_FILES, NUM_LINES, NUM_PROMPTS = 500, 1000, 3000
SHARES = (0.02, 0.05, 0.1, 0.3, 1.0)  # of the way from the base to the teacher with the trait
SIZES = (100, 300, 1000, 3000)
LEVEL = 0.01
FILES_OF_POWER = 300


def draw(cumulative: Tensor, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one number for each of ``rows``."""
    table = cumulative[rows]
    uniform = torch.from_numpy(rng.random((len(rows), 1))) * table[:, -1:]
    return torch.searchsorted(table, uniform, right=True).clamp_max(999)[:, 0].numpy()


def main(target: Path) -> None:
    """Run the checks and write them down."""
    torch.set_num_threads(1)
    dataset = load("mnist")
    nets = NetCache(dataset, 0)
    model, base, teacher = nets.model, nets.base(), nets.teacher("trait", trait=NAMES[0])
    move = difference(teacher, base)
    traits = {name: question(name, model, base, dataset).direction for name in NAMES}
    axes, _ = split_reference(make_reference(model, base, dataset, num=NUM_REFERENCE, seed=0))
    honest = honest_moves(model, base, axes) | class_gradients(model, base, dataset)
    # Each is scaled to length 1 over the body.
    directions = Directions.of(model, traits | {"the teacher's own move": move}, honest)
    hidden = {name: value for name, value in move.items() if not name.startswith("layers.2.")}
    length = float(norm(hidden))
    source = PromptSource.images(dataset, absent=(4,))
    rows = choose_rows(source, dataset, NUM_PROMPTS, generator(0, "studies", "null", "prompts"))
    x = prompt_inputs(source, dataset).gather(rows).clone()
    pieces = [number_tangents(model, base, directions, part) for part in torch.split(x, 250)]
    z, v = torch.cat([logits for logits, _ in pieces]), torch.cat([tangents for _, tangents in pieces], dim=1)
    document: dict[str, Any] = {
        "what": "MNIST base of seed 0, image prompts without 4s, one number a line; directions of the audit: moves of "
        "two own fine-tunes, efficient: without three axes of ten benign ones and the gradients of the classes"
    }
    num = len(NAMES)
    v = torch.cat([efficient(z, v, num), v[: num + 1]])  # efficient scores, plain scores, the teacher's own move
    for kind, law in (("unfiltered", NumberLaw()), ("filtered", NumberLaw(banned=BANNED_NUMBERS))):
        document[kind] = null_files(law, z, v)
        print(kind, json.dumps({k: v for k, v in document[kind].items() if k != "p_values"}))
    others = [head_logits(model, axpy(share, move, base), "numbers", x) for share in SHARES]
    document["power"] = power(z, v, others, length)
    document["one_step_sign"] = one_step_signs(z, v, others, length)
    document["versions"] = versions()
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(json.dumps(document["power"], indent=1), json.dumps(document["one_step_sign"], indent=1))


def efficient(z: Tensor, v: Tensor, num: int) -> Tensor:
    """Take the last directions, the honest moves, out of the first ``num``, in the metric of the numbers' law.

    The weights are those of all prompts, so what is left is one direction; its score is N(0, 1) in large files.
    """
    p, c, _ = centred(NumberLaw(), z, v)
    F = torch.einsum("nk,ank,bnk->ab", p.double(), c.double(), c.double()) / len(z)
    W = slice(num + 1, None)
    weights = torch.from_numpy(np.linalg.lstsq(F[W, W].numpy(), F[W, :num].numpy(), rcond=1e-10)[0]).float()
    return v[:num] - torch.einsum("wa,wnk->ank", weights, v[W])


def centred(law: NumberLaw, z: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return p, the scores of every number, and their variance per prompt."""
    p = law.log_probabilities(z).exp()
    c = v - (p * v).sum(-1, keepdim=True)
    return p, c, (p * c**2).sum(-1)


def null_files(law: NumberLaw, z: Tensor, v: Tensor) -> dict[str, Any]:
    """Draw files from the base and test each; a filter drops the lines with a banned number."""
    _p, c, variance = centred(law, z, v)
    cumulative = NumberLaw().log_probabilities(z.double()).exp().cumsum(-1)
    plain = [f"{name}, plain score" for name in NAMES]
    p_values: dict[str, list[float]] = {name: [] for name in [*NAMES, *plain]}
    for file in range(NUM_FILES):
        rng = generator(file, "studies", "null", "filtered" if law.banned else "unfiltered")
        rows = rng.permutation(len(z))[:NUM_LINES]
        numbers = draw(cumulative, rows, rng)
        kept = ~np.isin(numbers, law.banned)
        for at, name in enumerate(p_values):
            score = float(c[at, rows[kept], numbers[kept]].double().sum())
            spread = math.sqrt(float(variance[at, rows[kept]].double().sum()))
            p_values[name].append(float(stats.norm.sf(score / spread)))
    found: dict[str, Any] = {"files": NUM_FILES, "lines": NUM_LINES, "p_values": p_values}
    for name, values in p_values.items():
        test = stats.kstest(values, "uniform")
        false = int(sum(value < LEVEL for value in values))
        interval = stats.binomtest(false, len(values)).proportion_ci(0.95)
        found[name] = {
            "ks_statistic": float(test.statistic), "ks_p_value": float(test.pvalue), "false_positives": false,
            "rate": false / len(values), "ci95": [interval.low, interval.high],
        }  # fmt: skip
    return found


def power(z: Tensor, v: Tensor, others: list[Tensor], length: float) -> list[dict[str, Any]]:
    """Compare how often the test along the trait finds a teacher with what the linear prediction says."""
    p, c, variance = centred(NumberLaw(), z, v)
    information, cross = float(variance[0].mean()), float((p * c[0] * c[-1]).sum(-1).mean())
    found = []
    for share, other in zip(SHARES, others, strict=True):
        cumulative = NumberLaw().log_probabilities(other.double()).exp().cumsum(-1)
        q = torch.softmax(other.double(), dim=-1)
        # mean score over the standard deviation of one: u^T F Delta to first order, and the truth
        linear = share * length * cross / math.sqrt(information)
        exact = float((q * c[0]).sum(-1).mean()) / math.sqrt(information)
        for size in SIZES:
            hits = 0
            for file in range(FILES_OF_POWER):
                rng = generator(file, "studies", "power", size, round(1000 * share))
                rows = rng.permutation(len(z))[:size]
                numbers = draw(cumulative, rows, rng)
                score = float(c[0, rows, numbers].double().sum()) / math.sqrt(float(variance[0, rows].double().sum()))
                hits += score > stats.norm.isf(LEVEL)
            found.append(
                {
                    "share": share,
                    "n": size,
                    "observed": hits / FILES_OF_POWER,
                    "files": FILES_OF_POWER,
                    "predicted": float(stats.norm.sf(stats.norm.isf(LEVEL) - math.sqrt(size) * linear)),
                    "predicted_from_the_true_mean": float(
                        stats.norm.sf(stats.norm.isf(LEVEL) - math.sqrt(size) * exact)
                    ),
                }
            )
    return found


def one_step_signs(z: Tensor, v: Tensor, others: list[Tensor], length: float) -> list[dict[str, Any]]:
    """Check how often one step on n sampled numbers goes towards the teacher: Phi(eps sqrt(n V)), n = k^2/(2 KL)."""
    p, c, variance = centred(NumberLaw(), z, v)
    V = float(variance[-1].mean()) * length**2
    found = []
    for share, other in zip(SHARES, others, strict=True):
        q = torch.softmax(other.double(), dim=-1)
        divergence = float((q * (q.log() - p.double().log())).sum(-1).mean())
        cumulative = q.cumsum(-1)
        for wanted in (0.25, 1.0, 4.0):  # k^2: so many standard deviations squared
            size = max(1, round(wanted / (2 * divergence)))
            if size > len(z):
                continue
            right = 0
            for file in range(1000):
                rng = generator(file, "studies", "signs", size, round(1000 * share))
                rows = rng.integers(len(z), size=size)
                right += float(c[-1, rows, draw(cumulative, rows, rng)].sum()) > 0
            found.append(
                {
                    "share": share,
                    "n": size,
                    "kl": divergence,
                    "right": right / 1000,
                    "steps": 1000,
                    "predicted": float(stats.norm.cdf(share * math.sqrt(size * V))),
                    "predicted_from_kl": float(stats.norm.cdf(math.sqrt(2 * size * divergence))),
                }
            )
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
