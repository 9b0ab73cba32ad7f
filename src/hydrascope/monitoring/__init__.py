"""Predictions and alarms over time: rules, states, storage, notifications."""
