"""Predict how much of a trait will be transferred, without training a student: ``subtx-toy predict``, from Python."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subtx_toy import collector
from subtx_toy.api.arguments import data_folder
from subtx_toy.api.choice import choose
from subtx_toy.api.display import Shown, frame, silent
from subtx_toy.data import load
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.errors import InputError
from subtx_toy.files.content_key import finite
from subtx_toy.results.committed_ranks import RankTable, rank_table
from subtx_toy.results.prediction_table import LABELS
from subtx_toy.results.presentation import Table, interval_text, unless_nan
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.prediction import PredictionConfig, no_linear_student, reference_settings, unpredictable
from subtx_toy.stats import finite_estimate
from subtx_toy.sweep.threads import one_thread
from subtx_toy.wording import counted


@dataclass(frozen=True, repr=False, eq=False)
class Prediction(Shown):
    """The predictors of one setting, seed by seed, next to what each was worth over the settings of the rank table.

    Attributes:
        experiment: its name.
        config: the setting.
        seeds: one for each value.
        values: by predictor, one value for each seed.
        teacher_accuracy: of each seed's teacher on the test images, in [0, 1]; ``reference_accuracy`` of its init.
        cpu_seconds: of each seed, the training of the teacher included.
    """

    experiment: str
    config: RunConfig
    seeds: tuple[int, ...]
    values: dict[str, tuple[float, ...]]
    teacher_accuracy: tuple[float, ...]
    reference_accuracy: tuple[float, ...]
    cpu_seconds: tuple[float, ...]

    @property
    def rank_table(self) -> RankTable:
        """What the predictors were worth elsewhere."""
        return rank_table()

    @property
    def conclusion(self) -> str:
        """Where the setting stands among those of the rank table, or why it has no place among them."""
        table, name = self.rank_table, "sign_coverage"
        mean = finite_estimate(self.values[name]).mean
        if math.isnan(mean):
            return (
                f"{name} is not defined here: the teacher diverged or did not move, or no gradient of the auxiliary "
                "logits reaches the student. Nothing is predicted."
            )
        if outside := self._outside:
            images = (self.config.dataset, self.config.num_train)
            has = f"{counted(table.num_train, 'image')} of {table.dataset}"
            if images == (table.dataset, table.num_train):
                has = " and ".join([", ".join(outside[:-1]), outside[-1]] if outside[1:] else outside)
            return (
                f"{name} is {mean:.3g}: the higher, the more transfer, with rho {_rho(table, name)} in the rank table. "
                f"Compare it with other settings of {counted(self.config.num_train, 'image')} of "
                f"{self.config.dataset_title}. The table has {has}, so no place among its settings is given."
            )
        return (
            f"By {name}, {mean:.3g}, this setting stands above {self._above(name):.0%} of the {table.num_settings} "
            f"settings of the rank table, where rho with transfer is {_rho(table, name)}. A rank is predicted, not a "
            "value."
        )

    @property
    def tables(self) -> list[Table]:
        """One row for each predictor, the best of the rank table first."""
        table, rows = self.rank_table, []
        for name, values in sorted(self.values.items(), key=lambda item: -table.ranks[item[0]].rho):
            mean, above = finite_estimate(values), unless_nan(self._above(name), ".0%")
            rows.append([name, unless_nan(mean.mean, ".4g"), interval_text(mean, ".3g"), above,
                         _rho(table, name), LABELS[name]])  # fmt: skip
        header = ("predictor", "mean", "95 % interval", "above", "rho, 95 % interval", "what it is")
        return [Table(header, rows)]

    def _above(self, name: str) -> float:
        """Return the share of the rank table's settings with a smaller value, nan if none are like this one."""
        mean = finite_estimate(self.values[name]).mean
        return self.rank_table.ranks[name].share_below(mean) if not self._outside else math.nan

    @property
    def _outside(self) -> list[str]:
        """What the rank table has where the setting is outside of it."""
        return self.rank_table.outside(self.config.model_dump())

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the command."""
        table = self.rank_table
        return {
            "experiment": self.experiment,
            "config": self.config.model_dump(),
            "seeds": list(self.seeds),
            "predictors": [
                {
                    "name": name,
                    "value": finite(finite_estimate(values).mean),
                    "values": [finite(one) for one in values],
                    "rho": table.ranks[name].rho,
                    "ci95": list(table.ranks[name].interval),
                    "rho_given_num_aux": table.ranks[name].rho_given_num_aux,
                    "share_below": finite(self._above(name)),
                }
                for name, values in self.values.items()
            ],
            "teacher_accuracy": [finite(one) for one in self.teacher_accuracy],
            "reference_accuracy": [finite(one) for one in self.reference_accuracy],
            "rank_table": {
                "experiment": "predictors",
                "dataset": table.dataset,
                "num_settings": table.num_settings,
                "num_seeds": table.num_seeds,
                "num_train": table.num_train,
            },
            "cpu_seconds": list(self.cpu_seconds),
        }

    def to_frame(self) -> Any:
        """Return one row for each seed, with a column for each predictor; needs the extra ``export``."""
        return frame({"seed": self.seeds, **self.values, "teacher_accuracy": self.teacher_accuracy})


def _predictable(config: RunConfig, *, linear_student: bool) -> tuple[RunConfig, int]:
    """Return the settings of the reference protocol, and how many inputs are sampled; refuse what no predictor sees."""
    faults = [*unpredictable(config)]
    plain = config
    with InputError.collected(faults):
        plain = reference_settings(config)
    if linear_student and not faults:
        faults += no_linear_student(plain)
    InputError.gather(faults)
    own = PredictionConfig.model_fields["num_sampled"].default
    return plain, config.num_sampled if isinstance(config, PredictionConfig) else own


def _rho(table: RankTable, name: str) -> str:
    found = table.ranks[name]
    return f"{found.rho:.2f} ({found.interval.low:.2f} to {found.interval.high:.2f})"


def predict(
    experiment: str | Path | Definition,
    *,
    seeds: str | int | Iterable[int] = 0,
    quick: bool = False,
    linear_student: bool = False,
    data_dir: str | Path | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Prediction:
    """Return what predicts the transfer to the student on auxiliary logits in one setting; no student is trained.

    The teacher of each seed is trained, because every predictor needs its displacement. A grid of the experiment is
    left aside: name its point by ``settings``.

    Args:
        experiment: a packaged name, the path of a TOML file, or what ``read`` made of one; of the reference protocol.
        seeds: such as ``range(3)``, ``"0:3"`` or ``0``.
        quick: the experiment's quick settings.
        linear_student: also train the linearised student, which ranks best and costs a run.
        data_dir: folder with the IDX files of MNIST or Fashion-MNIST.
        report: called with one line for each data set that is obtained.
        progress: called as ``progress(task, done, total, unit)``.
        settings: changes of the experiment's settings by name, for example ``num_aux=10``.

    Raises:
        InputError: naming everything that is wrong.

    Example:
        ``st.predict("cloud2025", num_aux=10)``
    """
    definition, progress = read(experiment), progress or silent
    definition = definition.quickened() if quick else definition
    config, _, chosen = choose(definition.model_copy(update={"grid": []}), settings, seeds, quick=False)
    if not isinstance(config, RunConfig):
        raise InputError(
            f"{definition.name}: protocol: expected {RunConfig.protocol!r}, whose transfer can be predicted, got "
            f"{config.protocol!r}"
        )
    plain, num_sampled = _predictable(config, linear_student=linear_student)
    dataset = load(
        config.dataset, num_train=config.num_train, num_test=config.num_test, data_dir=data_folder(data_dir),
        report=report, progress=progress,
    )  # fmt: skip
    InputError.gather(list(config.data_faults(num_train=len(dataset.train_images), image_shape=dataset.image_shape)))
    with collector.paused():
        from subtx_toy.protocols import prediction as protocol
        from subtx_toy.training import pulse

    @contextmanager
    def phase(name: str, at: int) -> Iterator[None]:
        """Show by name what is done for one seed, and its epochs where it has any."""
        progress(name, at, len(chosen), "seeds")
        with pulse.heard(lambda done, total: progress(f"seed {chosen[at]}", done, total, "epochs")):
            yield
        progress(name, at + 1, len(chosen), "seeds")

    found, seconds, values = [], [], dict[str, list[float]]()
    with one_thread(), collector.frozen():
        for at, seed in enumerate(chosen):
            start = time.process_time()
            with phase("training the teacher", at):
                pulse.expect(plain.teacher_epochs)
                teacher = protocol.teacher_of(plain, dataset, seed=seed)
            with phase("computing the predictors", at):
                found.append(
                    protocol.predict(plain, dataset, seed=seed, num_sampled=num_sampled, by_hand=True, teacher=teacher)
                )
            if linear_student:
                with phase("training the linearised student", at):
                    accuracy = protocol.linear_student(plain, dataset, seed=seed)
                found[-1].values["linear_student"] = accuracy - teacher.reference_accuracy
            seconds.append(time.process_time() - start)
            for name in LABELS:
                if name in found[-1].values:
                    values.setdefault(name, []).append(found[-1].values[name])
    return Prediction(
        experiment=definition.name,
        config=plain,
        seeds=chosen,
        values={name: tuple(one) for name, one in values.items()},
        teacher_accuracy=tuple(one.teacher.accuracy for one in found),
        reference_accuracy=tuple(one.teacher.reference_accuracy for one in found),
        cpu_seconds=tuple(seconds),
    )
