"""Many trials: the engine that runs them in processes of their own."""
