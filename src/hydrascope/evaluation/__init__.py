"""Test metrics, baselines and figures."""
