"""Features of one sensor's window, in one torch implementation for all callers.

Import from the modules, since `features.config` does not need torch.
"""
