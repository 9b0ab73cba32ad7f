"""How numba compiles the solver."""

from numba import njit

FAST = {"contract", "arcp", "reassoc", "nsz"}
"""Freedom for the compiler that leaves infinities what they are."""

inner = njit(error_model="numpy", fastmath=FAST, _nrt=False)
"""Compiles what runs within a step. It allocates nothing and so needs no counting of references to
arrays (`_nrt`), whose atomic operations took two thirds of the solver's time."""
