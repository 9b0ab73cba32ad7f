"""The linear equations of a Newton step: sparse, stored densely, with fill-in found once."""

# numba compiles this file; it has no types of its own.
# mypy: disable-error-code="no-untyped-def,untyped-decorator,no-any-return"

from hydrascope.simulation.solver.compiled import inner


@inner
def find_pattern(wiring, joined, below, column):
    """Find the fill-in of Gaussian elimination.

    Args:
        wiring: The connections of the nodes.
        joined: [N + 1, N + 1], a workspace; must be zero.
        below: [N], filled with the number of nodes that the elimination of each node changes.
        column: [N, N], filled with these nodes.
    """
    for k in range(len(wiring.branch_from)):
        i, j = wiring.branch_from[k], wiring.branch_to[k]
        joined[i, j] = joined[j, i] = 1.0
    for k in range(len(wiring.pump_inlet)):
        i, j = wiring.pump_inlet[k], wiring.pump_outlet[k]
        joined[i, j] = joined[j, i] = 1.0
    for k in range(len(wiring.section)):
        for one in range(4):
            for other in range(4):
                joined[wiring.section[k, one], wiring.section[k, other]] = 1.0
    nodes = len(below)
    for k in range(nodes):
        below[k] = 0
        for i in range(k + 1, nodes):
            if joined[k, i] != 0.0:
                column[k, below[k]] = i
                below[k] += 1
                for j in range(k + 1, nodes):
                    if joined[k, j] != 0.0:
                        joined[i, j] = 1.0


@inner
def solve(matrix, right, below, column):
    """Solve by Gaussian elimination in place, without pivots: `matrix` is diagonally dominant."""
    n = len(below)
    for k in range(n):
        inverse = 1.0 / matrix[k, k]
        matrix[k, k] = inverse
        for row in range(below[k]):
            i = column[k, row]
            factor = matrix[i, k] * inverse
            for each in range(below[k]):
                j = column[k, each]
                matrix[i, j] -= factor * matrix[k, j]
            right[i] -= factor * right[k]
    for k in range(n - 1, -1, -1):
        total = right[k]
        for each in range(below[k]):
            j = column[k, each]
            total -= matrix[k, j] * right[j]
        right[k] = total * matrix[k, k]
