"""Questions about sensors that `hydrascope init` asks on a terminal."""

import typer

from hydrascope.schemas.kinds import SENSOR_UNITS
from hydrascope.telemetry.init.headers import SensorGuess


def keep(sensor: SensorGuess) -> SensorGuess:
    """Return a sensor as it was guessed."""
    return sensor


def ask_about(sensor: SensorGuess) -> SensorGuess:
    """Ask for the kind and unit of a sensor if its header does not say them for certain."""
    if not sensor.guessed:
        return sensor
    kinds = ", ".join(SENSOR_UNITS)
    kind = typer.prompt(f"{sensor.header}: kind ({kinds}, or another word)", default=sensor.kind)
    units = SENSOR_UNITS.get(kind, (sensor.unit,))
    unit = sensor.unit if sensor.unit in units else units[0]
    if len(units) > 1 or kind not in SENSOR_UNITS:
        unit = typer.prompt(f"{sensor.header}: unit ({', '.join(units)})", default=unit)
    return sensor._replace(kind=kind, unit=unit, guessed=())
