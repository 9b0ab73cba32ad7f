"""The ZeMA rig twice: simulated with its four faults, and recorded, in the same form.

severities   the grades of the rig's components as severities
faults       what a severity changes in a simulated rig
simulated    simulated rigs as a source of telemetry
recorded     the real rig as a source of telemetry, with the sensors that a simulation has
"""
