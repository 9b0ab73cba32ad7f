"""Hydraulic circuits drawn at random, each with sensors, a duty and an environment.

Every circuit could stand in a machine file: it passes the same checks as a user's.

    plan          pumps, valves and numbers of actuators
    sketch        the machine file that is being drawn, with its lines
    power         drives and pumps
    supply        filters, manifolds, relief valves and accumulators before the valves
    valves        valves and what stands before them
    actuators     cylinders and hydraulic motors
    return_line   filters, cooler and tank
    sensors       from few to many
    duty          cycles, settings and weather
    draw          all of it, by seed and number
"""

from hydrascope.simulation.random_circuits.draw import (
    MOST_CIRCUITS,
    Drawn,
    RandomBuilds,
    circuit_name,
    draw_build,
    draw_circuit,
)

__all__ = ["MOST_CIRCUITS", "Drawn", "RandomBuilds", "circuit_name", "draw_build", "draw_circuit"]
