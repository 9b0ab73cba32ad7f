"""Test metrics, baselines, pictures."""
