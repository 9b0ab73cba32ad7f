"""The fit of what single sensors add to a trained network."""

import torch

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import create_dataloader
from hydrascope.data.windows import WindowNumbers
from hydrascope.models.blocks.own_sensors import LabelledBatch, OwnSensors
from hydrascope.models.diagnoser import TensorDiagnoser


@torch.no_grad()
def fit_own_sensors(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, rows: WindowNumbers
) -> bool:
    """Fit `OwnSensors` to the windows `rows`; return whether the network has any."""
    found = [each for each in diagnoser.modules() if isinstance(each, OwnSensors)]
    training = diagnoser.training
    diagnoser.eval()
    for own in found:
        own.weight.zero_()
        windows = []
        for batch in create_dataloader(data.dataset, data.loader, rows):
            inputs = diagnoser.normalise(batch.inputs)
            said = diagnoser.output_of(inputs).heads
            windows.append(LabelledBatch(inputs, said, batch.targets))
        own.fit(windows)
    diagnoser.train(training)
    return bool(found)
