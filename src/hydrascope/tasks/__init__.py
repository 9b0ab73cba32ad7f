"""What is predicted: losses and metrics of heads."""
