"""Measure what each part of the network is worth on machines of known builds.

`python -m benchmarks.fleet_parts` trains `experiment=fleet` with parts switched off, on fewer
machines than it has, and writes the table into docs/results.md. Finished trainings are kept under
outputs/fleet/parts and not repeated.
"""

from collections.abc import Sequence

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_parts import Variants, how_measured, size_of_trainings, table, trained
from benchmarks._fleet_runs import EXPERIMENT, NETWORK

VARIANTS: Variants = {
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing and write the table."""
    given = size_of_trainings(__doc__, arguments, machines=320)
    text = (
        f"Machines never seen in training, of known builds; {given.machines} machines of a kind "
        f"and {given.epochs} epochs, otherwise the settings of `{EXPERIMENT}`. The mean of "
        f"{len(given.seeds)} trainings, in brackets the lowest and the highest. "
        f"{how_measured('fleet_parts', given)}\n\n"
        f"{table(trained(EXPERIMENT, NETWORK, VARIANTS, 1, given))}"
    )
    replace_section(ROOT / "docs" / "results.md", "fleet parts", text)
    print(text)


if __name__ == "__main__":
    main()
