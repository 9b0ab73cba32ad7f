"""User errors as one line: the key, the value and what is accepted."""

import re

from hydra.errors import (
    ConfigCompositionException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from hydrascope.schemas.errors import ServiceError, SpecError, closest
from hydrascope.schemas.whole_file import NO_ROOM, no_room

USER_ERRORS = (
    SpecError,
    ServiceError,
    ConfigCompositionException,
    InstantiationException,
    OverrideParseException,
    OmegaConfBaseException,
)
"""The errors that are raised for a wrong command line, machine file or data folder, or a database
that is away. Any other error is a bug of ours."""


_SEVERAL = re.compile(r"Ambiguous value for argument '(?P<key>[^=]+)=(?P<value>.*)'")
"""The start of Hydra's message for a value with a comma."""


def users(error: BaseException) -> bool:
    """Return whether the user can fix an error: one of `USER_ERRORS`, or a full disk."""
    return isinstance(error, USER_ERRORS) or (isinstance(error, OSError) and error.errno in NO_ROOM)


RENAMED = {
    "sweep.parallel": "is called launcher.parallel now",
    "model.readout": "is called model.machine_pooling now",
    "readout": (
        "is a model of its own now: model=discriminant or model=linear; a network always answers "
        "by its own heads"
    ),
}
"""Former key → what replaced it."""


def complaint(error: BaseException, script: str) -> SpecError:
    """Return an error that the user can fix (`users`) as a `SpecError` of `script`."""
    if isinstance(error, SpecError) and error.source == script:
        return error
    return SpecError(_message(error), source=script)


def _message(error: BaseException) -> str:
    match error:
        case MissingConfigException(missing_cfg_file=str(file), options=options) if options:
            group, _, option = file.rpartition("/")
            return f"{group}={option}: no such option; accepted: {', '.join(options)}"
        case ConfigCompositionException(
            __cause__=ConfigKeyError() | ConfigAttributeError() as cause
        ):
            return _unknown_key(cause)
        case ConfigCompositionException(__cause__=OmegaConfBaseException() as cause):
            return _composed(cause)
        case ConfigCompositionException():
            return _composition(error)
        case OverrideParseException(override=override):
            return f"{override}: not of the form key=value or group=option"
        case MissingMandatoryValue(full_key=str(key)):
            return f"{key}: required, but not given; write {key}=…"
        case InstantiationException(__cause__=SpecError() | ServiceError() as cause):
            return str(cause)
        case ConfigKeyError():
            return _unknown_key(error)
        case OmegaConfBaseException():
            return _composed(error)
        case InstantiationException():
            return " ".join(str(error).split())
        case OSError() if error.errno in NO_ROOM:
            return no_room(error)
    return str(error)


def _composition(error: ConfigCompositionException) -> str:
    if found := _SEVERAL.search(str(error)):
        key, value = found["key"], found["value"]
        return f"{key}: {value!r} is several values, for a sweep; as one text: \"{key}='{value}'\""
    return " ".join(str(error).split())


def _composed(error: OmegaConfBaseException) -> str:
    """Say which key OmegaConf could not resolve; the lines behind the first are its own state."""
    reason = str(error).split("\n    full_key:")[0]
    message = f"{error.full_key}: {reason}" if error.full_key else reason
    remedy = "; ${ begins an interpolation, \\${ is the characters" if "${" in message else ""
    return " ".join(message.split()) + remedy


def _unknown_key(cause: OmegaConfBaseException) -> str:
    key, parent = cause.full_key, cause.parent_node
    if not key or not isinstance(parent, DictConfig):
        return _composed(cause)
    if key in RENAMED:
        return f"{key}: {RENAMED[key]}"
    accepted = [str(name) for name in parent if name != "hydra"]
    return f"{key}: no such key; accepted: {', '.join(accepted)}" + closest(
        key.rpartition(".")[2], accepted
    )
