"""The fit of the blame after the training: what healthy windows give that were held out."""

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.blame.components import Blame, can_blame
from hydrascope.models.blame.network import packaged_weights
from hydrascope.models.detectors.detector import Detector
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.scored_windows import ScoredWindows


def why_no_blame(diagnoser: TensorDiagnoser, data: HydraulicDataModule) -> str | None:
    """Return why components cannot be blamed, in words; None if they can."""
    model = diagnoser.model
    if isinstance(model, Detector) and not model.by_value:
        return f"the score of {type(model).__name__} has no shares of single sensors"
    if not can_blame(data.input_spec):
        return "the features lack mean or std"
    return None


def fit_blame(
    diagnoser: TensorDiagnoser,
    data: HydraulicDataModule,
    held_out: ScoredWindows,
    *,
    by_machine: bool,
) -> None:
    """Give a trained diagnoser its blame.

    Args:
        diagnoser: The trained diagnoser, for which there is no `why_no_blame`.
        data: The data that it was trained on.
        held_out: What healthy windows give that were held out; the scores of `EVIDENCE`.
        by_machine: Whether machines of the vocabulary have a scale of their own, too.
    """
    blame = Blame(data.input_spec)
    of_builds = {each.topology.id: each.topology for each in data.machines.values()}
    blame.adopt({name: of_builds[name] for name in data.input_spec.builds})
    blame.networks.load_state_dict(packaged_weights())
    for row in (held_out.build, held_out.key) if by_machine else (held_out.build,):
        blame.measure(held_out.parts, row)
    device = next(diagnoser.buffers()).device
    diagnoser.blame = blame.to(device).eval()
