"""Heavy evidence: what takes too long for the tests."""
