"""Measure what each part of the network is worth on machines of known builds.

`python -m benchmarks.fleet_parts` trains `experiment=fleet` with parts switched off, on fewer
machines than it has, and writes the table into docs/results.md. Finished trainings are kept under
outputs/fleet/parts and not repeated.
"""

from benchmarks._fleet_parts import Study, measure
from benchmarks._fleet_runs import EXPERIMENT, NETWORK

_VARIANTS = {
    f"{NETWORK} (default)": (),
    "without the row": ("model.row_channels=0",),
    "without graph": ("model.spatial_layers=0",),
    "without LSTM, AR and MA term": (
        "model.states=linear",
        "model.use_ar=false",
        "model.use_ma=false",
    ),
    "without attention between sensors": ("model.token_layers=0",),
    "MLP of equal size for cross-task attention": ("model.cross_task=mlp",),
    "row beside pooled sensors: none of these": (
        "model.spatial_layers=0",
        "model.states=linear",
        "model.use_ar=false",
        "model.use_ma=false",
        "model.token_layers=0",
        "model.cross_task=mlp",
    ),
}
STUDY = Study(
    name="fleet_parts",
    about=(
        "Machines never seen in training, of known builds; {machines} machines of a kind and "
        f"{{epochs}} epochs, otherwise the settings of `{EXPERIMENT}`. The mean of {{trainings}} "
        "trainings, in brackets the lowest and the highest."
    ),
    experiment=EXPERIMENT,
    model=NETWORK,
    variants=_VARIANTS,
    folds=1,
    machines=320,
)

if __name__ == "__main__":
    measure(STUDY, __doc__)
