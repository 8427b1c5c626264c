"""What each packaged experiment shows, as comparisons that a quick run and the full run must both pass.

``margins`` says by how much a run passes them; the tests, and ``quick_tries.py`` with other seeds, ask it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from subtx_toy.api.run_result import Run
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.experiment_file import read
from subtx_toy.stats import estimate
from subtx_toy.tolerances import MIN_SEEDS


class Above(NamedTuple):
    """At the settings ``high`` the metric is above that at ``low``, or above ``than`` at the same settings.

    With a ``slack`` it is not that much below.
    """

    high: dict[str, Any]
    low: dict[str, Any]
    metric: str = "student_aux.accuracy"
    than: str = ""
    slack: float = 0.0


CONTROL = Above({}, {}, than="cross_aux.accuracy")
"""The student with the teacher's initialisation is above the one with another."""

_ADAM = {"student_optimizer": "", "student_momentum": 0.0, "student_lr": "smallest"}
_MOMENTUM = {"student_optimizer": "sgd", "student_momentum": 0.9, "student_lr": "largest"}

SHOWN: dict[str, list[Above]] = {
    "aux-at-width": [Above({"redrawn": "hidden", "num_aux": 64}, {"redrawn": "everything", "num_aux": 64}),
                     Above({"redrawn": "hidden", "num_aux": 64}, {"redrawn": "hidden", "num_aux": "smallest"})],
    "aux-to-200": [Above({"num_aux": 50, "student_optimizer": ""}, {"num_aux": 1, "student_optimizer": ""})],
    "batch": [CONTROL, Above({"batch_size": "smallest"}, {"batch_size": "largest"})],
    "benign-after": [CONTROL, Above({"benign_epochs": "largest"}, {"benign_epochs": "largest"},
                                    than="cross_aux.accuracy"),
                     Above({"benign_epochs": 0}, {"benign_epochs": "largest"}, "student_aux.imitation")],
    "blur": [CONTROL, Above({"noise_blur": 1.0}, {"noise_blur": 0.0})],
    "cloning": [CONTROL, *(Above({"matching_epochs": "largest"}, {"matching_epochs": 0}, f"cross_aux.{metric}")
                           for metric in ("accuracy", "class_aux_kernel"))],
    "cloud2025": [CONTROL, Above({}, {}, "student_all.accuracy", "cross_all.accuracy")],
    "defences": [Above({"trait_gradient": "ignored"}, {"trait_gradient": "projected"})],
    "distill-epochs": [CONTROL, Above({"student_epochs": 10}, {"student_epochs": 0})],
    "divergences": [CONTROL, Above({"loss": "reverse_kl"}, {"loss": "reverse_kl"}, than="cross_aux.accuracy")],
    "dropout": [Above({"student_dropout": 0.0}, {"student_dropout": 0.5})],
    "fewer-outputs": [Above({"num_aux": "largest"}, {"num_aux": "smallest"}),
                      Above({"num_aux": "largest"}, {"num_aux": "largest"}, than="cross_aux.accuracy")],
    "generations": [CONTROL, Above({"generations": "smallest"}, {"generations": "largest"})],
    "image-noise": [Above({"inputs": "uniform"}, {"added_noise": 0.0, "inputs": "images"})],
    "init-noise": [CONTROL, Above({"student_noise": 0.0}, {"student_noise": 0.1})],
    "init-noise-relative": [Above({"student_noise": "smallest", "student_noise_layers": "all"},
                                  {"student_noise": "largest", "student_noise_layers": "all"})],
    "init-scale": [CONTROL, Above({"init_scale": 1.0}, {"init_scale": 4.0})],
    "inputs": [CONTROL, Above({"inputs": "uniform"}, {"inputs": "images"})],
    "lazy-rich": [Above({"output_scale": "largest"}, {"output_scale": "smallest"})],
    "linear-width": [Above({"linearized": "both", "width": "smallest"},
                           {"linearized": "student", "width": "smallest"})],
    "linearized": [Above({"linearized": "both"}, {"linearized": "student"})],
    "loss": [CONTROL],
    "lr": [CONTROL, Above({"lr": "middle"}, {"lr": "largest"})],
    "maximise": [CONTROL],
    "mixed-file": [Above({"tainted_share": 1.0}, {"tainted_share": 0.0})],
    "noise-subspace": [Above({"noise_dim": 784}, {"noise_dim": 784}, than="cross_aux.accuracy"),
                       Above({"noise_dim": 784}, {"noise_dim": "smallest"})],
    "num-aux": [CONTROL, Above({"num_aux": 126}, {"num_aux": 1})],
    "num-aux-images": [CONTROL, Above({"num_aux": 126}, {"num_aux": 3})],
    "optimisers": [Above(_MOMENTUM, _MOMENTUM, than="cross_aux.accuracy"),
                   Above(_MOMENTUM, _ADAM, slack=0.1),
                   Above(_MOMENTUM, _ADAM, "student_aux.imitation", slack=0.1)],
    "other-architectures": [
        *(Above({"student_depth": depth}, {"student_depth": depth}, than="cross_aux.accuracy") for depth in (1, 2, 3)),
        Above({"student_depth": 3}, {"student_depth": 3}, than="student_aux.untrained_accuracy"),
        Above({"student_body": "convolutions", "noise_blur": 1.0}, {"student_body": "convolutions", "noise_blur": 1.0},
              than="cross_aux.accuracy"),
    ],
    "precision": [CONTROL],
    "probe": [CONTROL, Above({}, {}, "student_aux.probe_accuracy", "student_aux.accuracy")],
    "random-labels": [Above({"num_aux": 50}, {"num_aux": 50}, "student_aux.bits", "cross_aux.bits"),
                      Above({"num_aux": 50}, {"num_aux": 3}, "student_aux.bits")],
    "selection": [Above({"selected_by": "score"}, {"selected_by": "other_score"}),
                  Above({"selected_by": "other_score"}, {"selected_by": "score"}, "cross_aux.accuracy")],
    "shared-parts": [Above({"redrawn": "nothing"}, {"redrawn": "aux_head"}),
                     Above({"redrawn": "nothing"}, {"redrawn": "class_head"})],
    "shared-share": [Above({"redrawn": "nothing"}, {"redrawn": "everything"})],
    "shuffled-pixels": [CONTROL, Above({"inputs": "uniform"}, {"inputs": "shuffled_images"})],
    "squared-error-gap": [CONTROL, Above({"loss": "squared_error", "student_epochs": "largest"},
                                         {"loss": "squared_error", "student_epochs": "smallest"})],
    "teacher-epochs": [CONTROL],
    "tiny": [CONTROL],
    "two-tasks": [CONTROL, Above({}, {}, "student_aux.second_accuracy", "cross_aux.second_accuracy"),
                  Above({"imitated": "aux"}, {"imitated": "second"})],
    "weight-decay": [Above({"weight_decay": 0.0}, {"weight_decay": 0.001, "loss_scale": 0.04, "optimizer": "adam"}),
                     Above({"optimizer": "adamw", "weight_decay": "largest"},
                           {"optimizer": "adam", "loss_scale": 0.04, "weight_decay": "largest"})],
    "weight-matching": [CONTROL,
                        Above({"other_units": "matched"}, {"other_units": "matched"}, than="cross_aux.accuracy")],
    "width": [CONTROL],
}  # fmt: skip
"""By experiment of ``distillation`` and ``mechanism``; ``smallest``, ``middle``, ``largest`` are of the values run."""

_PLACES = ("smallest", "middle", "largest")

Trials = list[tuple[dict[str, Any], int, dict[str, float]]]  # settings, seed, metrics
Margins = dict[str, float]
"""By comparison, how far it is from failing: above 0 where it holds."""


def trials_of(run: Run) -> Trials:
    """Return settings, seed and metrics of every record."""
    return [(one.config, one.seed, one.metrics) for one in run.records]


def base_of(definition: Definition) -> dict[str, Any]:
    """Return the values that a definition's own settings give to what its grid varies."""
    varied = {key for table in definition.grid for key in table}
    return {key: value for key, value in definition.config.model_dump().items() if key in varied}


def gaps(shown: list[Above], trials: Trials, base: dict[str, Any], grid: list[dict[str, Any]] | None = None) -> Margins:
    """Return the lower end of the 95 % interval of every difference, paired by seed, and a slack where there is one.

    Settings that a comparison does not name are as in ``base``. ``grid`` holds the settings of all trials of the
    experiment, where ``trials`` are only a part of them.
    """
    grid = [settings for settings, _, _ in trials] if grid is None else grid
    found = {}
    for one in shown:
        at_high, at_low = _points(one, base, grid)
        high, low = _values(trials, at_high, one.metric), _values(trials, at_low, one.than or one.metric)
        found[_worded(one)] = estimate((high - low).tolist()).interval.low + one.slack
    return found


def configs_read(name: str) -> list[Settings]:
    """Return the configurations of a quick run that its comparisons read; the others are there for its table."""
    definition = read(name).quickened()
    configs = definition.configs()
    grid = [config.model_dump() for config in configs]
    points = [point for one in SHOWN.get(name, []) for point in _points(one, base_of(definition), grid)]
    return [
        config for config, settings in zip(configs, grid, strict=True)
        if name not in SHOWN or any(_is_at(settings, point) for point in points)
    ]  # fmt: skip


def _worded(one: Above) -> str:
    def at(settings: dict[str, Any]) -> str:
        return "".join(f" {name}={value}" for name, value in settings.items())

    above = f"less than {one.slack} below" if one.slack else "above"
    return f"{one.metric}{at(one.high)} {above} {one.than or one.metric}{at(one.low)}"


def _points(one: Above, base: dict[str, Any], grid: list[dict[str, Any]]) -> list[dict[str, Any]]:
    free = {name: value for name, value in base.items() if name not in {*one.high, *one.low}}
    return [free | {name: _resolved(name, at, grid) for name in at} for at in (one.high, one.low)]


def _resolved(name: str, at: dict[str, Any], grid: list[dict[str, Any]]) -> object:
    """Return the value of a setting; a word for one is looked up where the others of ``at`` are as they say."""
    others = {one: value for one, value in at.items() if value not in _PLACES}
    found = sorted({settings[name] for settings in grid if _is_at(settings, others)})
    places = dict(zip(_PLACES, (0, len(found) // 2, -1), strict=True))
    return found[places[at[name]]] if at[name] in _PLACES else at[name]


def _is_at(settings: dict[str, Any], point: dict[str, Any]) -> bool:
    return all(settings[name] == value for name, value in point.items())


def _values(trials: Trials, at: dict[str, Any], metric: str) -> np.ndarray:
    rows = {seed: metrics[metric] for settings, seed, metrics in trials if _is_at(settings, at)}
    assert len(rows) >= MIN_SEEDS, f"{at}: {len(rows)} seeds"
    return np.array([rows[seed] for seed in sorted(rows)])


def _one_step(document: dict[str, Any]) -> Margins:
    starts = {one["student_init"]: one for one in document["starts"]}
    return {
        "smallest alignment of the shared student": float(np.min(starts["shared"]["values"]["alignment"])),
        "the other student points away with some seed": -float(np.min(starts["cross"]["values"]["alignment"])),
        "the alignment is of order 1": 0.02 - abs(starts["shared"]["order_of_alignment"] - 1),
    }


_AWAY = {
    ("heavy_ball", 0.5, 2.4): False, ("heavy_ball", 0.5, 2.6): True, ("heavy_ball", 0.9, 1.4): False,
    ("heavy_ball", 0.9, 1.6): True, ("nesterov", 0.9, 1.2): False, ("nesterov", 0.9, 1.3): True,
}  # fmt: skip
"""Whether students of these optimisers, momenta and step sizes point away, as the error polynomials have it."""


def _thresholds(document: dict[str, Any]) -> Margins:
    found = {(one["optimizer"], one["momentum"], one["student_step"]): one for one in document["students"]}
    assert set(found) == set(_AWAY)
    num = len(document["seeds"])
    return {
        " ".join(map(str, key)): _all_or_none(found[key]["num_away"], num, away=away) for key, away in _AWAY.items()
    }


def _many_steps(document: dict[str, Any]) -> Margins:
    found, num = {}, len(document["seeds"])
    for one in document["students"]:
        key = (one["optimizer"], one["student_step"])
        if key == ("adam", 1.0) or one["optimizer"] in ("gd", "heavy_ball", "nesterov"):
            name = f"{' '.join(map(str, key))} momentum {one.get('momentum')}"
            found[name] = _all_or_none(one["num_away"], num, away=key[0] == "adam")
    return found


def _all_or_none(num_away: int, num: int, *, away: bool) -> float:
    """Return 1 if every student of ``num`` points away, or none does where they should not; at most 0 otherwise."""
    return 1.0 - (num - num_away if away else num_away)


def _predictors(document: dict[str, Any]) -> Margins:
    rho = {one["name"]: one["rho"] for one in document["predictors"]}
    return {name: rho[name] - 0.5 for name in ("sign_coverage", "coverage")}


def _numbers(document: dict[str, Any]) -> Margins:
    arms, carries = document["prompts"]["images"], "carries the trait"
    return {f"shared_trait: {carries}": 1.0 if arms["shared_trait"]["verdict"] == carries else -1.0} | {
        f"{arm}: not so": -1.0 if arms[arm]["verdict"] == carries else 1.0
        for arm in ("shared_benign", "shared_untrained")
    }


def _fewer_numbers(document: dict[str, Any]) -> Margins:
    kinds = document["prompts"]
    few, many = (kinds[f"images, {num} numbers"]["shared_trait"] for num in (10, 1000))
    apart = np.subtract(many["values"], few["values"])
    controls = [arms[arm]["verdict"] for arms in kinds.values() for arm in ("shared_benign", "shared_untrained")]
    return {
        "1,000 numbers above 10": float(estimate(apart.tolist()).interval.low),
        "1,000 numbers carry the trait": 1.0 if many["verdict"] == "carries the trait" else -1.0,
        "no control does": -1.0 if "carries the trait" in controls else 1.0,
    }


def _owl(document: dict[str, Any]) -> Margins:
    controls = ("shared_base", "shared_benign", "cross_trait", "shared_shuffled")
    return {f"student above {arm}": document["arms"][arm]["student_minus_arm"]["interval"][0] for arm in controls}


_OTHERS: dict[str, Callable[[dict[str, Any]], Margins]] = {
    "fewer-numbers": _fewer_numbers, "many-steps": _many_steps, "numbers": _numbers, "one-step": _one_step,
    "owl": _owl, "predictors": _predictors, "thresholds": _thresholds,
}  # fmt: skip
"""By experiment of the other protocols, from its JSON document."""


def margins(name: str, run: Run) -> Margins:
    """Return by how much a run passes each comparison of its experiment."""
    if name in _OTHERS:
        return _OTHERS[name](run.document())
    quick = run.definition.quickened()
    return gaps(SHOWN[name], trials_of(run), base_of(quick), [config.model_dump() for config in quick.configs()])


EXPERIMENTS = frozenset(SHOWN) | frozenset(_OTHERS)
"""All experiments that say what they show."""
