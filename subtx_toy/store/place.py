"""Where the database may lie: on a local disk, because SQLite's locks do not hold on network file systems."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from subtx_toy.errors import StoreError

_NETWORK_FILE_SYSTEMS = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "pvfs2",
    "fuse.sshfs", "fuse.glusterfs",
)  # fmt: skip


def default_path() -> Path:
    """Return where results are kept: SUBTX_TOY_STORE, else a file in the user's data folder."""
    named = os.environ.get("SUBTX_TOY_STORE")
    return Path(named).expanduser() if named else platformdirs.user_data_path("subtx-toy") / "results.sqlite"


def prepare_folder(path: Path) -> None:
    """Make the folder of the database ``path``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"store: cannot make the folder {path.parent}: {error.strerror}") from None
    kind = file_system(path.parent)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StoreError(f"store: expected a local disk, got {path} on a network file system ({kind})")


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds ``folder``, as Linux names it; empty where that is unknown."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    resolved, best = folder.resolve(), ("", "")
    for line in mounts:
        _device, point, kind, *_rest = line.split()
        point = point.replace("\\040", " ")  # how the kernel writes a space
        if resolved.is_relative_to(point) and len(point) >= len(best[0]):
            best = point, kind
    return best[1]
