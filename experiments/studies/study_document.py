"""What studies of a protocol over seeds share: which seeds they are asked for, and the document that they write."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from subtx_toy.data.dataset import Dataset
from subtx_toy.files.atomic import replacing
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.seeds import parse_seeds
from subtx_toy.store.record import versions


def asked_seeds(description: str | None, usual: str) -> list[int]:
    """Read ``--seeds`` from the command line of a study."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", default=usual)
    return list(parse_seeds(options.parse_args().seeds))


def write_document(target: Path, config: RunConfig, dataset: Dataset, **found: Any) -> None:
    """Write what was found, with the settings, the data, the versions and the CPU seconds of this process."""
    document = {
        "config": config.model_dump(),
        "dataset_sha256": dataset.sha256,
        "versions": versions(),
        "cpu_seconds": round(time.process_time(), 1),
        "num_images": len(dataset.test_images),
        **found,
    }
    with replacing(target) as file:
        file.write((json.dumps(document, indent=1) + "\n").encode())
    print(target)
