"""The parts of a split, as label files name them."""

PARTS = ("train", "val", "test")
SPLIT = "split"
"""The usual label column with the part of each interval."""
