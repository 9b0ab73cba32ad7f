"""The settings by which numba compiles the solver."""

from numba import njit

FAST = {"contract", "arcp", "reassoc", "nsz"}
"""The fast-math flags, without those that assume that no value is infinite or NaN."""

inner = njit(error_model="numpy", fastmath=FAST, _nrt=False)
"""Compiles functions that run within a step. They allocate nothing, so they need no counting of
references to arrays (`_nrt`), whose atomic operations took two thirds of the solver's time."""
