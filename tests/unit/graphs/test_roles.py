"""Who tells the operating point of a machine: by hand for a small lift, and on the real rig."""

import pytest
import torch
from lift import lift, means

from hydrascope.features.config import HYDRAULIC_NAMES
from hydrascope.graphs.quantities import CanonicalUnits
from hydrascope.graphs.roles import MachineFeatures, find_roles
from hydrascope.schemas import GraphTopology, Machine
from hydrascope.telemetry import ZemaSource


def names(topology: GraphTopology, rows: list[int]) -> list[str]:
    return [topology.sensors[row][1].id for row in rows]


def features(machine: Machine, **changes: float) -> dict[str, float]:
    values = means(machine, **changes)
    canonical = CanonicalUnits(machine.topology)(values, torch.isfinite(values))
    answer, known = MachineFeatures(machine.topology)(canonical)
    assert answer.shape == known.shape == (1, 2, 4)
    return {
        name: answer[0, 0, column].item()
        for column, name in enumerate(HYDRAULIC_NAMES)
        if known[0, 0, column]
    }


def test_roles_on_the_rig(zema: ZemaSource) -> None:
    topology = zema.machines()["zema"].topology
    roles = find_roles(topology)
    assert names(topology, roles.upstream_pressure) == ["PS1"]
    assert names(topology, roles.downstream_pressure) == ["PS3", "PS4"]
    assert names(topology, roles.outlet_temperature) == ["TS3"]  # enters the cooler
    assert names(topology, roles.inlet_temperature) == ["TS4"]
    assert roles.flow == roles.speed == []


def test_roles_and_features_of_a_lift() -> None:
    machine = lift()
    roles = find_roles(machine.topology)
    assert names(machine.topology, roles.upstream_pressure) == ["p_pump"]
    assert names(machine.topology, roles.downstream_pressure) == ["p_behind"]
    assert names(machine.topology, roles.inlet_temperature) == ["T_feed"]
    assert names(machine.topology, roles.outlet_temperature) == ["T_back"]
    assert names(machine.topology, roles.speed) == ["n_motor"]
    atmosphere = 1.01325
    assert features(machine) == pytest.approx(
        {
            "pressure_ratio": (3 + atmosphere) / (150 + atmosphere),
            "temperature_delta": 10.0,
            "flow_efficiency": 15.0 / (10 * 26 * 60 / 1000),
            "cavitation_index": (150 + atmosphere) / 147,
        },
        rel=1e-4,
    )


def test_a_dead_sensor_masks_what_depends_on_it() -> None:
    nan = float("nan")
    assert set(features(lift(), p_behind=nan)) == {"temperature_delta", "flow_efficiency"}
    assert "temperature_delta" not in features(lift(), T_back=nan)
    assert "flow_efficiency" not in features(lift(), n_motor=nan)


def test_a_nominal_speed_stands_in_for_a_sensor() -> None:
    plain = lift().model_dump(mode="json")
    plain["topology"]["components"][1]["nominal"]["speed_rpm"] = 1500
    machine = Machine.model_validate(plain)
    assert features(machine, n_motor=float("nan"))["flow_efficiency"] == pytest.approx(1.0)
    assert features(machine)["flow_efficiency"] == pytest.approx(15 / 15.6)


def test_a_machine_without_pump_cooler_and_tank_knows_nothing(press: GraphTopology) -> None:
    bare = press.model_dump() | {"components": press.components[2:], "edges": press.edges[2:]}
    answer, known = MachineFeatures(GraphTopology.model_validate(bare))(torch.ones(3, 2, 5))
    assert not known.any()
    assert (answer == 0).all()
