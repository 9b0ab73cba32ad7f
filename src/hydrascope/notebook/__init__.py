"""Diagnosing and training in Python: DataFrames in, DataFrames out."""
