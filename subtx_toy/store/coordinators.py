"""Who runs trials now: coordinators by name, each with a heartbeat, and which of them are dead."""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from dataclasses import astuple, dataclass
from pathlib import Path

LEASE_SECONDS = 60.0  # without a heartbeat, after which a process that cannot be looked up counts as dead


@dataclass(frozen=True)
class Coordinator:
    """One process that hands out trials.

    Attributes:
        owner: its name in the database.
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
        return cls(uuid.uuid4().hex, _machine(), pid, _started(pid))

    def is_dead(self) -> bool | None:
        """Return whether the process is gone, or None where this process cannot know."""
        if not self.machine or self.machine != _machine():
            return None
        return _started(self.pid) != self.started


def register(connection: sqlite3.Connection, coordinator: Coordinator) -> None:
    """Write the heartbeat of a coordinator, and its name if it is new or was taken for dead."""
    row = (*astuple(coordinator), time.time())
    connection.execute("INSERT OR REPLACE INTO coordinators VALUES (?, ?, ?, ?, ?)", row)


def remove_dead(connection: sqlite3.Connection) -> int:
    """Forget the dead coordinators, free what they were running, and return how many trials those were."""
    rows = connection.execute("SELECT owner, machine, pid, started, heartbeat FROM coordinators").fetchall()
    for *fields, heartbeat in rows:
        coordinator = Coordinator(*fields)
        dead = coordinator.is_dead()
        if dead or (dead is None and time.time() - heartbeat > LEASE_SECONDS):
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
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]  # a zombie runs nothing any more
