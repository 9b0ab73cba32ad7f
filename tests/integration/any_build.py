"""A small training of a network that reads any build."""

FLEET = (
    "experiment=fleet_unseen_kind",
    "data.source.kinds=[robot,machining_centre,excavator]",
    "data.split.folds=3",
    "data.split.val_fraction=0.34",
    "data.source.machines_per_kind=3",
    "data.source.hours=0.1",
    "data.source.recording_min=2.0",
    "data.source.commissioning=2",
    "data.window.steps=2",
    "data.store.n_jobs=1",
    "model.row_channels=16",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=20",
)
"""Overrides; one of the three kinds is held out."""
