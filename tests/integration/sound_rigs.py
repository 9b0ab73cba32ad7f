"""Two rigs, one of which is known to have been sound at first."""

import numpy as np
import pandas as pd
from two_builds import TwoBuilds

SOUND_WINDOWS = 60


class SoundRigs(TwoBuilds):
    """The first windows of `zema` are labelled `sound`; of `lean` nobody knows."""

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return the rig's, with one more."""
        labels = super().labels(equipment_id)
        sound = (np.arange(len(labels)) < SOUND_WINDOWS) & (equipment_id == "zema")
        return labels.assign(sound=sound.astype(float))
