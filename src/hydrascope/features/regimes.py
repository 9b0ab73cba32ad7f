"""The operating regime of a window, by the settings of its machine.

Shapes: S sensors of G graphs, T steps, F features, D settings, K regimes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

SETTING = "mean"
"""The feature of a setting sensor that is its setting."""


class Regimes(nn.Module):
    """Assigns windows to the regime whose centre is nearest to their settings.

    A setting is the mean of a sensor over the window's observed steps. Distances are Euclidean, in
    standard deviations of the training windows. The centres are fitted on training windows alone.

    Args:
        setting_of_slot: The setting that each sensor slot measures, or −1, [slots].
        settings: Number D of settings.
        number: Number K of regimes.
        feature: Place of the feature `SETTING` among the features.
    """

    setting_of_slot: Tensor
    center: Tensor
    scale: Tensor

    def __init__(
        self, setting_of_slot: Sequence[int], settings: int, number: int, feature: int
    ) -> None:
        super().__init__()
        self.number, self.feature = number, feature
        # A sensor of an unknown build has the slot one past the end.
        self.register_buffer("setting_of_slot", torch.tensor([*setting_of_slot, -1]))
        self.register_buffer("center", torch.zeros(number, settings, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(settings, dtype=torch.float64))

    def settings(
        self, features: Tensor, observed: Tensor, slot: Tensor, graph: Tensor, graphs: int
    ) -> Tensor:
        """Return the settings of each graph, [G, D] float64; NaN where not observed.

        Args:
            features: Not normalised, [S, T, F].
            observed: [S, T].
            slot: [S].
            graph: The graph of each sensor, [S].
            graphs: Number G of graphs.
        """
        settings = len(self.scale)
        setting = self.setting_of_slot[slot]
        # Other sensors add to a place past the end.
        place = torch.where(setting >= 0, graph * settings + setting, graphs * settings)
        value = features[..., self.feature].masked_fill(~observed, 0.0).sum(1, dtype=torch.float64)
        total, count = (
            torch.zeros(graphs * settings + 1, dtype=torch.float64, device=value.device).index_add(
                0, place, each
            )[:-1]
            for each in (value, observed.sum(1).double())
        )
        return torch.where(count > 0, total / count.clamp(min=1.0), torch.nan).view(-1, settings)

    def forward(
        self, features: Tensor, observed: Tensor, slot: Tensor, graph: Tensor, graphs: int
    ) -> Tensor:
        """Return the regime of each graph, [G] int64; −1 if a setting is not observed."""
        settings = self.settings(features, observed, slot, graph, graphs)
        known = ~settings.isnan().any(1)
        scaled = settings.nan_to_num() / self.scale
        distance = (scaled.unsqueeze(1) - self.center / self.scale).square().sum(-1)
        return torch.where(known, distance.argmin(1), -1)
