"""Answers to all telemetry that there is: shards, workers, files, database."""
