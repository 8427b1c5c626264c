"""``python -m subtx_toy``, and the command ``subtx-toy``."""

from __future__ import annotations

import os
import signal


def start() -> None:
    """Run the command line; Ctrl-C ends it without a word until it can be answered with one."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # ignored in a script's background jobs
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(130))
    from subtx_toy.cli import main

    main()


if __name__ == "__main__":  # spawned workers import this module again
    start()
