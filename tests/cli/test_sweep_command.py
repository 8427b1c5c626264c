"""``subtx-toy sweep``, ``results`` and ``doctor`` as a user types them."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from subtx_toy import cli
from subtx_toy.store import Store
from tests.faults.sweeping import fail_elsewhere

WORDS = [
    "tiny",
    "width=8,16",
    "num_train=300",
    "num_test=200",
    "num_inputs=256",
    "teacher_epochs=1",
    "student_epochs=1",
]


@pytest.fixture
def store(tmp_path: Path, workers_here: None) -> Path:
    """A store of its own, and workers inside this process."""
    return tmp_path / "results.sqlite"


def _call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.call(list(arguments))
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code, out, err = _call(capsys, *arguments, "--json")
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def test_the_command_that_a_sweep_prints_last_shows_its_results(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "a plan.toml"
    plan.write_text(_call(capsys, "sweep", *WORDS, "--seeds", "0:2", "--toml")[1])
    drawn = [*(word for word in WORDS if "width" not in word), "width=choice:8:16", "--sample", "2"]
    for words, num in ((["sweep", str(plan)], 2), (["sweep", *WORDS, "--seeds", "0:1"], 1)):
        _, out, _ = _call(capsys, *words, "--store", str(store), "--workers", "2")
        (printed,) = re.findall("^see the results by: (.*)$", out, flags=re.MULTILINE)
        command = shlex.split(printed)
        assert (command[0], "--workers" in command) == ("subtx-toy", False)
        assert [cell["n"] for cell in _json(capsys, *command[1:])["cells"]] == [num, num]
    _, out, _ = _call(capsys, "sweep", *drawn, "--seeds", "0:1", "--sample-seed", "3", "--store", str(store))
    assert "--seeds 0:1 --sample 2 --sample-seed 3 --store" in out


def test_a_column_of_a_summary_has_the_same_digits(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _json(capsys, "sweep", *WORDS, "--seeds", "0:2", "--store", str(store))
    _, out, _ = _call(capsys, "results", "summary", *WORDS, "--store", str(store))
    rows = re.findall(r"accuracy +2 +(\S+) +(\S+) to (\S+)", out)
    assert len(rows) == 2
    assert {len(number.partition(".")[2]) for row in rows for number in row} == {3}


def test_a_sweep_from_dry_run_to_export(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, "--seeds", "0:3", "--store", str(store)]
    plan = _json(capsys, "sweep", *words, "--dry-run")
    assert (plan["trials"], plan["done"], plan["axes"]) == (6, 0, {"width": [8, 16]})
    assert plan["estimated_seconds"] is None
    assert [(one["state"], one["seed"], one["settings"]) for one in plan["plan"][:2]] == [
        ("new", 0, {"width": 8}), ("new", 0, {"width": 16}),
    ]  # fmt: skip
    assert not store.exists(), "a dry run writes nothing"

    done = _json(capsys, "sweep", *words)
    assert (done["trials"], done["done"], done["failed"], done["left"]) == (6, 6, 0, 0)

    code, out, err = _call(capsys, "sweep", *words)
    assert (code, "6 are stored already" in err, "records:" in out) == (0, True, True)

    more = [*WORDS, "--seeds", "0:5", "--store", str(store)]
    plan = _json(capsys, "sweep", *more, "--dry-run")
    assert (plan["trials"], plan["done"]) == (10, 6)
    assert plan["estimated_seconds"] > 0
    assert "same configurations" in plan["estimated_from"]
    _, out, _ = _call(capsys, "sweep", *more, "--dry-run")
    assert "10 trials, 6 of them done, 4 to run" in out
    assert all(one["run_id"] in out for one in plan["plan"])

    cells = _json(capsys, "results", "summary", *WORDS, "--store", str(store))["cells"]
    assert [(cell["axes"], cell["n"]) for cell in cells] == [({"width": 8}, 3), ({"width": 16}, 3)]
    for cell in cells:
        assert 0 <= cell["mean"] <= 1
        assert cell["ci95"] >= 0
    _, out, _ = _call(capsys, "results", "summary", "--store", str(store), "--metric", "teacher.accuracy")
    assert "teacher.accuracy" in out

    listed = _json(capsys, "results", "list", "--store", str(store))
    assert [(row["protocol"], row["trials"]) for row in listed["stored"]] == [("distillation", 6)]
    assert listed["trials"] == [{"experiment": "tiny", "done": 6, "running": 0, "pending": 0, "failed": 0}]
    assert "distillation" in _call(capsys, "results", "list", "--store", str(store))[1]

    key = plan["plan"][0]["run_id"]
    code, out, _ = _call(capsys, "results", "show", key[:10], "--store", str(store))
    assert json.loads(out)["run_id"] == key
    code, out, _ = _call(capsys, "results", "export", str(tmp_path / "x.csv"), *WORDS, "--store", str(store))
    assert (code, out.startswith("6 trials")) == (0, True)


def test_a_failed_trial_gives_exit_1_and_its_traceback_can_be_read(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import subtx_toy.protocols.protocol

    def fail(*_arguments: object, **_options: object) -> None:
        raise ArithmeticError("it diverged")

    words = [*WORDS, "--seeds", "0:8", "--store", str(store)]
    with monkeypatch.context() as broken:
        broken.setattr(subtx_toy.protocols.protocol, "run_experiment", fail)
        code = cli.call(["sweep", *words, "--max-failures", "3"])
    out, err = capsys.readouterr()
    assert code == 1
    assert "failed: ArithmeticError: it diverged" in err
    num = int(re.search(r"(\d+) trials failed", err)[1])  # type: ignore[index]
    assert 3 <= num < 16  # all that had ended by then is stored
    assert f"stopped with {16 - num} trials left" in err
    failed = next(
        one["run_id"] for one in _json(capsys, "sweep", *words, "--dry-run")["plan"] if one["state"] == "failed"
    )
    code, out, err = _shown(capsys, failed, store)
    assert json.loads(out)["state"] == "failed"
    assert "ArithmeticError: it diverged" in err
    code, _, err = _call(capsys, "sweep", *words)
    assert (code, f"{num} failed earlier" in err) == (1, True)
    plan, retried = (_json(capsys, "sweep", *words, "--dry-run", *more) for more in ([], ["--retry-failed"]))
    assert [(one["done"], one["failed"], one["to_run"]) for one in (plan, retried)] == [
        (16 - num, num, 0),
        (16 - num, num, num),
    ]
    assert (plan["estimated_seconds"], retried["estimated_seconds"] > 0) == (0, True)
    _, out, _ = _call(capsys, "sweep", *words, "--dry-run")
    assert f"16 trials, {16 - num} of them done, 0 to run\n{num} failed earlier and are left alone" in out
    _, out, _ = _call(capsys, "sweep", *words, "--dry-run", "--retry-failed")
    assert (f"{16 - num} of them done, {num} to run" in out, "left alone" in out) == (True, False)
    assert _json(capsys, "sweep", *words, "--retry-failed")["done"] == 16


def test_a_trial_that_fails_in_another_session_gives_exit_1(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*WORDS, "--seeds", "0:2", "--store", str(store)]
    lost = _json(capsys, "sweep", *words, "--dry-run")["plan"][1]["run_id"]
    with monkeypatch.context() as other:
        fail_elsewhere(other, [lost])
        code, out, err = _call(capsys, "sweep", *words, "--json")
    document = json.loads(out)
    assert (code, document["done"], document["failed"], document["left"]) == (1, 3, 1, 0)
    assert "1 trial failed" in err

    narrow = [one for one in words if not one.startswith("width")]
    lost = _json(capsys, "sweep", *narrow, "--dry-run")["plan"][1]["run_id"]
    with monkeypatch.context() as other:
        fail_elsewhere(other, [lost])
        code, out, err = _call(capsys, "run", *narrow, "--json")
    document = json.loads(out)
    assert (code, document["seeds"], document["failed_seeds"]) == (1, [0], [1])
    assert "1 trial failed in another session" in err


def _shown(capsys: pytest.CaptureFixture[str], key: str, store: Path) -> tuple[int, str, str]:
    code = cli.call(["results", "show", key, "--store", str(store)])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_plan_goes_through_a_file(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _call(capsys, "sweep", *WORDS, "--seeds", "0:3", "--toml")
    assert code == 0
    (tmp_path / "plan.toml").write_text(out)
    by_words = _json(capsys, "sweep", *WORDS, "--seeds", "0:3", "--dry-run", "--store", str(store))
    by_file = _json(capsys, "sweep", str(tmp_path / "plan.toml"), "--dry-run", "--store", str(store))
    assert by_file["plan"] == by_words["plan"]


def test_the_other_protocol_is_swept_over_its_own_grid(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["one-step", "dataset=glyphs", "num_train=300", "num_test=200", "num_trait=100", "--seeds", "0"]
    plan = _json(capsys, "sweep", *words, "--dry-run", "--store", str(store))
    assert plan["trials"] > 40
    assert {"eps", "student_init"} <= set(plan["axes"])


@pytest.mark.parametrize(
    ("assignments", "starts", "num_steps", "header"),
    [
        (["eps=0.1"], ["shared", "cross", "permuted", "perturbed"], 8, "eps 0.1 alone has no order"),
        (["student_init=shared", "student_lr=2.0"], ["shared"], 1, "orders in eps from 0.0001 to 0.1"),
        (["student_init=cross", "eps=0.1"], ["cross"], 0, "eps 0.1 alone has no order"),
    ],
)
def test_a_run_of_one_step_with_settings_of_its_grid_assigned(
    assignments: list[str], starts: list[str], num_steps: int, header: str, store: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = ["run", "one-step", "--quick", "num_train=300", *assignments, "--seeds", "0:2", "--store", str(store)]
    figure = tmp_path / "x.png"
    document = _json(capsys, *words, "--figure", str(figure))
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert [one["student_init"] for one in document["starts"]] == starts
    assert len(document["student_lr"]["step"]) == num_steps * 2
    for one in document["starts"]:
        assert (one["order_of_alignment"] is None) == (len(one["eps"]) == 1)
    code, out, _ = _call(capsys, *words, "--no-figure")
    assert (code, header in out) == (0, True)
    assert ("closer to the teacher" in out) == (num_steps > 0)


@pytest.mark.parametrize("blind", ["num_aux=1", "depth=0"])
def test_a_run_of_one_step_whose_student_does_not_see_the_teacher_shows_what_there_is(
    blind: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "run",
        "one-step",
        "--quick",
        "num_train=300",
        "num_test=200",
        blind,
        "--seeds",
        "0",
        "--store",
        str(store),
    ]
    figure = tmp_path / "x.png"
    document = _json(capsys, *words, "--figure", str(figure))
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert document["student_lr"] == {"step": [], "change": []}
    assert document["starts"][0]["order_of_alignment"] is None
    assert document["starts"][0]["values"]["predicted_window"][0] == [None]
    code, out, _ = _call(capsys, *words, "--no-figure")
    assert (code, "nan" in out, "closer to the teacher" in out) == (0, False, False)


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (
            ["sweep", "tiny", "widht=1,2", "lr=log:0:1:3", "--seeds", "x"],
            ["did you mean 'width'", "ends > 0", "seeds:"],
        ),
        (
            ["sweep", "tiny", "width=0,2", "num_aux=0"],
            ["width: expected an integer >= 1", "num_aux: expected an integer"],
        ),
        (["sweep", "tini"], ["experiment: expected one of aux-at-width, aux-to-200"]),
        (
            ["sweep", "tiny", "--fail-fast", "--max-failures", "2"],
            ["--fail-fast cannot be combined with --max-failures"],
        ),
        (
            ["results", "list", "--store", "none.sqlite"],
            ["store: expected a results database, got none at none.sqlite"],
        ),
        (["results", "export", "x.xlsx"], ["export: expected a name ending in .parquet, .csv or .jsonl"]),
        (["doctor", "--backup", "copy.sqlite", "--store", "none.sqlite"], ["store: cannot copy none.sqlite"]),
    ],
)
def test_bad_input_is_told_at_once(
    arguments: list[str], sentences: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, out, err = _call(capsys, *arguments)
    assert (code, out) == (2, "")
    for sentence in sentences:
        assert sentence in err
    assert list(tmp_path.iterdir()) == []


def test_dask_that_is_missing_or_cannot_be_reached_is_one_error(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from subtx_toy.sweep import dask_workers

    words = ["sweep", *WORDS, "--seeds", "0", "--store", str(store)]
    monkeypatch.setattr(dask_workers, "CONNECT_SECONDS", 0.5)
    code, _, err = _call(capsys, *words, "--scheduler", "tcp://127.0.0.1:1")
    assert (code, "error: scheduler: cannot use tcp://127.0.0.1:1" in err) == (2, True)
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = _call(capsys, *words, "--engine", "dask")
    assert (code, "pip install distributed cryptography" in err) == (2, True)


def test_the_doctor_finds_a_damaged_store_and_makes_none(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _call(capsys, "doctor", "--store", str(store))
    assert (code, "the first run makes it" in out, store.exists()) == (0, True, False)
    Store(store).close()
    code, out, _ = _call(capsys, "doctor", "--store", str(store), "--backup", str(tmp_path / "copy.sqlite"))
    assert (code, "sound" in out, (tmp_path / "copy.sqlite").exists()) == (0, True, True)
    with Store(store) as opened:
        opened.connection.sqlite.execute("INSERT INTO runs VALUES ('x', 1, 0, 'glyphs', '{', 0.0)")
    code, out, _ = _call(capsys, "doctor", "--store", str(store), "--json")
    assert code == 1
    faults = [one["text"] for one in json.loads(out)["findings"] if (one["name"], one["state"]) == ("store", "fault")]
    assert any("record x" in text for text in faults), faults
