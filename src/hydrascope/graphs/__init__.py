"""Graphs, built from features and topologies."""
