"""Speed, side by side with a baseline in the same run: ``python benchmarks/run.py VERB``; never part of the tests."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # read once, when numpy is loaded
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import certify, checks, claims, cost, language, protocol, scale, start_up, store, sweep  # noqa: E402

VERBS = {
    "certify": certify,
    "checks": checks,
    "claims": claims,
    "cost": cost,
    "language": language,
    "protocol": protocol,
    "scale": scale,
    "start-up": start_up,
    "store": store,
    "sweep": sweep,
}
"""A verb is a module with ``SUMMARY``, ``add_arguments(parser)`` and ``run(arguments)``."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, module in VERBS.items():
        verb = verbs.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        verb.add_argument("--json", action="store_true", help="print one JSON document")
        module.add_arguments(verb)
    arguments = parser.parse_args()
    VERBS[arguments.verb].run(arguments)


if __name__ == "__main__":
    main()
