"""Where data lie now that a checkpoint was trained on, if they have moved since."""

from hydrascope.experiment.base import Settings, UserPath


class MovedSource(Settings):
    """Keys of the source that are places; null: as it was trained."""

    folder: UserPath | None = None
    machines: UserPath | None = None
    labels: UserPath | None = None


class MovedStore(Settings):
    """Likewise of the store of computed windows."""

    folder: UserPath | None = None


class MovedData(Settings):
    """What `evaluate.py` and `export.py` can be told of the data."""

    source: MovedSource = MovedSource()
    store: MovedStore = MovedStore()
