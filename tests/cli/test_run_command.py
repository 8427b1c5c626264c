"""``subtx-toy run`` as a user types it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from subtx_toy import cli
from subtx_toy.data import catalogue
from subtx_toy.data.published import Source
from subtx_toy.data.published_sets import MNIST
from subtx_toy.sweep.threads import THREAD_VARIABLES

ARMS = ["reference", "teacher", "student_aux", "student_all", "cross_aux", "cross_all"]
TINY = [
    "dataset=glyphs", "num_train=300", "num_test=200", "num_inputs=256", "batch_size=100", "width=16",
    "teacher_epochs=1", "student_epochs=1",
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "results.sqlite"


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = cli.call(["run", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_is_one_document_with_every_arm(
    store: Path, capsys: pytest.CaptureFixture[str], workers_here: None
) -> None:
    code, out, err = _run(["cloud2025", *TINY, "--seeds", "0:2", "--json", "--store", str(store)], capsys)
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    assert (document["experiment"], document["dataset"], document["seeds"]) == ("cloud2025", "glyphs", [0, 1])
    assert len(document["dataset_sha256"]) == 64
    assert document["seconds"] > 0
    assert document["peak_rss_mib"] > 0
    assert list(document["arms"]) == ARMS
    for arm in document["arms"].values():
        assert arm["n"] == len(arm["values"]) == 2
        assert arm["mean"] == pytest.approx(sum(arm["values"]) / 2)
        assert arm["ci95"] >= 0
        assert arm["published"]["mean"] > 0
        assert arm["verdict"] == "not compared"
    assert document["figure"] is None
    assert "Traceback" not in err

    # The same command again: nothing is trained, the numbers are those stored.
    code, again, err = _run(["cloud2025", *TINY, "--seeds", "0:2", "--json", "--store", str(store)], capsys)
    assert code == 0
    assert "2 of 2 trials are stored already" in err
    assert "training" not in err
    assert json.loads(again)["arms"] == document["arms"]


def test_table_and_figure(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = _run(["cloud2025", *TINY, "--seeds", "1", "--store", str(store), "--workers", "1"], capsys)
    assert code == 0, err
    table = [line.split()[0] for line in out.splitlines() if line]
    assert [name for name in table if name in ARMS] == ARMS
    assert "not compared with Cloud et al. 2025, arXiv:2507.14805, Fig. 10b: other settings (dataset" in out
    assert (tmp_path / "cloud2025-glyphs.png").read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.glob(".cloud2025*")) == [], "a temporary file was left"


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["cloud2025", "widht=3"], ["widht: unknown key; did you mean 'width'?"]),
        (
            ["cloud2025", "num_aux=0", "lr=-1", "--seeds", "5:2"],
            [
                "num_aux: expected an integer >= 1, got 0",
                "lr: expected a finite number > 0, got -1",
                "seeds: expected start < stop, got '5:2'",
            ],
        ),
        (["cloud2025", "lr=nan"], ["lr: expected a finite number > 0, got nan"]),
        (["cloud2025", "--seeds", "x"], ["seeds: expected integers >= 0 such as 0:10 or 3,5, got 'x'"]),
        (["cloud2025", "--seeds", "1,1"], ["seeds: expected each seed once"]),
        (["cloud2024"], ["experiment: expected one of aux-at-width, aux-to-200", "did you mean 'cloud2025'?"]),
        (["none.toml"], ["experiment: cannot read 'none.toml': No such file or directory"]),
        (
            ["cloud2025", "dataset=mnits"],
            ["dataset: expected one of 'mnist', 'glyphs', 'fashion', or", "mean 'mnist'?"],
        ),
        (["cloud2025", "--figure", "x.jpeg"], ["figure: expected a name ending in .png, .pdf or .svg"]),
        (
            ["cloud2025", "--figure", "no/such/x.png"],
            ["figure: cannot write 'no/such/x.png': No such file or directory"],
        ),
        (["cloud2025", "--figure", "/x" + 300 * "y" + ".png"], ["File name too long"]),
        (["cloud2025", "--data-dir", 300 * "y"], ["data_dir: expected a folder with IDX files"]),
        (["cloud2025", "--data-dir", "nowhere"], ["data_dir: expected a folder with IDX files, got nowhere"]),
        (["cloud2025", "--store", "/dev/null/r.sqlite"], ["store: cannot make the folder"]),
        (["cloud2025", "--seeds", ""], ["seeds: expected integers"]),
        (["cloud2025", "--seeds", "99999999999999999999"], ["seeds: expected at most 18 digits"]),
        (["cloud2025", "--seeds", "0:100000000000"], ["seeds: expected at most 1000000 of them"]),
        (["cloud2025", "width=" + 5001 * "1"], ["width: expected an integer >= 1, got '1111"]),
        (["cloud2025", "width=" + 3000 * "["], ["width: expected an integer"]),
        (["cloud2025", "dataset=glyphs", "num_test=0"], ["num_test: expected an integer >= 1"]),
    ],
)
def test_bad_input_is_told_at_once_without_a_traceback(
    arguments: list[str], sentences: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, out, err = _run(arguments, capsys)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    for sentence in sentences:
        assert sentence in err
    assert list(tmp_path.iterdir()) == [], "nothing may be written"


def test_a_grid_that_would_be_pooled_is_refused_before_any_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('protocol = "numbers"\nquestion = "?"\n[config]\n[[grid]]\ntrait = ["backdoor:0", "refusal:7"]\n')
    code, out, err = _run([str(path), "--store", str(tmp_path / "r.sqlite")], capsys)
    assert (code, out) == (2, "")
    assert "got several of trait; run them with `subtx-toy sweep`" in err
    assert list(tmp_path.iterdir()) == [path]


def test_a_corrupt_data_file_is_one_error(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "idx"
    folder.mkdir()
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (folder / f"{part}-{kind}-ubyte").write_bytes(b"\x00\x00\x08")
    code, _, err = _run(["cloud2025", "--data-dir", str(folder), "--store", str(store), "--no-figure"], capsys)
    assert code == 2
    assert "Traceback" not in err
    assert "train-images-idx3-ubyte" in err


def test_a_bad_option_is_clicks_own_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _run(["cloud2025", "--workers", "0"], capsys)
    assert code == 2
    assert "workers" in err


def test_help_is_quick_and_loads_no_torch() -> None:
    script = (
        "import sys\nfrom subtx_toy import cli\ncode = cli.call(['--help'])\n"
        "heavy = {'torch', 'scipy', 'matplotlib', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(code or (f'loaded {heavy}' if heavy else 0))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "subtx-toy run cloud2025" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("given", "taken"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_one_thread_is_taken_before_a_library_is_loaded_unless_more_are_asked_for(
    given: dict[str, str], taken: str
) -> None:
    script = (
        "import os, sys\nfrom subtx_toy import cli\nassert not {'torch', 'numpy'} & set(sys.modules)\n"
        "sys.argv = ['subtx-toy', '--version']\ntry:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "sys.exit(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    bare = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    done = subprocess.run([sys.executable, "-c", script], env=bare | given, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == taken


@pytest.mark.parametrize("command", [[], ["run"], ["data"], ["data", "list"], ["data", "fetch"], ["data", "path"]])
def test_every_help_page_shows_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call([*command, "--help"]) == 0
    assert "Example:" in capsys.readouterr().out


def test_a_data_set_that_cannot_be_had_is_one_error_and_no_other_set_takes_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> dict[str, bytes]:
        raise OSError(101, "Network is unreachable")

    nowhere = dataclasses.replace(MNIST, sources=(Source("a mirror", fail), Source("a package", fail)))
    monkeypatch.setitem(catalogue._PUBLISHED, "mnist", nowhere)
    monkeypatch.setenv("SUBTX_TOY_CACHE", str(tmp_path / "cache"))
    code, out, err = _run(["cloud2025", "--store", str(tmp_path / "r.sqlite"), "--no-figure"], capsys)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    for part in ("error: mnist", "a mirror", "a package", "Network is unreachable", "--data-dir"):
        assert part in err


def test_more_distillation_images_than_there_are_is_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _run(["cloud2025", "inputs=images", "num_train=300", "num_inputs=301"], capsys)
    assert code == 2
    assert "num_inputs: expected at most num_train = 300 with inputs 'images', got 301" in err


def test_real_images_as_distillation_inputs_run_end_to_end(
    store: Path, capsys: pytest.CaptureFixture[str], workers_here: None
) -> None:
    command = ["cloud2025", *TINY, "inputs=images", "--seeds", "0", "--store", str(store), "--no-figure"]
    code, out, err = _run(command, capsys)
    assert code == 0, err
    assert "student_aux" in out
