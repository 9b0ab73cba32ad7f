"""Machines that do not exist: circuits, oil, duty, faults and sensors, solved by physics."""
