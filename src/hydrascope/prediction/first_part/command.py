"""`hydrascope score`: from files to the scores of their rows."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from hydrascope.prediction.first_part.learn import Scored, learn, read_first
from hydrascope.prediction.first_part.options import ScoreOptions
from hydrascope.prediction.first_part.rows import row_scores
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.whole_file import whole_file
from hydrascope.tasks.alarm_thresholds import resolved_rate
from hydrascope.telemetry.init.surveyed import Survey

_NAMED = 3
"""The most components that are named as those to blame."""


def run(path: Path, options: ScoreOptions) -> Iterator[str]:
    """Write the scores of all rows, and yield what they are worth, line by line.

    Raises:
        SpecError: A file cannot be read, an option is not accepted, or there is too little to learn
            from.
    """
    if options.output.suffix not in (".csv", ".parquet"):
        raise SpecError(f"--output: {options.output} is not accepted; expected .csv or .parquet")
    found = read_first(path, options.time_zone)
    with TemporaryDirectory(prefix="hydrascope-") as work:
        scored = learn(path, found, Path(work), options)
    table = row_scores(found, scored)
    with whole_file(options.output) as file:
        if options.output.suffix == ".csv":
            table.to_csv(file, index=False)
        else:
            table.to_parquet(file, index=False)
    yield from _summary(found, scored, table, options)


def _summary(
    found: Survey, scored: Scored, table: pd.DataFrame, options: ScoreOptions
) -> Iterator[str]:
    machines, sensors = len(found.machines), len(found.sensors)
    unit = "counts" if found.counter else "s"
    yield (
        f"{len(table):,} rows of {machines} machine{'s' * (machines > 1)}, {sensors} sensors; "
        f"{options.model} of windows of {scored.window_s:g} {unit} every {scored.stride_s:g} {unit}"
    )
    for remark in found.remarks:
        yield f"Guessed: {remark}"
    if options.learn_until is None:
        learned = f"the first {100 * options.learn_first:g} % of each recording"
    else:
        learned = f"what was recorded until {options.learn_until}"
    yield f"Learned from {learned} as if it was sound: a fault in it counts as normal."
    yield from _found(table)
    rate = options.false_alarm_rate
    resolved = resolved_rate(scored.held_out, rate)
    yield (
        f"Of sound windows like those learned from, at most {100 * rate:g} % raise an alarm."
        if resolved <= rate
        else f"{scored.held_out} held-out windows without common samples set the threshold. They "
        f"promise a false-alarm rate of {100 * resolved:.1f} % at best, not the {100 * rate:g} % "
        "asked for."
    )
    yield f"New conditions that the first part does not show raise alarms too: {options.output}"


def _found(table: pd.DataFrame) -> Iterator[str]:
    """Yield what the rest of the rows showed."""
    rest = table[table["learned"].eq(False) & table["score"].notna()]
    if missing := int(table["score"].isna().sum()):
        yield f"{missing:,} rows have no score, because no whole window contains them."
    if rest.empty:
        yield "No other row has a score."
        return
    alarms = rest[rest["alarm"].astype(bool)]
    highest = rest.iloc[int(rest["score"].argmax())]
    sensor = "" if pd.isna(highest["sensor"]) else f", most of all {highest['sensor']}"
    first = f", the first at {alarms['time'].iloc[0]}" if len(alarms) else ""
    blamed = alarms["component"].dropna()
    yield (
        f"Of the other {len(rest):,} rows, {len(alarms):,} raise an alarm{first}. The highest "
        f"score is {highest['score']:.3g} times the threshold, at {highest['time']}{sensor}."
    )
    if len(blamed):
        shares = blamed.value_counts(normalize=True)
        named = (f"{name} in {100 * share:.0f} %" for name, share in shares[:_NAMED].items())
        yield f"Most probably to blame, of the guessed components: {', '.join(named)} of them."
