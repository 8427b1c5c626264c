"""Claims: hypotheses, prediction, observation and verdict; the only place beside ``experiment`` where routes meet."""
