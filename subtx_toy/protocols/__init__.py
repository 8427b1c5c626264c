"""What a run does with its settings, protocol by protocol, from data to a record."""
