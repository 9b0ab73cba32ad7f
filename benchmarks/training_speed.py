"""A training step of the default network against the same network written the usual way.

The usual way: a Python loop over the steps that embeds and pools the sensors and calls PyG's
`GATv2Conv`, and `nn.LSTM` on each graph's sequences. Both share their weights, so that their
answers can be compared. On a GPU the same rows are measured there, and bfloat16, float8 and the
peak memory beside them. `python -m benchmarks training_speed [--write]`.
"""
