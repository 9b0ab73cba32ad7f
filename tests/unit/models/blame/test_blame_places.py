"""Where sensors are, seen from components."""

import torch
from blame_loops import loop

from hydrascope.models.blame.places import DISTANCES, MachinePlaces, hops_between


def test_hops_follow_the_lines_both_ways_and_end_at_a_tank() -> None:
    names = [component.id for component in loop().components]
    pump, valve, tank = (names.index(name) for name in ("pump", "valve", "tank"))
    downstream, upstream, either = hops_between(loop())
    assert downstream[pump, valve] == 1
    assert upstream[valve, pump] == 1
    assert either[valve, pump] == 1
    assert upstream[pump, tank] == 1
    # The oil comes back from the valve to the pump, but only through the tank.
    assert downstream[valve, tank] < max(DISTANCES)
    assert downstream[valve, pump] >= max(DISTANCES)


def test_a_component_without_a_way_is_far_in_a_machine_of_any_size() -> None:
    downstream = hops_between(loop())[0]
    names = [component.id for component in loop().components]
    motor, pump = names.index("motor"), names.index("pump")
    assert downstream[pump, motor] >= max(DISTANCES)


def test_each_sensor_belongs_to_the_component_that_carries_it() -> None:
    places = MachinePlaces.of(loop())
    assert places.own.sum(1).tolist() == [1] * len(loop().sensors)
    assert torch.equal(places.own.int().argmax(1), torch.tensor([at for at, _ in loop().sensors]))


def test_kinds_that_the_network_does_not_know_have_no_mark() -> None:
    machine = loop(declared="turbine")
    at = [component.id for component in machine.components].index("declared")
    assert MachinePlaces.of(machine).component[at].sum() == 0
