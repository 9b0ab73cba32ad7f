"""A closed-form model: kernel ridge regression and a Gaussian discriminant of its scores."""
