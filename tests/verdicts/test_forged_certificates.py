"""No forged certificate is accepted that is untrue, none takes over 1 GB or a minute, and each is rejected in words."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from subtx_toy.certify.certificate import ProvedRange
from subtx_toy.certify.checker.check import check
from subtx_toy.certify.checker.document import read
from subtx_toy.certify.checker.rejected import Rejected
from tests.verdicts.chain_forgeries import chain_bombs, chain_numbers, chain_originals, slow_chain_bombs, versions
from tests.verdicts.exact_chain import ExactChain
from tests.verdicts.exact_quantity import ExactQuantity
from tests.verdicts.forgeries import Forgery, archives, bombs, headers, numbers, originals, slow_bombs, texts

POINTS = 8
"""Step sizes at which the truth of an accepted file is decided."""

IN_CHILD = """
import sys, time
from pathlib import Path
from subtx_toy.certify.checker.check import check
from subtx_toy.certify.checker.document import read
from subtx_toy.certify.checker.rejected import Rejected
for path in sys.argv[1:]:
    began = time.process_time()
    try:
        verdict = f"accepted up to {check(read(Path(path))).eps}"
    except Rejected as error:
        verdict = f"rejected: {error}"
    status = Path("/proc/self/status").read_text()
    peak = 1024 * int(status.partition("VmHWM:")[2].split()[0])
    print(round(time.process_time() - began, 2), peak, verdict[:300], sep="|")
"""


@pytest.fixture(scope="module")
def certificates() -> dict[str, ProvedRange]:
    """A true certificate per quantity."""
    return originals()


@pytest.fixture(scope="module")
def chains() -> dict[str, ProvedRange]:
    """A true certificate of two chains."""
    return chain_originals("norm", "convolution")


def untrue(content: bytes) -> str:
    """Return where a file claims a sign that 120 digits do not confirm, if anywhere."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        document = json.loads(file.read("certificate.json"))
        arrays = {name[:-4]: np.load(io.BytesIO(file.read(name))) for name in file.namelist() if name.endswith(".npy")}
    claim, rng = document["claim"], np.random.default_rng(0)
    exact_kind = ExactChain if "layers" in document["problem"]["settings"] else ExactQuantity
    exact = exact_kind(document["problem"]["settings"], arrays, claim["quantity"])
    eps = claim["eps_certified"]
    points = [eps, math.nextafter(eps, 0), *(eps * rng.uniform(size=POINTS)), *(eps * 10 ** rng.uniform(-9, 0, size=3))]
    for point in points:
        if not exact(float(point)) > 0:
            return f"{claim['quantity']} is not positive at {point!r}"
    if document["negative"] is not None and not exact(document["negative"][0]) < 0:
        return "the opposite sign is not there"
    return ""


def verdict(forgery: Forgery) -> str:
    """Check a forgery; anything but an acceptance or a Rejected with a reason is an error."""
    try:
        check(read(forgery.content))
    except Rejected as error:
        reason = str(error)
    else:
        reason = ""
    if reason:
        assert 10 < len(reason) < 500, f"{forgery.name}: {reason[:1000]}"
        return "rejected"
    assert not forgery.malformed, f"{forgery.name} is accepted"
    assert (wrong := untrue(forgery.content)) == "", f"{forgery.name} is accepted: {wrong}"
    return "accepted, and true"


def test_the_originals_are_accepted_and_true(certificates: dict[str, ProvedRange]) -> None:
    for quantity, certificate in certificates.items():
        assert certificate.boxes, quantity
        (forgery,) = (one for one in archives(certificate) if not one.malformed)
        assert verdict(forgery) == "accepted, and true"


def test_the_truth_is_decided_by_itself(certificates: dict[str, ProvedRange]) -> None:
    stretched = [one for one in numbers({"every-batch": certificates["every-batch"]}) if "stretched" in one.name]
    assert any(untrue(one.content) for one in stretched)


def test_texts_headers_and_archives_are_rejected(certificates: dict[str, ProvedRange]) -> None:
    certificate = certificates["every-batch"]
    forged = [*texts(certificate), *headers(certificate), *archives(certificate)]
    counts = Counter(verdict(one) for one in forged)
    assert counts["accepted, and true"] == 1  # the same entries, stored
    assert len({one.name for one in forged}) == len(forged) >= 80


def test_changed_numbers_are_accepted_only_if_true(certificates: dict[str, ProvedRange]) -> None:
    counts = Counter(verdict(one) for one in numbers({"every-batch": certificates["every-batch"]}))
    assert counts["rejected"] > 40
    assert counts["accepted, and true"] >= 1


def test_changed_chains_are_accepted_only_if_true(
    chains: dict[str, ProvedRange], certificates: dict[str, ProvedRange]
) -> None:
    forged = [*chain_numbers(chains), *versions(chains["norm"], certificates["every-batch"])]
    counts = Counter(verdict(one) for one in forged)
    assert counts["rejected"] > 60
    assert counts["accepted, and true"] >= 1


@pytest.mark.slow
def test_every_forgery_of_a_chain_ends_within_a_minute(chains: dict[str, ProvedRange]) -> None:
    counts: Counter[str] = Counter()
    longest = ("", 0.0)
    for one in chain_numbers(chains | chain_originals("kinks")):
        began = time.process_time()
        counts[verdict(one)] += 1
        longest = max(longest, (one.name, time.process_time() - began), key=lambda found: found[1])
    sys.stdout.write(f"{counts}, longest {longest}\n")
    assert sum(counts.values()) >= 100
    assert longest[1] < 60


@pytest.mark.slow
def test_every_forgery_ends_within_a_minute(certificates: dict[str, ProvedRange]) -> None:
    counts: Counter[str] = Counter()
    longest = ("", 0.0)
    for one in numbers(certificates):
        began = time.process_time()
        counts[verdict(one)] += 1
        longest = max(longest, (one.name, time.process_time() - began), key=lambda found: found[1])
    sys.stdout.write(f"{counts}, longest {longest}\n")
    assert sum(counts.values()) >= 250
    assert longest[1] < 60


def _checked_in_child(forged: list[Forgery], folder: Path) -> list[str]:
    paths = []
    for place, one in enumerate(forged):
        paths.append(folder / f"{place}.cert")
        paths[-1].write_bytes(one.content)
    found = subprocess.run(
        [sys.executable, "-c", IN_CHILD, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-2000:]
    lines = found.stdout.splitlines()
    assert len(lines) == len(forged)
    for one, line in zip(forged, lines, strict=True):
        seconds, peak, words = line.split("|", 2)
        sys.stdout.write(f"{one.name}: {seconds} s, {int(peak) / 1e6:.0f} MB, {words}\n")
        assert float(seconds) < 60, one.name
        assert int(peak) < 1e9, one.name
        assert words.startswith("rejected"), one.name
    return lines


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the memory is read from /proc")
def test_bombs_are_rejected_within_a_gigabyte(certificates: dict[str, ProvedRange], tmp_path: Path) -> None:
    assert len(_checked_in_child(list(bombs(certificates["every-batch"])), tmp_path)) >= 15


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the memory is read from /proc")
def test_bombs_of_chains_are_rejected_within_a_gigabyte(chains: dict[str, ProvedRange], tmp_path: Path) -> None:
    assert len(_checked_in_child(list(chain_bombs(chains["norm"])), tmp_path)) == 4


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the memory is read from /proc")
def test_the_slowest_bombs_are_rejected_within_a_minute(certificates: dict[str, ProvedRange], tmp_path: Path) -> None:
    _checked_in_child(list(slow_bombs(certificates["alignment"])), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the memory is read from /proc")
def test_the_slowest_bombs_of_chains_are_rejected_within_a_minute(
    chains: dict[str, ProvedRange], tmp_path: Path
) -> None:
    _checked_in_child(list(slow_chain_bombs(chains["norm"])), tmp_path)
