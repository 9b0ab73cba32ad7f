"""Settings of commands that run for long: `key=value`, the environment, `.env`."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from hydrascope.schemas.errors import SpecError, explain
from hydrascope.schemas.text import not_utf8

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]

_OTHERS = ("hydrascope_dsn", "hydrascope_traceback", "hydrascope_watch_")
"""How variables of other commands begin, which `.env` may hold too."""


class _EnvFile(DotEnvSettingsSource):
    """Leaves out what is not meant for the command; a misspelt key of it stays and is refused."""

    def __call__(self) -> dict[str, Any]:
        prefix = self.env_prefix.lower()
        others = tuple(each for each in _OTHERS if not prefix.startswith(each))
        return {
            key: value
            for key, value in super().__call__().items()
            if key in self.settings_cls.model_fields
            or (key.startswith(prefix) and not key.startswith(others))
        }


class CommandSettings(BaseSettings):
    """Settings of a command; its command line takes precedence over the environment."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic passes both by name)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from: the command line, the environment, `.env`."""
        return init_settings, env_settings, _EnvFile(settings_cls)

    @classmethod
    def read(cls, arguments: Sequence[str], command: str) -> Self:
        """Return the settings of a command line, as in `bundle=bundles/rig port=8000`.

        Args:
            arguments: Of the command line.
            command: Stands at the beginning of an error.

        Raises:
            SpecError: An argument is not key=value, or a setting is not accepted.
        """
        given: dict[str, str | None] = {}
        for argument in arguments:
            key, sign, value = argument.partition("=")
            if not sign:
                raise SpecError(f"{command}: {argument}: not of the form key=value")
            given[key] = None if value == "null" else value
        try:
            return cls(**given)  # pydantic reads text
        except ValidationError as error:
            raise SpecError(*explain(error, cls), source=command) from None
        except UnicodeDecodeError as error:
            raise SpecError(f"{command}: .env: {not_utf8(error.object)}") from None

    @classmethod
    def help_text(cls, usage: str) -> str:
        """Return the text of `--help`: every setting with its default and its meaning.

        Args:
            usage: The first line: what the command does, and an example.
        """
        prefix = str(cls.model_config["env_prefix"])
        lines = [usage, "", f"{prefix}KEY=value in the environment or in .env sets a key, too.", ""]
        for name, field in cls.model_fields.items():
            default = "…" if field.is_required() else field.default
            lines.append(f"{name}={default if isinstance(default, str) else json.dumps(default)}")
            lines.append(f"    {' '.join((field.description or '').split())}")
        return "\n".join(lines)
