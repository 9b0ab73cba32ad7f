"""The fields of a store, which differ between the windows of a graph.

Field names are those in `GraphInputs`. The first axis of a window is over sensors, lines or the
single machine; in a batch, it runs over all graphs.
"""

from torch import Tensor

from hydrascope.data.store.format import StoreField
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.graphs.fields import WindowFields
from hydrascope.graphs.physics import edge_dynamic_names
from hydrascope.schemas import GraphTopology

SENSOR_FEATURES = "sensor_features"
SENSOR_OBSERVED = "sensor_observed"
EDGE_DYNAMIC = "edge_dynamic"
EDGE_DYNAMIC_MASK = "edge_dynamic_mask"
MACHINE_FEATURES = "machine_features"
MACHINE_FEATURES_MASK = "machine_features_mask"


def window_fields(
    topology: GraphTopology, engineer: FeatureEngineer, steps: int
) -> dict[str, StoreField]:
    """Return the fields of one machine's windows, with shapes as in `GraphInputs` for one graph.

    Disabled groups of features have no field.
    """
    sensors, edges = len(topology.sensors), len(topology.directed_edges())
    line, machine = edge_dynamic_names(engineer.config), engineer.config.hydraulic_names
    fields = {
        SENSOR_FEATURES: StoreField(shape=(sensors, steps, engineer.num_features), dtype="<f4"),
        SENSOR_OBSERVED: StoreField(shape=(sensors, steps), dtype="|b1"),
    }
    if line:
        fields[EDGE_DYNAMIC] = StoreField(shape=(edges, steps, len(line)), dtype="<f4")
        fields[EDGE_DYNAMIC_MASK] = StoreField(shape=(edges, steps, len(line)), dtype="|b1")
    if machine:
        fields[MACHINE_FEATURES] = StoreField(shape=(1, steps, len(machine)), dtype="<f4")
        fields[MACHINE_FEATURES_MASK] = StoreField(shape=(1, steps, len(machine)), dtype="|b1")
    return fields


def as_stored(fields: WindowFields) -> dict[str, Tensor]:
    """Return computed fields with the names and shapes of a store."""
    stored = fields._asdict()
    stored[MACHINE_FEATURES] = fields.machine_features.unsqueeze(1)
    stored[MACHINE_FEATURES_MASK] = fields.machine_features_mask.unsqueeze(1)
    return {name: values for name, values in stored.items() if 0 not in values.shape[2:]}
