"""The results database: one SQLite file with every finished trial, and the state of those under way.

The journal is a write-ahead log, so readers and a writer do not wait for each other, and every change is one
transaction: after a crash or ``kill -9`` a trial is there whole or not at all.
"""

from subtx_toy.store.place import default_path
from subtx_toy.store.records import Store

__all__ = ["Store", "default_path"]
