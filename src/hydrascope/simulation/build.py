"""A build of machines: its machine file, its network, its duty, and the faults that it can have."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

from hydrascope.schemas import Machine, SpecError, validate
from hydrascope.schemas.duty import DutyCycle
from hydrascope.schemas.machine_file import machines_in
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.simulation.channels import Channel, channels_of
from hydrascope.simulation.circuit import Circuit, build_circuit
from hydrascope.simulation.duty import CycleKnots
from hydrascope.simulation.duty_check import check_duty
from hydrascope.simulation.estimation.complete import complete
from hydrascope.simulation.estimation.draft import Estimate
from hydrascope.simulation.faults import Fault, possible_faults
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.solver import Plant

_ASSETS = resources.files("hydrascope") / "assets" / "fleet"
MACHINE_FILE, DUTY_FILE = "machine.yaml", "duty.yaml"
"""The files of a build in a folder of builds."""
_KEPT = 4_096
"""How many builds a process keeps."""


@dataclass(frozen=True, eq=False)
class Build:
    """Machines of one build, as their files describe them."""

    name: str
    machine: Machine
    """As the file has it."""
    circuit: Circuit
    """Of the machine with all estimates."""
    nominal: Plant
    """The values of a machine as the file has it; [1, …] each."""
    duty: DutyCycle
    cycle: CycleKnots
    faults: Mapping[Fault, tuple[str, ...]]
    """The faults that a machine can have, each with the components that can have it."""
    channels: tuple[Channel, ...]
    """The sensors that are simulated."""
    left_out: Mapping[str, str]
    """Why other sensors are not, by sensor id."""
    estimates: tuple[Estimate, ...]
    """What the machine file leaves out."""
    again: tuple[Callable[..., "Build"], tuple[object, ...]]
    """How another process gets the build: a function, which keeps it, and its arguments."""
    digest: str
    """The hexadecimal SHA-256 of machine and duty."""

    def __reduce__(self) -> tuple[Callable[..., "Build"], tuple[object, ...]]:
        # A process makes the build once, however often it is sent.
        return self.again


def read_build(machine_file: Path, duty_file: Path) -> Build:
    """Read a build from its files; a machine file of several machines is one build, too.

    Raises:
        SpecError: A file is missing or wrong, or the machine cannot work; names every fault.
    """
    return _read(machine_file, duty_file, _digest(machine_file, duty_file))


def _reread(machine_file: Path, duty_file: Path, digest: str) -> Build:
    if _digest(machine_file, duty_file) != digest:
        raise SpecError(f"{machine_file}: it or its duty has changed while it was simulated")
    return _read(machine_file, duty_file, digest)


def _digest(*files: Path) -> str:
    content = hashlib.sha256()
    for file in files:
        try:
            content.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as error:
            raise SpecError(f"{file}: {error.strerror}") from None
    return content.hexdigest()


@lru_cache(maxsize=_KEPT)
def _read(machine_file: Path, duty_file: Path, digest: str) -> Build:
    machine = machines_in(machine_file)[0]
    duty = validate(DutyCycle, load_yaml(duty_file), str(duty_file))
    again = _reread, (machine_file.absolute(), duty_file.absolute(), digest)
    return assemble(machine, duty, (str(machine_file), str(duty_file)), digest, again)


def assemble(
    machine: Machine,
    duty: DutyCycle,
    sources: tuple[str, str],
    digest: str,
    again: tuple[Callable[..., Build], tuple[object, ...]],
) -> Build:
    """Return the build of a machine and its duty.

    Args:
        machine: The machine.
        duty: What it does.
        sources: Where machine and duty come from; they begin the messages of errors.
        digest: See `Build.digest`.
        again: See `Build.again`.

    Raises:
        SpecError: The machine cannot work, or the duty is not its own; names every fault.
    """
    completed = complete(machine)
    circuit = build_circuit(completed.machine, sources[0])
    nominal = build_plant(circuit)
    channels = channels_of(circuit, nominal)
    if not channels.simulated:
        raise SpecError("no sensor can be simulated", *channels.left_out.values(),
                        source=sources[0])  # fmt: skip
    check_duty(duty, circuit, sources[1])
    return Build(
        name=machine.topology.id,
        machine=machine,
        circuit=circuit,
        nominal=nominal,
        duty=duty,
        cycle=CycleKnots.of(duty, circuit.actuators, circuit.pumps),
        faults=possible_faults(circuit, sources[0]),
        channels=channels.simulated,
        left_out=channels.left_out,
        estimates=completed.estimates,
        again=again,
        digest=digest,
    )


@cache
def load_kind(kind: str) -> Build:
    """Read one of the kinds in the package (`fleet_settings.KINDS`)."""
    with resources.as_file(_ASSETS / kind) as folder:
        return read_build(folder / MACHINE_FILE, folder / DUTY_FILE)


def read_builds(machines: Path, duty: Path | None = None) -> dict[str, Build]:
    """Read builds by name, their topology's id.

    Args:
        machines: A machine file, or a folder with a folder for each build, which holds
            `MACHINE_FILE` and `DUTY_FILE`.
        duty: The duty file of a machine file; None: `DUTY_FILE` beside it.

    Raises:
        SpecError: A file is missing or wrong, a machine cannot work, or two builds share a name.
    """
    if not machines.is_dir():
        build = read_build(machines, duty or machines.with_name(DUTY_FILE))
        return {build.name: build}
    if duty is not None:
        raise SpecError(f"{duty}: expected none, as {machines} is a folder; each build has its own")
    files = sorted(machines.glob(f"*/{MACHINE_FILE}"))
    if not files:
        raise SpecError(f"{machines}: holds no build; expected folders with {MACHINE_FILE}")
    builds: dict[str, Build] = {}
    for file in files:
        build = read_build(file, file.with_name(DUTY_FILE))
        if builds.setdefault(build.name, build) is not build:
            raise SpecError(f"{file}: topology.id: {build.name} is already another build's")
    return builds
