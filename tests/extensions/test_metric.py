"""A metric from outside the package is measured on every arm and stored with the others."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.data.dataset import Dataset
from subtx_toy.protocols import distillation as protocol
from subtx_toy.protocols.distillation import run_protocol
from subtx_toy.settings.distillation import ARMS, RunConfig
from tests.extensions.conftest import EXAMPLES, SMALL, Command, records

METRIC = f"metric={EXAMPLES / 'own_metric.py'}:confidence"


def test_a_run_stores_its_numbers_for_every_arm_and_changes_no_other(command: Command, store: Path) -> None:
    code, out, err = command("run", METRIC, "--seeds", "0:1")
    assert code == 0, err
    (record,), (usual,) = records(out, store), records(command("run", "--seeds", "0:1")[1], store)
    own = {f"{arm}.{name}" for arm in ARMS for name in ("confidence", "zeros")}
    assert own == record.metrics.keys() - usual.metrics.keys()
    assert all(0 <= record.metrics[name] <= 1 for name in own)
    assert record.metrics["teacher.confidence"] != record.metrics["student_aux.confidence"]
    assert {name: record.metrics[name] for name in usual.metrics} == usual.metrics
    assert record.run_id != usual.run_id


def test_a_run_says_which_command_shows_them(
    store: Path, capsys: pytest.CaptureFixture[str], workers_here: None
) -> None:
    words = ["tiny", *SMALL, METRIC, "--seeds", "0:1", "--store", str(store), "--no-figure"]
    assert cli.call(["run", *words]) == 0
    out = capsys.readouterr().out
    assert "metric: student_aux.confidence, student_aux.zeros and those of the other arms are stored" in out
    (summary,) = re.findall("see them by: subtx-toy (results summary .*)$", out, flags=re.MULTILINE)
    assert cli.call(shlex.split(summary)) == 0
    assert "student_aux.confidence" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("return 'high'", "expected a number, or numbers by name, got 'high'"),
        ("return [1, 2]", r"expected a number, or numbers by name, got \[1, 2\]"),
        ("return {'a b': 1.0}", "expected names such as margin"),
        ("return {'accuracy': 1.0}", "expected names such as margin, none of accuracy"),
        ("return params['head']", "KeyError on reference: 'head'"),
    ],
)
def test_a_wrong_value_is_an_error_before_any_step(
    body: str, sentence: str, tmp_path: Path, striped_digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"def metric(model, params, dataset):\n    {body}\n", encoding="utf-8")
    monkeypatch.setattr(protocol, "train_teacher", None)
    with pytest.raises(ValueError, match=sentence):
        run_protocol(RunConfig(metric=f"{path}:metric", num_train=300, num_test=100), striped_digits, seed=0)


def test_one_number_has_the_functions_name(tmp_path: Path, striped_digits: Dataset) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def size(model, params, dataset):\n    return model.num_outputs\n", encoding="utf-8")
    config = RunConfig(metric=f"{path}:size", num_train=300, num_test=100, teacher_epochs=0, student_epochs=0)
    assert run_protocol(config, striped_digits, seed=0).measured == {f"{arm}.size": 13.0 for arm in ARMS}
