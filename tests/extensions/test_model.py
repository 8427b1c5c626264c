"""A convolutional net from outside the package goes through the reference protocol as the perceptron does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.functional import own_model
from subtx_toy.problem.initialisations import cross_model_init, shared_init
from subtx_toy.protocols.distillation import run_protocol, setup_of
from subtx_toy.results.rows import select
from subtx_toy.settings.distillation import ARMS, RunConfig
from subtx_toy.store import Store
from subtx_toy.sweep.schedule import schedule
from subtx_toy.sweep.trial import run_trial
from subtx_toy.tolerances import FP64_STEP
from subtx_toy.training.trainers import Trainer
from tests.extensions.conftest import EXAMPLES, Command, records
from tests.reference.closeness import assert_params_close, same_bits

MODEL = f"model={EXAMPLES / 'own_model.py'}:convolutional"
FILE = """
import torch
from torch import nn

def perceptron(image_shape, num_outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.Tanh(), nn.Linear(8, num_outputs))

def nothing(image_shape, num_outputs):
    return None

def failing(image_shape, num_outputs):
    raise RuntimeError("no such layer")

def narrow(image_shape, num_outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 3))

def batch_norm(image_shape, num_outputs):
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, num_outputs))

def unseeded(image_shape, num_outputs):
    import numpy
    linear = nn.Linear(784, num_outputs)
    with torch.no_grad():
        linear.weight.mul_(numpy.random.rand())
    return nn.Sequential(nn.Flatten(), linear)

number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FILE, encoding="utf-8")
    return path


def small(model: str, **values: object) -> RunConfig:
    return RunConfig.parse(
        {"model": model, "num_train": 300, "num_test": 100, "num_inputs": 100, "batch_size": 50, "lr": 1e-2} | values
    )


def test_a_run_measures_every_arm_says_that_it_is_slower_and_is_not_repeated(command: Command, store: Path) -> None:
    code, out, err = command("run", MODEL, "--seeds", "0:2")
    assert code == 0, err
    assert "own_model.py:convolutional: trained by the autograd route, which is slower" in err
    record = records(out, store)[0]
    assert {name for name in record.metrics if name.endswith(".accuracy")} == {f"{arm}.accuracy" for arm in ARMS}
    assert record.metrics["teacher.accuracy"] > 0.2 > record.metrics["reference.accuracy"]
    assert record.config["model"] == MODEL.removeprefix("model=")
    assert record.versions["model"] == f"autograd, {MODEL.removeprefix('model=')}"
    assert record.series["student_all.loss"][-1] < record.series["student_all.loss"][0]
    code, again, err = command("run", MODEL, "--seeds", "0:2")
    assert (code, json.loads(again)["arms"]) == (0, json.loads(out)["arms"])
    assert "2 of 2 trials are stored already" in err


def test_a_worker_process_resolves_a_path_as_the_command_does(
    command: Command, file: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # real processes
    monkeypatch.chdir(file.parent)
    words = ["model=mine.py:perceptron", "num_aux=2,3", "--seeds", "0:1", "--workers", "1"]
    code, out, err = command("sweep", *words)
    assert (code, json.loads(out)["done"]) == (0, 2), err
    code, out, err = command("sweep", *words)
    assert (code, json.loads(out)["done"], "2 are stored already" in err) == (0, 2, True), err


def test_an_edited_file_is_another_run_and_its_records_are_not_pooled(
    command: Command, file: Path, store: Path
) -> None:
    words = [f"model={file}:perceptron", "--seeds", "0:1"]
    (before,) = records(command("run", *words)[1], store)
    file.write_text(FILE.replace("nn.Tanh()", "nn.ReLU()"), encoding="utf-8")
    (after,) = records(command("run", *words)[1], store)
    assert before.run_id != after.run_id
    assert before.metrics != after.metrics
    assert before.config == after.config
    with Store(store) as opened:
        selection = select(opened)
    assert [result.run_id for result in selection.results] == [after.run_id]
    assert [(words, num) for words, num in selection.left_out.items() if "another file" in str(words) and num == 1]


def test_a_file_that_is_edited_while_its_trials_wait_is_refused(file: Path) -> None:
    config = small(f"{file}:perceptron", dataset="glyphs")
    (trial,) = schedule([config], [0])
    file.write_text(FILE + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="the source changed after the trials were planned"):
        run_trial(trial)


def test_streams_decide_the_parameters_and_torchs_own_generator_is_left_alone(
    striped_digits: Dataset, file: Path
) -> None:
    torch_state = torch.random.get_rng_state()
    model = setup_of(small(f"{file}:perceptron"), striped_digits, seed=0).model
    one, same, other = (shared_init(model, seed=seed, dtype=torch.float32) for seed in (0, 0, 1))
    cross = cross_model_init(model, seed=0, dtype=torch.float32)
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    assert same_bits(one, same)
    assert not any(torch.equal(one[name], value) for params in (other, cross) for name, value in params.items())


def test_training_is_that_of_a_plain_loop_with_the_module(striped_digits: Dataset, file: Path) -> None:
    config = small(
        f"{file}:perceptron",
        teacher_epochs=1,
        student_epochs=0,
        batch_size=300,
        optimizer="sgd",
        lr=0.1,
        precision="fp64",
    )
    found: list[Trainer] = []
    run_protocol(config, striped_digits, seed=0, watch=lambda _phase, trainer: found.append(trainer))
    base = shared_init(setup_of(config, striped_digits, seed=0).model, seed=0, dtype=torch.float64)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.Tanh(), nn.Linear(8, 13)).double()
    net.load_state_dict(base)
    x = torch.tensor(striped_digits.train_images / 255 * 2 - 1)
    loss = nn.functional.cross_entropy(net(x)[:, :10], torch.tensor(striped_digits.train_labels.astype(int)))
    slopes = torch.autograd.grad(loss, list(net.parameters()))
    stepped = {name: value - 0.1 * slope for (name, value), slope in zip(base.items(), slopes, strict=True)}
    assert_params_close(found[0].params(0), stepped, FP64_STEP)
    with pytest.raises(AssertionError):
        assert_params_close(base, stepped, FP64_STEP)


@pytest.mark.parametrize(
    ("shape", "seen"), [((4, 6), (1, 4, 6)), ((2, 4, 3), (3, 2, 4)), ((24,), (24,))], ids=["grey", "colours", "flat"]
)
def test_a_module_sees_images_with_their_channels_first(shape: tuple[int, ...], seen: tuple[int, ...]) -> None:
    class Corner(nn.Module):
        def __init__(self, image_shape: tuple[int, ...], num_outputs: int) -> None:
            super().__init__()
            assert (image_shape, num_outputs) == (seen, 2)
            self.bias = nn.Parameter(torch.zeros(2))

        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[1:] == seen
            return x.flatten(1)[:, :2] + self.bias

    model = own_model(Corner, name="Corner", image_shape=shape, num_outputs=2, num_classes=1, dtype=torch.float64)
    x = torch.arange(48, dtype=torch.float64).view(2, 24)
    logits = model.apply({"bias": torch.zeros(2, dtype=torch.float64)}, x)
    second = 3 if len(shape) == 3 else 1  # the next pixel of the first channel
    assert torch.equal(logits, x[:, [0, second]])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("absent", "expected a factory of models named 'absent'"),
        ("number", "expected a function, got int"),
        ("nothing", "expected a torch.nn.Module, got NoneType"),
        ("failing", "RuntimeError: no such layer"),
        ("narrow", r"expected outputs \[n, 13\], got \[2, 3\] for 2 inputs"),
        ("batch_norm", "model.1: expected BatchNorm1d in eval mode"),
        ("unseeded", "expected initial weights from torch's own generator"),
    ],
)
def test_a_factory_that_cannot_be_used_is_an_error_before_any_step(
    name: str, sentence: str, striped_digits: Dataset, file: Path
) -> None:
    with pytest.raises(ValueError, match=sentence):
        run_protocol(small(f"{file}:{name}"), striped_digits, seed=0)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"width": 8, "init": "he"}, "width, init: only for model 'mlp'"),
        ({"precision": "bf16"}, "precision: expected 'fp32' or 'fp64'"),
        ({"student_noise_layers": "hidden"}, "student_noise_layers: expected 'all'"),
    ],
)
def test_settings_of_the_perceptron_do_not_go_with_a_model_of_ones_own(
    values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        small("mine.py:net", **values)


def test_a_probe_needs_a_model_with_a_hidden_layer(striped_digits: Dataset, file: Path) -> None:
    with pytest.raises(ValueError, match="probe: expected false"):
        run_protocol(small(f"{file}:perceptron", probe=True), striped_digits, seed=0)
