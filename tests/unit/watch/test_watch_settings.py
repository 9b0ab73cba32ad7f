"""What `hydrascope watch` can be told, and what it says to nonsense."""

from pathlib import Path

import pytest

from hydrascope.schemas.errors import SpecError
from hydrascope.watch.settings import WatchSettings

NEEDED = ["bundle=bundles/rig", "database=postgresql://u@h/n"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(*arguments: str) -> WatchSettings:
    return WatchSettings.read([*NEEDED, *arguments], "hydrascope watch")


def test_its_keys_have_a_prefix_of_their_own_so_one_file_serves_service_and_watch(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / ".env").write_text("HYDRASCOPE_PORT=1\nHYDRASCOPE_WATCH_BATCH=3\n")
    monkeypatch.setenv("HYDRASCOPE_WATCH_POLL_S", "10")
    settings = read("lateness_s=0", "stride_s=30")
    assert (settings.batch, settings.poll_s, settings.stride_s) == (3, 10, 30.0)
    (elsewhere / ".env").write_text("HYDRASCOPE_WATCH_BACH=3\n")
    with pytest.raises(SpecError, match="hydrascope_watch_bach: unknown key"):
        read()


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("poll_s=7", "poll_s: '7' is not accepted"),
        ("poll_s=7", "expected one of: 1, 2, 3"),
        ("batch=0", "batch: '0' is not accepted"),
        ("lateness_s=-1", "lateness_s: '-1' is not accepted"),
        ("latenes_s=1", "did you mean 'lateness_s'"),
        ("--twice", "--twice: not of the form key=value"),
    ],
)
def test_nonsense_is_one_line_that_names_the_key(argument: str, said: str) -> None:
    with pytest.raises(SpecError) as refused:
        read(argument)
    assert said in str(refused.value)
    assert str(refused.value).startswith("hydrascope watch: ")
