"""The meaning of a table's columns, guessed from their headers."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from unicodedata import combining, normalize

from hydrascope.schemas.kinds import SENSOR_UNITS, ComponentType, SensorKind
from hydrascope.schemas.units import spelt
from hydrascope.telemetry.folder.quality import USUAL

_COUNTERS = ("cycle", "cycles", "time_in_cycles", "cycle_number")
"""The names of columns that count instead of telling a time."""
_TIMES = (
    *("timestamp", "time", "datetime", "date_time", "date", "ts", "time_s", "t", "seconds"),
    *("recorded_at", "measured_at", "sampled_at", "zeit", "zeitstempel", "zeitpunkt", "epoch"),
    *_COUNTERS,
)
_DATES, _CLOCKS = ("date", "datum", "day"), ("time", "clock", "time_of_day", "uhrzeit", "zeit")
_MACHINES = (
    *("equipment_id", "machine_id", "machine", "asset_id", "asset", "device_id", "device"),
    *("unit_id", "unit_number", "unit_nr", "engine_id", "engine", "serial_number"),
    *("actuator_id", "actuator", "pump_id", "motor_id", "serial", "serial_no", "asset_name"),
    *("machine_name", "equipment", "equipment_name", "maschine", "maschinen_id", "anlage"),
    *("anlagen_id", "geraet", "geraete_id", "aggregat", "seriennummer"),
)
_NAMES = ("sensor_id", "sensor", "tag", "tagname", "tag_name", "variable", "signal", "channel")
_VALUES = ("value", "val", "reading", "measurement")
_UNITS = ("unit", "units", "uom")
ANOMALIES = ("anomaly", "is_anomaly", "anomalous", "attack", "outlier")
"""The names of labels that usually judge what was learned without them."""
LIVES = ("rul", "remaining_life", "remaining_useful_life", "time_to_failure", "ttf")
"""The names of labels of the remaining life."""
SPLITS = ("split", "subset", "partition")
"""The names of columns that say in which part of a split a row is."""
_LABELS = (
    *("label", "labels", "fault", "fault_type", "fault_code", "failure", "condition"),
    *("class", "target", *ANOMALIES, *LIVES, *SPLITS),
)
_MOMENTS = ("changepoint", "change_point")
"""The names of columns that mark single moments, and are neither sensors nor labels."""

_CLOCK = re.compile(r"^\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?$")
_LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
    | {"æ": "ae", "ø": "oe", "å": "aa", "Æ": "Ae", "Ø": "Oe", "Å": "Aa", "ł": "l", "Ł": "L"}
)
"""Letters that are written with others in plain ASCII."""
_IN_BRACKETS = re.compile(r"^(?P<name>.*?)\s*[\[(]\s*(?P<unit>[^\])]+?)\s*[\])]\s*$")
_WORDS = {
    SensorKind.PRESSURE: ("pressure", "press", "p", "ps", "druck"),
    SensorKind.TEMPERATURE: ("temperature", "temp", "t", "thermocouple", "temperatur"),
    SensorKind.FLOW: ("flow", "q", "fs", "volumeflow", "durchfluss"),
    SensorKind.VIBRATION: ("vibration", "vib", "vs", "accelerometer", "acceleration", "rms"),
    SensorKind.CURRENT: ("current", "amps", "strom"),
    SensorKind.VOLTAGE: ("voltage", "volt", "spannung"),
    SensorKind.POWER: ("power", "leistung"),
    SensorKind.SPEED: ("speed", "rpm", "drehzahl"),
    SensorKind.POSITION: ("position", "pos", "weg", "stroke"),
    SensorKind.TORQUE: ("torque", "moment"),
    SensorKind.FORCE: ("force", "kraft"),
    SensorKind.LEVEL: ("level", "fuellstand"),
}
_COMPONENT_WORDS = {"motor": ComponentType.ELECTRIC_MOTOR, "valve": ComponentType.DIRECTIONAL_VALVE}
OTHER = "signal"
"""The declared kind of sensors of which neither unit nor name says what they measure."""
NO_UNIT = "1"


class Columns(NamedTuple):
    """The columns of a table by their meaning; None or empty: there is no such column."""

    time: str | None
    machine: str | None
    sensor: str | None
    """The column of sensor names of a narrow table; None: the table is wide."""
    value: str | None
    unit: str | None
    labels: tuple[str, ...]
    sensors: tuple[str, ...]
    """The columns of a wide table that may be sensors."""
    flag: str | None = None
    """The column of quality flags of whole rows."""
    flags_of: tuple[tuple[str, str], ...] = ()
    """Columns of quality flags of single sensors, with the column of the sensor."""


class SensorGuess(NamedTuple):
    """A sensor, as its header describes it."""

    header: str
    id: str
    kind: str
    unit: str
    component: str | None
    """A kind of component that the header names."""
    guessed: tuple[str, ...]
    """What the header does not say for certain: `kind`, `unit`."""


def columns_of(headers: Sequence[str]) -> Columns:
    """Guess the meaning of columns from their headers."""
    plain = {header: _plain(header) for header in headers}
    for header in headers:
        if plain[header] == "t" and header != "t":  # a temperature, such as `T` or `t [degC]`
            plain[header] = ""

    def first(words: Sequence[str]) -> str | None:
        return next((each for word in words for each in headers if plain[each] == word), None)

    time, machine, sensor, value = map(first, (_TIMES, _MACHINES, _NAMES, _VALUES))
    if sensor is None or value is None:
        sensor = value = None
    unit = first(_UNITS) if sensor else None
    if sensor is None and machine is None:
        machine = first(("unit", "id"))  # of a narrow table, that of the values
    labels = tuple(each for each in headers if plain[each] in _LABELS and not sensor)
    apart = {time, machine, sensor, value, unit, *labels}
    rest = [
        each for each in headers if each not in apart and plain[each] not in (*USUAL, *_MOMENTS)
    ]
    flag = first(USUAL)
    if sensor:
        return Columns(time, machine, sensor, value, unit, labels, (), flag)
    own = {f"{plain[each]}_{word}": each for each in rest for word in USUAL}
    flags_of = tuple((each, own[plain[each]]) for each in rest if plain[each] in own)
    flags = {each for each, _ in flags_of}
    sensors = tuple(each for each in rest if each not in flags)
    return Columns(time, machine, sensor, value, unit, labels, sensors, flag, flags_of)


def date_and_clock(row: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the columns of a row that hold its date and its time of day, if these are two."""
    date = next((header for header in row if _plain(header) in _DATES), None)
    clock = next(
        (
            header
            for header, value in row.items()
            if _plain(header) in _CLOCKS and _CLOCK.match(value.strip())
        ),
        None,
    )
    return (date, clock) if date is not None and clock is not None else None


def is_counter(header: str) -> bool:
    """Return whether a column of times has the name of a counter."""
    return _plain(header) in _COUNTERS


def of_folder(name: str) -> bool:
    """Return whether a partition folder of this name (`name=value`) says what its rows are."""
    return _plain(name) in (*_MACHINES, *_NAMES, *_UNITS, *_LABELS)


def sensor_of(header: str, unit: str | None = None) -> SensorGuess:
    """Guess what a sensor measures from its header, and from its unit if a column states it."""
    found = _IN_BRACKETS.match(header)
    name = found["name"] if found and found["name"] else header
    given = unit or (found["unit"] if found else None)
    words = [word for word in re.split(r"[^a-z]+", _latin(name).lower()) if word]
    if given is None and (last := re.split(r"[\s_]+", name)[-1]) != name:
        given = (
            last
            if _known_unit(last) and last.lower() not in ("c", "g", "k", "a", "v", "t")
            else None
        )
    accepted = _known_unit(given) if given else None
    named = [kind for kind, known in _WORDS.items() if set(words) & set(known)]
    by_unit = [kind for kind, units in SENSOR_UNITS.items() if accepted in units]
    both = [kind for kind in named if kind in by_unit]
    guessed: tuple[str, ...] = ()
    if accepted is not None:
        kind = (both or by_unit)[0]
        guessed = () if len(by_unit) == 1 else ("kind",)
    elif given is None and named:
        kind, accepted, guessed = named[0], SENSOR_UNITS[named[0]][0], ("kind", "unit")
    else:
        kind, accepted, guessed = OTHER, given or NO_UNIT, ("kind", "unit")
    return SensorGuess(header, identifier(name), str(kind), accepted, _component(words), guessed)


def identifier(text: str) -> str:
    """Return a name that machine files accept, as close to `text` as possible."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", _latin(text.strip())).strip("_")[:100]
    return plain if plain[:1].isalpha() else f"m{plain}" if plain else "unnamed"


def _known_unit(unit: str) -> str | None:
    spelling = spelt(unit)
    every = {each: each for units in SENSOR_UNITS.values() for each in units}
    lower = {each.lower(): each for each in reversed(every)}
    return every.get(spelling) or lower.get(spelling.lower())


def _component(words: Sequence[str]) -> str | None:
    for word in words:
        if word in list(ComponentType):
            return word
        if word in _COMPONENT_WORDS:
            return str(_COMPONENT_WORDS[word])
    return None


def _plain(header: str) -> str:
    name = _IN_BRACKETS.sub(lambda found: found["name"] or found[0], header)
    return re.sub(r"[^a-z0-9]+", "_", _latin(name.strip()).lower()).strip("_")


def _latin(text: str) -> str:
    """Return a text without umlauts and accents: `Oeltemperatur` for `Öltemperatur`."""
    letters = normalize("NFKD", normalize("NFC", text).translate(_LETTERS))
    return "".join(letter for letter in letters if not combining(letter))
