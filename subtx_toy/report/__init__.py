"""Reports: results as one HTML page each, which needs no network and reads on a phone. Nothing here runs anything."""
