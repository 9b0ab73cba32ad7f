"""The models and the one path of a prediction, in plain torch."""
