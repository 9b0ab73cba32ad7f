"""The ways that oil takes through the lines of a machine, as its file draws them."""

from collections.abc import Callable, Collection, Iterable

from hydrascope.schemas import EdgeSpec, EdgeType

HYDRAULIC = (EdgeType.PRESSURE_LINE, EdgeType.RETURN_LINE, EdgeType.SUCTION_LINE)
"""The kinds of lines that are simulated."""

Ends = Callable[[str], bool]


def upstream(
    edges: Iterable[EdgeSpec],
    component: str,
    *,
    ends: Ends,
    kinds: Collection[EdgeType] = HYDRAULIC,
) -> list[str]:
    """Return the components from which oil comes, nearest first.

    Args:
        edges: The lines of the machine.
        component: Where it comes to; not among those returned.
        ends: Whether the way back ends at a component, which is returned, too.
        kinds: The kinds of lines that are followed.
    """
    lines = [(edge.target, edge.source) for edge in edges if edge.kind in kinds]
    return _reached(lines, component, ends)


def downstream(
    edges: Iterable[EdgeSpec],
    component: str,
    *,
    ends: Ends,
    kinds: Collection[EdgeType] = HYDRAULIC,
) -> list[str]:
    """Return the components to which oil goes, nearest first; the arguments are of `upstream`."""
    lines = [(edge.source, edge.target) for edge in edges if edge.kind in kinds]
    return _reached(lines, component, ends)


def _reached(lines: Collection[tuple[str, str]], component: str, ends: Ends) -> list[str]:
    found = [component]
    for each in found:
        if each == component or not ends(each):
            found += dict.fromkeys(
                there for here, there in lines if here == each and there not in found
            )
    return found[1:]
