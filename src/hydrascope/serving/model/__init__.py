"""The model as the service runs it: windows in, answers out. Needs torch."""
