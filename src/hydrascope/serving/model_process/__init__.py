"""A process of its own for the model, and the calls to it."""
