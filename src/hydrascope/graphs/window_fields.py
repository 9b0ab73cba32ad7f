"""What of a graph changes from window to window: the fields that a store holds.

A field's name is that of the field of `GraphInputs` that it becomes. Its first axis counts what a
graph has several of (sensors); in a batch that axis runs over all graphs.
"""

from hydrascope.features.engineer import FeatureEngineer
from hydrascope.graphs.store_format import StoreField
from hydrascope.schemas.machine import GraphTopology

SENSOR_FEATURES = "sensor_features"
SENSOR_OBSERVED = "sensor_observed"


def window_fields(
    topology: GraphTopology, engineer: FeatureEngineer, steps: int
) -> dict[str, StoreField]:
    """Return the fields of one machine's windows; shapes as in `GraphInputs` for one graph."""
    sensors = len(topology.sensors)
    return {
        SENSOR_FEATURES: StoreField(shape=(sensors, steps, engineer.num_features), dtype="<f4"),
        SENSOR_OBSERVED: StoreField(shape=(sensors, steps), dtype="|b1"),
    }
