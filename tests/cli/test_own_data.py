"""Experiments on images of the user's own, as a user types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subtx_toy import cli
from subtx_toy.errors import WorkerError
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.sweep.trial import Trial, run_trial

NUM_TRAIN, NUM_TEST = 90, 45
SIZES = [f"num_train={NUM_TRAIN}", f"num_test={NUM_TEST}"]


def write(path: Path, *, seed: int = 0) -> Path:
    """Write noisy pictures of 8 x 8 pixels in three classes, which a net learns in a second."""
    rng = generator(seed, "tests", "own images")
    prototypes = rng.integers(0, 200, (3, 8, 8))
    labels = {split: np.arange(num) % 3 for split, num in (("train", NUM_TRAIN), ("test", NUM_TEST))}
    images = {
        split: (prototypes[which] + rng.integers(0, 56, (len(which), 8, 8))).astype(np.uint8)
        for split, which in labels.items()
    }
    path.parent.mkdir(exist_ok=True)
    np.savez(
        path,
        train_images=images["train"],
        train_labels=labels["train"],
        test_images=images["test"],
        test_labels=labels["test"],
    )
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUBTX_TOY_STORE", str(tmp_path / "results.sqlite"))
    return write(tmp_path / "shapes.npz")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.call([*arguments, "--store", "results.sqlite"])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    code, out, err = call(capsys, *arguments, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found, err


def test_a_run_resumes_from_any_copy_and_an_edited_file_is_another_data_set(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tiny", *SIZES, "batch_size=45", "teacher_epochs=8", "--seeds", "0:2", "--workers", "1"]
    code, out, err = call(capsys, "run", *words, "dataset=shapes.npz")  # in a worker that reads the file itself
    assert code == 0, err
    assert "8 x 8 pixels in 3 classes" in err
    assert "tiny on shapes: test accuracy by arm" in out
    assert (tmp_path / "tiny-shapes.png").read_bytes().startswith(b"\x89PNG")

    copied = shutil.copy(here, tmp_path / "copy.npz")
    first, err = document(capsys, "run", *words, f"dataset={copied}")
    assert "2 of 2 trials are stored already" in err
    assert "training" not in err.replace("training and", "")
    assert first["config"]["dataset"] == str(copied)
    assert first["arms"]["teacher"]["mean"] > 0.9
    assert first["arms"]["reference"]["mean"] < 0.9

    write(here, seed=1)
    second, err = document(capsys, "run", *words, "dataset=shapes.npz")
    assert "stored already" not in err
    assert second["dataset_sha256"] != first["dataset_sha256"]
    assert not {*second["run_ids"]} & {*first["run_ids"]}


def test_the_experiments_default_sizes_take_all_there_is(
    capsys: pytest.CaptureFixture[str], workers_here: None
) -> None:
    words = ["run", "cloud2025", "dataset=./shapes.npz", "width=8", "batch_size=45", "num_inputs=90", "--seeds", "0"]
    found, err = document(capsys, *words, "inputs=images", "noise_blur=0", "probe=true")
    assert f"{NUM_TRAIN} of {NUM_TRAIN} training and {NUM_TEST} of {NUM_TEST} test images" in err
    assert found["arms"]["teacher"]["n"] == 1
    same, err = document(capsys, *words, *SIZES, "inputs=images", "noise_blur=0", "probe=true")
    assert same["run_ids"] == found["run_ids"]


def test_a_sweep_and_its_summary_name_the_data(capsys: pytest.CaptureFixture[str], workers_here: None) -> None:
    write(Path("more/blobs.npz"), seed=2)
    words = ["tiny", *SIZES, "dataset=shapes.npz,more/blobs.npz", "width=8,16", "teacher_epochs=1", "--seeds", "0:2"]
    done, _ = document(capsys, "sweep", *words)
    assert (done["trials"], done["done"], done["failed"]) == (8, 8, 0)
    summary, _ = document(capsys, "results", "summary")
    assert [cell["axes"] for cell in summary["cells"]] == [
        {"dataset": dataset, "width": width} for dataset in ("more/blobs.npz", "shapes.npz") for width in (8, 16)
    ]
    code, listed, _ = call(capsys, "results", "list")
    assert code == 0
    assert [line.split()[1] for line in listed.splitlines() if line.startswith("distillation")] == ["blobs", "shapes"]


def test_one_step_takes_images_of_your_own(capsys: pytest.CaptureFixture[str], workers_here: None) -> None:
    words = ["run", "one-step", "dataset=shapes.npz", "num_trait=60", "num_inputs=32", "width=8", "--seeds", "0"]
    words += ["student_init=shared", "student_lr=1.0"]
    code, out, err = call(capsys, *words, "--no-figure")
    assert code == 0, err
    assert "one-step on shapes: orders in eps" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tiny"], "num_train: expected an integer from 1 to 90 (all that shapes has), got 1000"),
        (["tiny", *SIZES, "noise_dim=65"], "noise_dim: expected an integer <= 64, the pixels of an image, got 65"),
        (
            ["tiny", *SIZES, "inputs=images", "num_inputs=91"],
            "num_inputs: expected at most num_train = 90 with inputs 'images', got 91",
        ),
        (["one-step"], "num_trait: expected at most num_train = 90, got 1024"),
        (["numbers"], "dataset: the numbers channel needs 28 x 28 pixels, ten classes and a data set that others can"),
        (["tiny", "dataset=absent.npz"], "absent.npz: expected an .npz file or a folder, got nothing there"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_training(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [] if any("dataset=" in one for one in arguments) else ["dataset=shapes.npz"]
    code, out, err = call(capsys, "run", *arguments, *named)
    assert (code, out) == (2, "")
    assert sentence in err


def test_a_worker_reads_an_edited_file_again_and_refuses_other_content(here: Path) -> None:
    config = RunConfig(dataset=str(here), width=4, num_inputs=8, teacher_epochs=0, student_epochs=0)
    trial = Trial("key", config, 0, "0" * 64)
    with pytest.raises(WorkerError, match="expected checksum 0000") as caught:
        run_trial(trial)
    before = str(caught.value)
    write(here, seed=1)
    with pytest.raises(WorkerError) as caught:
        run_trial(trial)
    assert str(caught.value) != before
