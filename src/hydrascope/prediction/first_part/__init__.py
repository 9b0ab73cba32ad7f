"""`hydrascope score`: scores of every row of a recording, learned from its first part."""
