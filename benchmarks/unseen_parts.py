"""Measure what each part of the network is worth on kinds of machines never seen.

`python -m benchmarks.unseen_parts` trains `experiment=fleet_unseen_kind` with and without graph,
LSTM, ARMA attention and row, on fewer machines than it has, and writes the table into
docs/results.md. Finished trainings are kept under outputs/fleet/parts and not repeated.
"""

from benchmarks._fleet_parts import Study, measure
from benchmarks.fleet_unseen import ROLES
from hydrascope.simulation.fleet_settings import KINDS

_EXPERIMENT = "experiment=fleet_unseen_kind"
_WHOLE = (
    "model.states=lstm",
    "model.use_ar=true",
    "model.use_ma=true",
    "model.token_layers=1",
    "model.spatial_layers=1",
    "model.hidden_channels=32",
)
_VARIANTS = {
    f"{ROLES} (default)": (),
    "with graph": ("model.spatial_layers=1", "model.hidden_channels=32"),
    "with LSTM, AR, MA, attention and graph": _WHOLE,
    "the same without the row": (*_WHOLE, "model.row_channels=0"),
}
STUDY = Study(
    name="unseen_parts",
    about=(
        "The mean of four kinds held out in turn, in brackets the lowest and the highest; "
        "{machines} machines of a kind and {epochs} epochs, otherwise the settings of "
        f"`{_EXPERIMENT}`."
    ),
    experiment=_EXPERIMENT,
    model=ROLES,
    variants=_VARIANTS,
    folds=len(KINDS),
    machines=240,
)

if __name__ == "__main__":
    measure(STUDY, __doc__)
