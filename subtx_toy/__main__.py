"""``python -m subtx_toy``, and the command ``subtx-toy``."""

from __future__ import annotations

import os
import signal


def _stop(_number: int, _frame: object) -> None:
    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(130)


def start() -> None:
    """Run the command line; until it answers interrupts itself, one ends the process at once, as nothing has begun."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as SIGINT in a script's background jobs, SIGHUP by nohup
            signal.signal(number, _stop)
    from subtx_toy.cli import main

    main()


if __name__ == "__main__":  # spawned workers import this module again
    start()
