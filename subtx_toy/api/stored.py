"""What is stored, put in order: deleting, archiving, merging, and two groups against each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.arguments import path_of, store_path
from subtx_toy.api.display import Shown, frame
from subtx_toy.api.failed import failed_trials
from subtx_toy.api.results import stored
from subtx_toy.errors import InputError
from subtx_toy.results import pairs
from subtx_toy.results.presentation import Table
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.messages import quoted
from subtx_toy.store import Store
from subtx_toy.store.inspection import is_results
from subtx_toy.store.merging import Merged, merge, merge_into, remove
from subtx_toy.store.trials import experiments_of
from subtx_toy.sweep.plan import Plan
from subtx_toy.wording import counted

if TYPE_CHECKING:
    import pandas as pd

Experiment = str | Path | Definition | Plan
Seeds = str | int | Iterable[int]


def delete_trials(
    experiment: Experiment | None = None,
    axes: Mapping[Any, object] | None = None,
    *,
    seeds: Seeds | None = None,
    where: str | None = None,
    failed: bool = False,
    store: str | Path | None = None,
) -> int:
    """Delete stored trials for good, all of them or none; return how many.

    Args:
        experiment: as ``results`` takes it, and so are ``axes``, ``seeds`` and ``where``. Something has to be named.
        axes: as above.
        seeds: as above.
        where: as above.
        failed: delete the failed trials, of the experiment if one is named, and no records.
        store: the results file.

    Raises:
        InputError: if nothing is named that selects trials, or the plan or the condition is not valid.
        StoreError: if the file cannot be written; then nothing is deleted.
    """
    keys = doomed(experiment, axes, seeds=seeds, where=where, failed=failed, store=store)
    with Store(store_path(store)) as opened:
        return remove(opened, keys)


def doomed(
    experiment: Experiment | None = None,
    axes: Mapping[Any, object] | None = None,
    *,
    seeds: Seeds | None = None,
    where: str | None = None,
    failed: bool = False,
    store: str | Path | None = None,
    what: str = "delete",
) -> list[str]:
    """Return the keys that ``delete_trials`` would delete; the arguments and errors are its own, ``what`` names it."""
    if not failed:
        return _keys(experiment, axes, seeds=seeds, where=where, store=store, what=what)
    if axes or seeds is not None or where is not None:
        raise InputError("failed: expected no axes, seeds or condition with it; name an experiment, or nothing")
    name = experiment if experiment is None else Plan.of(experiment).definition.name
    return [one.run_id for one in failed_trials(name, store=store)]


def trials_text(keys: Sequence[str], store: str | Path | None = None) -> str:
    """Say how many trials these are and of which experiments, as far as the store knows."""
    with Store(store_path(store), read_only=True) as opened:
        names = experiments_of(opened, keys)
    return counted(len(keys), "trial") + (f" of {' and '.join(names)}" if names else "")


def archive_trials(
    target: str | Path,
    experiment: Experiment | None = None,
    axes: Mapping[Any, object] | None = None,
    *,
    seeds: Seeds | None = None,
    where: str | None = None,
    store: str | Path | None = None,
) -> int:
    """Move stored trials to another results file, made where there is none; return how many.

    They are deleted only when the other file holds them. Selecting is as in ``delete_trials``, and so are the errors.
    """
    path, other = store_path(store), store_path(path_of("target", target))
    keys = _keys(experiment, axes, seeds=seeds, where=where, store=store, what="archive")
    with Store(path) as opened:
        with Store(other) as archive:
            merge(archive, [path], only=keys)
            if len(archive.stored(keys)) != len(keys):
                raise InputError(
                    f"archive: expected {counted(len(keys), 'trial')} in {other}, got fewer; nothing was deleted"
                )
        return remove(opened, keys)


def merge_stores(sources: Sequence[str | Path], into: str | Path | None = None) -> Merged:
    """Copy the records of several results files into one, as they are; the sources stay.

    Args:
        sources: results files, such as those of several machines.
        into: the results file that takes them, made where there is none; by default the user's own.

    Raises:
        InputError: if no source is named, or records of equal key have different values; nothing is written then.
        StoreError: if a file cannot be used.
    """
    if isinstance(sources, str | Path) or not sources:
        raise InputError(f"sources: expected a list of one or more results files, got {sources!r}")
    paths = [store_path(path_of("sources", one)) for one in sources]
    for path in paths:
        if not is_results(path):
            raise InputError(f"sources: expected a results database, got none at {path}")
    return merge_into(store_path(into), list(dict.fromkeys(paths)))


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Two groups of trials against each other; the difference is that of the second minus the first.

    Attributes:
        first: what selected the first group.
        second: what selected the second.
        pairs: one row for each pair of configurations.
    """

    first: str
    second: str
    pairs: pairs.Pairs

    @property
    def conclusion(self) -> str:
        """The result in one sentence."""
        return self.pairs.conclusion

    @property
    def tables(self) -> Sequence[Table]:
        """One row a pair."""
        return (self.pairs.table,)

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``subtx-toy results compare``."""
        told = {name: {"first": one, "second": two} for name, (one, two) in self.pairs.told_apart.items()}
        return {
            "first": self.first, "second": self.second, "metric": self.pairs.metric, "conclusion": self.conclusion,
            "told_apart": told, "rows": [row.document for row in self.pairs.rows], "unmatched": self.pairs.unmatched,
            "shared": self.pairs.shared,
        }  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """Return one row a pair.

        Raises:
            InputError: if pandas is not installed.
        """
        rows = []
        for row in self.pairs.rows:
            low, high = row.interval
            rows.append(
                {**row.at, "first": row.first.mean, "second": row.second.mean, "difference": row.estimate.mean,
                 "low": low, "high": high, "n": row.estimate.n, "paired": row.paired, "verdict": row.verdict}
            )  # fmt: skip
        return frame(rows)


def compare_results(
    first: str | Path,
    second: str | Path,
    *,
    experiment: Experiment | None = None,
    metric: str | None = None,
    store: str | Path | None = None,
) -> Comparison:
    """Compare a metric between two groups of stored trials, configuration by configuration.

    Args:
        first: a condition on settings and metrics, such as ``"width == 64"``, or the path of a results file.
        second: the same for the other group.
        experiment: as in ``results``: both groups are of its configurations.
        metric: a final metric; by default the accuracy of ``student_aux``, or the alignment.
        store: the results file in which the conditions select.

    Raises:
        InputError: if a group is empty, has no such metric, or no configuration of one has a partner in the other.
    """
    groups = []
    for side in (first, second):
        if isinstance(side, Path) or is_file(side):
            groups.append(stored(experiment, store=side))
        else:
            _check_no_path(side)
            groups.append(stored(experiment, store=store, where=side))
    return Comparison(str(first), str(second), pairs.compare(groups[0], groups[1], metric=metric))


def is_file(text: object) -> bool:
    """Return whether a text names a file that is there."""
    try:
        return isinstance(text, str) and Path(text).is_file()
    except (OSError, ValueError):
        return False


def _check_no_path(text: object) -> None:
    """Refuse the name of a results file that is not there, which could pass for the name of a metric."""
    if isinstance(text, str) and Path(text).suffix in (".sqlite", ".sqlite3", ".db"):
        raise InputError(f"compare: expected a condition or a results file, and there is no file {quoted(text)}")


def _keys(
    experiment: Experiment | None, axes: Mapping[Any, object] | None, *, seeds: Seeds | None, where: str | None,
    store: str | Path | None, what: str,
) -> list[str]:  # fmt: skip
    if experiment is None and seeds is None and where is None:
        raise InputError(f"{what}: expected an experiment, seeds or a condition that selects trials, got none")
    found = stored(experiment, axes, seeds=seeds, store=store, where=where, all_versions=True)
    return [row.run_id for row in found.results]
