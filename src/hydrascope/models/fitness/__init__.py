"""The fitness of an input: which sensors are plausible, and which answers can be trusted."""
