"""How far probabilities, sets, and answers with faulty sensors can be trusted."""

from collections.abc import Iterator, Mapping
from typing import Any

from hydrascope.evaluation.hourly_alarms import hourly_rate
from hydrascope.evaluation.page.numbers import format_metric, format_range, shown_name
from hydrascope.evaluation.verdict.sentence import Report, Sentence, Trust, listed, question

SMALL_ERROR = 0.05
"""The error up to which a probability, or the coverage of sets, may be taken at its word."""
LARGE_LOSS = 0.05
"""What a head may lose to one missing sensor, of its main metric."""


def of_calibration(report: Report) -> Iterator[Sentence]:
    """Yield how far probabilities, and sets and intervals, are what they say."""
    if "calibration" not in report:
        if any(report["confusion"].values()):
            yield Sentence(
                Trust.DOUBTED, "Probabilities are not calibrated: they are as they were trained."
            )
        return
    errors = {
        name: float(each["after"]["ece"])
        for name, each in report["calibration"]["questions"].items()
    }
    off = [
        f"{question(name)} ({100 * error:.1f})"
        for name, error in sorted(errors.items(), key=lambda pair: -pair[1])
        if error > SMALL_ERROR
    ]
    if off:
        yield Sentence(
            Trust.DOUBTED, f"Probabilities are off, by points on average: {listed(off)}."
        )
    elif errors:
        worst = max(errors, key=lambda name: errors[name])
        yield Sentence(
            Trust.TRUSTED,
            f"Probabilities are what they say: on average they are off by at most "
            f"{100 * errors[worst]:.1f} points ({question(worst)}).",
        )
    yield from _of_sets(report["calibration"]["conformal"])


def _of_sets(conformal: Report) -> Iterator[Sentence]:
    asked = conformal["nominal"]
    short = [
        f"{shown_name(name)} ({100 * each['coverage']:.1f} %)"
        for name, each in conformal["heads"].items()
        if each["coverage"] < asked - SMALL_ERROR
        or (each["interval"] is not None and each["interval"][1] < asked)
    ]
    if short:
        yield Sentence(
            Trust.DOUBTED,
            f"Sets and intervals hold the truth less often than the {100 * asked:g} % that were "
            f"asked for: {listed(short)}.",
        )
    elif conformal["heads"]:
        yield Sentence(
            Trust.TRUSTED,
            f"Sets and intervals hold the truth as often as asked for ({100 * asked:g} %), as far "
            "as the test can tell.",
        )


def of_inputs(report: Report) -> Iterator[Sentence]:
    """Yield what the model does about inputs that it cannot rely on."""
    judged = report.get("reliability", {})
    if shares := {name: each for name, each in judged.items() if each["metric"] == "accuracy"}:
        yield _of_reliable(shares)
    if "missing_sensors" in report:
        yield from _of_missing(report["missing_sensors"])


def _of_reliable(judged: Report) -> Sentence:
    """Say whether reliable answers are right as often as they have to be for that."""
    short = [
        f"{shown_name(name)} ({100 * each['of_reliable']:.1f} % instead of "
        f"{100 * each['least']:.0f} %)"
        for name, each in judged.items()
        if each["of_reliable"] is not None and each["of_reliable"] < each["least"]
    ]
    if short:
        return Sentence(
            Trust.DOUBTED,
            f"Answers are called reliable that are too seldom right: {listed(short)}.",
        )
    rows = sum(each["rows"] for each in judged.values())
    withheld = 1 - sum(each["rows"] * each["reliable"] for each in judged.values()) / rows
    return Sentence(
        Trust.TRUSTED,
        f"Answers that are called reliable are right often enough; {100 * withheld:.1f} % are "
        "withheld.",
    )


def _of_missing(missing: Report) -> Iterator[Sentence]:
    lowest: dict[str, tuple[float, str]] = {}
    for row in missing["sensors"]:
        for head, cell in row["heads"].items():
            if cell["value"] is not None:
                found = cell["value"], row["sensor"]
                lowest[head] = min(lowest.get(head, found), found)
    with_all = {head: cell["value"] for head, cell in missing["none"].items()}
    lost = [
        f"{shown_name(head)} without {sensor} ({format_metric(with_all[head], metric)} to "
        f"{format_metric(value, metric)})"
        for head, metric in missing["metrics"].items()
        if head in lowest and with_all[head] is not None
        for value, sensor in [lowest[head]]
        if with_all[head] - value > LARGE_LOSS
    ]
    if lost:
        yield Sentence(Trust.DOUBTED, f"It depends on single sensors: {listed(lost)}.")
    elif lowest:
        yield Sentence(
            Trust.TRUSTED,
            f"Any one sensor may fail: no target loses more than {100 * LARGE_LOSS:g} points.",
        )


def _of_hours(hourly: Mapping[str, Any]) -> Iterator[Sentence]:
    """Yield whether sound machines raise as few alarms in 1,000 h as were asked for."""
    if hourly["rate"] is None:
        return
    said = f"Normality: sound machines raise {hourly_rate(hourly)} alarms"
    low, _ = hourly["interval"] or hourly["poisson"]
    asked = f"{hourly['asked']:g}"
    if low > hourly["asked"]:
        yield Sentence(Trust.DOUBTED, f"{said}, more than the {asked} that were asked for.")
    else:
        yield Sentence(Trust.TRUSTED, f"{said}; {asked} were asked for.")


def of_normality(report: Report) -> Iterator[Sentence]:
    """Yield whether faults are found without labels, and how often sound machines raise alarms."""
    if "normality" not in report:
        return
    found = report["normality"]
    alarms, around = found["false_alarms"], found["intervals"]["false_alarm_rate"]
    if hourly := found.get("hourly"):
        yield from _of_hours(hourly)
    elif alarms["rate"] is not None:
        rate, asked = 100 * alarms["rate"], 100 * alarms["asked"]
        said = f"Normality: {rate:.1f} % of sound windows raise an alarm"
        said += f" ({format_range(around, 'accuracy')})" if around else ""
        if around and around[0] > alarms["asked"]:
            yield Sentence(Trust.DOUBTED, f"{said}, more than the {asked:g} % that were asked for.")
        else:
            yield Sentence(Trust.TRUSTED, f"{said}; {asked:g} % were asked for.")
    area = found["intervals"].get("overall", {}).get("auroc")
    if not found["events"]["count"]:
        yield Sentence(
            Trust.UNKNOWN, "Normality: the test has no fault, so it is not known what is found."
        )
    elif area is not None:
        value = f"AUROC {found['overall']['auroc']:.3f} ({format_range(area, 'auroc')})"
        if area[0] > 0.5:
            yield Sentence(Trust.TRUSTED, f"Normality tells faults from sound windows: {value}.")
        else:
            yield Sentence(Trust.DOUBTED, f"Normality is not shown to tell faults: {value}.")
    for ahead in (report.get("detectors") or {"verdicts": []})["verdicts"]:
        trust = Trust.TRUSTED if ahead.startswith("No ") else Trust.DOUBTED
        yield Sentence(trust, f"{ahead}.")
