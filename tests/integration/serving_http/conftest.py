"""A service of the rig's bundle, and a request to it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving_parts import Served, cycle_json

from hydrascope.telemetry.zema import ZemaSource


@pytest.fixture(scope="module")
def served(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    models = tmp_path_factory.mktemp("models")
    other = Path(shutil.copytree(bundle, models / "other"))
    manifest = json.loads((other / "manifest.json").read_text()) | {"hydrascope": "0.0.9"}
    (other / "manifest.json").write_text(json.dumps(manifest))
    broken = Path(shutil.copytree(bundle, models / "broken"))
    (broken / "model.safetensors").write_bytes(b"changed")
    service = Served(
        bundle=str(bundle),
        models=models,
        equipment=tmp_path_factory.mktemp("equipment"),
        max_body_mb=0.5,
        least_right=0.0,  # it was hardly trained
    )
    yield service
    service.close()


@pytest.fixture(scope="module")
def asked(zema: ZemaSource) -> dict[str, Any]:
    return cycle_json(zema, 77)
