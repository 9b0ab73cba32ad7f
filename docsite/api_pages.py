"""Pages of the Python interface, for which mkdocstrings reads the code."""

ROOMS = {
    "notebook": (
        "Notebooks",
        (
            "hydrascope.notebook.loading.load",
            "hydrascope.notebook.frame_diagnoser.FrameDiagnoser",
        ),
    ),
    "schemas": ("Machines and tasks", ("hydrascope.schemas",)),
    "telemetry": (
        "Telemetry",
        (
            "hydrascope.telemetry",
            "hydrascope.telemetry.folder.settings.FolderSettings",
            "hydrascope.telemetry.fleet.FleetSource",
            "hydrascope.simulation.fleet_settings.FleetSettings",
            "hydrascope.telemetry.timescale.source.TimescaleSource",
            "hydrascope.telemetry.timescale.source.SourceSettings",
            "hydrascope.telemetry.timescale.connector.TimescaleConnector",
        ),
    ),
    "features": (
        "Features",
        (
            "hydrascope.features.config.FeatureConfig",
            "hydrascope.features.config.CleaningConfig",
            "hydrascope.features.engineer.FeatureEngineer",
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
            "hydrascope.data.splits",
        ),
    ),
    "models": (
        "Models",
        (
            "hydrascope.models.base",
            "hydrascope.models.diagnoser.TensorDiagnoser",
            "hydrascope.models.network.UniversalTemporalGNN",
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
