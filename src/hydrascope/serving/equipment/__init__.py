"""Machines, their telemetry and reference windows: from a folder or a database."""
