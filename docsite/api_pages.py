"""Pages of the Python interface, for which mkdocstrings reads the code."""

ROOMS = {
    "notebook": (
        "Diagnose and train",
        (
            "hydrascope.notebook.diagnoser.Diagnoser",
            "hydrascope.notebook.answer_table.Answer",
            "hydrascope.notebook.drivers.Driver",
            "hydrascope.notebook.fitting.fit",
            "hydrascope.notebook.training_run.TrainingRun",
        ),
    ),
    "client": (
        "Ask a service",
        (
            "hydrascope.client.Client",
            "hydrascope.client.AnswerError",
            "hydrascope.serving.diagnosis.requests.DiagnoseRequest",
            "hydrascope.serving.diagnosis.diagnosis.Diagnosis",
            "hydrascope.serving.http.history_views.AlarmView",
        ),
    ),
    "schemas": ("Machines and tasks", ("hydrascope.schemas",)),
    "telemetry": (
        "Telemetry",
        (
            "hydrascope.telemetry",
            "hydrascope.telemetry.folder.settings.FolderSettings",
            "hydrascope.telemetry.fleet.FleetSource",
            "hydrascope.telemetry.simulated.SimulatedSource",
            "hydrascope.telemetry.random_circuits.RandomCircuitSource",
            "hydrascope.telemetry.rig.simulated.SimulatedRigs",
            "hydrascope.telemetry.rig.recorded.RecordedRig",
            "hydrascope.simulation.fleet_settings.FleetSettings",
            "hydrascope.telemetry.timescale.source.TimescaleSource",
            "hydrascope.telemetry.timescale.source.SourceSettings",
            "hydrascope.telemetry.timescale.connector.TimescaleConnector",
            "hydrascope.telemetry.timescale.settings.DatabaseSettings",
        ),
    ),
    "features": (
        "Features",
        (
            "hydrascope.features.config.FeatureConfig",
            "hydrascope.features.config.CleaningConfig",
            "hydrascope.features.engineer.FeatureEngineer",
            "hydrascope.features.normalizer.FeatureNormalizer",
            "hydrascope.features.sub_windows.WindowSpec",
        ),
    ),
    "graphs": (
        "Graphs",
        (
            "hydrascope.graphs.fields",
            "hydrascope.graphs.builder.GraphBuilder",
            "hydrascope.graphs.graph.HydraulicGraph",
            "hydrascope.graphs.validate.validate_graph",
        ),
    ),
    "data": (
        "Windows, splits, loaders",
        (
            "hydrascope.data.datamodule.HydraulicDataModule",
            "hydrascope.data.build.StoreConfig",
            "hydrascope.data.dataset.HydraulicGraphDataset",
            "hydrascope.data.loaders",
            "hydrascope.data.split_spec",
            "hydrascope.data.splits",
        ),
    ),
    "models": (
        "Models",
        (
            "hydrascope.models.base",
            "hydrascope.models.diagnoser.TensorDiagnoser",
            "hydrascope.models.network.UniversalTemporalGNN",
            "hydrascope.models.config.NetworkConfig",
        ),
    ),
    "packaging": (
        "Bundles",
        ("hydrascope.packaging.bundle", "hydrascope.packaging.write.write_bundle"),
    ),
}
"""Public names by room: the title of the room's page, and the names that the page documents."""


def api_pages() -> dict[str, str]:
    """Return the page of each room."""
    return {
        f"reference/python/{room}.md": "\n\n".join(
            [f"# {title}", *(f"::: {name}" for name in names)]
        )
        for room, (title, names) in ROOMS.items()
    }
