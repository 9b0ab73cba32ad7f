"""Windows, splits, packed dataset, loaders."""
