"""Bundles: what a diagnoser is rebuilt from, its manifest, proof that it answers as before."""
