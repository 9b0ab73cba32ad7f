"""Scores of normality: what they are made of, and the thresholds that they are compared with."""
