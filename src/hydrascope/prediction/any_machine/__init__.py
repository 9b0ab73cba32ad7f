"""Diagnosis of a machine that no training has seen, by the network in the package."""
