from __future__ import annotations

import hashlib
import json
import math
import tomllib

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.errors import InputError
from subtx_toy.settings import base as config_module
from subtx_toy.settings.base import RESULTS_VERSION, run_id
from subtx_toy.settings.distillation import BF16_VERSION, RunConfig
from subtx_toy.settings.named import NOISE_INPUTS
from subtx_toy.settings.overridable import read_value

COUNTS = st.integers(1, 10**6)
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
NOT_NEGATIVE = st.floats(0, allow_infinity=False)
SHA = "00" * 32


@st.composite
def valid_values(draw: st.DrawFn) -> dict[str, object]:
    """A value for every field, valid by construction."""
    optimizer = draw(st.sampled_from(["adam", "adamw", "sgd"]))
    loss = draw(st.sampled_from(["kl", "squared_error", "sampled_cross_entropy"]))
    inputs = draw(st.sampled_from(["uniform", "gaussian", "images", "shuffled_images", "permuted_images"]))
    is_noise = inputs in NOISE_INPUTS
    num_train = draw(COUNTS)
    blur = draw(NOT_NEGATIVE) if is_noise else 0.0
    dim = draw(st.integers(0, 784)) if is_noise and not blur else 0
    limit = draw(NOT_NEGATIVE) if is_noise else 0.0
    depth = draw(st.integers(0, 9))
    return {
        "dataset": draw(st.sampled_from(["mnist", "glyphs", "fashion"])),
        "num_train": num_train,
        "num_test": draw(COUNTS),
        "model": "mlp",
        "width": draw(st.integers(1, 500)),
        "depth": depth,
        "num_aux": draw(COUNTS),
        "activation": draw(st.sampled_from(["relu", "tanh", "gelu", "softplus", "sigmoid"])),
        "init": draw(st.sampled_from(["fan_in_normal", "pytorch", "he"])),
        "init_scale": draw(POSITIVE),
        "optimizer": optimizer,
        "lr": draw(POSITIVE),
        "momentum": draw(st.floats(0, 1, exclude_max=True)) if optimizer == "sgd" else 0.0,
        "weight_decay": draw(NOT_NEGATIVE),
        "decay_towards": draw(st.sampled_from(["zero", "init"])),
        "batch_size": draw(COUNTS),
        "teacher_batch_size": draw(st.integers(0, 10**6)),
        "teacher_epochs": draw(st.integers(0, 9)),
        "student_epochs": draw(st.integers(0, 9)),
        "loss": loss,
        "temperature": 1.0 if loss == "squared_error" else draw(st.floats(1e-18, 1e18)),
        "loss_scale": draw(POSITIVE),
        "inputs": inputs,
        "num_inputs": draw(COUNTS) if is_noise else draw(st.integers(1, num_train)),
        "input_pool": draw(st.sampled_from(["fixed", "fresh"])) if is_noise else "fixed",
        "added_noise": 0.0 if is_noise else draw(NOT_NEGATIVE),
        "noise_blur": blur,
        "noise_dim": dim,
        "noise_limit": limit,
        "noise_grid": draw(st.booleans()) if inputs == "uniform" and not (blur or dim or limit) else False,
        "noise_contrast": draw(st.sampled_from(["restored", "kept"])),
        "student_noise": draw(NOT_NEGATIVE),
        "student_noise_unit": draw(st.sampled_from(["absolute", "parameter_sd"])),
        "student_noise_layers": draw(st.sampled_from(["all", "hidden"])),
        "students": draw(st.sampled_from(["all", "shared", "aux", "student_aux"])),
        "linearized": "none",
        "output_scale": 1.0,
        "probe": draw(st.booleans()) if depth else False,
        "metric": draw(st.sampled_from(["", "subtx_toy.problem.model:accuracy"])),
        "precision": draw(st.sampled_from(["fp32", "fp64", "bf16"])),
    }


def problems_of(values: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        RunConfig.parse(values)
    return caught.value.problems


def key(config: RunConfig, seed: int = 0, sha256: str = SHA) -> str:
    return run_id(config, seed=seed, dataset_sha256=sha256)


def test_the_defaults_are_the_reference_protocol() -> None:
    config = RunConfig()
    assert (config.width, config.depth, config.num_aux, config.activation) == (256, 2, 3, "relu")
    assert (config.optimizer, config.lr, config.batch_size) == ("adam", 3e-4, 1024)
    assert (config.teacher_epochs, config.student_epochs, config.num_inputs) == (5, 5, 60_000)
    assert (config.loss, config.inputs, config.input_pool) == ("kl", "uniform", "fixed")


def test_every_field_has_a_description() -> None:
    assert [name for name, field in RunConfig.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("width", 0, "width: expected an integer >= 1, got 0"),
        ("width", 1.5, "width: expected an integer >= 1, got 1.5"),
        ("width", True, "width: expected an integer >= 1, got True"),
        ("width", "64", "width: expected an integer >= 1, got '64'"),
        ("depth", -1, "depth: expected an integer >= 0, got -1"),
        ("teacher_epochs", False, "teacher_epochs: expected an integer >= 0, got False"),
        ("lr", 0, "lr: expected a finite number > 0, got 0"),
        ("lr", -1e-3, "lr: expected a finite number > 0, got -0.001"),
        ("lr", math.nan, "lr: expected a finite number > 0, got nan"),
        ("lr", math.inf, "lr: expected a finite number > 0, got inf"),
        ("lr", True, "lr: expected a finite number > 0, got True"),
        ("lr", "fast", "lr: expected a finite number > 0, got 'fast'"),
        ("weight_decay", math.nan, "weight_decay: expected a finite number >= 0, got nan"),
        ("weight_decay", math.inf, "weight_decay: expected a finite number >= 0, got inf"),
        ("momentum", 1.0, "momentum: expected a finite number >= 0 and < 1, got 1.0"),
        ("momentum", math.nan, "momentum: expected a finite number >= 0 and < 1, got nan"),
        ("temperature", -math.inf, "temperature: expected a finite number > 0, got -inf"),
        (
            "dataset",
            "minst",
            "dataset: expected one of 'mnist', 'glyphs', 'fashion', or a path that ends in .npz or has a '/', "
            "got 'minst'; did you mean 'mnist'?",
        ),
        ("precision", 32, "precision: expected one of 'fp32', 'fp64', 'bf16', got 32"),
        ("loss", ["kl"], "loss: expected one of 'kl', 'squared_error', 'sampled_cross_entropy', got ['kl']"),
        ("num_aux", None, "num_aux: expected an integer >= 1, got None"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(field: str, value: object, sentence: str) -> None:
    assert problems_of({field: value}) == (sentence,)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("widht", "widht: unknown key; did you mean 'width'?"),
        ("learning_rate", "learning_rate: unknown key"),
        ("temprature", "temprature: unknown key; did you mean 'temperature'?"),
        ("xyz", "xyz: unknown key"),
    ],
)
def test_an_unknown_key_suggests_the_nearest(name: str, sentence: str) -> None:
    assert problems_of({name: 1}) == (sentence,)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"momentum": 0.9}, "momentum: expected 0 unless optimizer is 'sgd' or 'nesterov', got 0.9"),
        ({"optimizer": "nesterov"}, "momentum: expected a number > 0 with optimizer 'nesterov', got 0"),
        ({"linearized": "both", "output_scale": 2.0}, "output_scale: expected 1 with linearized 'both', got 2.0"),
        ({"output_scale": 2.0, "weight_decay": 0.1}, "weight_decay: expected 0.0 with output_scale 2.0, got 0.1"),
        ({"linearized": "student", "probe": True}, "probe: expected False with linearized 'student', got True"),
        (
            {"linearized": "both", "precision": "bf16"},
            "precision: expected 'fp32' or 'fp64' with linearized 'both', got 'bf16'",
        ),
        (
            {"output_scale": 2.0, "optimizer": "torch.optim:SGD"},
            "optimizer: expected one of this package with output_scale 2.0, got 'torch.optim:SGD'",
        ),
        ({"temperature": 2.0, "loss": "squared_error"}, "temperature: expected 1 with loss 'squared_error', got 2.0"),
        ({"inputs": "images", "input_pool": "fresh"}, "input_pool: expected 'fixed' with inputs 'images', got 'fresh'"),
        (
            {"inputs": "images", "num_train": 100, "num_inputs": 101},
            "num_inputs: expected at most num_train = 100 with inputs 'images', got 101",
        ),
    ],
)
def test_fields_that_contradict_each_other_are_refused(values: dict[str, object], sentence: str) -> None:
    assert problems_of(values) == (sentence,)


def test_all_bad_fields_are_reported_at_once() -> None:
    found = problems_of({"width": 0, "lr": math.nan, "dataset": "x", "widht": 3, "depth": True})
    assert sorted(problem.split(":")[0] for problem in found) == ["dataset", "depth", "lr", "widht", "width"]


def test_all_contradictions_are_reported_at_once() -> None:
    found = problems_of(
        {
            "momentum": 0.5,
            "temperature": 2.0,
            "loss": "squared_error",
            "inputs": "images",
            "input_pool": "fresh",
            "num_train": 10,
        }
    )
    assert [problem.split(":")[0] for problem in found] == ["momentum", "temperature", "input_pool", "num_inputs"]


def test_the_limits_themselves_are_allowed() -> None:
    config = RunConfig.parse(
        {"width": 1, "depth": 0, "teacher_epochs": 0, "inputs": "images", "num_train": 7, "num_inputs": 7}
    )
    assert config.num_inputs == config.num_train


def test_an_integer_is_a_number_too_and_gives_the_same_key() -> None:
    assert RunConfig.parse({"lr": 1}) == RunConfig.parse({"lr": 1.0})
    assert key(RunConfig.parse({"lr": 1})) == key(RunConfig.parse({"lr": 1.0}))
    assert type(RunConfig.parse({"lr": 1}).lr) is float


def test_a_configuration_is_frozen_and_hashable() -> None:
    config = RunConfig()
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        config.width = 3  # type: ignore[misc]
    assert {config: 1}[RunConfig()] == 1


@given(valid_values())
def test_toml_gives_back_the_same_configuration_and_key(values: dict[str, object]) -> None:
    config = RunConfig.parse(values)
    again = RunConfig.parse(tomllib.loads(config.to_toml()))
    assert again == config
    assert key(again) == key(config)


def test_toml_names_every_field_defaults_included() -> None:
    assert set(tomllib.loads(RunConfig().to_toml())) == set(RunConfig.model_fields)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64", 64),
        ("3e-4", 3e-4),
        (".5", 0.5),
        ("5.", 5.0),
        ("1_000", 1000),
        ("true", True),
        ("glyphs", "glyphs"),
        ("'glyphs'", "glyphs"),
        ('"glyphs"', "glyphs"),
        ("", ""),
        ("a=b", "a=b"),
        ("[1, 2]", [1, 2]),
    ],
)
def test_override_values_are_read_as_toml_or_as_plain_text(text: str, value: object) -> None:
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


@given(valid_values())
def test_overrides_by_the_text_of_every_field_give_that_configuration(values: dict[str, object]) -> None:
    assert set(values) == set(RunConfig.model_fields)
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
    assert RunConfig().override([f"{name}={text}" for name, text in texts.items()]) == RunConfig.parse(values)


def test_overrides_keep_what_they_do_not_name_and_change_nothing_in_place() -> None:
    base = RunConfig(width=64, lr=1e-3)
    changed = base.override(["lr=.5", "loss=squared_error"])
    assert (changed.width, changed.lr, changed.loss) == (64, 0.5, "squared_error")
    assert (base.lr, base.loss) == (1e-3, "kl")
    assert base.override([]) == base


def test_overrides_may_agree_only_together() -> None:
    assert RunConfig().override(["momentum=.9", "optimizer=sgd"]).momentum == 0.9


def test_every_bad_override_is_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        RunConfig().override(["width", "=3", "lr=1", "lr=2", "depth=x", "batchsize=1", "init_scale=nan"])
    assert caught.value.problems == (
        "'width': expected SETTING=VALUE, for example width=128",
        "'=3': expected SETTING=VALUE, for example width=128",
        "lr: expected one value, got a second one, '2'",
        "depth: expected an integer >= 0, got 'x'",
        "init_scale: expected a finite number > 0, got nan",
        "batchsize: unknown key; did you mean 'batch_size'?",
    )


@pytest.mark.parametrize("assignment", ["width", "=3"])
def test_an_unreadable_override_is_refused_even_where_the_rest_is_valid(assignment: str) -> None:
    with pytest.raises(InputError, match="expected SETTING=VALUE"):
        RunConfig().override([assignment, "lr=.1"])


@given(valid_values(), st.data())
def test_the_key_does_not_depend_on_the_order_of_the_fields(values: dict[str, object], data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(values.items()))))
    assert key(RunConfig.parse(shuffled)) == key(RunConfig.parse(values))


def test_the_key_depends_on_seed_data_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [key(RunConfig()), key(RunConfig(), seed=1), key(RunConfig(), sha256="11" * 32)]
    monkeypatch.setattr(config_module, "RESULTS_VERSION", RESULTS_VERSION + 1)
    keys.append(key(RunConfig()))
    low = RunConfig(precision="bf16")
    keys.append(key(low))
    monkeypatch.setattr("subtx_toy.settings.distillation.BF16_VERSION", BF16_VERSION + 1)
    keys.append(key(low))
    assert key(RunConfig()) in keys
    assert len(set(keys)) == len(keys)
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in keys)


OTHER_VALUES: dict[str, object] = {
    "dataset": "glyphs",
    "activation": "tanh",
    "init": "he",
    "optimizer": "sgd",
    "loss": "squared_error",
    "inputs": "gaussian",
    "input_pool": "fresh",
    "precision": "fp64",
    "model": "subtx_toy.problem.model:MLP",
    "metric": "subtx_toy.problem.model:accuracy",
    "momentum": 0.5,
    "decay_towards": "init",
    "noise_contrast": "kept",
    "student_noise_unit": "parameter_sd",
    "student_noise_layers": "hidden",
    "students": "shared",
    "linearized": "both",
    "probe": True,
    "noise_grid": True,
}

BASES = {"momentum": RunConfig(optimizer="sgd"), "added_noise": RunConfig(inputs="images")}
"""Where a setting may be changed alone; elsewhere the defaults."""


@pytest.mark.parametrize("name", list(RunConfig.model_fields))
def test_the_key_depends_on_every_field(name: str) -> None:
    base = BASES.get(name, RunConfig())
    other = OTHER_VALUES.get(name, 7)
    assert key(RunConfig.parse(base.model_dump() | {name: other})) != key(base)


def test_a_field_at_its_default_does_not_enter_the_key() -> None:
    assert key(RunConfig.parse({"width": 256, "momentum": -0.0})) == key(RunConfig())


def test_a_data_set_of_your_own_counts_by_its_content_alone() -> None:
    mine = key(RunConfig(dataset="shapes.npz", width=64))
    assert mine == key(RunConfig(dataset="/elsewhere/copy.npz", width=64, num_train=300, num_test=100))
    assert mine == key(RunConfig(dataset="folder/", width=64))
    assert mine != key(RunConfig(dataset="shapes.npz", width=64), sha256="11" * 32)
    assert mine != key(RunConfig(dataset="shapes.npz", width=65))
    assert mine != key(RunConfig(width=64))


@pytest.mark.parametrize("text", ["shapes.npz", "./digits", "digits/", "/a/b.npz"])
def test_paths_are_names_of_data_sets(text: str) -> None:
    assert RunConfig().override([f"dataset={text}"]).dataset == text


PINNED = {1: "2701ae7ff9f0d9ce"}
"""Digest of the defaults of each RESULTS_VERSION."""


def test_a_changed_default_needs_a_new_results_version() -> None:
    text = json.dumps(RunConfig().model_dump(), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert PINNED.get(RESULTS_VERSION) == digest, (
        f"a default changed: raise RESULTS_VERSION and pin {digest} for it here, or stored results get a wrong key "
        "(a field that is only new needs no new version: pin the digest for the old one)"
    )


def test_the_keys_of_stored_results_stay_what_they_are() -> None:
    assert key(RunConfig()) == "c744c5b1e41399cdecb5b35c0ef4ca89"
    assert key(RunConfig(width=64, lr=1e-3), seed=3) == "79255c6c1c8a5236e4d6edcc6fb7472b"
