"""`hydrascope calibrate`: a simulated machine, fitted to telemetry; its files and its page."""
