"""Measurements against goals: `python -m benchmarks NAME` (`all` for all of them).

A module here with a `run()` that returns rows is a benchmark; its name is the module's.
"""
