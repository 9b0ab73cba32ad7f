"""A model in closed form: kernel ridge regression and a Gaussian discriminant of its scores."""
