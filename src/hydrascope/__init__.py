"""Hydrascope: diagnose hydraulic machines with graph networks."""

__version__ = "0.1.0"
