"""A limit in a thread: it ends what is late, leaves alone what is not, and leaves nothing behind in the process."""

from __future__ import annotations

import subprocess
import sys

LIMITED = """
import sys, threading, time
from subtx_toy.sweep.time_limit import TimeLimitError, limited

def work(seconds):
    try:
        with limited(0.2):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                pass
        print("done", end=" ")
    except TimeLimitError:
        print("late", end=" ")

for seconds in (0.01, 60.0, 0.01):
    thread = threading.Thread(target=work, args=(seconds,))
    thread.start()
    thread.join()
sys.settrace(lambda *_: None)
(lambda: None)()  # does not end where an exception to another thread has been taken back
"""


def test_a_limit_in_a_thread_leaves_the_process_as_it_was() -> None:
    ran = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("done late done ", "", 0)
