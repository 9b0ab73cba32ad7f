"""Estimates of the nominal values that a machine file leaves out.

    series       sizes that are made: bores, rods, hoses, motors
    draft        a machine file that is being completed, and the estimates so far
    pumps        rules for pressure and flow, on which most others rest
    parts        rules for all other components
    lines        rules for lines
    sensors      ranges of sensors
    usual        what is known of the defaults
    complete     all of it

Values that are given never change.
"""
