"""The exported program as a file that cannot run code of its own when it is opened.

A `.pt2` archive may hold pickles (example inputs, odd tensors, script objects), and its graph names
the functions to call, its sizes are expressions that sympy evaluates, and its guards are Python.
Ours holds none of the first; of the others only what a network's graph is made of is let through.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.export import ExportedProgram

from hydrascope.schemas.errors import SpecError

_ENTRIES = re.compile(
    r"(archive_format|archive_version|byteorder|\.data/version|\.data/serialization_id"
    r"|models/model\.json|data/sample_inputs/model\.pt"
    r"|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json))"
)
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_PAYLOAD = re.compile(r"(weight|tensor)_\d+")
_FUNCTION = re.compile(
    r"torch\.ops\.aten\.\w+\.\w+|torch\.sym_\w+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
)
_SIZE = re.compile(r"Symbol\('[a-z]+\d*'|[A-Za-z]\w*\(|(positive|integer)=True|-?\d+|[ ,)]")
_GUARD = re.compile(
    r"L\['fields'\]|\[\d+\]|\.size\(\)|\.stride\(\)|\b(and|or|not)\b|\d+|[ ()+*/%<>=!-]"
)
_SIZE_FUNCTIONS = {"Symbol", "Integer", "Add", "Mul", "Pow", "Mod", "FloorDiv", "Max", "Min"}


def save_program(program: ExportedProgram, file: Path) -> None:
    """Write the program without its example inputs and the paths of the files it was traced from.

    Raises:
        SpecError: As `check_program`: what was written would need unpickling.
    """
    program.example_inputs = None
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(program, file)
    check_program(file)


def load_program(file: Path) -> ExportedProgram:
    """Open a program after `check_program`; nothing is unpickled."""
    check_program(file)
    return torch.export.load(file)


def check_program(file: Path) -> None:
    """Refuse an archive that holds anything but plain tensors and a graph of tensor operations.

    Raises:
        SpecError: Naming what was found.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            faults = list(_faults(archive))
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SpecError(f"bundle: {file.name} is no exported program ({error})") from None
    if faults:
        raise SpecError(f"bundle: {file.name} {faults[0]}; nothing in a bundle may run code")


def _faults(archive: zipfile.ZipFile) -> Iterator[str]:
    names = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
    for name, entry in names.items():
        if not _ENTRIES.fullmatch(name):
            yield f"holds {entry.filename!r}"
        elif name.endswith(".pt") and entry.file_size:
            yield f"holds a pickle, {entry.filename!r}"
    for name in _CONFIGS:
        for key, payload in json.loads(archive.read(names[name]))["config"].items():
            if payload["use_pickle"] or not _PAYLOAD.fullmatch(payload["path_name"]):
                yield f"holds a pickle, {key!r}"
    model = json.loads(archive.read(names["models/model.json"]))
    for guard in model.get("guards_code") or ():
        if _GUARD.sub("", guard):
            yield f"has a guard that is no comparison of sizes, {guard!r}"
    yield from _graph_faults(model)


def _graph_faults(part: object) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _graph_faults(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "expr_str" and not _is_size(value):
                yield f"has a size that is no sum or product, {value!r}"
            elif key == "target" and not _FUNCTION.fullmatch(str(value)):
                yield f"calls {value!r}"
            else:
                yield from _graph_faults(value)


def _is_size(text: str) -> bool:
    functions = set(re.findall(r"([A-Za-z]\w*)\(", text))
    return functions <= _SIZE_FUNCTIONS and not _SIZE.sub("", text)
