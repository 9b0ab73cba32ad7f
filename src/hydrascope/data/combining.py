"""The transforms that combine training windows with each other."""

from collections.abc import Iterator, Sequence

from hydrascope.data.conditions import Conditions
from hydrascope.data.dataset import HydraulicGraphDataset
from hydrascope.data.recombination import Bank, DriftTransplant, Recombination, RecombinationSpec
from hydrascope.data.transforms import Transform
from hydrascope.data.transplants import MachineBank, Transplants
from hydrascope.data.windows import WindowNumbers
from hydrascope.schemas.task import HeadSpec


def combining_transforms(
    spec: RecombinationSpec,
    dataset: HydraulicGraphDataset,
    train: WindowNumbers,
    conditions: Conditions,
    heads: Sequence[HeadSpec],
) -> Iterator[Transform]:
    """Yield the transforms that are switched on; they come before all others.

    Args:
        spec: How windows are combined.
        dataset: All windows.
        train: The rows of the training windows, which are drawn from.
        conditions: The condition of each window.
        heads: The heads of the task.
    """
    if spec.labels or spec.drift:
        bank = Bank(train, conditions, dataset.gather)
        if spec.labels:
            yield Recombination(bank, spec.labels)
        if spec.drift:
            yield DriftTransplant(bank, spec.drift, spec.drift_reach)
    if spec.transplants:
        yield Transplants(
            MachineBank(dataset.machines, train, heads, dataset.gather), spec.transplants
        )
