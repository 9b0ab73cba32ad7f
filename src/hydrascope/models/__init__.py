"""The network and the one path of a prediction; plain torch."""
