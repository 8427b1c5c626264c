"""Made-up records of quick experiments, for pages that are drawn from records alone."""

from __future__ import annotations

from subtx_toy.settings.base import RESULTS_VERSION, Settings, run_id
from subtx_toy.settings.distillation import ARMS
from subtx_toy.store.record import RunRecord

SHA = "ab" * 32


def record(config: Settings, seed: int, *, accuracy: float = 0.5) -> RunRecord:
    """Return a record of the reference protocol whose arms all have an accuracy near ``accuracy``."""
    values = {arm: accuracy + 0.01 * seed for arm in ARMS}
    series = {f"{arm}.accuracy": [0.1, value] for arm, value in values.items() if arm != "reference"}
    series |= {f"{arm}.loss": [0.5] for arm in values if arm != "reference"}
    return RunRecord(
        run_id=run_id(config, seed=seed, dataset_sha256=SHA), results_version=RESULTS_VERSION,
        config=config.model_dump(), seed=seed, dataset_sha256=SHA, versions={"torch": "2.13.0"},
        metrics={f"{arm}.accuracy": value for arm, value in values.items()}, series=series, wall_seconds=1.0,
        cpu_seconds=2.0, training_cpu_seconds=1.5, peak_rss_mib=100.0,
    )  # fmt: skip
