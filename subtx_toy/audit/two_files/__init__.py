"""Did one writer write two files? Two-sample tests on what stands in them, without any model."""
