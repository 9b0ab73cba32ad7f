"""Topologies of machines: components connected by lines."""

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from hydrascope.schemas.base import Flag, Identifier, Positive, Spec, Text, Word
from hydrascope.schemas.component import ComponentSpec, SensorSpec
from hydrascope.schemas.consistency import find_inconsistencies
from hydrascope.schemas.errors import refuse
from hydrascope.schemas.kinds import EdgeType, Material

if TYPE_CHECKING:
    from hydrascope.schemas.pyg import Data


class EdgeSpec(Spec):
    """A line from one component to another; sizes that are not given count as unknown."""

    source: Identifier
    """Id of the component where the line begins."""
    target: Identifier
    """Id of the component where the line ends."""
    kind: EdgeType
    """Kind of line."""
    diameter_mm: Positive | None = None
    """Inner diameter."""
    length_m: Positive | None = None
    """Length from end to end."""
    material: Material | None = None
    """Material of the wall."""
    pressure_rating_bar: Positive | None = None
    """Maximum working pressure."""
    bidirectional: Flag = True
    """Whether a change at the target also affects the source, as in any line without a check valve.
    The oil need not flow both ways."""


class GraphTopology(Spec):
    """Components and lines, which form one connected graph.

    Machines of the same build share the id. Kinds beyond `ComponentType` and `SensorKind`, such as
    a turbine or a compressor, are declared here.
    """

    id: Identifier
    """Name of the build."""
    component_kinds: tuple[Word, ...] = ()
    """Additional kinds of components."""
    sensor_kinds: dict[Word, Annotated[tuple[Text, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """Additional kinds of sensors, each with its accepted units."""
    components: Annotated[tuple[ComponentSpec, ...], Field(min_length=1)]
    """Parts of the machine, all connected with each other directly or indirectly."""
    edges: tuple[EdgeSpec, ...] = ()
    """Lines between components."""

    @model_validator(mode="wrap")
    @classmethod
    def _consistent(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        inconsistencies = find_inconsistencies(data) if isinstance(data, Mapping) else []
        try:
            topology = handler(data)
        except ValidationError as error:
            raise refuse(cls.__name__, inconsistencies, error) from None
        if inconsistencies:
            raise refuse(cls.__name__, inconsistencies)
        return topology

    @property
    def component_index(self) -> Mapping[str, int]:
        """The position of each component id in `components`."""
        return MappingProxyType({each.id: index for index, each in enumerate(self.components)})

    @cached_property
    def sensors(self) -> tuple[tuple[int, SensorSpec], ...]:
        """All sensors with the index of their component, in the order of the file."""
        return tuple(
            (index, sensor)
            for index, component in enumerate(self.components)
            for sensor in component.sensors
        )

    def degree(self, component_id: str) -> int:
        """Return the number of lines that end at a component.

        Raises:
            ValueError: The topology has no such component.
        """
        if component_id not in self.component_index:
            known = ", ".join(self.component_index)
            raise ValueError(f"no component {component_id!r} in topology {self.id!r}; has: {known}")
        return sum(component_id in (edge.source, edge.target) for edge in self.edges)

    def directed_edges(self) -> list[tuple[int, int, EdgeSpec]]:
        """Return (source index, target index, line), twice for a bidirectional line."""
        index = self.component_index
        directed = []
        for edge in self.edges:
            source, target = index[edge.source], index[edge.target]
            directed.append((source, target, edge))
            if edge.bidirectional:
                directed.append((target, source, edge))
        return directed

    def to_pyg(self) -> "Data":
        """Convert the bare graph to PyTorch Geometric.

        Returns:
            Data with `edge_index` [2, E] int64 over the directed edges, `num_nodes` (N), and
            the lists `component_ids` and `component_kinds` [N].
        """
        import torch

        from hydrascope.schemas.pyg import Data

        pairs = [(source, target) for source, target, _ in self.directed_edges()]
        return Data(
            edge_index=torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).t().contiguous(),
            num_nodes=len(self.components),
            component_ids=[component.id for component in self.components],
            component_kinds=[component.kind for component in self.components],
        )
