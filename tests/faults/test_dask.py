"""Dask clusters: nobody else can use them, and one that is killed, silent or not there is one error in our words."""

from __future__ import annotations

import errno
import math
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

import subtx_toy as st
from subtx_toy.errors import InputError, WorkerError
from subtx_toy.sweep import dask_workers
from subtx_toy.sweep.dask_workers import DaskWorkers
from subtx_toy.sweep.scheduler_address import check_scheduler
from tests.faults.sweeping import (
    NUM_TRIALS,
    Numbers,
    all_end,
    descendants,
    finish,
    num_stored,
    numbers,
    start,
    wait_for,
)

pytest.importorskip("distributed", reason="Dask is an optional extra")


def test_kill_9_of_a_dask_worker_is_survived(tmp_path: Path, undisturbed: Numbers) -> None:
    store = tmp_path / "r.sqlite"
    process = start(store, "--engine", "dask", "--workers", "1")
    wait_for(store, 1, process)
    children = descendants(process)
    next(child for child in children if "spawn_main" in " ".join(child.cmdline())).kill()
    _out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert numbers(store) == undisturbed
    all_end(children)


@pytest.fixture
def scheduler() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A scheduler on a free port, and one worker."""
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *options]
    one = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert one.stderr is not None
    address = next(found[0] for line in one.stderr if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
    reader = threading.Thread(target=one.stderr.read)  # so that it never waits for its reader
    reader.start()
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", *options],
        stderr=subprocess.DEVNULL,
    )
    yield one, address
    for process in (worker, one):
        process.terminate()
        process.wait(timeout=60)
    reader.join()
    one.stderr.close()


def test_kill_9_of_the_dask_scheduler_is_one_clear_error_and_the_sweep_goes_on_elsewhere(
    tmp_path: Path, undisturbed: Numbers, scheduler: tuple[subprocess.Popen[str], str]
) -> None:
    store = tmp_path / "r.sqlite"
    process = start(store, "--scheduler", scheduler[1])
    wait_for(store, 1, process)
    scheduler[0].kill()
    _out, err = process.communicate(timeout=240)
    assert process.returncode == 2, err
    assert f"error: scheduler: lost {scheduler[1]}" in err
    assert 1 <= num_stored(store) < NUM_TRIALS
    finish(store)
    assert numbers(store) == undisturbed


FOREIGN_WORDS = ("Traceback", "distributed", "Exception", "Errno", "Warning", "warning", "Nanny", "nanny", "asyncio")
PAGE = Path(__file__).parents[2] / "docs" / "clusters.md"


def in_our_words(text: str) -> bool:
    return [word for word in FOREIGN_WORDS if word in text] == []


def listening(processes: Sequence[psutil.Process]) -> list[tuple[str, int]]:
    """Where some processes wait for connections."""
    return [
        (found.laddr.ip, found.laddr.port)
        for process in processes
        for found in process.net_connections()
        if found.status == psutil.CONN_LISTEN
    ]


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    """Port 8787, which Dask takes for a dashboard, in somebody else's hands: 1 if in this process's, else 0."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8787))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            yield 0  # tests that run at the same time have it
        else:
            taken.listen()
            yield 1


@pytest.fixture(scope="module")
def cluster(taken_port: int) -> Iterator[DaskWorkers]:
    found = DaskWorkers(1)
    yield found
    found.close(at_once=True)


def own_address(cluster: DaskWorkers) -> str:
    assert cluster._own is not None
    return str(cluster._own.cluster.scheduler_address)


def test_an_own_cluster_listens_on_this_machine_only_and_not_on_the_dashboard_s_port(
    cluster: DaskWorkers, taken_port: int
) -> None:
    here = psutil.Process()
    found = listening([here, *here.children(recursive=True)])
    assert len(found) >= 3, "scheduler, nanny and worker"
    assert {address for address, _port in found} == {"127.0.0.1"}
    assert [port for _address, port in found].count(8787) == taken_port, "the one of this test"


def test_an_own_cluster_serves_no_page(cluster: DaskWorkers) -> None:
    assert cluster._own is not None
    server = cluster._own.cluster.scheduler.http_server
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"GET /json/counts.json HTTP/1.0\r\n\r\n")
        assert b" 404 " in connection.recv(100)


_STRANGER = """
import os, sys
import distributed
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
address = sys.argv[1]
for place, security in ((address, distributed.Security.temporary()), (address.replace("tls", "tcp"), None)):
    try:
        client = distributed.Client(place, security=security, timeout=5)
        print("ran as", client.submit(os.getuid).result())
    except Exception:
        print("refused")
os._exit(not sys.stdout.flush())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_by_an_own_cluster(cluster: DaskWorkers) -> None:
    command = [sys.executable, "-u", "-c", _STRANGER, own_address(cluster)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert found.stdout.split() == ["refused", "refused"], found.stderr
    assert cluster.num == 1, "it still answers its owner"


def test_a_cluster_that_stays_without_workers_is_reported_once(
    cluster: DaskWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    counts = iter([1, 0, 1, 0, 0, 0, 1, 0, 0])  # a single look without one may be between two workers
    monkeypatch.setattr(cluster, "_client", SimpleNamespace(nthreads=lambda: {"worker": next(counts)}))
    monkeypatch.setattr(cluster, "_report", said.append)
    lines = []
    for _ in range(9):
        monkeypatch.setattr(cluster, "_counted", -math.inf)
        assert cluster.num == 1
        lines.append(len(said))
    assert lines == [0, 0, 0, 0, 1, 1, 1, 1, 2]
    assert said[0].startswith("no worker is left")


def test_what_is_given_to_an_own_cluster_is_private(cluster: DaskWorkers) -> None:
    assert cluster._own is not None
    assert Path(cluster._own._folder.name).stat().st_mode & 0o077 == 0


def _keys() -> dict[str, str]:
    """Settings of Dask with keys of our own."""
    import distributed

    library: Any = distributed  # its functions have no types
    found = library.Security.temporary().get_tls_config_for_role("client")
    return {"distributed.comm.tls.ca-file": found["ca_file"]} | {
        f"distributed.comm.tls.client.{name}": found[name] for name in ("cert", "key")
    }


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_a_scheduler_that_accepts_and_stays_silent_is_one_error_in_time(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    assert dask_workers.CONNECT_SECONDS == 30.0
    monkeypatch.setattr(dask_workers, "CONNECT_SECONDS", 1.0)
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{protocol}://127.0.0.1:{silent.getsockname()[1]}"
        with dask.config.set(_keys() if protocol == "tls" else {}), pytest.raises(WorkerError) as caught:
            DaskWorkers(1, address)
    assert time.monotonic() - began < 20
    assert f"scheduler: cannot use {address}: it does not answer in 1 s" in str(caught.value)
    assert in_our_words(str(caught.value))


@pytest.mark.parametrize(
    ("address", "keys", "reason"),
    [
        ("tcp://127.0.0.1:9", {}, "it does not answer in 1 s, or it expects tls://"),
        pytest.param("tcp://no.such.host.invalid:8786", {}, "there is no host of this name", marks=pytest.mark.slow),
        ("tls://127.0.0.1:9", {}, "tls:// needs certificates, and none are set"),
        ("tls://127.0.0.1:9", {"ca-file": "/none.pem", "client.cert": "/none.pem"}, "cannot be read"),
        ("tcp OWN", {}, "it does not answer in 1 s, or it expects tls://"),
        ("tls OWN", None, "it does not take the certificates"),
    ],
)
def test_a_scheduler_that_cannot_be_used_is_one_error(
    address: str, keys: dict[str, str] | None, reason: str, cluster: DaskWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    monkeypatch.setattr(dask_workers, "CONNECT_SECONDS", 1.0 if "1 s" in reason else 20.0)
    if address.endswith("OWN"):
        address = own_address(cluster).replace("tls", address.partition(" ")[0])
    values = _keys() if keys is None else {f"distributed.comm.tls.{key}": path for key, path in keys.items()}
    with dask.config.set(values), pytest.raises(WorkerError) as caught:
        DaskWorkers(1, address)
    assert reason in str(caught.value)
    assert in_our_words(str(caught.value))
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "address", ["", "x", "tcp://", "tcp://a:0", "tcp://a:99999", "inproc://a:1", "tcp://a:8786/x", "tcp://\x1b[31m:1"]
)
def test_what_is_no_address_is_refused_before_any_work(address: str) -> None:
    with pytest.raises(InputError, match="scheduler: expected tls://HOST:PORT or tcp://HOST:PORT"):
        check_scheduler(address)
    with pytest.raises(InputError, match="scheduler: expected"):
        st.sweep("no such experiment", scheduler=address)


def test_an_engine_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="engine: expected 'local' or 'dask', got 'slurm'"):
        st.sweep("tiny", engine="slurm")


def test_a_worker_that_is_killed_while_the_cluster_starts_is_one_error(tmp_path: Path) -> None:
    process = start(tmp_path / "r.sqlite", "--engine", "dask", "--workers", "1")
    while not (found := [one for one in descendants(process) if "spawn_main" in " ".join(one.cmdline())]):
        assert process.poll() is None
        time.sleep(0.01)
    found[0].kill()
    _out, err = process.communicate(timeout=240)
    assert process.returncode == 2
    assert err.count("error:") == 1
    assert "error: scheduler: cannot use its own scheduler: its workers did not start" in err
    assert in_our_words(err)


def test_the_documented_scheduler_needs_tls_and_listens_where_it_is_told_only(tmp_path: Path) -> None:
    """The exports and the command of the page, as a shell runs them; 127.0.0.2 stands for the node's address."""
    blocks = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    keys, exports = (next(block for block in blocks if word in block) for word in ("openssl", "REQUIRE_ENCRYPTION"))
    command, worker = (next(line for line in lines if word in line) for word in ("dask scheduler", "dask worker"))
    for line in (command, worker):
        assert "--host" in line
        assert "--no-dashboard --dashboard-address 127.0.0.1:0" in line
    command = command.removesuffix(" &").replace("LOGIN", "127.0.0.2").replace("--port 8786", "--port 0")
    command = command.replace("dask scheduler", f"exec {shlex.quote(sys.executable)} -m distributed.cli.dask_scheduler")
    usual = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    process = subprocess.Popen(
        ["bash", "-ec", f"{keys}\n{exports}\n{command}"], env={**usual, "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        address = next(found[0] for line in process.stderr if (found := re.search(r"\w+://127\.0\.0\.2:\d+", line)))
        assert address.startswith("tls://")
        assert {ip for ip, _port in listening([psutil.Process(process.pid)])} <= {"127.0.0.1", "127.0.0.2"}
        assert (tmp_path / ".subtx-toy-tls").stat().st_mode & 0o077 == 0
    finally:
        process.terminate()
        process.communicate(timeout=60)
