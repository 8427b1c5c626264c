"""Bounds on work: what is too much is refused at once, and the message names the limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import pytest

import subtx_toy as st
from subtx_toy.channel.number_filter import FilterRules
from subtx_toy.claims.instance import given
from subtx_toy.errors import InputError
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.settings.certificate import SearchSettings
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.schedule import schedule
from tests.faults.test_command_lines import COMMANDS

AT_ONCE = 5.0
"""Seconds of CPU, of which the machine's other work may take most."""

PLAN = 'experiment = "tiny"\n'
DRAWN = "[axes]\nlr = 'loguniform:1e-4:1e-1'\n"
OWN = 'question = "?"\n[config]\ndataset = "glyphs"\n'


def listed(num: int) -> str:
    return str(list(range(1, num + 1)))


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        (PLAN + "#" * 10_000_000, "at most 1048576 bytes"),
        (PLAN + "seeds = '0:1000000'\n[axes]\nwidth = [8, 16]\n", "trials: expected at most 1000000, got 2000000"),
        (PLAN + "seeds = '0:1000000000000'\n", "seeds: expected at most 1000000 of them"),
        (PLAN + "[axes]\nwidth = 'range:0:1" + "0" * 99 + "'\n", "expected 1 to 100000 values"),
        (PLAN + "[axes]\nlr = 'log:1e-4:1e-1:1000000000'\n", "expected at most 100000 values, got 1000000000"),
        (PLAN + "[axes]\nlr = 'linear:1:2:1" + "0" * 99 + "'\n", "expected at most 100000 values"),
        (PLAN + "[axes]\nwidth = 'range:1:2001'\nlr = 'linear:1:2:2000'\n", "expected at most 100000 combinations"),
        (PLAN + "sample = 1000000000\n" + DRAWN, "axes: expected at most 100000 combinations"),
        (PLAN + "sample = 0x" + "f" * 300 + "\n" + DRAWN, "sample: expected an integer"),
        (PLAN + "[axes]\n" + "".join(f"a{at} = 1\n" for at in range(20_000)), "axes: expected at most 100, got 20000"),
        (PLAN + "[axes]\nwidth = " + "9" * 5000, "integers of at most 1400 bits"),
        (PLAN + "[axes]\nwidth = 0x" + "9" * 5000, "integers of at most 1400 bits"),
        (PLAN + "[axes]\nwidth = " + "[" * 3000 + "]" * 3000, "at most 50 tables and lists"),
        (PLAN + "[axes]\nwidth = " + "[" * 60 + "]" * 60, "at most 50 tables and lists"),
        (PLAN + "a." * 200_000 + "a = 1", "at most 50 tables and lists"),
        (PLAN + "[axes]\nwidth = [" + "'x'," * 30_000 + "]", "width: expected an integer >= 1, got 'x'"),
        (OWN + f"[[grid]]\nwidth = {listed(1000)}\nnum_aux = {listed(1000)}\n", "expected at most 100000 combinations"),
        (OWN + "[[grid]]\n" + "".join(f"a{at} = [1]\n" for at in range(20_000)), "grid: expected at most 100 settings"),
        (OWN + "".join(f"a{at} = 1\n" for at in range(20_000)), "and 19951 more"),
    ],
    ids=lambda value: value[-40:],
)  # fmt: skip
def test_a_plan_that_is_too_large_is_refused_at_once(content: str, limit: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(content)
    before = time.process_time()
    with pytest.raises(InputError) as caught:
        Plan.read(str(path))
    assert time.process_time() - before < AT_ONCE
    assert limit in str(caught.value)
    assert len(str(caught.value)) < 10_000, "a message that people can read"


@pytest.mark.parametrize("read_it", [read, given, FilterRules.read, lambda path: Plan.read(str(path))])
@pytest.mark.parametrize("content", [b"x = 1\n" * 10**6, b"x = " + b"[" * 3000, b"x = 0x" + b"f" * 9999, b"a." * 10**5])
def test_every_toml_file_has_the_same_bounds(read_it: Callable[[Path], object], content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"expected (integers of )?at most"):
        read_it(path)


def test_a_device_is_not_read(tmp_path: Path) -> None:
    link = tmp_path / "zero.toml"
    link.symlink_to("/dev/zero")
    with pytest.raises(InputError, match="expected a file or a pipe, got a device"):
        Plan.read(str(link))


def test_a_grid_is_planned_without_meeting_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quadratic planning took 24 s for 50 x 50: each configuration was compared with every other one."""
    path, compared, made = tmp_path / "grid.toml", [0], [0]
    path.write_text(OWN + f"[[grid]]\nwidth = {listed(15)}\nnum_aux = {listed(15)}\n")
    equal, changed = RunConfig.__eq__, RunConfig.changed

    def counted_equal(one: RunConfig, other: object) -> bool:
        compared[0] += 1
        return bool(equal(one, other))

    def counted_changed(one: RunConfig, values: Mapping[str, object]) -> RunConfig:
        made[0] += 1
        return changed(one, values)

    monkeypatch.setattr(RunConfig, "__eq__", counted_equal)
    monkeypatch.setattr(RunConfig, "changed", counted_changed)
    assert len(Plan.read(str(path)).configs) == 225
    assert compared[0] <= 225
    assert made[0] <= 3 * 225, "once for the file, once for its quick run"


def test_trials_are_counted_before_they_are_made() -> None:
    with pytest.raises(InputError, match="trials: expected at most 1000000, got 2000000: 2 configurations with"):
        schedule([RunConfig(dataset="glyphs"), RunConfig(dataset="glyphs", width=8)], range(10**6))


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda: RunConfig(width=10**8), "at most 1000000000 weights and biases together, got 10000079900000013"),
        (lambda: RunConfig(width=1, depth=10**8), "depth: expected an integer <= 1000, got 100000000"),
        (lambda: RunConfig(width=10**4, depth=50), "at most 1000000000 weights and biases together, got 4908"),
        (lambda: RunConfig(depth=0, num_aux=10**8), "at most 1000000000 weights and biases together"),
        (lambda: RunConfig(num_inputs=10**8), "num_inputs: expected at most 10000000000 pixels together"),
        (lambda: OneStepConfig(width=10**6), "at most 1000000000 weights and biases together"),
        (lambda: OneStepConfig(num_inputs=10**8), "num_inputs: expected at most 10000000000 pixels together"),
        (lambda: NumbersConfig(width=10**8), "at most 1000000000 weights and biases together"),
        (lambda: ProblemSpec(input_dim=10**9), "problem: expected at most 100000000 parameters"),
        (lambda: ProblemSpec(hidden=(10**5, 10**5)), "problem: expected at most 100000000 parameters"),
        (lambda: ProblemSpec(num_inputs=10**9), "problem: expected at most 100000000 numbers in all inputs"),
        (lambda: SearchSettings(order=10**9), "order: expected an integer >= 2 and <= 100, got 1000000000"),
        (lambda: st.verify(instances=10**9), "instances: expected an integer from 1 to 10000000, got 1000000000"),
        (lambda: st.run("tiny", workers=10**9), "workers: expected an integer from 1 to 1024, got 1000000000"),
    ],
)
def test_a_size_that_no_machine_holds_is_refused_at_once(make: Callable[[], object], limit: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert limit in str(caught.value)


def test_no_option_takes_numbers_without_a_bound() -> None:
    unbounded = [
        f"{' '.join(path)} {one.name}"
        for path, command in COMMANDS.items()
        for one in command.params
        if isinstance(one.type, click.IntRange) and one.type.max is None
    ]
    assert unbounded == ["sweep max_failures"], "which bounds itself"


def test_a_message_is_short_whatever_it_repeats() -> None:
    error = InputError("x" * 10**6, *["y"] * 10**5)
    assert len(str(error)) < 3000
    assert error.problems[-1] == "and 99952 more"
