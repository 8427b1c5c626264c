"""What the last bits of a result depend on besides the code: run as a script, it prints this machine's."""

from __future__ import annotations

import ctypes
import json
import platform
import re
import sys
from pathlib import Path

import numpy as np
import torch


def machine() -> dict[str, str]:
    """Return the processor, by which BLAS and torch choose their kernels, and the libraries that have the kernels."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "bf16": _bf16(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "blas_threads": _blas_threads(),
    }


def _processor() -> str:
    """Return vendor, family and model, which name the generation; empty where the system does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    fields = dict(re.findall(r"^(vendor_id|cpu family|model)\s*: (.*)$", text, flags=re.MULTILINE))
    return " ".join(fields.values())


def _bf16() -> str:
    """Return the instructions for bfloat16: a virtual machine may hide those of its processor."""
    try:
        flags = re.search(r"^flags\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), flags=re.MULTILINE)
    except OSError:
        return ""
    known = flags[1].split() if flags else []
    return " ".join(name for name in ("amx_bf16", "avx512_bf16") if name in known)


def _blas_threads() -> str:
    """Return the threads of numpy's OpenBLAS: nets that are trained beside two of them differ in the last bits."""
    for library in sorted((Path(np.__file__).parent.parent / "numpy.libs").glob("*openblas*")):
        ask = getattr(ctypes.CDLL(str(library)), "scipy_openblas_get_num_threads64_", None)
        if ask is not None:
            return str(ask())
    return "unknown"


if __name__ == "__main__":
    json.dump(machine(), sys.stdout, indent=2)
    sys.stdout.write("\n")
