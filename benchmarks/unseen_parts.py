"""Measure what each part of the network is worth on kinds of machines never seen.

`python -m benchmarks.unseen_parts` trains `experiment=fleet_unseen_kind` with and without graph,
LSTM, ARMA attention and row, on fewer machines than it has, and writes the table into
docs/results.md. Finished trainings are kept under outputs/fleet/parts and not repeated.
"""

from collections.abc import Sequence

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_parts import Variants, how_measured, size_of_trainings, table, trained
from benchmarks.fleet_unseen import ROLES
from hydrascope.simulation.fleet_settings import KINDS

EXPERIMENT = "experiment=fleet_unseen_kind"
_WHOLE = (
    "model.states=lstm",
    "model.use_ar=true",
    "model.use_ma=true",
    "model.token_layers=1",
    "model.spatial_layers=1",
    "model.hidden_channels=32",
)
VARIANTS: Variants = {
    f"{ROLES} (default)": (),
    "with graph": ("model.spatial_layers=1", "model.hidden_channels=32"),
    "with LSTM, AR, MA, attention and graph": _WHOLE,
    "the same without the row": (*_WHOLE, "model.row_channels=0"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing on three kinds, judge on the fourth, and write the table."""
    given = size_of_trainings(__doc__, arguments, machines=240)
    text = (
        f"The mean of four kinds held out in turn, in brackets the lowest and the highest; "
        f"{given.machines} machines of a kind and {given.epochs} epochs, otherwise the settings of "
        f"`{EXPERIMENT}`. {how_measured('unseen_parts', given)}\n\n"
        f"{table(trained(EXPERIMENT, ROLES, VARIANTS, len(KINDS), given))}"
    )
    replace_section(ROOT / "docs" / "results.md", "unseen parts", text)
    print(text)


if __name__ == "__main__":
    main()
