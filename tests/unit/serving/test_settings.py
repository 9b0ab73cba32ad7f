"""What serve.py can be told, from three places, and what it says to nonsense."""

from pathlib import Path

import pytest

from hydrascope.schemas.errors import SpecError
from hydrascope.serving.settings import read_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / ".env").write_text(
        "HYDRASCOPE_PORT=1\nHYDRASCOPE_QUEUE=1\nHYDRASCOPE_MAX_BATCH=1\n"
    )
    monkeypatch.setenv("HYDRASCOPE_PORT", "2")
    monkeypatch.setenv("HYDRASCOPE_QUEUE", "2")
    settings = read_settings(["bundle=bundles/a=b", "port=3"])
    assert (settings.port, settings.queue, settings.max_batch) == (3, 2, 1)
    assert settings.bundle == "bundles/a=b"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "bundle: missing, but required"),
        (["bundle=x", "prot=1"], "prot: unknown key; accepted keys"),
        (["bundle=x", "prot=1"], "did you mean 'port'"),
        (["bundle=x", "port=many"], "port: 'many' is not accepted"),
        (["bundle=x", "port=70000"], "port: '70000' is not accepted"),
        (["bundle=x", "max_batch=65"], "max_batch: '65' is not accepted"),
        (["bundle=x", "--port"], "--port: not of the form key=value"),
        (["bundle=x", "keys=nowhere.yaml"], "keys: "),
        (["bundle=x", "host=0.0.0.0"], "host: '0.0.0.0' lets others in, and there are no keys"),
    ],
)
def test_nonsense_is_one_line_that_names_the_key(arguments: list[str], said: str) -> None:
    with pytest.raises(SpecError) as refused:
        read_settings(arguments)
    assert said in str(refused.value)
    assert str(refused.value).startswith("serve.py: ")
