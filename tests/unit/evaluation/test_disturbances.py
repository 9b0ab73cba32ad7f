"""Disturbed windows: what is changed, and that nothing else is."""

import torch

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.disturbances import one_exchanged, some_removed
from hydrascope.models.blocks.sensor_layout import sensor_graph


def test_one_sensor_of_each_window_is_as_in_another_window(rig: HydraulicDataModule) -> None:
    before = rig.dataset.gather(rig.split.val[:12]).inputs
    after = one_exchanged(before, torch.Generator().manual_seed(0))
    changed = (after.sensor_features != before.sensor_features).flatten(1).any(1)
    graph = sensor_graph(before)
    assert torch.bincount(graph[changed], minlength=12).max() == 1
    assert changed.sum() > 6  # the last of a slot keeps its own
    for sensor in changed.nonzero()[:, 0].tolist():
        same = before.sensor_slot == before.sensor_slot[sensor]
        donors = (before.sensor_features[same] == after.sensor_features[sensor]).flatten(1).all(1)
        assert donors.any()
    assert all(
        one is other
        for name, one, other in zip(before._fields, before, after, strict=True)
        if name not in ("sensor_features", "sensor_observed")
    )


def test_about_a_share_of_the_sensors_is_removed(rig: HydraulicDataModule) -> None:
    before = rig.dataset.gather(rig.split.val[:64]).inputs
    after = some_removed(before, 0.25, torch.Generator().manual_seed(0))
    left = after.sensor_observed.any(1).sum() / before.sensor_observed.any(1).sum()
    assert 0.7 < float(left) < 0.8
