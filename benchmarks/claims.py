"""The whole of ``verify`` and a hunt of one bound, by passes written out by hand and by automatic differentiation."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.checks import ratio, spread

SUMMARY = "CPU seconds of verify, the whole process, and problems a hunt tries per second: by hand and by autograd"
_PLAIN = "from benchmarks.claims import verify_plainly; verify_plainly({num})"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=3, help="alternating measurements (default 3)")
    parser.add_argument("--instances", type=int, default=2000, help="problems to verify (default 2000)")
    parser.add_argument("--problems", type=int, default=4096, help="problems to hunt through (default 4096)")


def plainly(num: int) -> Iterator[object]:
    """Draw the instances of ``verify``, differentiated automatically."""
    from subtx_toy.claims.instance import drawn

    for instance in drawn(num, seed=0):
        assert instance.spec is not None
        yield dataclasses.replace(instance, build=instance.spec.build)


def verify_plainly(num: int) -> None:
    """Do what ``verify`` does on ``num`` problems, controls included, by automatic differentiation."""
    import torch

    from subtx_toy.claims.controls.broken_students import run_controls
    from subtx_toy.claims.registry import CLAIMS
    from subtx_toy.claims.verification import verify

    torch.set_num_threads(1)
    verify(CLAIMS.values(), plainly(num))  # type: ignore[arg-type]
    run_controls(plainly(min(num, 120)))  # type: ignore[arg-type]


def cpu_seconds(command: Sequence[str]) -> float:
    """Return what a process takes, its start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def hunted(num: int, *, by_hand: bool) -> float:
    """Return problems per second of a hunt of a true bound, that the alignment is at most ||dS|| ||dT||."""
    from subtx_toy.claims.screening import draw_alike
    from subtx_toy.claims.user import claim
    from subtx_toy.claims.vocabulary.claim import Inequality
    from subtx_toy.claims.vocabulary.evidence import Evidence
    from subtx_toy.problem.problem import Problem
    from subtx_toy.seeding import generator
    from subtx_toy.testing import hunt

    @claim(id="Cauchy and Schwarz")
    def bound(problem: Problem, evidence: Evidence) -> Inequality:
        """The alignment is at most the product of the norms."""
        return Inequality(evidence.alignment(problem.eps), evidence.update_norm(problem.eps) * evidence.dT_norm)

    start = time.process_time()
    if by_hand:
        found = hunt(bound, num_problems=num)
        assert found.counterexample is None
        num = found.num_tried  # with those tried next to the closest ones
    else:
        for spec in draw_alike(generator(0, "benchmark"), num):
            assert bound.judge(Evidence(spec.build(), seed=spec.seed)).verdict != "violated"
    return num / (time.process_time() - start)


def run(arguments: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(1)
    names = ("verify_by_hand", "verify_by_autograd", "hunted_by_hand", "hunted_by_autograd", "load_average")
    found: dict[str, list[float]] = {name: [] for name in names}
    num, plain = arguments.instances, arguments.problems // 16
    for by_hand in (True, False):
        hunted(64, by_hand=by_hand)
    for _ in range(arguments.repeats):
        found["load_average"].append(os.getloadavg()[0])
        found["verify_by_hand"].append(cpu_seconds(["-m", "subtx_toy", "verify", "--instances", str(num), "--json"]))
        found["verify_by_autograd"].append(cpu_seconds(["-c", _PLAIN.format(num=num)]))
        found["hunted_by_hand"].append(hunted(arguments.problems, by_hand=True))
        found["hunted_by_autograd"].append(hunted(plain, by_hand=False))
    rows = {name: spread(values) for name, values in found.items()}
    rows["ratio_of_verify"] = ratio(found["verify_by_autograd"], found["verify_by_hand"])
    rows["ratio_of_hunts"] = ratio(found["hunted_by_hand"], found["hunted_by_autograd"])
    if arguments.json:
        print(json.dumps({"benchmark": "claims", "instances": num, "repeats": arguments.repeats, **rows}, indent=2))
        return
    print(f"{'measure':<24}{'median':>10}{'min':>10}{'max':>10}")
    for name, row in rows.items():
        print(f"{name:<24}" + "".join(f"{value:>10.2f}" for value in row.values()))
