"""Networks and trees that learn from a few machines of one build."""

from typing import NamedTuple

from benchmarks._document import ROOT
from benchmarks._fleet_runs import Figures, figures, train
from benchmarks._fleet_trees import kept_trees

RUNS = ROOT / "outputs" / "few_shot"
_SCRATCH = ("init=null", "optim.lr=4.0e-3", "trainer.max_epochs=240")
NETWORKS: dict[str, tuple[str, ...]] = {
    "pretrained": (),
    "the same network, from scratch": _SCRATCH,
    "gatv2_arma, from scratch": (
        *_SCRATCH, "model=gatv2_arma_fleet", "data.normalise.method=standardize",
        "data.transforms.sensor_dropout=0.1", "optim.weight_decay=0.2",
    ),
}  # fmt: skip
"""Name → how it differs from `experiment=finetune`."""


class Machines(NamedTuple):
    """The machines of one build that are learned from and judged."""

    source: tuple[str, ...]
    """Keys that simulate them."""
    name: str
    """The prefix of their equipment ids."""
    judged: int
    """The machines with the first numbers are judged."""

    def overrides(self, learned: int) -> tuple[str, ...]:
        """Return the keys of a training on the next `learned` machines."""

        def named(first: int, count: int) -> str:
            return ",".join(f"{self.name}_{number:03d}" for number in range(first, first + count))

        parts = f"{{train:[{named(self.judged, learned)}],test:[{named(0, self.judged)}]}}"
        return (
            "experiment=finetune",
            *self.source,
            "data.reference.label=commissioning",
            "data.reference.first_h=null",
            "data.split.name=column",
            "data.split.val_group=equipment_id",
            f"data.split.parts={parts}",
        )


def of_network(machines: Machines, learned: int, network: str, *more: str) -> Figures:
    """Return what a network reaches that learns from `learned` machines; it is trained if needed.

    Args:
        machines: Of which build.
        learned: The number of machines.
        network: A name in `NETWORKS`.
        more: Further keys of the training, which are part of its folder's name.
    """
    overrides = (*machines.overrides(learned), *NETWORKS[network], *more)
    name = "_".join((machines.name, str(learned), network.replace(", ", "_").replace(" ", "_")))
    folder = RUNS / "_".join((name, *(each.replace("=", "_") for each in more)))
    model = "role_rows" if "gatv2" not in network else "gatv2_arma"
    return figures(train(folder, *overrides), model)


def of_trees(machines: Machines, learned: int) -> Figures:
    """Return what LightGBM reaches that learns from `learned` machines."""
    kept = RUNS / f"{machines.name}_{learned}_trees.json"
    return kept_trees(kept, *machines.overrides(learned))
