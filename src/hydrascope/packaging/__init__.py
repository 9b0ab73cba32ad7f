"""Bundles: a diagnoser's files, its manifest, and proof that its answers are unchanged."""
