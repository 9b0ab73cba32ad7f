"""The whole verdict."""

from collections.abc import Iterator, Sequence

from hydrascope.evaluation.bootstrap import FEW_UNITS
from hydrascope.evaluation.verdict.heads import of_head
from hydrascope.evaluation.verdict.inputs import of_calibration, of_inputs, of_normality
from hydrascope.evaluation.verdict.sentence import Report, Sentence, Trust
from hydrascope.schemas.task import HeadSpec


def verdict(report: Report, heads: Sequence[HeadSpec]) -> list[Sentence]:
    """Say what can be trusted of a model and what not: first of its answers, then of the test.

    Args:
        report: The content of evaluation.json.
        heads: The heads that are answered.
    """
    said = [sentence for head in heads for sentence in of_head(head, report)]
    if heads:
        said += [*of_calibration(report), *of_inputs(report), *_of_places(report)]
    return [*said, *of_normality(report), *_of_test(report)]


def headline(report: Report, heads: Sequence[HeadSpec]) -> str:
    """Say how many targets can be trusted; empty without targets."""
    if not heads:
        return ""
    trusted = [head for head in heads if next(of_head(head, report)).trust is Trust.TRUSTED]
    return f"{len(trusted)} of {len(heads)} targets can be trusted, as far as this test can tell."


def _of_places(report: Report) -> Iterator[Sentence]:
    """Yield whether the faulty component is named."""
    if not report["localisation"]:
        return
    (_, own), (frequent, other) = report["localisation"]["judged"].items()
    found, beside = own["top1"], other["top1"]["value"]
    if found["interval"] is None or found["value"] is None or beside is None:
        return
    said = f"The component that it blames is faulty in {100 * found['value']:.1f} % of the cases"
    if found["interval"][0] > beside:
        yield Sentence(Trust.TRUSTED, f"{said}; the {frequent} is in {100 * beside:.1f} %.")
    else:
        yield Sentence(
            Trust.DOUBTED,
            f"{said}, not shown to be more than the {frequent} ({100 * beside:.1f} %).",
        )


def _of_test(report: Report) -> Iterator[Sentence]:
    """Yield what the windows of the test cannot tell."""
    units, unit = report["resampled"]["units"], report["resampled"]["unit"]
    if report["split"] == "random":
        yield Sentence(
            Trust.DOUBTED,
            "The split is random: neighbours of the test windows were trained on, so that all "
            "numbers flatter.",
        )
    if unit == "windows":
        yield Sentence(
            Trust.DOUBTED,
            "Intervals resample single windows, which are alike: they are too narrow.",
        )
    if units < FEW_UNITS:
        yield Sentence(Trust.UNKNOWN, f"The test has {units} {unit}: intervals are rough guesses.")
    if report["test_machines"] == 1:
        yield Sentence(
            Trust.UNKNOWN, "All test windows are of one machine: nothing says how others will do."
        )
