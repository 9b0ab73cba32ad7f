"""What can be trusted of a model and what not, in sentences made from the numbers of its report."""
