"""What a sweep runs: an experiment, the axes of its settings, and seeds; read from words or TOML, and back."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import tomli_w

from subtx_toy.errors import InputError
from subtx_toy.settings import experiment_file as definitions
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.limits import MAX_AXES, MAX_CONFIGS, MAX_SEED
from subtx_toy.settings.messages import nearest, quoted
from subtx_toy.settings.seeds import parse_seeds, seed_list
from subtx_toy.sweep.axes import Axis, Drawn, axis_of, read_axis
from subtx_toy.sweep.plan_file import check_plan, file_axes, read_file
from subtx_toy.sweep.schedule import check_trials, schedule
from subtx_toy.sweep.trial import Trial

_MOST_PROBLEMS = 20  # told at once: a wrong value comes in many combinations


@dataclass(frozen=True)
class Plan:
    """An experiment with the axes of a sweep.

    Attributes:
        experiment: name or path.
        axes: settings with their values; all combinations are run. Empty: the experiment's own grid.
        drawn: settings drawn together, ``sample`` times, from the streams of ``sample_seed``; combined with the axes.
        seeds: as ``parse_seeds`` reads them; of the experiment where none are given.
    """

    experiment: str
    definition: Definition = field(repr=False)
    axes: tuple[Axis, ...] = ()
    drawn: tuple[Drawn, ...] = ()
    seeds: str = ""
    sample: int = 0
    sample_seed: int = 0

    @classmethod
    def read(
        cls,
        experiment: str,
        words: Sequence[str] = (),
        *,
        seeds: str | None = None,
        sample: int | None = None,
        sample_seed: int | None = None,
    ) -> Plan:
        """Read a plan from the words of a command line; ``experiment`` may be the TOML file of a plan."""
        return cls._of_values(
            experiment, read_file(experiment), words, seeds=seeds, sample=sample, sample_seed=sample_seed
        )

    @classmethod
    def parse(cls, text: str) -> Plan:
        """Read what ``to_toml`` wrote."""
        return cls._of_values("the stored plan", tomllib.loads(text), ())

    @classmethod
    def _of_values(
        cls,
        experiment: str,
        values: dict[str, Any] | None,
        words: Sequence[str],
        *,
        seeds: str | None = None,
        sample: int | None = None,
        sample_seed: int | None = None,
    ) -> Plan:
        problems = list[str]()
        named: list[tuple[str | tuple[str, ...], object]] = []
        if values is not None and "experiment" in values:
            check_plan(experiment, values)
            named = file_axes(experiment, values)
            if words:
                problems.append(f"{words[0]!r}: expected no axes other than those of the plan {experiment}")
                words = ()
            seeds = str(values.get("seeds", "")) or None if seeds is None else seeds
            sample = values.get("sample") if sample is None else sample
            sample_seed = values.get("sample_seed") if sample_seed is None else sample_seed
            experiment, values = str(values["experiment"]), None
        _check_number(len(words) + len(named))
        readers = [partial(read_axis, word) for word in words] + [partial(axis_of, *item) for item in named]
        return cls._of_axes(experiment, readers, problems, seeds, sample, sample_seed, content=values)

    @classmethod
    def of(
        cls,
        experiment: str | Path | Definition | Plan,
        axes: Mapping[Any, object] | None = None,
        *,
        seeds: str | int | Iterable[int] | None = None,
        sample: int | None = None,
        sample_seed: int | None = None,
    ) -> Plan:
        """Make a plan from Python values, which are those of ``subtx_toy.sweep``; a ``Plan`` is returned as it is."""
        if isinstance(experiment, Plan):
            return experiment
        text = None if seeds is None else ",".join(map(str, seed_list(seeds)))
        _check_number(len(axes or {}))
        readers = [partial(axis_of, names, values) for names, values in (axes or {}).items()]
        return cls._of_axes(experiment, readers, [], text, sample, sample_seed)

    @classmethod
    def _of_axes(
        cls,
        experiment: str | Path | Definition,
        readers: Sequence[Callable[[Settings], Axis | Drawn]],
        problems: list[str],
        seeds: str | None,
        sample: int | None,
        sample_seed: int | None,
        *,
        content: Mapping[str, object] | None = None,
    ) -> Plan:
        """Make a plan of the axes that ``readers`` return, or name everything that is wrong after ``problems``."""
        definition = definitions.read(experiment, content)
        found: list[Axis | Drawn] = []
        for reader in readers:
            with InputError.collected(problems):
                found.append(reader(definition.config))
        drawn = tuple(axis for axis in found if isinstance(axis, Drawn))
        axes = tuple(axis.settled(definition.config) for axis in found if isinstance(axis, Axis))
        chosen = definition.seeds if seeds is None else seeds
        num_seeds = 0
        with InputError.collected(problems):
            num_seeds = len(parse_seeds(chosen))
        problems += _faults(definition, axes, drawn, sample, sample_seed)
        InputError.gather(problems)
        name = definition.name if isinstance(experiment, Definition) else str(experiment)
        plan = cls(name, definition, axes, drawn, chosen, sample or 0, sample_seed or 0)
        check_trials(len(plan.configs), num_seeds)  # the configurations report what is wrong with their values
        return plan

    @cached_property
    def configs(self) -> list[Settings]:
        """Every configuration, in the order of the axes, the last one changing fastest."""
        if all(len(axis.rows) == 1 for axis in self.axes) and not self.drawn:
            return self._of_the_grid()
        blocks: list[tuple[tuple[str, ...], Sequence[tuple[object, ...]]]]
        blocks = [(axis.names, axis.rows) for axis in self.axes]
        if self.drawn:
            columns = [one.values(self.definition.config, num=self.sample, seed=self.sample_seed) for one in self.drawn]
            blocks.append((tuple(one.name for one in self.drawn), list(zip(*columns, strict=True))))
        names = [name for block in blocks for name in block[0]]
        found: dict[str, Settings] = {}
        problems: dict[str, None] = {}
        for rows in itertools.product(*(block[1] for block in blocks)):
            values = dict(zip(names, itertools.chain.from_iterable(rows), strict=True))
            try:
                config = self.definition.config.changed(values)
            except InputError as error:
                problems |= dict.fromkeys(error.problems)
                if len(problems) >= _MOST_PROBLEMS:
                    break
            else:
                found.setdefault(repr(config), config)
        InputError.gather(problems)
        return list(found.values())

    def _of_the_grid(self) -> list[Settings]:
        """Without an axis of several values: the experiment's own grid, with the settings given."""
        given = {name: value for axis in self.axes for name, value in zip(axis.names, axis.rows[0], strict=True)}
        if not given:
            return self.definition.configs()
        changed = self.definition.config.changed(given)
        return self.definition.around(changed, given)

    def trials(self, **obtaining: Any) -> list[Trial]:
        """Return every configuration with every seed; the keywords are those of ``schedule``."""
        return schedule(self.configs, parse_seeds(self.seeds), **obtaining)

    @property
    def swept(self) -> dict[str, list[object]]:
        """The settings that differ between configurations, with their values in order."""
        columns = {
            name: list(dict.fromkeys(getattr(config, name) for config in self.configs))
            for name in type(self.definition.config).model_fields
        }
        named = _names(self.axes, self.drawn)
        order = [*dict.fromkeys(named), *(name for name in columns if name not in named)]
        return {name: columns[name] for name in order if len(columns[name]) > 1}

    def to_toml(self) -> str:
        """Write the plan as a file that ``read`` takes."""
        axes: dict[str, object] = {}
        zips: list[dict[str, object]] = []
        for axis in self.axes:
            columns = dict(zip(axis.names, map(list, zip(*axis.rows, strict=True)), strict=True))
            if len(columns) == 1:
                axes |= columns
            else:
                zips.append({**columns})
        axes |= {one.name: one.text for one in self.drawn}
        content: dict[str, object] = {"experiment": self.experiment, "seeds": self.seeds}
        if self.drawn:
            content |= {"sample": self.sample, "sample_seed": self.sample_seed}
        return tomli_w.dumps(content | ({"axes": axes} if axes else {}) | ({"zip": zips} if zips else {}))

    def words(self) -> tuple[str, tuple[str, ...]]:
        """Return the experiment and the words of its axes, as ``read`` takes them."""
        return self.experiment, (*(one.word for one in self.axes), *(one.word for one in self.drawn))


def _names(axes: Sequence[Axis], drawn: Sequence[Drawn]) -> list[str]:
    return [name for axis in axes for name in axis.names] + [one.name for one in drawn]


def _faults(
    definition: Definition, axes: Sequence[Axis], drawn: Sequence[Drawn], sample: int | None, sample_seed: int | None
) -> Iterator[str]:
    named = _names(axes, drawn)
    known = type(definition.config).model_fields
    yield from (f"{name}: unknown key{nearest(name, known)}" for name in dict.fromkeys(named) if name not in known)
    yield from (f"{name}: expected one axis, got several" for name, times in Counter(named).items() if times > 1)
    if drawn and sample is None:
        yield f"sample: expected a number >= 1 of draws of {', '.join(one.name for one in drawn)}, got none"
    for name, value, least in (("sample", sample, 1), ("sample_seed", sample_seed, 0)):
        if value is None:
            continue
        if not drawn:
            example = "lr=loguniform:1e-4:1e-1"
            yield f"{name}: expected no number without an axis that is drawn, such as {example}, got {quoted(value)}"
        elif isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_SEED:
            yield f"{name}: expected an integer >= {least}, got {quoted(value)}"
            return
    num = math.prod(len(axis.rows) for axis in axes) * (sample or 1)
    if num > MAX_CONFIGS:
        yield f"axes: expected at most {MAX_CONFIGS} combinations, got {quoted(num)}"


def _check_number(num_axes: int) -> None:
    if num_axes > MAX_AXES:
        raise InputError(f"axes: expected at most {MAX_AXES}, got {num_axes}")
