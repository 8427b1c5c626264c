"""Try the quick versions of experiments with other seeds than their own, and count how often they show their point.

Each try has as many seeds as the quick run, and no seed is in two of them; the checks are those of the tests
(``quick_shown.py``). Only trials that they read are run, and one that several experiments have is run once. An
experiment's tries replace its earlier ones in docs/results/quick-tries.json.

    python experiments/studies/quick_tries.py cloud2025 width
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from quick_shown import configs_read, margins

from subtx_toy.api.run_result import Run
from subtx_toy.files.atomic import replacing
from subtx_toy.settings.base import Settings
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.seeds import parse_seeds
from subtx_toy.store import Store
from subtx_toy.store.record import versions
from subtx_toy.sweep.schedule import schedule
from subtx_toy.sweep.session import carry_out
from subtx_toy.sweep.workers import LocalWorkers

TARGET = Path(__file__).parents[2] / "docs/results/quick-tries.json"


_TEACHER = (
    "protocol", "num_train", "width", "depth", "num_aux", "activation", "lr", "batch_size", "teacher_epochs",
    "optimizer", "weight_decay", "precision", "init", "init_scale", "output_scale", "linearized",
)  # fmt: skip


def train(names: list[str], num: int, store: Path, first: int = 0) -> None:
    """Run the trials of all experiments that have the same seeds together, those of one teacher after one another."""
    by_seeds: dict[range, dict[str, Settings]] = {}
    for name in names:
        configs = by_seeds.setdefault(_seeds(name, num, first), {})
        configs |= {repr(config): config for config in configs_read(name)}
    for seeds, configs in by_seeds.items():
        ordered = sorted(configs.values(), key=lambda one: str([getattr(one, name, None) for name in _TEACHER]))
        trials = schedule(ordered, seeds)
        with Store(store) as opened:
            steps = carry_out(trials, opened, lambda: LocalWorkers(1), experiment="quick-tries", retry_failed=True)
            for tally, outcomes in steps:
                if outcomes and tally.left % 50 == 0:
                    print(f"{tally.left} of {tally.total} trials left", file=sys.stderr, flush=True)


def _seeds(name: str, num: int, first: int) -> range:
    own = parse_seeds(read(name).quickened().seeds)
    start = max(max(own) + 1, first)
    return range(start, start + num * len(own))


def tries(name: str, num: int, store: Path, first: int = 0) -> dict[str, Any]:
    """Judge one experiment's trials, and return in how many tries they showed its point and how clearly."""
    seeds = _seeds(name, num, first)
    size = len(seeds) // num
    definition = read(name)
    keys = schedule(configs_read(name), seeds)
    with Store(store) as opened:
        records = opened.get([trial.run_id for trial in keys])
    found = []
    for begin in seeds[::size]:
        part = tuple(trial.labelled(records[trial.run_id]) for trial in keys if begin <= trial.seed < begin + size)
        found.append(margins(name, Run(definition, definition.quickened().config, part, (), store, 0.0)))
    return {
        "tries": num,
        "shown": sum(all(margin > 0 for margin in one.values()) for one in found),
        "seeds": f"{seeds.start}:{seeds.stop}",
        "seeds_per_try": size,
        "smallest_margin": {text: float(f"{min(one[text] for one in found):.3g}") for text in found[0]},
        "failed": [index for index, one in enumerate(found) if min(one.values()) <= 0],
        "cpu_seconds": round(sum(record.cpu_seconds for record in records.values()), 1),
        "versions": versions(),
    }


def main() -> None:
    """Try the named experiments, and write what was found after each of them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("experiments", nargs="+")
    options.add_argument("--tries", type=int, default=20)
    options.add_argument("--first", type=int, default=0, help="first seed, where earlier ones chose the settings")
    options.add_argument("--out", type=Path, default=TARGET)
    options.add_argument("--store", type=Path, help="results file that keeps the trials, for a run that is cut short")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder) / "r.sqlite"
        train(chosen.experiments, chosen.tries, store, chosen.first)
        rows = {name: tries(name, chosen.tries, store, chosen.first) for name in chosen.experiments}
    for name, row in rows.items():
        document = json.loads(chosen.out.read_text(encoding="utf-8")) if chosen.out.exists() else {}
        document[name] = row
        with replacing(chosen.out) as file:
            file.write((json.dumps(dict(sorted(document.items())), indent=1) + "\n").encode())
        print(f"{name}: shown in {row['shown']} of {row['tries']} tries")


if __name__ == "__main__":
    main()
