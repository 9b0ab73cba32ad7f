"""What is wrong with a telemetry folder, said before anyone trains on it."""
