"""Who runs trials now: coordinators by name, each with a heartbeat, and which of them are stopped or dead."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
import uuid
from dataclasses import astuple, dataclass
from pathlib import Path

from subtx_toy.wording import counted

LEASE_SECONDS = 60.0
"""Without a heartbeat, after which a process counts as dead that cannot be looked up, or that is stopped."""


@dataclass(frozen=True)
class Coordinator:
    """One process that hands out trials.

    Attributes:
        owner: its name in the database, which ends in ``@`` and its host.
        machine: boot and process namespace, empty where unknown; equal ones can look each other's processes up.
        pid: its process.
        started: start time of the process, in the kernel's ticks.
    """

    owner: str
    machine: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> Coordinator:
        """Describe a new coordinator in this process."""
        pid = os.getpid()
        return cls(f"{uuid.uuid4().hex}@{socket.gethostname()}", _machine(), pid, _started(pid))

    def is_dead(self) -> bool | None:
        """Return whether the process is gone, or None where this process cannot know."""
        if not self._is_near():
            return None
        return _started(self.pid) != self.started

    def is_stopped(self) -> bool:
        """Return whether the process is there and stopped, as by Ctrl-Z."""
        return self.is_dead() is False and _status(self.pid)[0] in ("T", "t")

    @property
    def host(self) -> str:
        """The name of its machine, empty for a coordinator of an earlier version."""
        return self.owner.partition("@")[2]

    def _is_near(self) -> bool:
        return bool(self.machine) and self.machine == _machine()


@dataclass(frozen=True)
class Holder:
    """A coordinator that runs trials which others wait for.

    Attributes:
        host: the name of its machine; empty where it is not known.
        pid: its process.
        since: when it took the first of them, by its clock, in seconds since 1970.
        trials: how many it runs.
        state: ``"runs"``, ``"stopped"``, or ``"unknown"`` for a process that cannot be looked up from here.
    """

    host: str
    pid: int
    since: float
    trials: int
    state: str

    def __str__(self) -> str:
        try:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        except (ValueError, OverflowError, OSError):  # of a clock that is far off
            when = "an unknown time"
        where = f"process {self.pid}" + (f" on {self.host}" if self.host else "")
        notes = {
            "runs": "",
            "stopped": f", which is stopped; kill -CONT {self.pid} lets it go on, and {LEASE_SECONDS:g} seconds after "
            "its last heartbeat others take its trials",
            "unknown": f", which cannot be looked up from here; {LEASE_SECONDS:g} seconds after its last heartbeat "
            "others take its trials",
        }
        trials = counted(self.trials, "trial")
        return f"{trials} of {where} since {when}{notes[self.state]}"


def register(connection: sqlite3.Connection, coordinator: Coordinator) -> None:
    """Write the heartbeat of a coordinator, and its name if it is new or was taken for dead."""
    row = (*astuple(coordinator), time.time())
    connection.execute("INSERT OR REPLACE INTO coordinators VALUES (?, ?, ?, ?, ?)", row)


def holders(connection: sqlite3.Connection) -> dict[str, Holder]:
    """Return, by their names, the coordinators that run trials now."""
    query = (
        "SELECT owner, machine, pid, started, count(*), min(changed_at) FROM coordinators JOIN trials USING (owner) "
        "WHERE state = 'running' GROUP BY owner ORDER BY min(changed_at)"
    )
    found = {}
    for *fields, num, since in connection.execute(query).fetchall():
        one = Coordinator(*fields)
        state = "stopped" if one.is_stopped() else "unknown" if one.is_dead() is None else "runs"
        found[one.owner] = Holder(one.host, one.pid, since, num, state)
    return found


Seen = dict[str, tuple[float, float]]
"""By owner, its last heartbeat and when this process, by its own clock that only runs forward, first saw it."""


def remove_dead(connection: sqlite3.Connection, seen: Seen) -> int:
    """Forget the dead coordinators, free what they were running, and return how many trials those were.

    A heartbeat is compared with this machine's time, and with what was ``seen``: that of a clock which is ahead lies in
    the future for long, but it does not change any more.
    """
    rows = connection.execute("SELECT owner, machine, pid, started, heartbeat FROM coordinators").fetchall()
    for *fields, heartbeat in rows:
        coordinator, now = Coordinator(*fields), time.monotonic()
        if seen.get(coordinator.owner, (None,))[0] != heartbeat:
            seen[coordinator.owner] = heartbeat, now
        silent = max(time.time() - heartbeat, now - seen[coordinator.owner][1])
        dead = coordinator.is_dead()
        if dead or (silent > LEASE_SECONDS and (dead is None or coordinator.is_stopped())):
            connection.execute("DELETE FROM coordinators WHERE owner = ?", (coordinator.owner,))
    freed = (
        "UPDATE trials SET state = 'pending', owner = NULL, changed_at = ? "
        "WHERE state = 'running' AND owner NOT IN (SELECT owner FROM coordinators)"
    )
    return connection.execute(freed, (time.time(),)).rowcount


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process started, empty if there is none or it has ended."""
    state, started = _status(pid)
    return "" if state in "ZX" else started  # a zombie runs nothing any more


def _status(pid: int) -> tuple[str, str]:
    """Return the state of a process as the kernel writes it, and when it started; X and nothing if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "X", ""
    return fields[0], fields[19]
