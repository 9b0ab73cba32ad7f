"""Signal → numbers: features of one sensor's window, one torch implementation for all callers.

Import from the modules: `features.config` needs no torch, `features.engineer` does.
"""
