"""Predict what a student of many gradient steps says on images it never saw, and compare it with the trained student.

Three routes to the linearised student, on 784-256-256-13 with squared error on 3 auxiliary logits and 1,000 inputs of
noise: the eigenvectors of the kernel, Lanczos, and products with G one after the other. The trained student takes K
plain steps of 1 / lambda_max on the real network. Write a line per seed, then collect:

    python experiments/studies/function_space.py seed 0 OUT.jsonl
    python experiments/studies/function_space.py collect docs/results/function-space.json OUT.jsonl
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.data import load
from subtx_toy.data.noise import draw_noise, pixels
from subtx_toy.problem import params as vectors
from subtx_toy.problem.losses import squared_error
from subtx_toy.problem.model import FastMLP, accuracy
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.store.record import versions
from subtx_toy.theory.curvature import ggn_operator
from subtx_toy.theory.error_polynomials import fraction
from subtx_toy.theory.linearization import jacobian_product
from subtx_toy.theory.multi_step import by_lanczos, change_of_outputs, predicted_displacement
from subtx_toy.theory.output_kernel import OutputKernel
from subtx_toy.training.many_steps import Imitation, moved, teachers_at
from subtx_toy.training.update_rules import Descent

NUM_INPUTS, NUM_TRAIN, NUM_TEST, EPOCHS, BATCH, LR = 1000, 12_000, 1000, 3, 256, 1e-3
STEPS, COMPARED = (1, 30, 300), 30  # of the student; of the route that takes one product a step


def trained(model: FastMLP, base: vectors.Params, images: Tensor, labels: Tensor, seed: int) -> vectors.Params:
    """Return the teacher: Adam on cross-entropy of the class logits, in float32."""
    leaves = {name: value.float().requires_grad_() for name, value in base.items()}
    optimizer = torch.optim.Adam(list(leaves.values()), lr=LR)
    for epoch in range(EPOCHS):
        order = generator(seed, "studies", "teacher", epoch).permutation(len(images))
        for rows in np.array_split(order, len(order) // BATCH):
            loss = F.cross_entropy(model.apply(leaves, images[rows])[:, :10], labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {name: value.detach().double() for name, value in leaves.items()}


def cosine(a: Tensor, b: Tensor) -> float:
    """Return the cosine of two arrays of one shape."""
    return float((a * b).sum() / (a.norm() * b.norm()))


def measure(seed: int) -> dict[str, Any]:
    """Return every number of one seed, with the CPU seconds of each part."""
    data = load("mnist", num_train=NUM_TRAIN, num_test=NUM_TEST)
    images, test = (pixels(one, torch.empty(len(one), 784)) for one in (data.train_images, data.test_images))
    labels = torch.from_numpy(data.train_labels.astype(np.int64))
    model = FastMLP((784, 256, 256, 13), "relu", num_classes=10)  # type: ignore[arg-type]
    base = model.initial(generator(seed, "studies", "init"))
    teacher = trained(model, base, images, labels, seed)
    inputs = draw_noise(
        "uniform", generator(seed, "studies", "noise"), torch.empty(NUM_INPUTS, 784, dtype=torch.float64)
    )
    problem = Problem(
        model=model, base_params=base, inputs=inputs, distillation_loss=squared_error(), distilled_logits="aux",
        teacher_update=vectors.difference(teacher, base), eps=1.0, student_lr=0.1,
    )  # fmt: skip
    clock = {"start": time.process_time()}
    kernel = OutputKernel(problem)
    rate = 1 / kernel.largest
    dT = vectors.flatten(problem.teacher_update)
    ways = {"kernel": kernel.applied(lambda x: fraction(rate * x, COMPARED), kernel.seen(dT))}
    clock["kernel"] = time.process_time()
    found = by_lanczos(ggn_operator(problem), dT, lambda x: fraction(rate * x, max(STEPS)), num_products=36)
    clock["lanczos"] = time.process_time()
    for way in ("lanczos", "steps"):
        ways[way] = predicted_displacement(problem, COMPARED, student_lr=rate, method=way).value  # type: ignore[arg-type]
        clock[f"compared, {way}"] = time.process_time()
    far = kernel.applied(lambda x: fraction(rate * x, max(STEPS)), kernel.seen(dT))
    labels_test = torch.from_numpy(data.test_labels.astype(np.int64))
    outputs, v = jacobian_product(problem, problem.teacher_update)
    changes = problem.distilled(teacher) - outputs
    unseen = test.double()
    start = model.apply(base, unseen)[:, :10]
    taught = model.apply(teacher, unseen)[:, :10]
    clock["before training"] = time.process_time()
    paths = moved(Imitation(problem, teachers_at(problem, [1.0])), Descent("gd", lr=rate), STEPS)
    clock["training"] = time.process_time()
    rows = []
    for num_steps in STEPS:
        student = vectors.unflatten(vectors.flatten(base) + torch.from_numpy(paths[num_steps][0]), base)
        said = model.apply(student, unseen)[:, :10] - start
        row = {"num_steps": num_steps, "accuracy": accuracy(start + said, labels_test)}
        row["student_teacher_cosine"] = cosine(said, taught - start)
        for name, seen in {"true": changes, "linear": v}.items():
            toward = kernel.applied(lambda x, K=num_steps: fraction(rate * x, K), kernel.seen_outputs(seen))  # type: ignore[misc]
            told = change_of_outputs(problem, toward, unseen)[:, :10]
            row |= {f"cosine_{name}": cosine(said, told), f"norm_ratio_{name}": float(said.norm() / told.norm())}
        rolled = kernel.applied(lambda x, K=num_steps: fraction(rate * x, K), kernel.seen_outputs(changes.roll(1, 0)))  # type: ignore[misc]
        row["cosine_shuffled"] = cosine(said, change_of_outputs(problem, rolled, unseen)[:, :10])
        rows.append(row)
    clock["predictions"] = time.process_time()
    size, names = float(ways["steps"].norm()), list(clock)
    return {
        "seed": seed,
        "teacher_accuracy": accuracy(taught, labels_test),
        "student_lr": rate,
        "eigenvalues": kernel.modes[0].flip(0)[:6].tolist(),
        "routes": {name: float((ways[name] - ways["steps"]).norm()) / size for name in ("kernel", "lanczos")},
        "routes_at_300": float((far - found.value).norm()) / float(far.norm()),
        "lanczos_error": found.error,
        "lanczos_products": found.num_products,
        "steps": rows,
        "cpu_seconds": {b: clock[b] - clock[a] for a, b in itertools.pairwise(names)},
    }


def collect(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the document: means over seeds with Student's 95 % intervals, and the lines."""
    table = []
    for at, num_steps in enumerate(STEPS):
        row: dict[str, Any] = {"num_steps": num_steps}
        for name in lines[0]["steps"][at]:
            values = np.array([line["steps"][at][name] for line in lines])
            half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
            row[name] = {"mean": values.mean(), "ci95": [values.mean() - half, values.mean() + half]}
        row.pop("num_steps")
        table.append({"num_steps": num_steps, **row})
    return {"versions": versions(), "num_seeds": len(lines), "table": table, "seeds": lines}


def main() -> None:
    """Measure one seed, or collect."""
    torch.set_num_threads(1)
    if sys.argv[1] == "seed":
        with open(sys.argv[3], "a", encoding="utf-8") as out, torch.no_grad():
            with torch.enable_grad():
                line = measure(int(sys.argv[2]))
            out.write(json.dumps(line) + "\n")
    else:
        lines = [
            json.loads(text) for path in sys.argv[3:] for text in Path(path).read_text(encoding="utf-8").splitlines()
        ]
        lines.sort(key=lambda line: line["seed"])
        Path(sys.argv[2]).write_text(json.dumps(collect(lines), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
