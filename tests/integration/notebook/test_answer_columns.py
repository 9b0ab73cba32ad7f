"""The columns of `hydrascope predict` say what the findings of the service say, row by row."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from hydrascope.notebook.answer_table import BLAMED, NORMALITY, Found, blame_of, found_in, rows_of
from hydrascope.notebook.answerer import AnsweredWindows, Answerer
from hydrascope.packaging.bundle import Bundle
from hydrascope.packaging.manifest import Manifest
from hydrascope.prediction.answer_columns import answer_table
from hydrascope.prediction.answer_file import SCHEMA, join_parts, write_part
from hydrascope.schemas import HeadKind, HeadLevel, TaskSpec, fitness, validate
from hydrascope.schemas.calibration import Conformal
from hydrascope.schemas.fitness import SensorState
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.normality import BLAME, COMPONENT, MACHINE, SENSOR
from hydrascope.serving.diagnosis.findings import outcomes
from hydrascope.serving.diagnosis.fitness import InputFitness, input_fitness
from hydrascope.telemetry import ZemaSource

WINDOWS = 9
HEADS: list[dict[str, object]] = [
    {"name": "wear", "level": "machine", "kind": "regression", "cap": 1.0, "scale": "log"},
    {
        "name": "life",
        "level": "component",
        "kind": "regression",
        "quantiles": [0.1, 0.5, 0.9],
        "components": ["main_pump", "cooler"],
    },
    {"name": "drops", "level": "component", "kind": "regression", "labels": ["in", "out"]},
    {"name": "stable", "level": "machine", "kind": "binary"},
    {"name": "faults", "level": "component", "kind": "multi_label", "labels": ["a", "b"]},
    {
        "name": "state",
        "level": "component",
        "kind": "multi_class",
        "classes": [{"value": 0, "name": "sound"}, {"value": 1, "name": "worn"}],
        "components": ["main_pump"],
    },
    {
        "name": "grade",
        "level": "machine",
        "kind": "ordinal",
        "classes": [{"value": n, "name": f"grade {n}"} for n in range(3)],
    },
]


@pytest.fixture(scope="module")
def windows(opened: Bundle) -> AnsweredWindows:
    answerer, source = Answerer(opened), ZemaSource()
    plan = answerer.plan(source, source.machines()["zema"], answerer.spec())
    return answerer.answer(source, plan, range(WINDOWS))


@pytest.fixture(scope="module")
def manifest(opened: Bundle) -> Manifest:
    """A bundle with a head of every kind, some with intervals."""
    conformal = Conformal(
        coverage=0.9,
        margins={"wear": (0.5,), "life": (0.25,), "drops": (0.125, 0.5)},
        windows=100,
        units=10,
        unit="conditions",
    )
    task = validate(TaskSpec, {"name": "every", "heads": HEADS})
    least = {head["name"]: 0.4 for head in HEADS if head["name"] != "grade"}
    return opened.manifest.model_copy(
        update={
            "task": task,
            "conformal": conformal,
            "thresholds": {"faults.a": 0.2, "stable": 0.7},
            "least_right": least,
        }
    )


def invented(manifest: Manifest, machine: Machine, *, judges: bool) -> dict[str, Tensor]:
    """Random answers, with the fitness of their input if it is judged."""
    random = torch.Generator().manual_seed(0)
    components, sensors = len(machine.topology.components), len(machine.topology.sensors)

    def drawn(rows: int, size: int = 1) -> Tensor:
        return torch.rand(WINDOWS * rows, size, generator=random)

    decoded = {}
    for head in manifest.task.heads:
        rows = components if head.level is HeadLevel.COMPONENT else 1
        size = max(len(outcomes(head)), len(head.labels), len(head.quantiles), 1)
        decoded[head.name] = (
            drawn(rows, size).sort(-1).values if head.quantiles else drawn(rows, size)
        )
        if judges and head.name != "grade":
            decoded[fitness.right(head.name)] = drawn(rows)
            decoded[fitness.basis(head.name)] = drawn(rows)
    if judges:
        state = torch.zeros(WINDOWS, sensors)
        state[2, 3], state[4, [1, 5]] = SensorState.MISSING, SensorState.STUCK
        state[6, 0] = state[7, 0] = SensorState.DOUBTFUL
        unlike = torch.zeros(WINDOWS, 1)
        unlike[[5, 7]] = 1
        phase = torch.full((WINDOWS, 1), torch.nan)
        phase[5] = 0.25
        decoded |= {
            fitness.STATE: state.reshape(-1, 1),
            fitness.READ: drawn(sensors),
            fitness.EXPECTED: drawn(sensors),
            fitness.UNLIKE: unlike,
            fitness.TYPICALITY: drawn(1),
            fitness.PHASE: phase,
        }
    return decoded


def said(found: Found) -> Iterator[dict[str, Any]]:
    """Yield the rows of a finding, as docs/predicting.md describes them."""
    head, finding = found.head, found.finding
    match head.kind:
        case HeadKind.REGRESSION:
            values = finding.values or {None: finding.value}
            intervals = finding.intervals or {None: finding.interval}
            for label in head.labels or (None,):
                low, high = intervals.get(label) or (None, None)
                yield {"label": label, "value": values.get(label), "low": low, "high": high}
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            assert finding.probabilities is not None
            for name, probability in finding.probabilities.items():
                label = name if head.labels else None
                present = None if finding.flags is None else name in finding.flags
                yield {"label": label, "present": present, "probability": probability}
        case HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
            assert finding.probabilities is not None
            known = finding.reliable is not False
            assert finding.outcome is not None
            yield {
                "outcome": finding.outcome if known else None,
                "probability": finding.probabilities[finding.outcome] if known else None,
                "probabilities": [*finding.probabilities.items()],
            }


def expected(manifest: Manifest, machine: Machine, windows: AnsweredWindows) -> list[Any]:
    """The rows that the findings of the service give."""
    empty = dict.fromkeys(SCHEMA.names)
    length = timedelta(seconds=manifest.window.window_s)
    rows = []
    for found in found_in(manifest, machine, windows.starts, windows.decoded):
        judged = summary(manifest, machine, windows, windows.starts.index(found.start))
        reasons = found.finding.reasons
        same = {
            "equipment_id": "zema",
            "start": found.start,
            "end": found.start + length,
            "head": found.head.name,
            "component": found.component,
            "reliable": found.finding.reliable,
            "right": found.finding.right,
            "reasons": None if reasons is None else "; ".join(reasons),
            "unlike": None if judged is None else judged.unlike,
            "unusable": judged and (", ".join(sorted(judged.sensors)) or None),
            "model": "v",
        }
        rows += [{**empty, **same, **given} for given in said(found)]
    return rows


def summary(
    manifest: Manifest, machine: Machine, windows: AnsweredWindows, window: int
) -> InputFitness | None:
    found = {
        name: rows_of(values.numpy(), window, WINDOWS)[:, 0]
        for name, values in windows.decoded.items()
        if name.startswith(fitness.PREFIX)
    }
    return input_fitness(machine, found, manifest.window.window_s)


@pytest.mark.parametrize("judges", [True, False])
def test_rows_of_every_kind_of_head_are_the_findings_of_the_service(
    manifest: Manifest, windows: AnsweredWindows, judges: bool
) -> None:
    machine = windows.prepared.machine
    windows = windows._replace(decoded=invented(manifest, machine, judges=judges))
    table = answer_table(manifest, "v", windows)
    table.validate(full=True)
    assert table.schema == SCHEMA
    wanted = expected(manifest, machine, windows)
    assert table.to_pylist() == wanted
    # Both an answer that is withheld and one that is given have been compared, for every head.
    states = {(row["head"], row["reliable"]) for row in wanted}
    judged = {head.name for head in manifest.task.heads} - {"grade"}
    assert states == (
        {(name, known) for name in judged for known in (True, False)} | {("grade", None)}
        if judges
        else {(name, None) for name in judged | {"grade"}}
    )


def test_normality_has_rows_of_machine_components_and_sensors(
    opened: Bundle, windows: AnsweredWindows
) -> None:
    machine = windows.prepared.machine
    places = {
        MACHINE: 1, COMPONENT: len(machine.topology.components),
        SENSOR: len(machine.topology.sensors),
    }  # fmt: skip
    scores = {name: torch.arange(float(WINDOWS) * n)[:, None] for name, n in places.items()}
    scores[COMPONENT][0] = torch.nan
    windows = windows._replace(decoded={**windows.decoded, **scores})
    rows = answer_table(opened.manifest, "v", windows).to_pylist()
    own = [row for row in rows if row["head"] == NORMALITY]
    assert own == rows[-len(own) :]
    assert len(own) == WINDOWS * sum(places.values()) - 1
    assert [row["value"] for row in own if row["component"] is None] == [*range(WINDOWS)]
    number, sensor = machine.topology.sensors[3]
    first = next(row for row in own if row["label"] == sensor.id)
    assert first["component"] == machine.topology.components[number].id
    assert (first["value"], first["present"]) == (3.0, True)
    assert (first["start"], first["model"]) == (windows.starts[0], "v")


def test_components_are_blamed_in_windows_in_which_there_is_something_to_blame(
    opened: Bundle, windows: AnsweredWindows
) -> None:
    machine = windows.prepared.machine
    names = [component.id for component in machine.topology.components]
    blame = torch.full((WINDOWS, len(names)), torch.nan)
    blame[4] = torch.arange(1.0, 1.0 + len(names)).softmax(0)
    windows = windows._replace(decoded={**windows.decoded, BLAME: blame.reshape(-1, 1)})
    rows = answer_table(opened.manifest, "v", windows).to_pylist()
    own = [row for row in rows if row["head"] == BLAMED]
    assert [row["component"] for row in own] == names
    assert [row["present"] for row in own] == [False] * (len(names) - 1) + [True]
    assert [row["probability"] for row in own] == pytest.approx(blame[4].tolist())
    assert {row["start"] for row in own} == {windows.starts[4]}
    said = list(blame_of(machine, windows.starts, windows.decoded))
    assert [each[1:3] for each in said] == [(r["component"], r["present"]) for r in own]


def test_a_model_of_normality_alone_has_no_other_rows(
    opened: Bundle, windows: AnsweredWindows
) -> None:
    task = opened.manifest.task.model_copy(update={"heads": ()})
    alone = opened.manifest.model_copy(update={"task": task})
    scores = {MACHINE: torch.linspace(0, 2, WINDOWS)[:, None]}
    table = answer_table(alone, "v", windows._replace(decoded=scores))
    assert table["value"].to_pylist() == pytest.approx([*np.linspace(0, 2, WINDOWS)])
    assert table["present"].to_pylist() == [False] * 5 + [True] * 4


def test_parts_are_joined_in_their_order(
    manifest: Manifest, windows: AnsweredWindows, tmp_path: Any
) -> None:
    machine = windows.prepared.machine
    table = answer_table(
        manifest, "v", windows._replace(decoded=invented(manifest, machine, judges=True))
    )
    parts = [tmp_path / name for name in ("first", "second")]
    write_part(parts[0], [table, table.slice(0, 5)])
    write_part(parts[1], [table.slice(5)])
    assert join_parts(tmp_path / "whole", parts, "key") == 2 * len(table)
    assert pq.read_table(tmp_path / "whole").to_pylist() == 2 * table.to_pylist()
