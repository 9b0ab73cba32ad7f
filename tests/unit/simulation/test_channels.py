"""Sensors of a user's machine are simulated in their own units and rates, or named."""

import re
from typing import Any

import numpy as np
import pytest
from presses import ALL, press

from hydrascope.simulation.channels import Channels, channels_of
from hydrascope.simulation.circuit import build_circuit
from hydrascope.simulation.duty import Commands, Setting
from hydrascope.simulation.estimation.complete import complete
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.sensors import Observation
from hydrascope.simulation.solver import Reference, advance, empty_state

SIZES = {"diameter_mm": 20, "length_m": 1}


def sensor(name: str, kind: str, unit: str, **keys: Any) -> dict[str, Any]:
    return {"id": name, "kind": kind, "unit": unit, "rate_hz": 10, **keys}


def read(sensors: dict[str, list[dict[str, Any]]]) -> tuple[Channels, dict[str, float]]:
    """Return the channels of a press at its end stop, and what perfect sensors then measure."""
    circuit = build_circuit(complete(press(ALL, sizes=SIZES, sensors=sensors)).machine)
    plant = build_plant(circuit)
    state = empty_state(plant, np.array([50.0]), np.array([40.0]))
    state.position[:] = 4.0
    opening, open_loop = np.full((1, 100, 1), 0.5), np.ones(1, dtype=np.int64)
    nothing, pumps = np.zeros((1, 100, 1)), np.ones((1, 100, 1, 2))
    reference = Reference(opening, nothing, open_loop, pumps)
    record = advance(circuit.wiring, plant, state, reference, 0.05, 100)
    commands = Commands(opening[0, -1:], nothing[0, -1:], pumps[0, -1:])
    observation = Observation(
        circuit, plant, Setting(1.0, 1.0, 1.0), record[0], commands, open_loop
    )
    channels = channels_of(circuit, plant)
    return channels, {
        each.sensor.id: float(each.truth(observation)[-1]) for each in channels.simulated
    }


def test_the_same_value_is_read_in_every_unit() -> None:
    channels, values = read(
        {
            "pump": [sensor("bar", "pressure", "bar"), sensor("psi", "pressure", "psi"),
                     sensor("lmin", "flow", "l/min"), sensor("m3h", "flow", "m3/h")],
            "tank": [sensor("c", "temperature", "degC"), sensor("f", "temperature", "degF")],
            "motor": [sensor("kw", "power", "kW"), sensor("w", "power", "W")],
            "ram": [sensor("mm", "position", "mm"), sensor("m", "position", "m")],
        }
    )  # fmt: skip
    assert channels.left_out == {}
    assert values["psi"] == pytest.approx(values["bar"] * 14.50377)
    assert values["m3h"] == pytest.approx(values["lmin"] * 0.06)
    assert values["f"] == pytest.approx(values["c"] * 1.8 + 32)
    assert values["w"] == pytest.approx(values["kw"] * 1000)
    assert values["mm"] == pytest.approx(4000, rel=1e-3)
    assert values["m"] == pytest.approx(4, rel=1e-3)


def test_a_place_that_is_not_named_is_the_usual_one() -> None:
    _, values = read(
        {
            "ram": [sensor("a", "pressure", "bar", position="a"), sensor("p", "pressure", "bar"),
                    sensor("t", "temperature", "degC")],
            "valve": [sensor("supply", "pressure", "bar", position="supply"),
                      sensor("v", "pressure", "bar"), sensor("u", "control_signal", "%")],
            "filter": [sensor("back", "flow", "l/min")],
            "relief": [sensor("over", "flow", "l/min")],
        }
    )  # fmt: skip
    assert values["p"] == values["a"] > 150
    assert values["v"] == values["supply"] > 150
    assert values["u"] == 50.0  # the opening that is commanded
    assert 40 < values["t"] < 60
    assert values["back"] == pytest.approx(0, abs=0.1)
    assert 50 < values["over"] < 60


@pytest.mark.parametrize(
    ("described", "why"),
    [
        (sensor("x", "efficiency", "%"), "no efficiency can be measured at None of a pump"),
        (sensor("x", "vibration", "g"), "unit 'mm/s' cannot be converted to 'g'"),
        (sensor("x", "pressure", "bar") | {"rate_hz": 0.01}, r"rate_hz: 0\.01 is not"),
        (
            sensor("x", "pressure", "bar", position="elbow"),
            "no pressure can be measured at 'elbow'",
        ),
    ],
)
def test_a_sensor_that_cannot_be_simulated_is_named_with_the_reason(
    described: dict[str, Any], why: str
) -> None:
    channels, values = read({"pump": [described, sensor("p", "pressure", "bar")]})
    assert list(values) == ["p"]
    assert list(channels.left_out) == ["x"]
    assert re.search(why, channels.left_out["x"])


@pytest.mark.parametrize(("own_hz", "simulated_hz"), [(100, 10), (10, 10), (3, 2.5), (0.5, 0.5)])
def test_a_rate_is_the_highest_that_divides_ten_hertz(own_hz: float, simulated_hz: float) -> None:
    channels, _ = read({"pump": [sensor("p", "pressure", "bar") | {"rate_hz": own_hz}]})
    (channel,) = channels.simulated
    assert channel.sensor.rate_hz == pytest.approx(simulated_hz)
