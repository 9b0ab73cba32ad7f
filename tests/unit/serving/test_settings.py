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


def test_what_the_file_says_to_other_programs_is_passed_over_and_a_misspelt_key_is_not(
    elsewhere: Path,
) -> None:
    others = "HYDRASCOPE_DSN=postgresql://u@h/n\nHYDRASCOPE_TRACEBACK=1\nPGPASSWORD=x\nA=b\n"
    others += "HYDRASCOPE_WATCH_POLL_S=1\n"
    (elsewhere / ".env").write_text(f"{others}HYDRASCOPE_QUEUE=5\n")
    assert read_settings(["bundle=x"]).queue == 5
    (elsewhere / ".env").write_text(f"{others}HYDRASCOPE_QEUE=5\n")
    with pytest.raises(SpecError, match="hydrascope_qeue: unknown key"):
        read_settings(["bundle=x"])


def test_a_file_in_another_encoding_is_one_line(elsewhere: Path) -> None:
    (elsewhere / ".env").write_bytes("HYDRASCOPE_BUNDLE=größe\n".encode("latin-1"))
    with pytest.raises(SpecError, match=r"\.env: byte 0xf6 is not UTF-8"):
        read_settings([])


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
