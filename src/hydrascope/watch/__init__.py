"""Continuous diagnosis of machines whose telemetry comes into a database."""
