"""The trained nets of trials: what ``keep_nets`` asks for, and ``read_net``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.arguments import path_of
from subtx_toy.errors import InputError, in_short
from subtx_toy.settings.messages import NOUNS, quoted
from subtx_toy.store import Store
from subtx_toy.store.kept_nets import check_folder, missing, read_file
from subtx_toy.sweep.engine import run
from subtx_toy.sweep.trial import Trial
from subtx_toy.sweep.workers import Workers

if TYPE_CHECKING:
    from torch import Tensor

    from subtx_toy.data.dataset import Report
    from subtx_toy.problem.model import MLP


@dataclass(frozen=True, eq=False, repr=False)
class Net:
    """The net of one arm of one trial, as ``--keep-nets`` wrote it.

    Attributes:
        params: its weights by name, as they were trained, in the precision of the run; from the inputs on, where there
            is a ``model``.
        model: its function, for ``Problem``; None where the weights alone do not say it, as of a linearised net.
        arm: such as ``"teacher"`` or ``"student_aux"``; ``"reference"`` is the untrained teacher.
        seed: of the trial.
        config: every setting of the trial.
        made: all of its provenance: run_id, checksums, versions and the arm's metrics besides.
    """

    params: dict[str, Tensor]
    model: MLP | None
    arm: str
    seed: int
    config: dict[str, Any]
    made: dict[str, Any]

    def __repr__(self) -> str:
        size = sum(value.numel() for value in self.params.values())
        model = "" if self.model is None else f", {self.model!r}"
        return f"Net({self.arm!r}, seed {self.seed}{model}, {size:,} parameters, run {self.made.get('run_id')})"


def read_net(path: str | Path) -> Net:
    """Read the net of one arm from ``FOLDER/RUN_ID/ARM.safetensors``.

    Raises:
        InputError: if it is no such file, or its weights are not those that its checksum names or its model has.

    Example:
        ``st.Problem(model=net.model, base_params=net.params, ...)`` with ``net = st.read_net(path)``
    """
    file = path_of("path", path)
    found = read_file(file)
    made, params = found.made, found.params
    kinds = {"arm": str, "seed": int, "config": dict, "run_id": str}
    InputError.gather(
        f"{file}: {name}: expected {NOUNS[kind]}, got {quoted(made.get(name))}"
        for name, kind in kinds.items()
        if type(made.get(name)) is not kind
    )
    try:
        model = _model(made["model"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: model: expected the shape of a perceptron, got {in_short(error)}") from None
    if model is not None:
        wanted, got = model.param_shapes, {name: tuple(value.shape) for name, value in params.items()}
        if wanted != got:
            raise InputError(f"{file}: expected weights of the model's shapes {wanted}, got {got}")
        params = {name: params[name] for name in wanted}
    return Net(params, model, made["arm"], made["seed"], made["config"], made)


def _model(shape: dict[str, Any] | None) -> MLP | None:
    from subtx_toy.problem.activations import ACTIVATIONS
    from subtx_toy.problem.model import MLP
    from subtx_toy.problem.two_tasks import TwoTaskMLP

    if shape is None or shape["activation"] not in ACTIVATIONS:
        return None
    plain = MLP(shape["sizes"], shape["activation"], num_classes=shape["num_classes"])
    if shape["num_second"] == 0:
        return plain
    return TwoTaskMLP(plain.sizes, plain.activation, plain.num_classes, num_second=shape["num_second"])


def keeping(trials: Sequence[Trial], folder: Path) -> list[Trial]:
    """Return the trials with ``folder`` for their nets, once it is clear that there are nets and room for them."""
    from subtx_toy.protocols.protocol import check_keeps_nets

    for config in {type(trial.config): trial.config for trial in trials}.values():
        check_keeps_nets(config)
    check_folder(folder)
    return [replace(trial, keep_nets=folder.absolute()) for trial in trials]


class _Listed:
    """A supply of trials that nobody else wants."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._waiting = list(trials)

    def take(self, most: int) -> list[Trial]:
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return taken

    def left(self) -> int:
        return len(self._waiting)

    def beat(self) -> None:
        pass


def complete(
    trials: Sequence[Trial], store: Store, folder: Path, open_workers: Callable[[], Workers], report: Report | None
) -> None:
    """Run the stored trials again whose nets are not in ``folder``; what is stored stays.

    Raises:
        InputError: if one of them cannot be run again.
    """
    records = store.get([trial.run_id for trial in trials])
    wanted = set(missing(folder, records))
    again = [trial for trial in trials if trial.run_id in wanted]
    if not again:
        return
    say: Report = report or (lambda _line: None)
    some = "1 stored trial has" if len(again) == 1 else f"{len(again)} stored trials have"
    say(f"nets: {some} none in {folder}; run again for them, and the records stay")
    faults, others = [], 0
    for outcomes in run(_Listed(again), open_workers()):
        for outcome in outcomes:
            if outcome.record is None:
                faults.append(outcome.error.strip().splitlines()[-1])
            else:
                others += repr(outcome.record.metrics) != repr(records[outcome.trial.run_id].metrics)
    if others:
        say(f"nets: {others} of them measure other digits than their records, which come from another machine")
    if faults:
        raise InputError(f"keep_nets: {len(faults)} of {len(again)} stored trials did not run again: {faults[0]}")
