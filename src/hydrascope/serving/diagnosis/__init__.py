"""Requests for a diagnosis, its form, its cache and its metrics."""
