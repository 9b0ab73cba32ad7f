"""Models over HTTP: their activation, and the return to the previous one."""

from pathlib import Path
from typing import Any

from http_checks import changed, problem
from serving_parts import Served, TroubledModel

from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.manifest import sha256


def test_another_model_is_activated_and_the_first_one_again(
    served: Served, asked: dict[str, Any]
) -> None:
    first = served.service.models.active.version
    models = {each["version"]: each for each in served.get("/v1/models").json()}
    assert [version for version, each in models.items() if each["active"]] == [first]
    assert len(models) == 2  # the broken one is not at hand
    (other,) = models.keys() - {first}
    for version in (other, first):
        assert served.post(f"/v1/models/{version}/activate").json()["model"] == version
        answer = served.post("/v1/diagnose", asked).json()
        assert answer["model"]["version"] == version
    problem(served.post("/v1/models/unknown/activate"), 404)


def test_a_model_that_fails_after_its_activation_gives_way_to_the_one_before(
    served: Served, asked: dict[str, Any], bundle: Path
) -> None:
    first = served.service.models.active
    troubled = TroubledModel(bundle)
    troubled.fails, troubled.version = True, "troubled"
    served.service.models._switch(troubled)
    assert served.get("/readyz").json()["model"] == "troubled"
    statuses = []
    for number in range(8):
        request = changed(asked, "start", f"2026-01-01T00:00:0{number}Z")
        statuses.append(served.post("/v1/diagnose", request).status_code)
    assert statuses == [500] * 5 + [200] * 3
    assert served.service.models.active is first


def test_the_version_of_a_bundle_is_the_hash_of_its_manifest(bundle: Path) -> None:
    assert read_bundle(bundle).version == sha256(bundle / "manifest.json")[:12]
