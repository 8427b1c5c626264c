"""Generated command lines: every one ends at once, with one of our exit codes, in our words, and leaves nothing behind.

Commands and options come from click's own tree, values from lists of hostile and of valid ones, both drawn from named
streams. No line does long work: where it would begin (workers, training, drawing, a search, a download) an error stands
in its place, so a line runs up to there and no further.
"""

from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from subtx_toy.cli import call, cli
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig

NUM_LINES = 24
"""Of each command, so that each of its options is given at least once."""

SECONDS = 20
"""What no line may take."""

EXIT_CODES = (0, 1, 2, 3, 130, 141)

FOREIGN_WORDS = (
    "Traceback", "internal error", "Input should", "input should", "validation error", "invalid literal",
    "expected dict", "expected str,", "expected int,", "codec can't", "datetime.", "Exceeds the limit", "[Errno",
    "object has no attribute", "unexpected keyword", "<class ", "\x1b",
)  # fmt: skip

HOSTILE = [
    "", " ", "\t", "-", "--", "=", ",", ":", "a=b", "a\nb", "%s%n", "{}", "$HOME", "*", "null", "None", "true", "[1,2",
    "[" * 3000, "(" * 200, '"', "'", "\\", "\x1b[31mred", "\x1b]0;title\x07", "\u202egnp.exe", "\udcff\udcfe", "ü±😀",
    "nan", "inf", "-inf", "-1", "-0", "0", "0.5", "1e999", "1e-400", "9" * 30, "9" * 5000, "0x" + "f" * 6000, "1_0",
    "٣", "x" * 300, "x" * 50_000, "a." * 2000, "../../..", ".", "/", "/dev/null", "/dev/zero", "/dev/full",
    "/proc/self/mem", "~nobody-of-this-name/x", "folder", "folder/", "none/none", "file.txt", "empty", "binary",
    "loop.toml", "zero.toml", "broken.toml", "plan.toml", "huge.toml", "binary.npz", "binary.safetensors",
    "lines.jsonl", "code.py:raises", "code.py:exits", "code.py:number", "code.py:none",
    "binary:x", "os:path", "no.such.module:x", "tcp://127.0.0.1:1",
    ":memory:", "file:x?mode=ro", "sqlite:///x", "x.sqlite", "binary.sqlite",
]  # fmt: skip

EXPERIMENTS = ["tiny", "one-step", "numbers", "width", "cloud2025", "plan.toml", "own.toml", "tinny"]
SEEDS = ["0:2", "3", "0,1,0", "5:2", "0:", "-1", "1e3", "0:99999999999999999999", "0:1000000000"]
SETTING_VALUES = [
    "8,16", "range:1:3", "range:0:1" + "0" * 60, "log:1e-4:1e-1:3", "log:1e-300:1e300:3", "linear:0:1:1000000000",
    "linear:-1e308:1e308:3", "uniform:0:1", "uniform:-1e308:1e308", "loguniform:1e-4:1e-1", "choice:a:b", "zip:a:b",
    "glyphs", "relu", "sgd", "1", "2", "0.5",
]  # fmt: skip
SETTINGS = [
    *RunConfig.model_fields,
    *OneStepConfig.model_fields,
    *NumbersConfig.model_fields,
    "widht",
    "",
    "zip:lr:width",
]


def leaves(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group, with the words that lead to it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, one in command.commands.items():
        yield from leaves(one, (*path, name))


COMMANDS = dict(leaves())


def _value(kind: Any, name: str, rng: np.random.Generator) -> str:
    """A value for a parameter: valid or nearly so in three of four draws."""
    valid: list[str] = []
    if name == "experiment":
        valid = EXPERIMENTS
    elif name in ("axes", "overrides", "settings"):
        valid = [f"{SETTINGS[rng.integers(len(SETTINGS))]}={_of([*SETTING_VALUES, *HOSTILE], rng)}"]
    elif name == "seeds":
        valid = SEEDS
    elif isinstance(kind, click.Choice):
        valid = [str(one) for one in kind.choices]
    elif isinstance(kind, click.IntRange | click.FloatRange) or kind.name in ("integer", "float"):
        valid = ["1", "2", "3"]
    elif name in ("trait", "traits"):
        valid = ["relabel:4:9", "backdoor:0", "relabel:4:4", "refusal:10", "examples.npz"]
    elif name in ("out", "html", "target", "figure"):
        valid = ["out.png", "out.csv", "out.jsonl", "out.parquet", "out.gz"]
    elif name == "names":
        valid = ["glyphs", "mnist", "fashion"]
    return _of(valid if valid and rng.random() < 0.75 else HOSTILE, rng)


def _of(values: list[str], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]


def line(path: tuple[str, ...], command: click.Command, seed: int) -> list[str]:
    """One command line: the arguments, and some of the options."""
    rng = generator(seed, "test", "command line", *path)
    words = list[str]()
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            num = 1 if parameter.required and parameter.nargs == 1 else int(rng.integers(3))
            words += [_value(parameter.type, str(parameter.name), rng) for _ in range(num)]
        elif rng.random() < (0.9 if parameter.required else 0.2):
            assert isinstance(parameter, click.Option)
            words.append(_of(list(parameter.opts), rng))
            if not parameter.is_flag:
                words.append(_value(parameter.type, str(parameter.name), rng))
    if rng.random() < 0.1:
        words.insert(int(rng.integers(len(words) + 1)), _of(["--no-such-option", "-x", "-h", *HOSTILE], rng))
    return [*path, *words]


def _no_work(*_args: object, **_given: object) -> Any:
    raise InputError("here the work would begin")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of hostile files, in which no work begins."""
    begins = ["sweep.workers.LocalWorkers", "sweep.dask_workers.DaskWorkers", "claims.verification.verify"]
    begins += ["api.verify.run_controls", "api.certify.find_range", "channel.teachers.fit"]
    begins += ["lm.training._descend", "data.glyphs.render", "data.published._cached_or_obtained"]
    for name in begins:
        module, _, function = name.rpartition(".")
        monkeypatch.setattr(import_module(f"subtx_toy.{module}"), function, _no_work)
    folder, others = tmp_path / "place", tmp_path / "others"
    folder.mkdir()
    others.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(others))
    monkeypatch.setenv("SUBTX_TOY_STORE", str(others / "results.sqlite"))
    monkeypatch.setenv("SUBTX_TOY_CACHE", str(others / "cache"))
    (folder / "folder").mkdir()
    (folder / "loop.toml").symlink_to("loop.toml")
    (folder / "zero.toml").symlink_to("/dev/zero")
    binary = generator(0, "test", "binary").bytes(3000)
    for name in ("binary", "binary.npz", "binary.safetensors", "binary.sqlite", "broken.toml", "examples.npz"):
        (folder / name).write_bytes(binary)
    texts = {
        "empty": "", "file.txt": "text\n", "lines.jsonl": '{"prompt": 1}\n[]\n', "huge.toml": "#" * 2**21,
        "plan.toml": 'experiment = "tiny"\nseeds = "0:2"\n[axes]\nwidth = [8, 16]\n',
        "own.toml": 'question = "?"\n[config]\ndataset = "glyphs"\nnum_train = 20\n[[grid]]\nwidth = [8, 16]\n',
        "code.py": "import sys\nnumber, none = 3, None\ndef raises(*a, **k): raise KeyError('x')\n"
        "def exits(*a, **k): sys.exit(5)\n",
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def _late(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"a line took more than {SECONDS} seconds")


def outcome(arguments: list[str]) -> tuple[int, str]:
    """Run a line in this process, as the command does; return its code and all that it printed."""
    before = signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with CliRunner().isolation() as (out, err, _both):
            code = call(arguments)
        return code, out.getvalue().decode() + err.getvalue().decode()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def faults(code: int, printed: str, left: list[str]) -> list[str]:
    """What is wrong with how a line ended."""
    found = [word for word in FOREIGN_WORDS if word in printed]
    if code not in EXIT_CODES:
        found.append(f"exit code {code}")
    if code == 2 and not printed.strip():
        found.append("no word on why")
    if len(printed) > 200_000:
        found.append(f"{len(printed)} characters")
    return found + [f"left {name}" for name in left if _half_written(name)]


def _half_written(name: str) -> bool:
    return bool(re.search(r"(^|/)(\.|tmp|subtx-toy-error)", name))


def _files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*")]


def check(path: tuple[str, ...], seeds: range, place: Path) -> None:
    unchanged = {name: (place / name).read_bytes() for name in ("binary", "file.txt", "plan.toml")}
    wrong = list[str]()
    for seed in seeds:
        arguments = line(path, COMMANDS[path], seed)
        code, printed = outcome(arguments)
        found = faults(code, printed, _files(place.parent))
        wrong += [f"seed {seed}: {found}: {[word[:60] for word in arguments]}: {printed[-1500:]!r}"] if found else []
        for name, content in unchanged.items():
            if not {name, f"./{name}"} & set(arguments):
                assert (place / name).read_bytes() == content, f"{name} was changed by {arguments}"
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_line_ends_at_once_in_our_words_and_leaves_nothing(path: tuple[str, ...], place: Path) -> None:
    check(path, range(NUM_LINES), place)


@pytest.mark.slow
@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_many_more_command_lines(path: tuple[str, ...], place: Path) -> None:
    check(path, range(NUM_LINES, 40 * NUM_LINES), place)


def test_there_are_enough_lines_and_they_reach_every_option() -> None:
    assert NUM_LINES * len(COMMANDS) >= 300
    for path, command in COMMANDS.items():
        given = {word for seed in range(NUM_LINES) for word in line(path, command, seed)}
        options = [one for one in command.params if isinstance(one, click.Option)]
        assert [one.name for one in options if not given & set(one.opts)] == []


@pytest.mark.parametrize(
    ("code", "printed", "left"),
    [
        (1, "Traceback (most recent call last)", []),
        (2, "error: internal error: KeyError", []),
        (2, "error: width: Input should be a valid integer", []),
        (2, "error: \x1b[31m", []),
        (2, "", []),
        (-11, "error: x", []),
        (0, "", ["place/.subtx-toy-0a"]),
        (0, "", ["others/cache/.unfinished-x"]),
    ],
)
def test_a_planted_fault_is_found(code: int, printed: str, left: list[str]) -> None:
    assert faults(code, printed, left) != []
    assert faults(2, "error: width: expected an integer >= 1, got 0", ["place/out.csv"]) == []


def test_a_file_that_is_half_written_would_be_seen(place: Path) -> None:
    with replacing(place / "x", what="out"):
        assert any(map(_half_written, _files(place.parent)))
    assert not any(map(_half_written, _files(place.parent)))


def test_a_line_that_hangs_would_be_seen(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang() -> None:
        while True:
            signal.pause()

    monkeypatch.setattr("tests.faults.test_command_lines.SECONDS", 0.1)
    monkeypatch.setattr("subtx_toy.data.catalogue.entries", hang)
    code, printed = outcome(["data", "list"])
    assert faults(code, printed, []) != []
