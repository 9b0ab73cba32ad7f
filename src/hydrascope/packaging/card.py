"""The model card: a readable description of a bundle, made from its manifest alone."""

from collections.abc import Iterable, Iterator, Sequence

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.normality import NormalitySpec


def model_card(manifest: Manifest) -> str:
    """Return the card as Markdown (M. Mitchell et al., "Model Cards for Model Reporting", 2019)."""
    paragraphs = (*_answers(manifest), *_measured(manifest), *_origins(manifest))
    return "\n\n".join(paragraphs) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head, *others = (f"| {' | '.join(cells)} |" for cells in (columns, *rows))
    return "\n".join((head, "|---" * len(columns) + "|", *others))


def _answers(manifest: Manifest) -> Iterator[str]:
    task, window = manifest.task, manifest.window
    yield f"# {task.name}"
    yield task.description or "Diagnoses hydraulic machines."
    yield f"Answered by the model `{manifest.model}`."
    yield (
        f"Reads {window.window_s:g} s of telemetry of one machine, cut into {window.steps} steps, "
        f"{len(manifest.input_spec.feature_names)} features a sensor and step."
    )
    yield "## Answers"
    if task.normality is not None:
        yield (
            "How far the machine, each component and each sensor are from normal, as shares of "
            f"thresholds that {_promised(task.normality)}."
        )
        if task.heads:
            yield (
                "This is not answered by the model, but by the Mahalanobis distance of each step, "
                "which was fitted beside it."
            )
        yield (
            "Where the machine is beyond its threshold and the scores have shares of sensors, also "
            "the probability that each component is to blame, given that one of them is. It comes "
            "from networks that were learned on simulated faults of other machines."
        )
    if task.heads:
        yield _table(
            ("head", "level", "kind", "of", "unit", "outcomes"),
            (
                (
                    head.name,
                    head.level,
                    head.kind,
                    ", ".join(head.components or ()),
                    head.unit or "",
                    ", ".join([each.name for each in head.classes] or head.labels),
                )
                for head in task.heads
            ),
        )
    if (conformal := manifest.conformal) and conformal.margins:
        yield (
            f"Sets of classes and intervals are made to hold the truth in "
            f"{100 * conformal.coverage:g} % of windows like the {conformal.windows} held-out ones "
            f"(of {conformal.units} {conformal.unit}) that they were fitted on."
        )


def _promised(normality: NormalitySpec) -> str:
    """Return what is known of the thresholds that follow."""
    if normality.false_alarms_per_1000_h is not None:
        return (
            "scores of healthy machines exceed so seldom, several windows together, that there "
            f"are {normality.false_alarms_per_1000_h:g} false alarms in 1,000 machine-hours"
        )
    assert normality.false_alarm_rate is not None
    rate = f"{100 * normality.false_alarm_rate:g} % of its windows"
    if normality.threshold == "conformal":
        return f"a healthy machine exceeds in at most {rate}"
    return f"the rule {normality.threshold} set for alarms of a healthy machine in {rate}"


def _measured(manifest: Manifest) -> Iterator[str]:
    metrics = manifest.metrics
    yield "## Measured"
    yield (
        f"On {metrics.windows} test windows of split `{metrics.split}`, fold {metrics.fold}; none "
        "of them was trained on."
    )
    columns = list(dict.fromkeys(name for each in metrics.heads.values() for name in each))
    yield _table(
        ("head", *columns),
        (
            (name, *(f"{values[c]:.4g}" if c in values else "–" for c in columns))
            for name, values in metrics.heads.items()
        ),
    )


def _origins(manifest: Manifest) -> Iterator[str]:
    yield "## Trained on"
    machines = ((machine.equipment.name, machine.topology) for machine in manifest.machines)
    yield "\n".join(
        f"- {name} (`{topology.id}`): {len(topology.components)} components, "
        f"{len(topology.sensors)} sensors, {len(topology.edges)} lines"
        for name, topology in machines
    )
    yield (
        "Machines of another build, other sensors, and conditions beyond those of the labels are "
        "outside what was measured."
    )
    yield "## Made by"
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.libraries.items())
    yield (
        f"- Hydrascope {manifest.hydrascope}, commit {manifest.git_commit or 'unknown'}\n"
        f"- {libraries}\n"
        f"- telemetry {manifest.data_fingerprint}\n"
        f"- its answers and the checkpoint's differ by at most {manifest.parity:.1e}"
    )
