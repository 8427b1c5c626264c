"""The trained nets of trials as safetensors files: one folder a trial, one file an arm, each with its provenance."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.errors import InputError
from subtx_toy.files.atomic import check_writable, replacing
from subtx_toy.files.json_text import json_text, parse_json
from subtx_toy.files.tensor_file import read_metadata, read_tensor_file
from subtx_toy.store.record import RunRecord

if TYPE_CHECKING:
    from torch import Tensor

_SCHEMA = "subtx-toy net 1"
_MADE = "subtx_toy"  # the only key of the metadata, for safetensors writes several in any order; it holds JSON
_ENDING = ".safetensors"
_MAX_BYTES = 2**33


@dataclass(frozen=True)
class NetToKeep:
    """The weights of one arm, and the words that say of which function; no words if the weights alone do not say it."""

    params: Mapping[str, Tensor]
    shape: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class KeptFile:
    """What a file holds: tensors as they were trained, and their provenance."""

    params: dict[str, Tensor]
    made: dict[str, Any]


def check_folder(folder: Path) -> None:
    """Make the folder, and find out before the training whether files can be written there.

    Raises:
        InputError: if not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = f"keep_nets: expected a folder that can be written, got {str(folder)!r}: {error.strerror}"
        raise InputError(fault) from None
    check_writable(folder / "net.safetensors", what="keep_nets")


def keep(folder: Path, record: RunRecord, nets: Mapping[str, NetToKeep]) -> None:
    """Write the nets of one trial: ``FOLDER/RUN_ID/ARM.safetensors``, each whole or not at all."""
    from safetensors.torch import save

    place = folder / record.run_id
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"keep_nets: cannot write {str(place)!r}: {error.strerror}") from None
    for arm, net in nets.items():
        own = {name: value for name, value in record.metrics.items() if name.startswith(f"{arm}.")}
        made = {
            "schema": _SCHEMA, "arm": arm, "arms": list(nets), "seed": record.seed, "run_id": record.run_id,
            "config": record.config, "results_version": record.results_version,
            "dataset_sha256": record.dataset_sha256,
            "versions": record.versions, "metrics": own,
            "model": None if net.shape is None else dict(net.shape), "checksum": checksum(net.params),
        }  # fmt: skip
        tensors = {name: value.detach().contiguous() for name, value in net.params.items()}
        content = save(tensors, {_MADE: json_text(made, indent=None)})
        with replacing(place / f"{arm}{_ENDING}", what="keep_nets") as file:
            file.write(content)


def checksum(params: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a net in hexadecimal digits: names, shapes, types and numbers in the order of the names."""
    import torch

    state = hashlib.sha256()
    for name in sorted(params):
        value = params[name].detach().contiguous()
        state.update(f"{name} {tuple(value.shape)} {value.dtype} ".encode())
        state.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return state.hexdigest()


def is_kept(folder: Path, run_id: str) -> bool:
    """Return whether the folder has all nets of a trial; what is inside the files is not read."""
    place = folder / run_id
    for path in sorted(place.glob(f"*{_ENDING}")) if place.is_dir() else ():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            arms = _made(read_metadata(path))["arms"]
            return len(arms) > 0 and all((place / f"{arm}{_ENDING}").is_file() for arm in arms)
    return False


def missing(folder: Path, run_ids: Iterable[str]) -> Iterator[str]:
    """Yield the trials whose nets the folder does not have."""
    return (run_id for run_id in run_ids if not is_kept(folder, run_id))


def read_file(path: Path) -> KeptFile:
    """Read the net of one arm; safetensors holds numbers and no code, so any file may be tried.

    Raises:
        InputError: if it is no such file, or its weights are not those that its checksum names.
    """
    where = f"{path}: expected a net that `--keep-nets` wrote, got one"
    try:
        file = read_tensor_file(path, limit=_MAX_BYTES)
        made = _made(file.metadata)
        wanted = made["checksum"]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{where} that cannot be read: {error.strerror}") from None
    except KeyError as error:
        raise InputError(f"{where} that cannot be read: no {error} in its header") from None
    except ValueError as error:
        raise InputError(f"{where} that cannot be read: {error}") from None
    if (found := checksum(file.tensors)) != wanted:
        raise InputError(f"{path}: expected weights of checksum {str(wanted)[:16]!r}..., got {found[:16]!r}...")
    return KeptFile(file.tensors, made)


def _made(metadata: Mapping[str, str]) -> dict[str, Any]:
    made = parse_json(metadata[_MADE])
    if not isinstance(made, dict) or made.get("schema") != _SCHEMA:
        raise ValueError("another schema")
    return made
