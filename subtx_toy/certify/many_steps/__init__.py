"""Proofs about students of several plain steps: the real student is never far from a path that is known exactly."""
