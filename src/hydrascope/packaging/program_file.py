"""The exported program as JSON: a list of tensor operations, and nothing else.

torch's own archive of an exported program (`.pt2`) may hold pickles, names the Python functions to
call, has sizes that sympy evaluates and guards that are Python code. Here a step names an ATen
operator or a sum or product of sizes; its tensors are among the weights. Whoever opens it can at
worst compute something wrong, and it opens in a tenth of the time.
"""

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from hydrascope.packaging.interpreter import Of, Step, compile_steps
from hydrascope.schemas.errors import SpecError

FORMAT = 1
_OPERATOR = re.compile(r"aten\.(?P<name>\w+)\.(?P<overload>\w+)")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_WORDS = re.compile(r"[\w ,.>-]*", re.ASCII)
"""What a string may be: a mode, or the indices of a sum, but no end of a string."""
_READS_FILES = ("from_file",)
_CHECKS = ("_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size")
"""Steps that only check what tracing assumed; left out."""
_SIZES: Mapping[str, Callable[..., Any]] = {
    name: getattr(operator, name)
    for name in ("add", "sub", "mul", "floordiv", "mod", "neg", "getitem", "eq", "ne", "lt", "le")
} | {"sym_max": torch.sym_max, "sym_min": torch.sym_min}
_TORCH = {
    "dtype": ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"),
    "memory_format": ("contiguous_format", "preserve_format"),
    "layout": ("strided",),
}

Program = Callable[..., dict[str, Tensor]]
"""Takes the fields of `GraphInputs` in order, returns each head's decoded answer."""


def save_program(program: ExportedProgram, file: Path) -> dict[str, Tensor]:
    """Write the program's steps, and return the tensors that they need, by name.

    Raises:
        SpecError: A step is not an operation on tensors or sizes.
    """
    signature = program.graph_signature
    tensors = {**program.state_dict, **program.constants}
    held = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    steps: list[list[Any]] = []
    for node in program.graph.nodes:
        if node.op == "call_function" and not _is_check(node):
            kwargs = {key: _encode(value) for key, value in node.kwargs.items()}
            steps.append([node.name, _function_name(node), _encode(node.args), kwargs])
    (output,) = (node for node in program.graph.nodes if node.op == "output")
    answers = pytree.tree_unflatten(
        [node.name for node in output.args[0]], program.call_spec.out_spec
    )
    content = {
        "format": FORMAT,
        "tensors": held,
        "inputs": list(signature.user_inputs),
        "steps": steps,
        "answers": answers,
    }
    file.write_text(json.dumps(content, separators=(",", ":"), allow_nan=False), encoding="utf-8")
    return {name: tensors[name].detach().contiguous() for name in held.values()}


def load_program(file: Path, tensors: Mapping[str, Tensor], device: str = "cpu") -> Program:
    """Return the program of a file, its tensors being `tensors`, on a device.

    Raises:
        SpecError: The file is no program, names an operation that does not exist or is none on
            tensors or sizes, or a tensor that is not there.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return _build(content, tensors, torch.device(device))
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, RecursionError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"bundle: {file.name} is no program ({error!r})") from None


def _build(content: Any, tensors: Mapping[str, Tensor], device: torch.device) -> Program:
    if content["format"] != FORMAT:
        raise SpecError(f"bundle: program of format {content['format']!r}; accepted: {FORMAT}")
    decode = partial(_decode, device=device)
    held = {_checked(name): tensors[of].to(device) for name, of in content["tensors"].items()}
    steps = [
        Step(
            _checked(name),
            _function(function),
            decode(args),
            {_checked(key): decode(value) for key, value in kwargs.items()},
        )
        for name, function, args, kwargs in content["steps"]
    ]
    answers = {str(head): _checked(name) for head, name in content["answers"].items()}
    inputs = [_checked(name) for name in content["inputs"]]
    run = compile_steps(inputs, held, steps, list(answers.values()))

    def program(*fields: Tensor) -> dict[str, Tensor]:
        return dict(zip(answers, run(*fields), strict=True))

    return program


def _is_check(node: fx.Node) -> bool:
    return any(
        f".{name}." in str(node.target) or str(node.target).endswith(name) for name in _CHECKS
    )


def _function_name(node: fx.Node) -> str:
    if isinstance(node.target, torch._ops.OpOverload):
        name = str(node.target)
    else:
        name = getattr(node.target, "__name__", str(node.target))
    _function(name)
    return name


def _function(name: str) -> Callable[..., Any]:
    if name in _SIZES:
        return _SIZES[name]
    found = _OPERATOR.fullmatch(str(name))
    if found is None or found["name"] in _READS_FILES:
        raise SpecError(f"bundle: the program calls {name!r}; accepted: operations on tensors")
    operation = getattr(getattr(torch.ops.aten, found["name"]), found["overload"])
    assert isinstance(operation, torch._ops.OpOverload)
    # What TorchScript alone knows is not of tensors: aten::save writes a file.
    if not torch._C._dispatch_has_kernel(operation._name):
        raise SpecError(f"bundle: the program calls {name!r}; accepted: operations on tensors")
    return operation


def _checked(name: str, accepted: re.Pattern[str] = _NAME) -> str:
    if not accepted.fullmatch(name):
        raise SpecError(f"bundle: the program has a part {name!r}; accepted: plain names")
    return name


def _encode(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case fx.Node():
            return {"of": value.name}
        case list() | tuple():
            return [_encode(each) for each in value]
        case torch.device():
            return {"device": ""}
        case torch.dtype() | torch.memory_format() | torch.layout():
            kind, name = type(value).__name__, str(value).removeprefix("torch.")
            if name in _TORCH[kind]:
                return {kind: name}
    raise SpecError(f"export: the program needs {value!r}; accepted: tensors, numbers, their types")


def _decode(value: Any, device: torch.device) -> Any:
    match value:
        case list():
            return [_decode(each, device) for each in value]
        case {"of": name}:
            return Of(_checked(name))
        case {"float": "inf" | "-inf" | "nan" as number}:
            return float(number)
        case {"device": ""}:
            return device
        case dict():
            ((kind, name),) = value.items()
            if name not in _TORCH[kind]:
                raise SpecError(f"bundle: the program needs {kind} {name!r}")
            return getattr(torch, name)
        case str():
            return _checked(value, _WORDS)
    return value
