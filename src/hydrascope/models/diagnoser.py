"""The one path of a prediction: normalise → model → decode → calibrate, once this is fitted."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import Model, ModelOutput
from hydrascope.models.blame.components import Blame
from hydrascope.models.calibration import Temperatures
from hydrascope.models.decode import decode
from hydrascope.models.fitness.screening import Fitness
from hydrascope.models.normality.scores import Normality
from hydrascope.schemas.arguments import checked
from hydrascope.schemas.normality import BLAME, MACHINE, SENSOR
from hydrascope.schemas.task import HeadSpec


class TensorDiagnoser(nn.Module):
    """Maps raw features to answers. It is what is evaluated, exported and served.

    Args:
        normalizer: The normaliser of the sensors' features.
        model: The model, which reads normalised features.
        machine_normalizer: The normaliser of the machines' features, with one slot; None without
            such features.
        normality: The normality scores; None if the task has none.

    Attributes:
        calibration: Matches probabilities to observed frequencies; None until it is fitted.
        blame: Says which component is to blame where a machine is not as normal; None until it is
            fitted, and where scores have no sensors' shares.
        fitness: Judges the input; None until it is fitted, and with normality, which itself scores
            what is unusual.
    """

    @checked
    def __init__(
        self,
        normalizer: FeatureNormalizer,
        model: Model,
        machine_normalizer: FeatureNormalizer | None = None,
        normality: Normality | None = None,
    ) -> None:
        super().__init__()
        self.normalizer, self.model = normalizer, model
        self.machine_normalizer, self.normality = machine_normalizer, normality
        self.fitness: Fitness | None = None
        self.calibration: Temperatures | None = None
        self.blame: Blame | None = None

    @property
    def heads(self) -> tuple[HeadSpec, ...]:
        """The heads that the model answers."""
        return self.model.answered

    @property
    def of_any_build(self) -> bool:
        """Whether it accepts machines of builds that are not in the training data.

        It does if no part has weights or statistics of single sensors.
        """
        independent = self.normalizer.of_any_build and self.model.of_any_build
        return independent and self.normality is None  # normality whitens each build as a whole

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probabilities from which flags are raised, for the flags that have one fitted."""
        return self.calibration.spec.thresholds if self.calibration is not None else {}

    def normalise(self, inputs: GraphInputs) -> GraphInputs:
        """Normalise the features, and those of the reference windows to the same scale."""
        row = self._row(inputs)
        own = inputs.sensor_reference, inputs.sensor_reference_mask
        features, observed = self.normalizer.centred(
            inputs.sensor_features, inputs.sensor_observed, *own
        )
        inputs = inputs._replace(
            sensor_features=self.normalizer(features, observed, row),
            sensor_observed=observed,
            sensor_reference=self.normalizer(*self.normalizer.centred(*own, *own), row),
        )
        if self.machine_normalizer is None:
            return inputs
        machine = self.machine_normalizer(
            inputs.machine_features, inputs.machine_features_mask, torch.zeros_like(inputs.graph_id)
        )
        return inputs._replace(machine_features=machine)

    def _row(self, inputs: GraphInputs) -> Tensor:
        """Return the row of each sensor in the normaliser, [S]."""
        row = self.normalizer.row(inputs.sensor_slot, inputs.sensor_kind)
        if self.normalizer.regimes is None:
            return row
        windows = inputs.sensor_features, inputs.sensor_observed, inputs.sensor_slot
        graph = inputs.component_graph[inputs.sensor_component]
        return self.normalizer.regime_row(row, (*windows, graph, inputs.graph_id.shape[0]))

    def raw(self, inputs: GraphInputs) -> ModelOutput:
        """Return the model's output on raw features, before decoding."""
        return self.output_of(self.normalise(inputs))

    def output_of(self, normalised: GraphInputs) -> ModelOutput:
        """Return the model's output on normalised features, before decoding."""
        output: ModelOutput = self.model(normalised)
        return output

    def forward(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return each head's decoded answer, [G, …] at machine and [N, …] at component level.

        With `normality` the scores are added, under the names in `schemas.normality.LEVELS`, and
        once the blame is fitted, `BLAME`.
        """
        return self._answers(inputs, self.normalise(inputs))

    def _answers(self, inputs: GraphInputs, normalised: GraphInputs) -> dict[str, Tensor]:
        output = self.output_of(normalised)
        answers = {head.name: decode(head, output.heads[head.name]) for head in self.heads}
        if self.calibration is not None:
            answers = self.calibration(answers)
        if self.normality is not None:
            answers |= self._of_normality(self.normality, inputs, normalised, output)
        return answers

    def _of_normality(
        self,
        normality: Normality,
        inputs: GraphInputs,
        normalised: GraphInputs,
        output: ModelOutput,
    ) -> dict[str, Tensor]:
        found = normality.detected(normalised, output)
        answers: dict[str, Tensor] = normality(inputs, found.parts)
        if self.blame is None or found.shares is None:
            return answers
        own, build = (keys(normalised)[SENSOR] for keys in (normality.keys, normality.build_keys))
        raw = self.blame.raw(normalised, found.shares)
        probability = self.blame(normalised, raw, own, build)
        unlike = (answers[MACHINE] > 1.0)[normalised.component_graph]
        return answers | {BLAME: torch.where(unlike, probability, torch.nan)}

    @torch.no_grad()
    def plain(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Run `forward` without gradients, in evaluation mode; the input is not judged."""
        training = self.training
        self.eval()
        answers: dict[str, Tensor] = self(inputs)
        self.train(training)
        return answers

    @torch.no_grad()
    def predict(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return the result of `answer` without gradients, in evaluation mode."""
        training = self.training
        self.eval()
        answers, _ = self.answer(inputs)
        self.train(training)
        return answers

    def answer(self, inputs: GraphInputs) -> tuple[dict[str, Tensor], GraphInputs]:
        """Answer by the plausible sensors, and judge how far the answers can be trusted.

        Returns:
            The answers, with the entries of `schemas.fitness` if the input is judged; and all
            inputs, normalised.
        """
        normalised = self.normalise(inputs)
        if self.fitness is None:
            return self._answers(inputs, normalised), normalised
        screened = self.fitness.screen(inputs)
        kept = normalised if screened.inputs is inputs else self.normalise(screened.inputs)
        answers = self._answers(screened.inputs, kept)
        return self.fitness.judge(screened, answers), normalised

    @property
    def least_right(self) -> Mapping[str, float]:
        """The probability of being right from which each head's answers are reliable."""
        return self.fitness.reliability.least_right if self.fitness is not None else {}
