"""The model card: what a bundle is, for people, from its manifest alone."""

from collections.abc import Iterator

from hydrascope.packaging.manifest import Manifest


def model_card(manifest: Manifest) -> str:
    """Return the card as Markdown (M. Mitchell et al., "Model Cards for Model Reporting", 2019)."""
    return "\n".join(_lines(manifest)) + "\n"


def _lines(manifest: Manifest) -> Iterator[str]:
    task, window = manifest.task, manifest.window
    yield f"# {task.name}"
    yield ""
    yield task.description or "Diagnoses hydraulic machines."
    yield ""
    yield f"Answered by the model `{manifest.model}`."
    yield ""
    yield (
        f"Reads {window.window_s:g} s of telemetry of one machine, cut into {window.steps} steps, "
        f"{len(manifest.input_spec.feature_names)} features a sensor and step."
    )
    yield ""
    yield from _answers(manifest)
    yield from _measured(manifest)
    yield from _origins(manifest)


def _answers(manifest: Manifest) -> Iterator[str]:
    task = manifest.task
    yield "## Answers"
    yield ""
    if task.normality is not None:
        yield (
            "How far the machine, each component and each sensor are from normal, as shares of "
            "thresholds that a healthy machine exceeds in at most "
            f"{100 * task.normality.false_alarm_rate:g} % of its windows."
        )
        yield ""
    if task.heads:
        yield "| head | level | kind | of | unit | outcomes |"
        yield "|---|---|---|---|---|---|"
    for head in task.heads:
        outcomes = [each.name for each in head.classes] or list(head.labels)
        yield (
            f"| {head.name} | {head.level} | {head.kind} | {', '.join(head.components or ())} | "
            f"{head.unit or ''} | {', '.join(outcomes)} |"
        )
    yield ""
    if (conformal := manifest.conformal) and conformal.margins:
        yield (
            f"Sets of classes and intervals are made to hold the truth in "
            f"{100 * conformal.coverage:g} % of windows like the {conformal.windows} held-out ones "
            f"(of {conformal.units} {conformal.unit}) that they were fitted on."
        )
        yield ""


def _measured(manifest: Manifest) -> Iterator[str]:
    metrics = manifest.metrics
    yield "## Measured"
    yield ""
    yield (
        f"On {metrics.windows} test windows of split `{metrics.split}`, fold {metrics.fold}; none "
        "of them was trained on."
    )
    yield ""
    columns = list(dict.fromkeys(name for each in metrics.heads.values() for name in each))
    yield f"| head | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for name, values in metrics.heads.items():
        cells = (f"{values[column]:.4g}" if column in values else "–" for column in columns)
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _origins(manifest: Manifest) -> Iterator[str]:
    yield "## Trained on"
    yield ""
    for machine in manifest.machines:
        topology = machine.topology
        yield (
            f"- {machine.equipment.name} (`{topology.id}`): {len(topology.components)} components, "
            f"{len(topology.sensors)} sensors, {len(topology.edges)} lines"
        )
    yield ""
    yield (
        "Machines of another build, other sensors, and conditions beyond those of the labels are "
        "outside what was measured."
    )
    yield ""
    yield "## Made by"
    yield ""
    yield f"- Hydrascope {manifest.hydrascope}, commit {manifest.git_commit or 'unknown'}"
    yield f"- {', '.join(f'{name} {version}' for name, version in manifest.libraries.items())}"
    yield f"- telemetry {manifest.data_fingerprint}"
    yield f"- its answers and the checkpoint's differ by at most {manifest.parity:.1e}"
