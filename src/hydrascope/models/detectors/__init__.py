"""Classical detectors: how far a window is from those that were learned, in closed form."""
