"""Steps of a program, run by TorchScript's interpreter, which is C++ throughout.

Called from Python one by one, the thousand small operations of a network take half their time for
the calls alone, and hold Python's lock meanwhile, so that a service can read no request. Nothing of
TorchScript's compiler is needed: its intermediate representation is written here, step by step, and
the types of an operation's arguments decide which of its overloads runs.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

_ON_SIZES: Mapping[Callable[..., Any], str] = {
    operator.add: "aten::add",
    operator.sub: "aten::sub",
    operator.mul: "aten::mul",
    operator.floordiv: "aten::floordiv",
    operator.mod: "aten::remainder",
    operator.neg: "aten::neg",
    operator.eq: "aten::eq",
    operator.ne: "aten::ne",
    operator.lt: "aten::lt",
    operator.le: "aten::le",
    torch.sym_max: "prim::max",
    torch.sym_min: "prim::min",
    torch.ops.aten.sym_size.int: "aten::size",
    torch.ops.aten.sym_numel.default: "aten::numel",
}
_LOGICAL = (operator.eq, operator.ne, operator.lt, operator.le)
_NUMBERS: Mapping[Any, int] = {  # c10::ScalarType, Layout and MemoryFormat
    torch.uint8: 0,
    torch.int32: 3,
    torch.int64: 4,
    torch.float16: 5,
    torch.float32: 6,
    torch.float64: 7,
    torch.bool: 11,
    torch.bfloat16: 15,
    torch.strided: 0,
    torch.contiguous_format: 0,
    torch.preserve_format: 1,
}


class Of(NamedTuple):
    """The value of an input, of a held tensor or of an earlier step."""

    name: str


class Step(NamedTuple):
    """One operation on tensors or sizes; its arguments may hold `Of`, also in lists."""

    name: str
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


def compile_steps(
    inputs: Sequence[str], held: Mapping[str, Tensor], steps: Sequence[Step], answers: Sequence[str]
) -> Callable[..., tuple[Tensor, ...]]:
    """Return a function of the inputs that runs the steps and returns the answers.

    What depends on held tensors alone is computed here, once.

    Args:
        inputs: Names; these and all others are of letters, digits and underscores.
        held: Tensors by name.
        steps: In an order in which they can run.
        answers: Names of tensors.

    Raises:
        TypeError, RuntimeError: An operation does not take the arguments that a step gives it.
    """
    known, rest = _fold(held, steps)
    writer = _Writer(inputs, known)
    for step in rest:
        writer.write(step)
    graph = torch._C.parse_ir(writer.text(answers))
    for node in graph.nodes():
        if node.kind().startswith("aten::") and node.schema() == "(no schema)":
            raise TypeError(f"{node.kind()} takes no such arguments")
    torch._C._jit_pass_cse(graph)  # what several steps compute alike is computed once
    torch._C._jit_pass_dce(graph)
    _hold(graph, len(inputs), [known[name] for name in writer.given])
    run = torch._C._create_function_from_graph("program", graph)

    def function(*fields: Tensor) -> tuple[Tensor, ...]:
        # Its optimiser would set to work anew for every number of windows.
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            found: tuple[Tensor, ...] = run(*fields)
        return found[: len(answers)]

    return function


def _hold(graph: Any, inputs: int, tensors: Sequence[Tensor]) -> None:
    """Make constants of the graph's inputs after the first ones.

    What an interpreter takes from Python it gives back to Python, waiting for its lock each time.
    """
    graph.setInsertPoint(next(graph.nodes()))
    for tensor in reversed(tensors):
        given = list(graph.inputs())[-1]
        given.replaceAllUsesWith(graph.insertConstant(tensor.detach()))
        graph.eraseInput(len(list(graph.inputs())) - 1)
    assert len(list(graph.inputs())) == inputs


def _fold(held: Mapping[str, Tensor], steps: Sequence[Step]) -> tuple[dict[str, Any], list[Step]]:
    """Compute what depends on held tensors alone; return all values known so, and the other steps.

    What a step writes into is made anew in each run, and so is all that it was made from.
    """
    reads = {step.name: _names((*step.args, *step.kwargs.values())) for step in steps}
    anew: set[str] = set()
    for step in reversed(steps):
        schema = getattr(step.function, "_schema", None)
        if step.name in anew or (schema is not None and schema.is_mutable):
            anew |= {step.name, *reads[step.name]}
    known: dict[str, Any] = dict(held)
    rest = []
    for step in steps:
        if step.name in anew or not reads[step.name] <= known.keys():
            rest.append(step)
            continue
        kwargs = {key: _resolved(value, known) for key, value in step.kwargs.items()}
        known[step.name] = step.function(*_resolved(step.args, known), **kwargs)
    return known, rest


def _names(value: Any) -> set[str]:
    """Return the names in an argument."""
    if isinstance(value, Of):
        return {value.name}
    return set().union(*map(_names, value)) if isinstance(value, list | tuple) else set()


def _resolved(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, Of):
        return known[value.name]
    return [_resolved(each, known) for each in value] if isinstance(value, list | tuple) else value


class _Writer:
    """Writes the representation: `%name : Type = aten::operation(%of, %other)`, a line a step.

    Names with a dot are its own; no input, tensor or step has one.
    """

    def __init__(self, inputs: Sequence[str], known: Mapping[str, Any]) -> None:
        self._inputs, self._known = inputs, known
        self._given: dict[str, None] = {}
        self._constants: dict[tuple[str, str], str] = {}
        self._several: set[str] = set()
        self._parts: dict[str, str] = {}
        self._lines: list[str] = []

    @property
    def given(self) -> list[str]:
        """Names of the known tensors that the steps need; written as inputs after the others."""
        return list(self._given)

    def text(self, answers: Sequence[str]) -> str:
        """Return the whole function."""
        # Inputs are among the results: to let go of one in between takes Python's lock.
        names = [*answers, *self._inputs]
        found = ", ".join([self._value(Of(name), "Tensor") for name in names])
        inputs = ", ".join(f"%{name} : Tensor" for name in (*self._inputs, *self._given))
        constants = (
            f"{name} : {kind} = prim::Constant{value}()"
            for (kind, value), name in self._constants.items()
        )
        types = ", ".join(["Tensor"] * len(names))
        result = f"%t.answers : ({types}) = prim::TupleConstruct({found})"
        body = "\n  ".join([*constants, *self._lines, result])
        return f"graph({inputs}):\n  {body}\n  return (%t.answers)\n"

    def write(self, step: Step) -> None:
        """Append a step."""
        schema = getattr(step.function, "_schema", None)
        if step.function is operator.getitem and step.args[0].name in self._several:
            source, place = step.args
            self._parts[step.name] = f"{source.name}.{place}"
        elif step.function is operator.getitem:
            self._line([f"%{step.name} : Tensor"], "aten::__getitem__", step.args, ["", "int"])
        elif step.function in _ON_SIZES:
            kind = "bool" if step.function in _LOGICAL else "int"
            symbol, expected = _ON_SIZES[step.function], ["int"] * len(step.args)
            self._line([f"%{step.name} : {kind}"], symbol, step.args, expected)
        else:
            assert schema is not None
            takes = [argument.name for argument in schema.arguments]
            given = {**dict(zip(takes, step.args, strict=False)), **step.kwargs}
            values = [given.get(each.name, each.default_value) for each in schema.arguments]
            expected = [str(argument.type) for argument in schema.arguments]
            kinds = [_kind(str(result.type)) for result in schema.returns]
            results = [f"%{step.name} : {kind}" for kind in kinds]
            if len(kinds) > 1:
                self._several.add(step.name)
                results = [f"%{step.name}.{row} : {kind}" for row, kind in enumerate(kinds)]
            self._line(results, schema.name, values, expected)

    def _line(
        self,
        results: Sequence[str],
        symbol: str,
        values: Sequence[Any],
        expected: Sequence[str],
    ) -> None:
        written = [self._value(*each) for each in zip(values, expected, strict=True)]
        self._lines.append(f"{', '.join(results)} = {symbol}({', '.join(written)})")

    def _value(self, value: Any, expected: str) -> str:
        """Return the name of an argument's value where an operation expects this type."""
        match value:
            case Of(name) if isinstance(self._known.get(name), int):
                return self._value(self._known[name], expected)
            case Of(name):
                if name in self._known:
                    self._given[name] = None
                return f"%{self._parts.get(name, name)}"
            case list() | tuple():
                of = expected.partition("List[")[2].removesuffix("]")
                name = f"%l.{len(self._lines)}"
                written = ", ".join([self._value(each, of) for each in value])
                self._lines.append(f"{name} : {_kind(expected)} = prim::ListConstruct({written})")
                return name
            case None:
                return self._constant("NoneType", "")
            case bool():
                return self._constant("bool", f"[value={int(value)}]")
            case int() if expected == "float":
                return self._constant("float", f"[value={float(value)!r}]")
            case int():
                return self._constant("int", f"[value={value}]")
            case float() if math.isnan(value):  # the one number that it cannot spell
                name, infinity = f"%n.{len(self._lines)}", self._value(math.inf, "float")
                self._lines.append(f"{name} : float = aten::sub({infinity}, {infinity})")
                return name
            case float():
                return self._constant("float", f"[value={value!r}]")
            case str():
                return self._constant("str", f'[value="{value}"]')
            case torch.device():
                return self._constant("Device", f'[value="{value}"]')
        return self._constant("int", f"[value={_NUMBERS[value]}]")

    def _constant(self, kind: str, value: str) -> str:
        return self._constants.setdefault((kind, value), f"%c.{len(self._constants)}")


def _kind(expected: str) -> str:
    """Return a schema's type as the representation has it."""
    if "List[" not in expected:
        return "Tensor" if "Tensor" in expected else "int"
    if "Tensor" in expected:
        return "Tensor?[]" if "List[Optional[Tensor]]" in expected else "Tensor[]"
    return next((f"{kind}[]" for kind in ("float", "bool") if kind in expected), "int[]")
