"""Simulated machines: circuits, oil, duty, faults and sensors, by physical laws."""
