"""Retraining: a challenger on the grown data, judged against the champion."""
