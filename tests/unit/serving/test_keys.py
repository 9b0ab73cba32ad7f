"""Keys are kept as hashes, rates by key."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas.errors import SpecError
from hydrascope.serving.access.api_keys import ApiKeys, Scope
from hydrascope.serving.access.rate_limiter import RateLimiter


def test_a_key_made_by_the_command_is_found_and_stands_nowhere_in_the_file(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["key", "plant 7", "--scope", "manage"])
    assert made.exit_code == 0
    secret = made.stderr.split(": ")[1].strip()
    file = tmp_path / "keys.yaml"
    file.write_text(made.stdout)
    assert secret not in made.stdout
    found = ApiKeys(file).find(secret)
    assert found is not None
    assert (found.name, found.scopes) == ("plant 7", (Scope.MANAGE,))
    assert ApiKeys(file).find(secret + "x") is None
    assert ApiKeys(file).find(None) is None


def test_without_a_file_whoever_asks_may_do_all() -> None:
    anybody = ApiKeys(None).find(None)
    assert anybody is not None
    assert set(anybody.scopes) == set(Scope)


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "a", "sha256": "short", "scopes": ["read"]},
        {"name": "a", "sha256": "0" * 64, "scopes": ["everything"]},
        {"name": "a", "sha256": "0" * 64, "scopes": []},
    ],
)
def test_a_wrong_entry_is_refused(tmp_path: Path, entry: dict[str, object]) -> None:
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump({"keys": [entry]}))
    with pytest.raises(SpecError, match=r"keys\[0\]"):
        ApiKeys(tmp_path / "keys.yaml")


def test_a_bucket_empties_at_once_and_fills_at_its_rate() -> None:
    now = 0.0
    limiter = RateLimiter(rate_per_s=2.0, burst=4, clock=lambda: now)
    assert [limiter.acquire("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert limiter.acquire("b") == 0  # each key has its own
    now = 1.0
    assert [limiter.acquire("a") for _ in range(3)] == [0, 0, 0.5]
    now = 100.0
    assert limiter.acquire("a", tokens=4) == 0
    assert limiter.acquire("a", tokens=100) == 2.0  # no more than a full bucket can be asked for
    now = 102.0
    assert limiter.acquire("a", tokens=100) == 0
    assert limiter.acquire("a") > 2.0  # and it is paid for afterwards
