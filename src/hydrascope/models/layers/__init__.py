"""Single layers, one per file, in plain torch: tensors in, tensors out."""
