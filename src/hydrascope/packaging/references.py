"""The references of a bundle's machines, in a file of two tensors.

Shapes: S sensors of all machines, in the order of the manifest's machines and of each machine's
topology; T steps, F features.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from hydrascope.graphs.fields import SensorReference
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine


def save_references(
    file: Path, machines: Sequence[Machine], references: Mapping[str, SensorReference]
) -> None:
    """Write the references [S, T, F] and [S, T] of all machines.

    Args:
        file: The file to write.
        machines: The manifest's machines.
        references: Each machine's reference, by equipment id.
    """
    each = [references[machine.equipment.equipment_id] for machine in machines]
    fields = zip(SensorReference._fields, zip(*each, strict=True), strict=True)
    save_file({name: torch.cat(tensors) for name, tensors in fields}, file)


def split_references(
    tensors: Mapping[str, Tensor], machines: Sequence[Machine]
) -> dict[str, SensorReference]:
    """Return the references that `save_references` wrote, by equipment id.

    Raises:
        SpecError: The number of sensors is not that of the machines.
    """
    sizes = [len(machine.topology.sensors) for machine in machines]
    found = [tensors.get(name) for name in SensorReference._fields]
    if any(tensor is None or len(tensor) != sum(sizes) for tensor in found):
        raise SpecError(
            f"its references are not those of its {len(machines)} machines", path="bundle"
        )
    parts = zip(*(torch.split(each, sizes) for each in found if each is not None), strict=True)
    return {
        machine.equipment.equipment_id: SensorReference(*part)
        for machine, part in zip(machines, parts, strict=True)
    }
