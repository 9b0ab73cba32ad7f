"""Hydrascope: diagnose hydraulic machines with graph networks.

The names below are the Python interface. Each is imported once it is asked for, because what is
behind most of them takes torch, and seconds.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydrascope.data.build import StoreConfig
    from hydrascope.data.datamodule import HydraulicDataModule
    from hydrascope.data.dataset import HydraulicGraphDataset
    from hydrascope.data.loaders import (
        DataLoaderConfig,
        create_dataloader,
        create_train_val_loaders,
    )
    from hydrascope.data.split_spec import SplitSpec
    from hydrascope.features.config import FeatureConfig
    from hydrascope.features.engineer import FeatureEngineer
    from hydrascope.features.normalizer import FeatureNormalizer
    from hydrascope.features.sub_windows import WindowSpec
    from hydrascope.graphs.builder import GraphBuilder
    from hydrascope.graphs.validate import validate_graph
    from hydrascope.models.config import NetworkConfig
    from hydrascope.models.diagnoser import TensorDiagnoser
    from hydrascope.models.network import UniversalTemporalGNN
    from hydrascope.notebook.diagnoser import Diagnoser
    from hydrascope.notebook.fitting import fit
    from hydrascope.notebook.training_run import TrainingRun
    from hydrascope.schemas import (
        EquipmentMetadata,
        GraphTopology,
        Machine,
        SpecError,
        TaskSpec,
        TimeWindow,
    )
    from hydrascope.telemetry.timescale.connector import TimescaleConnector
    from hydrascope.telemetry.timescale.settings import DatabaseSettings
    from hydrascope.telemetry.timescale.source import TimescaleSource

__version__ = "0.2.0"
__all__ = [
    "DataLoaderConfig",
    "DatabaseSettings",
    "Diagnoser",
    "EquipmentMetadata",
    "FeatureConfig",
    "FeatureEngineer",
    "FeatureNormalizer",
    "GraphBuilder",
    "GraphTopology",
    "HydraulicDataModule",
    "HydraulicGraphDataset",
    "Machine",
    "NetworkConfig",
    "SpecError",
    "SplitSpec",
    "StoreConfig",
    "TaskSpec",
    "TensorDiagnoser",
    "TimeWindow",
    "TimescaleConnector",
    "TimescaleSource",
    "TrainingRun",
    "UniversalTemporalGNN",
    "WindowSpec",
    "__version__",
    "create_dataloader",
    "create_train_val_loaders",
    "fit",
    "validate_graph",
]
_HOMES: Mapping[str, tuple[str, ...]] = {
    "data.build": ("StoreConfig",),
    "data.datamodule": ("HydraulicDataModule",),
    "data.dataset": ("HydraulicGraphDataset",),
    "data.loaders": ("DataLoaderConfig", "create_dataloader", "create_train_val_loaders"),
    "data.split_spec": ("SplitSpec",),
    "features.config": ("FeatureConfig",),
    "features.engineer": ("FeatureEngineer",),
    "features.normalizer": ("FeatureNormalizer",),
    "features.sub_windows": ("WindowSpec",),
    "graphs.builder": ("GraphBuilder",),
    "graphs.validate": ("validate_graph",),
    "models.config": ("NetworkConfig",),
    "models.diagnoser": ("TensorDiagnoser",),
    "models.network": ("UniversalTemporalGNN",),
    "notebook.diagnoser": ("Diagnoser",),
    "notebook.fitting": ("fit",),
    "notebook.training_run": ("TrainingRun",),
    "schemas": (
        "EquipmentMetadata",
        "GraphTopology",
        "Machine",
        "SpecError",
        "TaskSpec",
        "TimeWindow",
    ),
    "telemetry.timescale.connector": ("TimescaleConnector",),
    "telemetry.timescale.settings": ("DatabaseSettings",),
    "telemetry.timescale.source": ("TimescaleSource",),
}
_EXTRAS: Mapping[str, str] = {
    "data.datamodule": "train",
    "notebook.diagnoser": "serve",
    "notebook.fitting": "train",
    "notebook.training_run": "train",
}
"""The extra that a module needs, if its import does not name it."""


def __getattr__(name: str) -> object:
    """Import a public name.

    Raises:
        ImportError: The extra that it needs is not installed.
    """
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found: object = getattr(import_module(f"{__name__}.{home}"), name)
    except ModuleNotFoundError as missing:
        if (extra := _EXTRAS.get(home)) is None:
            raise
        raise ImportError(
            f"{__name__}.{name} needs {missing.name}, which the extra `{extra}` brings; write "
            f"pip install '{__name__}[{extra}]'"
        ) from None
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
