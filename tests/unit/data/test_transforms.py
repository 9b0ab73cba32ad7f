"""Transforms change what they say, nothing else, and draw by seed, epoch and window alone."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from hydrascope.data.batch import RowBatch, TrainingBatch
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.dataset import HydraulicGraphDataset
from hydrascope.data.loaders import DataLoaderConfig, create_dataloader
from hydrascope.data.transforms import (
    EdgeDropout,
    FeatureNoise,
    SensorDropout,
    TimeJitter,
    Transform,
    generators,
)

ROWS = [4, 90, 91, 700, 2000]
ALL: list[Transform] = [FeatureNoise(0.5), SensorDropout(0.4), EdgeDropout(0.3), TimeJitter(2)]


def drawn(
    rig: HydraulicDataModule,
    transforms: Sequence[Transform],
    rows: list[int] = ROWS,
    epoch: int = 0,
    seed: int = 0,
    augment: bool = True,
) -> TrainingBatch:
    dataset = HydraulicGraphDataset(rig.dataset.machines, transforms, seed)
    return dataset[RowBatch(np.array(rows), epoch, augment)]


def untouched(batch: TrainingBatch, plain: TrainingBatch, *changed: str) -> bool:
    return all(
        torch.equal(getattr(batch.inputs, name), getattr(plain.inputs, name))
        for name in plain.inputs._fields
        if name not in changed
    )


@pytest.fixture
def plain(rig: HydraulicDataModule) -> TrainingBatch:
    return rig.dataset.gather(ROWS)


@pytest.mark.parametrize("transform", ALL, ids=lambda each: type(each).__name__)
def test_what_is_drawn_depends_on_seed_epoch_and_window_and_not_on_the_batch(
    rig: HydraulicDataModule, transform: Transform, plain: TrainingBatch
) -> None:
    batch = drawn(rig, [transform])
    assert not untouched(batch, plain)
    assert untouched(drawn(rig, [transform]), batch)
    assert not untouched(drawn(rig, [transform], epoch=1), batch)
    assert not untouched(drawn(rig, [transform], seed=1), batch)
    alone = drawn(rig, [transform], rows=[700]).inputs
    mine = batch.inputs.component_graph[batch.inputs.sensor_component] == 3
    assert torch.equal(batch.inputs.sensor_features[mine], alone.sensor_features)
    assert torch.equal(batch.inputs.sensor_observed[mine], alone.sensor_observed)


def test_validation_batches_are_left_alone_and_stored_windows_never_change(
    rig: HydraulicDataModule, plain: TrainingBatch
) -> None:
    drawn(rig, ALL)
    assert untouched(drawn(rig, ALL, augment=False), plain)
    assert untouched(rig.dataset.gather(ROWS), plain)


def test_noise_is_measured_by_each_features_own_deviation_over_the_steps(
    rig: HydraulicDataModule, plain: TrainingBatch
) -> None:
    batch = drawn(rig, [FeatureNoise(0.5)], rows=list(range(300)))
    x = rig.dataset.gather(range(300)).inputs.sensor_features
    deviation = x.std(dim=1, correction=0, keepdim=True).expand_as(x)
    noise = batch.inputs.sensor_features - x
    moving = deviation > 1e-3 * (1 + x.abs())
    assert (noise[moving] / deviation[moving]).std() == pytest.approx(0.5, rel=0.01)
    assert (noise[deviation == 0] == 0).all()
    assert untouched(drawn(rig, [FeatureNoise(0.5)]), plain, "sensor_features")


def test_dropped_sensors_are_masked_and_some_always_stay(
    rig: HydraulicDataModule, plain: TrainingBatch
) -> None:
    observed = drawn(rig, [SensorDropout(0.4)], rows=list(range(300))).inputs.sensor_observed
    sensors = observed.reshape(300, 17, 10)
    assert torch.equal(sensors.any(-1), sensors.all(-1))
    gone = 1 - sensors.all(-1).float().mean(1)
    assert gone.mean() == pytest.approx(0.2, abs=0.02)  # evenly between 0 and 0.4
    assert (gone < 0.03).any()
    assert (gone > 0.35).any()
    few = drawn(rig, [SensorDropout(0.99)], rows=list(range(300))).inputs.sensor_observed
    assert few.reshape(300, 170).any(-1).all()
    assert untouched(drawn(rig, [SensorDropout(0.4)]), plain, "sensor_observed")


def test_dropped_edges_are_gone_with_their_features(
    rig: HydraulicDataModule, plain: TrainingBatch
) -> None:
    batch = drawn(rig, [EdgeDropout(0.3)])
    before = set(map(tuple, plain.inputs.edge_index.T.tolist()))
    after = list(map(tuple, batch.inputs.edge_index.T.tolist()))
    assert set(after) < before
    features = {
        tuple(pair): row
        for pair, row in zip(
            plain.inputs.edge_index.T.tolist(), plain.inputs.edge_features, strict=True
        )
    }
    for pair, row in zip(after, batch.inputs.edge_features, strict=True):
        assert torch.equal(row, features[pair])
    assert untouched(
        batch,
        plain,
        "edge_index",
        "edge_features",
        "edge_features_mask",
        "edge_dynamic",
        "edge_dynamic_mask",
    )


def test_jitter_shifts_all_sensors_of_a_window_alike_and_masks_what_came_from_outside(
    rig: HydraulicDataModule, plain: TrainingBatch
) -> None:
    batch = drawn(rig, [TimeJitter(2)], rows=list(range(60)))
    before = rig.dataset.gather(range(60)).inputs.sensor_features.reshape(60, 17, 10, -1)
    after = batch.inputs.sensor_features.reshape(60, 17, 10, -1)
    observed = batch.inputs.sensor_observed.reshape(60, 17, 10)
    shifts = set()
    for was, now, seen in zip(before, after, observed, strict=True):
        steps = seen[0]
        assert (seen == steps).all()
        shift = 10 - int(steps.sum())
        if shift and bool(steps[0]):
            shifts.add(shift)
            assert torch.equal(now[:, : 10 - shift], was[:, shift:])
        else:
            shifts.add(-shift)
            assert torch.equal(now[:, shift:], was[:, : 10 - shift])
    assert shifts == {-2, -1, 0, 1, 2}
    assert untouched(drawn(rig, [TimeJitter(2)]), plain, "sensor_features", "sensor_observed")


def test_lines_and_machine_shift_and_drop_out_with_the_sensors(plain: TrainingBatch) -> None:
    inputs = plain.inputs
    edges, steps = inputs.edge_index.shape[1], inputs.sensor_observed.shape[1]
    graph = inputs.component_graph
    # Step t holds the number t, so that a shift can be read off; edges hold their own row beside.
    count = torch.arange(float(steps))
    line = torch.stack(
        (count.expand(edges, steps), torch.arange(float(edges)).unsqueeze(-1).expand(edges, steps)),
        dim=-1,
    )
    machine = count.expand(len(ROWS), steps).unsqueeze(-1)
    batch = plain._replace(
        inputs=inputs._replace(
            edge_dynamic=line,
            edge_dynamic_mask=torch.ones_like(line, dtype=torch.bool),
            machine_features=machine,
            machine_features_mask=torch.ones_like(machine, dtype=torch.bool),
        )
    )
    draws = generators((0,), torch.tensor(ROWS))
    shifted = TimeJitter(3)(batch, draws).inputs
    seen = shifted.machine_features_mask[..., 0]
    assert not seen.all()
    assert torch.equal(
        shifted.sensor_observed, seen[graph[inputs.sensor_component]] & inputs.sensor_observed
    )
    by_edge = graph[inputs.edge_index[0]]
    assert torch.equal(shifted.edge_dynamic_mask, seen[by_edge].unsqueeze(-1).expand_as(line))
    assert torch.equal(shifted.edge_dynamic[..., 0], shifted.machine_features[by_edge, :, 0])
    for moved, known in zip(shifted.machine_features[..., 0], seen, strict=True):
        assert torch.equal(moved[known].diff(), torch.ones(int(known.sum()) - 1))
        assert len(moved[known]) == steps - int(abs((moved - count)[known][0]))

    fewer = EdgeDropout(0.5)(batch, generators((0,), torch.tensor(ROWS))).inputs
    kept = fewer.edge_dynamic[:, 0, 1].long()
    assert 0 < len(kept) < edges
    assert torch.equal(inputs.edge_index[:, kept], fewer.edge_index)
    assert len(fewer.edge_dynamic_mask) == len(fewer.edge_features_mask) == len(kept)


def test_transforms_come_the_same_from_loader_processes(
    rig: HydraulicDataModule,
) -> None:
    dataset = HydraulicGraphDataset(rig.dataset.machines, ALL, seed=3)
    here, there = (
        create_dataloader(
            dataset,
            DataLoaderConfig(batch_size=8, num_workers=workers, seed=3),
            np.arange(40),
            training=True,
        )
        for workers in (0, 2)
    )
    for epoch in range(2):
        for loader in (here, there):
            loader.windows.set_epoch(epoch)
        for one, other in zip(here, there, strict=True):
            assert untouched(one, other)
            assert torch.equal(one.window, other.window)
