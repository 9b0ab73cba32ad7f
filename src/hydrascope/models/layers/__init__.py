"""Single layers, one a file: mathematics, plain torch, tensors in and out."""
