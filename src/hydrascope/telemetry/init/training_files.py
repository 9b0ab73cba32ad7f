"""The text of task and experiment files, with comments where a value was guessed."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from hydrascope.schemas.learn import Learn
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.telemetry.init.headers import is_counter
from hydrascope.telemetry.init.labels import Label
from hydrascope.telemetry.init.plan import Plan

_STEPS, _FEW_STEPS, _FEW_SAMPLES = 10, 5, 20


def task_file(plan: Plan) -> str:
    """Return the task."""
    lines = [
        "# Written by `hydrascope init`; `hydrascope schema task` explains every key.",
        f"name: {plan.name}",
    ]
    if plan.learn is Learn.NORMALITY:
        lines += [*_normality(plan), "heads: []"]
        if plan.offered:
            lines.append("# Instead of `heads: []`, to learn labels beside it (model=gatv2_arma):")
            lines.append("# heads:")
        return "\n".join([*lines, *_offered(plan), ""])
    heads = (line for label in plan.heads for line in _head(label, plan))
    return "\n".join([*lines, "heads:", *heads, *_offered(plan), ""])


def _offered(plan: Plan) -> Iterator[str]:
    """Yield the heads of columns that may be labels, as comments."""
    for label in plan.offered:
        why_not = f", but {label.why_not}" if label.why_not else ""
        yield f"# Perhaps a label, the column {label.column!r}{why_not}:"
        yield from (f"# {line}" for line in _head(label, plan))


def _normality(plan: Plan) -> Iterator[str]:
    yield "# What is normal is learned without labels, and what differs raises an alarm."
    if not plan.labels:
        yield "# Labels would judge it: a table of equipment_id, start, end and the label."
    yield "normality:"
    if plan.truth:
        yield "  # Guessed: the first windows of each machine are sound, and are learned from."
        yield f"  fit: {{first_windows: {plan.first_windows}}}"
        yield "  # Guessed: the labels of a healthy window. They judge, and nothing is learned from"
        yield "  # them."
        judged = ", ".join(f"{name}: {value:g}" for name, value in plan.truth.items())
        yield f"  truth: {{{judged}}}"
        yield "  healthy: null"
    else:
        yield "  # Guessed: all windows are healthy. Otherwise {label: value}, or the windows to"
        yield "  # learn from in `fit`, such as {first_windows: 100}."
        yield "  healthy: null"
        yield "  fit: null"
        yield "  # The labels of a healthy window when detection is judged. null: as in healthy."
        yield "  truth: null"
    yield "  # Guessed: the share of healthy windows that may raise an alarm. n validation windows"
    yield "  # can promise 1/(n+1) at best."
    yield "  false_alarm_rate: 0.05"
    yield "  # The other keys; `hydrascope schema task` explains them."
    written = {"healthy", "fit", "truth", "false_alarm_rate"}
    for key, value in NormalitySpec().model_dump(mode="json", exclude=written).items():
        yield f"  {key}: {json.dumps(value)}"


def _head(label: Label, plan: Plan) -> Iterator[str]:
    yield f"  - name: {label.name}"
    yield "    level: machine  # guessed; or component"
    if label.many:
        yield "    kind: regression" + ("" if label.is_life else "  # guessed: many values")
        if label.is_life:
            yield f"    unit: {_unit(plan)}"
            yield "    # Long before a failure nothing shows it; with a cap, more does not matter."
            yield f"    # cap: {_usual(label):g}"
    elif set(label.values) <= {0, 1} and not label.names:
        yield "    kind: binary  # guessed: 1 is what is looked for"
    else:
        yield "    kind: multi_class  # guessed; ordinal if the values are grades"
        if label.healthy is not None:
            yield f"    healthy: {label.healthy:g}"
        yield "    classes:"
        for value in label.values:
            named = json.dumps(
                label.names.get(value, f"{label.name} {value:g}"), ensure_ascii=False
            )
            yield f"      - {{value: {value:g}, name: {named}}}"


def _unit(plan: Plan) -> str:
    counter = plan.found.counter
    if counter is None:
        return "h"
    return "cycles" if is_counter(counter) else "counts"


def _usual(label: Label) -> float:
    """Return the median of a label to two digits."""
    return float(f"{label.table[label.name].median():.2g}")


def experiment_file(plan: Plan, places: Mapping[str, Path | None], time_zone: str | None) -> str:
    """Return the experiment, which trains with one command.

    Args:
        plan: What to learn.
        places: `folder`, `machines` and `labels` as in `FolderSettings`.
        time_zone: Zone of times without one, or `COUNTER`; None: all times have one.
    """
    unit = "counts" if plan.found.counter else "seconds"
    length = f"{plan.window_s:g}"
    lines = [
        "# @package _global_",
        "# Written by `hydrascope init`. Correct what is marked as guessed.",
        *(f"# Guessed: {each}." for each in plan.found.remarks),
        "defaults:",
        "  - override /data: parquet",
        f"  - override /task: {plan.name}",
        *_model(plan),
        "data:",
        "  source:",
        *(f"    {key}: {json.dumps(str(path))}" for key, path in places.items() if path),
    ]
    if time_zone is not None:
        zone = "times are counts" if plan.found.counter else "the zone of times that have none"
        lines += [f"    # Guessed: {zone}.", f"    time_zone: {time_zone}"]
    lines += [
        "    # Guessed from the slowest sensor: a longer time without samples ends a recording.",
        f"    max_gap_s: {plan.found.max_gap_s:g}",
        *_flags(plan),
        "  window:",
        f"    # Guessed, in {unit}: a window should span what distinguishes the states, such as a",
        "    # load cycle.",
        f"    window_s: {length}",
        f"    stride_s: {plan.stride_s:g}",
        f"    steps: {_STEPS if plan.samples >= _FEW_SAMPLES else _FEW_STEPS}",
        *_short(plan),
        *_split(plan),
    ]
    return "\n".join(lines) + "\n"


def _model(plan: Plan) -> Iterator[str]:
    if plan.learn is Learn.NORMALITY:
        yield "  # Fitted in seconds."
        yield "  - override /model: mahalanobis"


def _flags(plan: Plan) -> Iterator[str]:
    """Yield the settings of quality flags as comments."""
    if columns := plan.found.flag_columns:
        yield f"    # Quality flags in {', '.join(columns)}: {plan.found.flags_in_words}."
        yield "    # All rows count. To leave some out, name the good flags and remove the marks."
        yield f"    # quality_accepted: {json.dumps([*plan.found.flags], ensure_ascii=False)}"
        if (column := plan.found.unusual_flags) is not None:
            yield f"    # quality_column: {json.dumps(column, ensure_ascii=False)}"


def _short(plan: Plan) -> Iterator[str]:
    if short := plan.short:
        yield f"    # Shorter than a window: {', '.join(short)}. skip leaves them out."
        yield "    short: pad"


def _split(plan: Plan) -> Iterator[str]:
    if plan.learn is Learn.NORMALITY:
        yield "  split:"
        if plan.split is not None:
            yield f"    # The column {plan.split.name} is not used; name: column uses it."
        yield "    # Large, because these windows set the threshold of alarms."
        yield "    val_fraction: 0.3"
    elif plan.split is not None:
        yield "  split:"
        yield f"    # The column {plan.split.name} of the files."
        yield "    name: column"
        if plan.split.name != "split":
            yield f"    column: {plan.split.name}"
        if "val" not in plan.split.parts:
            yield "    # No window is named val: whole machines are held back for validation."
            yield "    val_group: equipment_id"
    elif plan.by_machine:
        yield "  split:"
        yield "    # Guessed: judged on machines that training has not seen."
        yield "    name: by_machine"
        yield "    val_fraction: 0.25"
