"""What every test gets: one thread, deterministic examples, a store and a cache of its own, a tiny data set."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

# BLAS reads these when numpy is loaded. A pytest plugin may load it before this file, so they serve the processes that
# tests start; for this one, set them in the shell.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
# The plain implementations are imported as ``tests.reference``; importlib mode leaves sys.path alone.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from subtx_toy.data.dataset import Dataset, assemble  # noqa: E402
from subtx_toy.seeding import generator  # noqa: E402

torch.set_num_threads(1)

hypothesis.settings.register_profile(
    "ci", max_examples=20, deadline=None, database=None, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("shapes", hypothesis.settings.get_profile("ci"), max_examples=5)
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("SUBTX_TOY_HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: give --run-slow to run it"))


@pytest.fixture(scope="session", autouse=True)
def own_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep store and cache in a temporary folder, so that no test reads or writes the user's."""
    folder = tmp_path_factory.mktemp("subtx_toy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTX_TOY_STORE", str(folder / "results.sqlite"))
        patch.setenv("SUBTX_TOY_CACHE", str(folder / "cache"))
        patch.delenv("SUBTX_TOY_DATA", raising=False)
        yield folder


@pytest.fixture
def workers_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run trials inside this process, where processes are not the point: a worker takes seconds to load torch."""
    from subtx_toy.sweep import workers
    from tests.faults.sweeping import Here

    monkeypatch.setattr(workers, "LocalWorkers", lambda _num: Here())


@pytest.fixture(scope="session")
def striped_digits() -> Dataset:
    """300 + 100 images that a net can learn: class c brightens rows 2c and 2c + 1 of random grey."""
    rng = generator(0, "tests", "striped digits")
    arrays = []
    for num in (300, 100):
        labels = rng.integers(10, size=num).astype(np.uint8)
        images = rng.integers(100, size=(num, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 2] += 150
        arrays += [images, labels]
    return assemble("striped digits", tuple(arrays), num_train=None, num_test=100)
