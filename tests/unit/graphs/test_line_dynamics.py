"""The six dynamic features of lines, by hand for a small lift, and on the real rig."""

from datetime import UTC, datetime

import pytest
import torch
from lift import EDGES, END, lift, means
from torch import Tensor

from graph_parts import real_windows
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.flow import line_flow_m3_s
from hydrascope.graphs.fluid import HydraulicFluid
from hydrascope.graphs.line_dynamics import EDGE_DYNAMIC_NAMES, LineDynamics
from hydrascope.graphs.quantities import CanonicalUnits
from hydrascope.schemas import Machine
from hydrascope.telemetry import ZemaSource


def dynamics(
    machine: Machine, unobserved: str = "", end: datetime = END, **changes: float
) -> dict[str, dict[str, float]]:
    """Known features of each edge in the last step, scaled, as the network reads them."""
    values = means(machine, **changes)
    names = [sensor.id for _, sensor in machine.topology.sensors]
    observed = torch.ones_like(values, dtype=torch.bool)
    for name in unobserved.split():
        observed[:, names.index(name)] = False
        values[:, names.index(name)] = 1e9
    canonical = CanonicalUnits(machine.topology)(values, observed)
    end_s = torch.tensor([end.timestamp()], dtype=torch.float64)
    features, known = LineDynamics(machine)(canonical, end_s)
    assert features.shape == known.shape == (1, len(EDGES), 2, 6)
    assert (features[~known] == 0).all()
    return {
        edge: {
            name: features[0, row, -1, column].item()
            for column, name in enumerate(EDGE_DYNAMIC_NAMES)
            if known[0, row, -1, column]
        }
        for row, edge in enumerate(EDGES)
    }


def flow_l_min(drop_bar: float, temperature_c: float, length_m: float = 10.0) -> float:
    oil, t = HydraulicFluid(), torch.tensor(temperature_c, dtype=torch.float64)
    flow = line_flow_m3_s(
        torch.tensor(drop_bar * 1e5, dtype=torch.float64),
        diameter_m=torch.tensor(0.016),
        length_m=torch.tensor(length_m),
        roughness_m=torch.tensor(2e-6),
        density_kg_m3=oil.density_kg_m3(t),
        viscosity_m2_s=oil.kinematic_viscosity_mm2_s(t) * 1e-6,
    )
    return flow.item() * 60_000


def test_each_line_has_what_the_sensors_at_its_two_ends_tell() -> None:
    lines = dynamics(lift())
    # 150 bar before and the mean of 148 and 149 bar behind; no temperature at either end, so that
    # the oil has the mean of the tank's 40 and 50 °C, not the motor's 90.
    drop, flow = 1.5, flow_l_min(1.5, 45.0)
    assert lines["pump>cylinder"] == pytest.approx(
        {"flow": flow / 100, "pressure_drop": drop / 10, "vibration": 0.4}, rel=1e-4
    )
    assert lines["motor>pump"] == pytest.approx({"vibration": 0.3})
    assert lines["tank>pump"] == pytest.approx({"vibration": 0.4})
    # The cylinder's acceleration is no velocity, and the tank has no pressure.
    assert lines["cylinder>tank"] == {}


def test_the_way_back_has_flow_and_differences_negated() -> None:
    lines = dynamics(lift())
    forth, back = lines["pump>cylinder"], lines["cylinder>pump"]
    assert back == pytest.approx(
        {
            "flow": -forth["flow"],
            "pressure_drop": -forth["pressure_drop"],
            "vibration": forth["vibration"],
        }
    )


def test_a_dead_sensor_leaves_its_end_to_the_others_or_unknown() -> None:
    one_left = dynamics(lift(), unobserved="p_cylinder")["pump>cylinder"]
    assert one_left["pressure_drop"] == pytest.approx(0.1, rel=1e-4)
    assert dynamics(lift(), unobserved="p_pump")["pump>cylinder"] == {
        "vibration": pytest.approx(0.4)
    }
    no_oil_temperature = dynamics(lift(), unobserved="T_feed T_back")["pump>cylinder"]
    assert "flow" not in no_oil_temperature
    assert "pressure_drop" in no_oil_temperature


def test_a_sensor_at_the_other_port_does_not_speak_for_this_end() -> None:
    # Behind the cylinder there are 3 bar; the line from the pump does not lose the other 147.
    lines = dynamics(lift(), unobserved="p_cylinder p_cylinder_2")
    assert "pressure_drop" not in lines["pump>cylinder"]


def test_temperatures_at_both_ends_give_a_difference_and_the_oils_viscosity() -> None:
    machine = lift()
    plain = machine.model_dump(mode="json")
    plain["topology"]["components"][1]["sensors"][0]["position"] = None
    plain["topology"]["components"][1]["sensors"].append(
        {"id": "T_pump", "kind": "temperature", "unit": "degF", "rate_hz": 1}
    )
    machine = Machine.model_validate(plain)
    lines = dynamics(machine, T_pump=113.0)  # 45 °C
    assert lines["tank>pump"]["temperature_difference"] == pytest.approx(-0.5, rel=1e-4)
    assert lines["pump>tank"]["temperature_difference"] == pytest.approx(0.5, rel=1e-4)
    assert "temperature_difference" not in lines["motor>pump"]  # a shaft carries no oil
    cold = dynamics(machine, T_pump=32.0)["pump>cylinder"]["flow"]
    assert cold == pytest.approx(flow_l_min(1.5, 0.0) / 100, rel=1e-3)


def test_age_and_maintenance_count_to_the_end_of_the_window() -> None:
    machine = lift(
        commissioned="2021-07-01", maintenance=["2027-01-01", "2026-01-01", "2024-05-05"]
    )
    for edge in dynamics(machine).values():
        assert edge["age"] == pytest.approx(0.5, rel=1e-3)  # 5 of 10 years
        assert edge["maintenance"] == pytest.approx(181 / 365.25, rel=1e-5)
    before = dynamics(machine, end=datetime(2023, 7, 1, tzinfo=UTC))["tank>pump"]
    assert before["age"] == pytest.approx(0.2, rel=1e-3)
    assert "maintenance" not in before  # the first was still to come
    assert "age" not in dynamics(lift())["tank>pump"]


def test_the_oil_of_the_machine_decides_the_flow() -> None:
    thin = lift(nominal={"viscosity_40_c_mm2_s": 23.0, "viscosity_100_c_mm2_s": 4.4})
    thick, thinner = (dynamics(m, p_pump=14.87)["pump>cylinder"]["flow"] for m in (lift(), thin))
    assert thinner == pytest.approx(2 * thick, rel=0.1)  # laminar: half the viscosity


def test_a_nonsensical_pressure_is_limited() -> None:
    assert dynamics(lift(), p_pump=1e6)["pump>cylinder"]["flow"] == 10.0
    assert dynamics(lift(), p_pump=-1e6)["pump>cylinder"]["pressure_drop"] == -10.0


def test_windows_and_steps_do_not_mix() -> None:
    machine = lift(commissioned="2021-07-01")
    units, lines = CanonicalUnits(machine.topology), LineDynamics(machine)
    values = means(machine, steps=3).repeat(4, 1, 1)
    values *= 1 + 0.01 * torch.rand(values.shape, generator=torch.Generator().manual_seed(0))
    observed = torch.rand(values.shape, generator=torch.Generator().manual_seed(1)) > 0.2
    end_s = END.timestamp() + 86400 * torch.arange(4, dtype=torch.float64)
    together = lines(units(values, observed), end_s)
    for w in range(4):
        for t in range(3):
            at: tuple[slice, ...] = (slice(w, w + 1), slice(None), slice(t, t + 1))
            alone = lines(units(values[at], observed[at]), end_s[w : w + 1])
            torch.testing.assert_close(alone[0], together[0][at], rtol=1e-5, atol=1e-6)
            assert torch.equal(alone[1], together[1][at])


def test_the_rig_can_feed_two_lines_and_one_shaft(zema: ZemaSource) -> None:
    machine = zema.machines()["zema"]
    config = FeatureConfig(patch=False, edge_dynamic=True)
    windows = real_windows(zema, machine, WindowSpec(60.0, 60.0, 10), FeatureEngineer(config))
    known: Tensor = windows.edge_dynamic_mask
    ids = [component.id for component in machine.topology.components]
    fed = {}
    for row, (source, target, _) in enumerate(machine.topology.directed_edges()):
        columns = known[:, row].flatten(0, 1).any(0).nonzero().flatten().tolist()
        if columns:
            fed[ids[source], ids[target]] = {EDGE_DYNAMIC_NAMES[column] for column in columns}
    assert fed == {
        ("main_motor", "main_pump"): {"vibration"},
        ("main_pump", "main_motor"): {"vibration"},
        ("load_valve", "return_filter"): {"flow", "pressure_drop"},
        ("return_filter", "load_valve"): {"flow", "pressure_drop"},
        ("cooler", "tank"): {"temperature_difference"},
        ("tank", "cooler"): {"temperature_difference"},
    }
    sensors = [sensor.id for _, sensor in machine.topology.sensors]
    means_ = windows.sensor_features[..., config.sensor_feature_names.index("mean")]
    edges = [(ids[s], ids[t]) for s, t, _ in machine.topology.directed_edges()]
    row = edges.index(("load_valve", "return_filter"))
    drop = means_[:, sensors.index("PS3")] - means_[:, sensors.index("PS4")]
    torch.testing.assert_close(windows.edge_dynamic[:, row, :, 1], drop / 10)
