"""Numbers and topology become a graph."""
