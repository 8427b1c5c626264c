"""Nets that a run or a sweep keeps: whole, with their provenance, for new and for stored trials, by any worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

import subtx_toy as st
from subtx_toy.data import load
from subtx_toy.errors import InputError
from subtx_toy.problem.activations import Activation
from subtx_toy.problem.model import MLP
from subtx_toy.protocols.distillation import net_to_keep
from subtx_toy.protocols.protocol import run_experiment
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.store.kept_nets import is_kept, read_file
from subtx_toy.sweep import workers
from subtx_toy.sweep.trial import Edition, Trial, TrialOutcome, run_batch

SMALL: dict[str, Any] = dict(
    dataset="glyphs", num_train=60, num_test=40, num_inputs=50, width=6, batch_size=32, teacher_epochs=1,
    student_epochs=1,
)  # fmt: skip
ARMS = ("reference", "teacher", "student_aux", "student_all", "cross_aux", "cross_all")


def accuracy(net: st.Net, data: st.Dataset) -> float:
    assert net.model is not None
    x = torch.tensor(data.test_images.reshape(len(data.test_images), -1)).float() / 127.5 - 1
    told = net.model.apply(net.params, x)[:, net.model.columns("class")].argmax(1)
    return float((told == torch.tensor(data.test_labels)).double().mean())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one trial's nets."""
    folder = tmp_path_factory.mktemp("nets")
    config, data = RunConfig.parse(SMALL), load("glyphs", num_train=60, num_test=40)
    record = run_experiment(config, data, seed=3, keep_nets=folder)
    return folder / record.run_id


def test_every_arm_is_a_net_that_gives_its_accuracy(kept: Path) -> None:
    data = load("glyphs", num_train=60, num_test=40)
    assert {path.stem for path in kept.iterdir()} == set(ARMS)
    for arm in ARMS:
        net = st.read_net(kept / f"{arm}.safetensors")
        assert accuracy(net, data) == net.made["metrics"][f"{arm}.accuracy"]
        assert (net.arm, net.seed, net.config["width"], net.made["run_id"]) == (arm, 3, 6, kept.name)


def test_a_problem_takes_teacher_and_reference_as_they_are(kept: Path) -> None:
    base, teacher = (st.read_net(kept / f"{arm}.safetensors") for arm in ("reference", "teacher"))
    assert base.model is not None
    problem = st.Problem(
        model=base.model, base_params=base.params, inputs=torch.zeros(2, 784), distillation_loss=st.kl(),
        distilled_logits="aux", eps=1.0, student_lr=0.1,
        teacher_update={name: teacher.params[name] - base.params[name] for name in base.params},
    )  # fmt: skip
    assert list(problem.base_params) == list(base.params)


def test_the_same_trial_gives_the_same_bytes(kept: Path, tmp_path: Path) -> None:
    data = load("glyphs", num_train=60, num_test=40)
    run_experiment(RunConfig.parse(SMALL), data, seed=3, keep_nets=tmp_path)
    again = tmp_path / kept.name
    assert all((again / path.name).read_bytes() == path.read_bytes() for path in kept.iterdir())


def test_an_altered_or_foreign_file_is_one_clear_error(kept: Path, tmp_path: Path) -> None:
    content = bytearray((kept / "teacher.safetensors").read_bytes())
    content[-1] ^= 1
    cases = {"changed": bytes(content), "cut": bytes(content[:50]), "text": b"no net at all", "empty": b""}
    for name, value in cases.items():
        (tmp_path / name).write_bytes(value)
        with pytest.raises(InputError, match="of checksum" if name == "changed" else "cannot be read"):
            st.read_net(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        st.read_net(tmp_path / "nothing")


def test_weights_come_from_the_inputs_on_at_every_call(kept: Path) -> None:
    for _ in range(3):
        net = st.read_net(kept / "teacher.safetensors")
        assert net.model is not None
        assert tuple(net.params) == net.model.param_names


def test_a_net_is_one_line_in_a_notebook(kept: Path) -> None:
    line = f"Net('teacher', seed 3, MLP((784, 6, 6, 13), 'relu', num_classes=10), 4,843 parameters, run {kept.name})"
    assert repr(st.read_net(kept / "teacher.safetensors")) == line


SHAPE = {"sizes": [784, 6, 6, 13], "activation": "relu", "num_classes": 10, "num_second": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": "3"}, "seed: expected an integer, got '3'"),
        ({"arm": None}, "arm: expected a text, got None"),
        ({"config": []}, r"config: expected a table, got \[\]"),
        ({"model": {}}, "model: expected the shape of a perceptron, got KeyError"),
        ({"model": SHAPE | {"sizes": "7"}}, "model: expected the shape of a perceptron"),
        ({"model": SHAPE | {"sizes": [784, 5, 6, 13]}}, "expected weights of the model's shapes"),
        ({"model": SHAPE | {"num_classes": 14}}, "num_classes: expected at most 13"),
        ({"model": SHAPE | {"num_second": 4}}, "num_second: expected an integer from 0 to 3, got 4"),
        ({"model": SHAPE | {"num_second": "1"}}, "num_second: expected an integer from 0 to 3, got '1'"),
    ],
    ids=str,
)
def test_a_provenance_that_does_not_fit_the_weights_is_refused(
    kept: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    found = read_file(kept / "teacher.safetensors")
    path = tmp_path / "changed.safetensors"
    path.write_bytes(save(found.params, {"subtx_toy": json.dumps(found.made | changes)}))
    with pytest.raises(InputError, match=message):
        st.read_net(path)


def test_an_activation_of_the_users_is_none_of_the_packages_whatever_its_name() -> None:
    config, params = RunConfig.parse(SMALL), dict[str, torch.Tensor]()
    own = Activation("relu", torch.tanh)
    assert net_to_keep(config, MLP((4, 3), own, num_classes=2), params).shape is None
    assert net_to_keep(config, MLP((4, 3), "relu", num_classes=2), params).shape is not None


def test_a_linearised_net_has_weights_and_no_function(tmp_path: Path) -> None:
    data = load("glyphs", num_train=60, num_test=40)
    record = run_experiment(RunConfig.parse(SMALL | {"linearized": "both"}), data, seed=0, keep_nets=tmp_path)
    net = st.read_net(tmp_path / record.run_id / "student_aux.safetensors")
    assert net.model is None
    assert net.params["layers.0.weight"].shape == (6, 784)


def test_a_teacher_of_two_tasks_keeps_its_three_heads(tmp_path: Path) -> None:
    data = load("glyphs", num_train=60, num_test=40)
    config = MechanismConfig.parse(SMALL | {"second_task": "parity", "students": "student_aux"})
    record = run_experiment(config, data, seed=0, keep_nets=tmp_path)
    net = st.read_net(tmp_path / record.run_id / "teacher.safetensors")
    assert net.model is not None
    assert [net.model.columns(name) for name in ("class", "second")] == [slice(0, 10), slice(10, 12)]
    assert accuracy(net, data) == net.made["metrics"]["teacher.accuracy"]


class InProcess(workers.LocalWorkers):
    """A worker that is this process."""

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        future: Future[list[TrialOutcome]] = Future()
        future.set_result(run_batch(trials, Edition.here()))
        return future


def test_stored_trials_without_nets_are_run_again_and_their_records_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "LocalWorkers", InProcess)
    store, nets, lines = tmp_path / "r.sqlite", tmp_path / "nets", list[str]()
    definition = read("tiny")
    first = st.run(definition, seeds=range(2), workers=1, store=store, **SMALL)
    before = {one.run_id: one for one in first.records}
    done = st.run(definition, seeds=range(3), workers=1, store=store, keep_nets=nets, report=lines.append, **SMALL)
    assert len(before) > 1
    assert any(f"{len(before)} stored trials have none" in line for line in lines)
    assert not any("other digits" in line for line in lines)
    records = {one.run_id: one for one in done.records}
    assert len(records) > len(before)
    assert all(records[run_id] == one for run_id, one in before.items())
    for run_id, record in records.items():
        found = read_file(nets / run_id / "teacher.safetensors")
        assert found.made["metrics"]["teacher.accuracy"] == record.metrics["teacher.accuracy"]
    lines.clear()
    (nets / done.records[0].run_id / "teacher.safetensors").unlink()
    st.run(definition, seeds=range(3), workers=1, store=store, keep_nets=nets, report=lines.append, **SMALL)
    assert any("1 stored trial has none" in line for line in lines)
    assert all(is_kept(nets, run_id) for run_id in records)


@pytest.mark.slow
def test_workers_and_dask_keep_the_same_nets(tmp_path: Path) -> None:
    folders = [tmp_path / engine for engine in ("local", "dask")]
    for folder in folders:
        st.sweep("tiny", {"width": [4, 6], "num_train": [60], "num_inputs": [50]}, seeds=range(2), workers=2,
                 store=tmp_path / f"{folder.name}.sqlite", engine=folder.name, keep_nets=folder)  # fmt: skip
    found = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.safetensors")} for folder in folders
    ]
    assert len(found[0]) == 4 * len(ARMS)
    assert found[0] == found[1]


def test_what_cannot_keep_nets_says_so_before_any_training(tmp_path: Path) -> None:
    store = tmp_path / "r.sqlite"
    with pytest.raises(InputError, match="keep_nets: expected an experiment of protocol 'distillation', 'mechanism'"):
        st.run("one-step", quick=True, store=store, keep_nets=tmp_path / "nets")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="keep_nets: expected a folder that can be written"):
        st.run("tiny", quick=True, store=store, keep_nets=tmp_path / "file")
