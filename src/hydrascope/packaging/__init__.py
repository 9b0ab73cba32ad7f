"""Bundles: exported program, weights, manifest, proof of parity."""
