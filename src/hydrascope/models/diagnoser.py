"""The one path of a prediction: normalise → network → decode → readout → calibration.

The last two only once they are fitted.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import Network, NetworkOutput
from hydrascope.models.calibration import Temperatures
from hydrascope.models.decode import decode
from hydrascope.models.kernel.readout import DiscriminantReadout
from hydrascope.models.linear import LinearReadout
from hydrascope.models.normality import Normality
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec


class Diagnoser(nn.Module):
    """Raw features in, answers out; the thing that is evaluated, exported and served.

    Args:
        normalizer: Of the sensors' features.
        network: Reads normalised features.
        heads: The task's heads.
        machine_normalizer: Of the machines' features, with one slot; None where there are none.
        normality: Scores of how far from normal; None where the task asks for none.

    Attributes:
        readout: Answers some of the heads in the network's place; set once it is fitted.
        calibration: Makes probabilities as sure as they are right; set once it is fitted.
    """

    readout: DiscriminantReadout | LinearReadout | None
    calibration: Temperatures | None

    def __init__(
        self,
        normalizer: FeatureNormalizer,
        network: Network,
        heads: Sequence[HeadSpec],
        machine_normalizer: FeatureNormalizer | None = None,
        normality: Normality | None = None,
    ) -> None:
        super().__init__()
        self.normalizer, self.network, self.heads = normalizer, network, tuple(heads)
        self.machine_normalizer, self.normality = machine_normalizer, normality
        self.readout = None
        self.calibration = None

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Probabilities from which flags are raised, as far as they were chosen."""
        return self.calibration.spec.thresholds if self.calibration is not None else {}

    def normalise(self, inputs: GraphInputs) -> GraphInputs:
        """Replace the features by normalised ones, those of reference windows on the same scale."""
        features = self.normalizer(
            inputs.sensor_features, inputs.sensor_observed, inputs.sensor_slot
        )
        reference = self.normalizer(
            inputs.sensor_reference, inputs.sensor_reference_mask, inputs.sensor_slot
        )
        inputs = inputs._replace(sensor_features=features, sensor_reference=reference)
        if self.machine_normalizer is None:
            return inputs
        machine = self.machine_normalizer(
            inputs.machine_features, inputs.machine_features_mask, torch.zeros_like(inputs.graph_id)
        )
        return inputs._replace(machine_features=machine)

    def raw(self, inputs: GraphInputs) -> NetworkOutput:
        """Return the network's output on raw features, before decoding."""
        normalised = self.normalise(inputs)
        output: NetworkOutput = self.network(normalised)
        if self.normality is None or output.states is None:
            return output
        return output._replace(residual=self.normality.residual(normalised, output.states))

    def forward(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return each head's decoded answer, [G, …] at machine and [N, …] at component level.

        With `normality` also its scores, by the names of `models.normality.LEVELS`.
        """
        output = self.raw(inputs)
        answers = {head.name: decode(head, output.heads[head.name]) for head in self.heads}
        if self.readout is not None:
            read = self.readout(inputs, output.embedding)
            for head in (head for head in self.heads if head.name in read):
                answers[head.name] = _laid_out(head, read[head.name], inputs)
        if self.calibration is not None:
            answers = self.calibration(answers)
        if self.normality is not None and output.residual is not None:
            answers |= self.normality(inputs, output.residual)
        return answers

    @torch.no_grad()
    def predict(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """`forward` without gradients, in evaluation mode."""
        training = self.training
        self.eval()
        answers: dict[str, Tensor] = self(inputs)
        self.train(training)
        return answers


def _laid_out(head: HeadSpec, probability: Tensor, inputs: GraphInputs) -> Tensor:
    """Bring a readout's probabilities, [G, classes or labels], into the shape of `decode`'s.

    All components of a machine get the one answer; the head speaks of one of them.
    """
    if head.kind is HeadKind.BINARY and probability.shape[1] == 2:
        probability = probability[:, 1:]
    if head.level is HeadLevel.COMPONENT:
        probability = probability.index_select(0, inputs.component_graph)
    return probability
