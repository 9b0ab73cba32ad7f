"""Calibration of a simulated machine to sound telemetry.

parameters    the nominal values that may be moved, and how far they may be off beforehand
unknowns      all that is fitted: these values, and what the machine did in each window
features      numbers of a window that do not depend on when a cycle began
forward       the same numbers from a simulation
errors        how far both may differ: scatter of cycles, errors of sensors, of the model
fit           the most probable values (Gauss–Newton)
posterior     what the data determine, and what not
calibrate     all of it
"""
