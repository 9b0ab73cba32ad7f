"""Short trainings in two processes: every network with every level of heads and strategy.

`PYTHONPATH=. python tests/integration/process_grid.py FOLDER` trains them all, in a quarter of an
hour. Begun again with the same folder, it goes on.
"""

import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from jobs import QUICK, small, train_settings

from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.train import run

Cell = tuple[str, str, str]
"""Model, head levels, strategy."""

COOLER = (
    "{name: cooler, level: component, kind: multi_class, components: [cooler], classes: "
    "[{value: 3, name: failing}, {value: 20, name: reduced}, {value: 100, name: full}]}"
)
STABLE = "{name: stable, level: machine, kind: binary}"
HEADS = {"component": COOLER, "machine": STABLE, "both": f"{COOLER},{STABLE}"}
NETWORKS = ("gatv2_arma", "gatv2_lstm", "gatv2_spectral", "arma", "mlp", "role_rows")
WHOLE: Sequence[Cell] = tuple(product(NETWORKS, HEADS, ("ddp", "fsdp")))


def settings_of(cell: Cell, run_dir: Path) -> TrainSettings:
    """Return the settings of one short training in two processes."""
    network, heads, strategy = cell
    return train_settings(
        *small(f"model={network}", *QUICK, "data.split.share=0.3"),
        f"task.heads=[{HEADS[heads]}]",
        f"trainer={strategy}",
        "hardware=cpu_x2",
        "hardware.threads=1",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=2",
        "trainer.progress_bar=false",
        f"run_dir={run_dir}",
    )


def main(folder: Path) -> None:
    """Train every cell of the grid, each in processes of its own; stop at the first that fails."""
    for cell in WHOLE:
        run_dir = folder / "-".join(cell)
        if not (run_dir / "results.json").exists():
            run(settings_of(cell, run_dir), quiet=True)
        print(*cell, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
