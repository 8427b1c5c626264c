"""``python -m subtx_toy``."""

from subtx_toy.cli import main

if __name__ == "__main__":  # spawned workers import this module again
    main()
