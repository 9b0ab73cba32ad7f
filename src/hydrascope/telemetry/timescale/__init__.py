"""Telemetry in PostgreSQL, with TimescaleDB or without it."""
