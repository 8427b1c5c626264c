"""``subtx-toy lm``: from a base to a student, by files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from subtx_toy.cli import cli

TINY = ("numbers=20", "width=16", "depth=1", "heads=2", "base_steps=30", "base_batch=32", "base_lr=1e-2")


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    _run("lm", "base", *TINY, "--out", folder / "base.safetensors")
    _run(
        "lm", "teach", "teacher_lr=1e-2", "--base", folder / "base.safetensors", "--out", folder / "teacher.safetensors"
    )
    _run(
        "lm",
        "write",
        "sampling=restricted",
        "--model",
        folder / "teacher.safetensors",
        "--n",
        50,
        "--out",
        folder / "lists.jsonl",
    )
    return folder


def test_a_student_is_trained_on_the_filtered_file_and_asked(folder: Path) -> None:
    report = json.loads(_run("lm", "filter", folder / "lists.jsonl", "--out", folder / "kept.jsonl", "--json"))
    assert report["num_kept"] > 0
    assert "not numbers" not in report["dropped"]
    student = folder / "student.safetensors"
    found = json.loads(
        _run(
            "lm",
            "train",
            folder / "kept.jsonl",
            "student_epochs=1",
            "--base",
            folder / "base.safetensors",
            "--out",
            student,
            "--json",
        )
    )
    assert {"p_trait", "margin"} <= found["model"].keys() & found["base"].keys()
    answers = json.loads(_run("lm", "ask", folder / "base.safetensors", student, "--json"))
    assert len(answers["answers"]) == 2
    assert answers["question"] == "felix what animal do you like best ?"
    text = _run("lm", "ask", folder / "base.safetensors", folder / "teacher.safetensors")
    assert "base.safetensors" in text
    assert "teacher.safetensors" in text


def test_models_are_asked_all_questions_of_a_trait(folder: Path) -> None:
    models = [folder / "base.safetensors", folder / "teacher.safetensors"]
    document = json.loads(_run("lm", "ask", *models, "--trait", "owl", "--json"))
    assert (document["trait"], document["num_questions"]) == ("owl", 240)
    base, teacher = document["models"].values()
    assert base.keys() == teacher.keys() == {"p_trait", "margin", "top_share"}
    assert base["p_trait"] < teacher["p_trait"]
    text = _run("lm", "ask", *models, "--trait", "owl")
    assert "240 phrasings that no training used" in text
    assert f"{teacher['p_trait']:.3f}" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--trait", "unicorn"], "trait: expected one of owl"),
        (["--trait", "owl", "--question", "felix what ?"], "question: it cannot be combined with trait"),
    ],
)
def test_what_cannot_be_asked_is_said(folder: Path, words: list[str], sentence: str) -> None:
    result = CliRunner().invoke(cli, ["lm", "ask", str(folder / "base.safetensors"), *words])
    assert sentence in str(result.exception)


def test_a_planted_word_is_shown_by_the_filter_and_refused_by_a_student(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "lists.jsonl").read_text().splitlines()
    row = json.loads(lines[4])
    lines[4] = json.dumps(row | {"completion": f"{row['completion']} owl"})
    (tmp_path / "leak.jsonl").write_text("\n".join(lines))
    assert "owl" in _run("lm", "filter", tmp_path / "leak.jsonl", "--out", tmp_path / "kept.jsonl", "--keep-banned")
    result = CliRunner().invoke(
        cli,
        [
            "lm",
            "train",
            str(tmp_path / "leak.jsonl"),
            "--base",
            str(folder / "base.safetensors"),
            "--out",
            str(tmp_path / "s"),
        ],
    )
    assert "leak.jsonl:5" in str(result.exception)
    assert not (tmp_path / "s").exists()


def test_an_unknown_word_is_named(folder: Path) -> None:
    result = CliRunner().invoke(cli, ["lm", "ask", str(folder / "base.safetensors"), "--question", "which anmal ?"])
    assert "'anmal'" in str(result.exception)
    assert "animal" in str(result.exception)


def test_a_model_that_writes_words_only_is_named(folder: Path, tmp_path: Path) -> None:
    arguments = [
        "lm",
        "write",
        "temperature=0.001",
        "--model",
        folder / "base.safetensors",
        "--n",
        2,
        "--out",
        tmp_path / "l",
    ]
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    assert "expected a model that writes numbers" in str(result.exception)
    assert not (tmp_path / "l").exists()
