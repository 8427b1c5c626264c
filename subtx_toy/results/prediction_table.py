"""Predictors of transfer over many settings: how each of them ranks the settings, as a table and as a document."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import Presentation, Table, unless_nan
from subtx_toy.results.rank_correlation import RankCorrelation, correlate
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.stats import Interval
from subtx_toy.store.record import RunRecord
from subtx_toy.tolerances import MIN_SEEDS
from subtx_toy.wording import be, counted

PREFIX, TARGET, NAIVE = "predictor.", "transfer", "num_aux"
LABELS = {
    "linear_student": "linearised student's accuracy, at the cost of a run",
    "sign_budget": "sign coverage x sqrt(lr x steps)",
    "sign_coverage": "cosine of the first gradient's sign with Δ",
    "coverage": "cosine of the first gradient with Δ (Madl)",
    "curvature_cosine": "cosine of G Δ with Δ (claim C7)",
    "num_aux": "auxiliary logits alone, the naive one",
}
"""What each predictor is, in the order of the tables."""


class SettingMeans(NamedTuple):
    """One setting: what distinguishes it, and the means over its seeds of transfer and predictors."""

    at: Mapping[str, Any]
    values: Mapping[str, float]
    num_seeds: int


class PredictionSummary(NamedTuple):
    """All settings, and how each predictor ranks them; ``num_left_out`` settings had no finite transfer."""

    definition: Definition
    base: Settings
    settings: Sequence[SettingMeans]
    ranks: Mapping[str, RankCorrelation]
    num_left_out: int


def setting_means(runs: Iterable[tuple[Mapping[str, Any], Mapping[str, float]]]) -> list[SettingMeans]:
    """Average the metrics of runs, given as settings and metrics, over the seeds of each setting."""
    groups: dict[str, list[tuple[Mapping[str, Any], Mapping[str, float]]]] = {}
    for config, metrics in runs:
        groups.setdefault(repr(sorted(config.items())), []).append((config, metrics))
    first = [group[0][0] for group in groups.values()]
    swept = [name for name in first[0] if len({repr(config[name]) for config in first}) > 1] if first else []
    found = []
    for group in groups.values():
        names = [name for name in group[0][1] if name.startswith(PREFIX)]
        values = {name.removeprefix(PREFIX): float(np.mean([run[name] for _, run in group])) for name in names}
        found.append(SettingMeans({name: group[0][0][name] for name in swept}, values, len(group)))
    return found


def rank(settings: Sequence[SettingMeans]) -> dict[str, RankCorrelation]:
    """Return how each predictor ranks the settings, all of whose means are finite."""
    columns = {name: np.array([one.values[name] for one in settings]) for name in (*LABELS, TARGET)}
    return {name: correlate(columns[name], columns[TARGET], columns[NAIVE]) for name in LABELS}


def summarise_predictions(definition: Definition, base: Settings, records: Sequence[RunRecord]) -> PredictionSummary:
    """Group some records by setting and rank the settings by every predictor."""
    means = setting_means((record.config, record.metrics) for record in records)
    kept = [one for one in means if all(math.isfinite(one.values[name]) for name in (*LABELS, TARGET))]
    ranks = rank(kept) if len(kept) >= MIN_SEEDS else {}
    return PredictionSummary(definition, base, kept, ranks, len(means) - len(kept))


def present_predictions(summary: PredictionSummary) -> Presentation:
    """Show rho with its intervals, the best predictor first, and the control in which settings are permuted."""
    definition, base, settings, ranks, num_left_out = summary
    seeds = sorted({one.num_seeds for one in settings})
    over = ("" if len(seeds) == 1 else f"{seeds[0]}-") + counted(seeds[-1], "seed") if seeds else "no seeds"
    heading = (
        f"{definition.name} on {base.dataset_title}: {definition.question} Spearman's rho between means over {over} of "
        f"{counted(len(settings), 'setting')}, with 95 % bootstrap intervals over settings"
    )
    ordered = sorted(ranks.items(), key=lambda item: -item[1].rho)
    header = (
        "predictor",
        "rho",
        "95 % interval",
        "given m",
        "95 % interval",
        "minus m's",
        "95 % interval",
        "what it is",
    )
    rows = [
        [name, f"{one.rho:.2f}", _ends(one.interval), unless_nan(one.partial, ".2f"), _ends(one.partial_interval),
         "" if name == NAIVE else f"{one.gain:+.2f}", "" if name == NAIVE else _ends(one.gain_interval), LABELS[name]]
        for name, one in ordered
    ]  # fmt: skip
    notes = []
    if ordered:
        permuted = ordered[0][1].permuted
        notes.append(f"control: with its settings permuted, 95 % of {ordered[0][0]}'s rho lie in {_ends(permuted)}")
    if num_left_out:
        notes.append(f"left out, because a run of theirs diverged: {counted(num_left_out, 'setting')}")
    document = {"config": base.model_dump(), **ranks_document(settings, ranks)}
    return Presentation([heading], [Table(header, rows)], notes, document, _conclusion(ordered, len(settings)))


def ranks_document(settings: Sequence[SettingMeans], ranks: Mapping[str, RankCorrelation]) -> dict[str, Any]:
    """Return the settings with their means, and by predictor rho and its intervals as ``[low, high]``."""
    return {
        "num_settings": len(settings),
        "num_seeds": min((one.num_seeds for one in settings), default=0),
        "settings": [
            {"at": dict(one.at), **{name: finite(value) for name, value in one.values.items()}} for one in settings
        ],
        "predictors": [{"name": name, **_rank_document(one)} for name, one in ranks.items()],
    }


def _rank_document(one: RankCorrelation) -> dict[str, Any]:
    def ends(interval: Interval) -> list[float | None]:
        return [finite(interval.low), finite(interval.high)]

    return {
        "rho": finite(one.rho), "ci95": ends(one.interval),
        "rho_given_num_aux": finite(one.partial), "ci95_given_num_aux": ends(one.partial_interval),
        "rho_minus_num_aux": finite(one.gain), "ci95_minus_num_aux": ends(one.gain_interval),
        "permuted95": ends(one.permuted),
    }  # fmt: skip


def _ends(interval: Interval) -> str:
    return "" if math.isnan(interval.low) else f"{interval.low:.2f} to {interval.high:.2f}"


def _conclusion(ordered: Sequence[tuple[str, RankCorrelation]], num: int) -> str:
    if not ordered:
        return f"{counted(num, 'setting')} {be(num)} too few to rank, which needs {MIN_SEEDS}."
    name, best = ordered[0]
    naive = dict(ordered)[NAIVE]
    return (
        f"Over {counted(num, 'setting')} {name} ranks the transfer best: rho {best.rho:.2f} ({_ends(best.interval)}); "
        f"the number of auxiliary logits alone has {naive.rho:.2f} ({_ends(naive.interval)})."
    )
