"""The probability that each component is to blame for a machine's deviation from normal.

Shapes: G graphs, S sensors and N components in the batch, P places of the sensors of the largest
build, C places of the components of the largest machine, B builds; D, Q and K as in
`models.blame.places`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.blame.evidence import SHARES, HealthyEvidence, raw_evidence
from hydrascope.models.blame.network import BlameInputs, BlameNetwork, joint_logits
from hydrascope.models.blame.places import DISTANCES, FAMILIES, QUANTITIES, MachinePlaces
from hydrascope.models.blocks.sensor_layout import build_of, build_places, lay_out, rows_of
from hydrascope.models.layers.segment import segment_sum
from hydrascope.schemas import GraphTopology

NETWORKS = 3
"""The number of networks that answer together."""
_MEAN, _SPREAD = "mean", "std"
_NONE = -1
"""The kind of a component that is not there."""


def can_blame(spec: InputSpec) -> bool:
    """Return whether the features hold what the evidence needs: mean and standard deviation."""
    return {_MEAN, _SPREAD} <= set(spec.feature_names)


class Blame(nn.Module):
    """Asks the networks that were learned on simulated faults.

    It is made after the training: `adopt` and `measure` fill its buffers, and its networks have the
    weights of the package. They are stored with it, so that a checkpoint or bundle keeps its
    answers. The lines of a build are those of the machine that was given to `adopt`. A machine with
    other components has no answer.

    Args:
        spec: The vocabularies and counts of the inputs, for which `can_blame` holds.
    """

    slot_build: Tensor
    slot_place: Tensor
    kind: Tensor
    """The kind of each component of each build, [B, C] int64; `_NONE` where there is none."""
    family: Tensor
    """Its family, [B, C, K] bool."""
    distance: Tensor
    """The distance of each slot's component from each component, [slots, C, D] bool."""
    sensor: Tensor
    """The quantity of each slot, and the family of its component, [slots, Q + K] bool."""
    own: Tensor
    """Whether a component carries the slot, [slots, C] bool."""
    reached: Tensor
    """Of `HealthyEvidence`, like the next two, by `Normality.keys` of sensors, [rows, 2]."""
    usual: Tensor
    scatter: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        build, place, self.places = build_places(spec)
        slots, builds, most = len(build), len(spec.builds), spec.most_components
        self._spec = spec
        # Around the mean of a single step nothing changes, and the level stands for the change.
        self._shown = [1, 1, 2, 3] if spec.steps == 1 else [0, 1, 2, 3]
        self._columns = [spec.feature_names.index(name) for name in (_MEAN, _SPREAD)]
        self.register_buffer("slot_build", build, persistent=False)
        self.register_buffer("slot_place", place, persistent=False)
        self.register_buffer("kind", torch.full((builds, most), _NONE))
        families, quantities = len(FAMILIES), len(QUANTITIES)
        for name, shape in (
            ("family", (builds, most, families)),
            ("distance", (slots, most, sum(DISTANCES))),
            ("sensor", (slots, quantities + families)),
            ("own", (slots, most)),
        ):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.bool))
        for name in HealthyEvidence._fields:
            rows = (1 + len(spec.machines)) * slots
            self.register_buffer(name, torch.full((rows, SHARES), torch.nan))
        self.networks = nn.ModuleList(BlameNetwork() for _ in range(NETWORKS))
        self.requires_grad_(requires_grad=False)

    def adopt(self, topologies: Mapping[str, GraphTopology]) -> None:
        """Set the places of each build.

        Args:
            topologies: By topology id; one of each build.
        """
        for number, name in enumerate(self._spec.builds):
            topology = topologies[name]
            at, count = MachinePlaces.of(topology), len(topology.components)
            slots = [self._spec.slot(name, sensor.id) for _, sensor in topology.sensors]
            kinds = [self._spec.component_kind(each) for each in topology.components]
            self.kind[number, :count] = torch.tensor(kinds)
            self.family[number, :count] = at.component.bool()
            self.distance[slots, :count] = at.distance.bool()
            self.sensor[slots] = at.sensor.bool()
            self.own[slots, :count] = at.own

    def measure(self, held_out: Tensor, row: Tensor) -> None:
        """Set what held-out healthy windows give, where there are some.

        Args:
            held_out: `raw` of all of them, [R, 4]; NaN where a sensor was not observed.
            row: The row of each in the tables, [R].
        """
        for each in torch.unique(row):
            scale = HealthyEvidence.of(held_out[row == each].unsqueeze(1))
            for name, value in scale._asdict().items():
                if bool(value.isfinite().all()):
                    self.get_buffer(name)[each] = value[0].to(self.reached.dtype)

    def raw(self, normalised: GraphInputs, parts: Tensor) -> Tensor:
        """Return the evidence of sensors before it is compared with healthy windows, [S, 4].

        Args:
            normalised: The inputs.
            parts: The parts of the sensors' scores, [S, 3].
        """
        mean, spread = (normalised.sensor_features[..., column] for column in self._columns)
        return raw_evidence(parts.to(mean.dtype), mean, spread, normalised.sensor_observed)

    def forward(self, inputs: GraphInputs, raw: Tensor, own: Tensor, build: Tensor) -> Tensor:
        """Return the probability that each component is to blame, given that one of them is.

        Args:
            inputs: A batch of machines of known builds.
            raw: Of the method `raw`, [S, 4].
            own: `Normality.keys` of the sensors, [S].
            build: `Normality.build_keys` of the sensors, [S].

        Returns:
            [N, 1]; those of a machine sum to 1. NaN if none of its sensors was observed, or if it
            has other components than its build.
        """
        row = torch.where(self.reached[own, 0].isnan(), build, own)
        scale = HealthyEvidence(self.reached[row], self.usual[row], self.scatter[row])
        evidence, seen = scale.compare(raw)
        evidence = evidence[:, self._shown]
        slot, graphs = inputs.sensor_slot, inputs.graph_id.shape[0]
        at = rows_of(inputs, self.slot_place[slot], self.places), graphs, self.places
        of_graph = build_of(inputs, self.slot_build)
        dtype, kind = evidence.dtype, self.kind[of_graph]
        observed = lay_out(seen.long(), *at) > 0
        places = MachinePlaces(
            lay_out(self.distance[slot].to(dtype), *at),
            lay_out(self.sensor[slot].to(dtype), *at),
            self.family[of_graph].to(dtype),
            lay_out(self.own[slot].long(), *at) > 0,
        )
        found = BlameInputs(lay_out(evidence, *at), observed, places, kind != _NONE)
        probability = joint_logits(self.networks, found).softmax(dim=-1)
        known = observed.any(1) & self._as_adopted(inputs, kind)
        probability = torch.where(known.unsqueeze(1), probability, torch.nan)
        place = inputs.component_place.clamp(max=kind.shape[1] - 1)
        return probability[inputs.component_graph, place].unsqueeze(-1)

    def _as_adopted(self, inputs: GraphInputs, kind: Tensor) -> Tensor:
        """Return whether each graph has the components of its build, [G] bool.

        Args:
            inputs: The batch.
            kind: The kinds of the components of each graph's build, [G, C].
        """
        graph, place = inputs.component_graph, inputs.component_place
        most, graphs = kind.shape[1], kind.shape[0]
        expected = kind[graph, place.clamp(max=most - 1)]
        same = (expected == inputs.component_kind) & (place < most)
        counted = torch.stack([same.long(), torch.ones_like(place)], dim=-1)
        right, total = segment_sum(counted, graph, graphs).unbind(-1)
        return (right == total) & (total == (kind != _NONE).sum(1))
