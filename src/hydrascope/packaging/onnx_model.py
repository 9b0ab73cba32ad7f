"""The diagnoser as an ONNX model, for runtimes other than torch."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.packaging.parity import difference
from hydrascope.schemas.errors import SpecError

OPSET = 20


def write_onnx(file: Path, diagnoser: TensorDiagnoser, golden: Sequence[GraphInputs]) -> float:
    """Write the model and return the largest difference between its answers and the diagnoser's.

    Inputs are named after the fields of `GraphInputs`, outputs after the answers. ONNX Runtime
    refuses a batch without any line.

    Args:
        file: Where the model is written.
        diagnoser: In evaluation mode, on the CPU.
        golden: Batches to compare on; the first has at least two graphs.

    Raises:
        SpecError: The packages that write and run ONNX are not installed.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 (torch needs it)
    except ModuleNotFoundError as error:
        raise SpecError(
            f"{error.name} is not installed; pip install 'hydrascope[onnx]'", path="onnx"
        ) from None
    names = list(diagnoser.plain(golden[0]))
    torch.onnx.export(
        _exported(diagnoser, golden[0]),
        f=str(file),
        input_names=list(GraphInputs._fields),
        output_names=names,
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        optimize=False,  # ONNX Runtime does it much faster when it opens the model
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    used = {each.name for each in session.get_inputs()}
    worst = 0.0
    for batch in golden:
        inputs = {name: value.numpy() for name, value in batch._asdict().items() if name in used}
        outputs = (torch.from_numpy(answer) for answer in session.run(names, inputs))
        answers = dict(zip(names, outputs, strict=True))
        worst = max(worst, difference(answers, diagnoser.plain(batch)))
    return worst


class _Plain(nn.Module):
    """Takes the fields of `GraphInputs` one by one, so that the model needs no class of ours."""

    def __init__(self, diagnoser: TensorDiagnoser) -> None:
        super().__init__()
        self.diagnoser = diagnoser

    def forward(self, *fields: Tensor) -> dict[str, Tensor]:
        """Return each head's decoded answer."""
        answers: dict[str, Tensor] = self.diagnoser(GraphInputs(*fields))
        return answers


def _exported(diagnoser: TensorDiagnoser, example: GraphInputs) -> ExportedProgram:
    """Trace the diagnoser for any number of sensors, components, lines and graphs.

    Args:
        diagnoser: In evaluation mode, on the CPU.
        example: A batch of at least two graphs; it fixes the numbers of steps and features.
    """
    graphs = Dim("graphs")
    dims = {"sensor": Dim("sensors"), "component": Dim("components"), "edge": Dim("lines")}
    dims |= {"machine": graphs, "graph": graphs, "place": Dim("places")}
    shapes = tuple(
        {1 if name == "edge_index" else 0: dims[name.partition("_")[0]]}
        for name in GraphInputs._fields
    )
    with torch.no_grad():
        return torch.export.export(
            _Plain(diagnoser).eval(),
            tuple(_with_lines(example)),
            dynamic_shapes=(shapes,),
            strict=False,
        )


def _with_lines(example: GraphInputs) -> GraphInputs:
    """Return a batch with lines: without any, their number would be traced as a constant."""
    if example.edge_index.shape[1]:
        return example
    first = torch.zeros(2, 2, dtype=torch.int64)  # from and to the first component
    lines = {
        name: value.new_zeros(2, *value.shape[1:])
        for name, value in example._asdict().items()
        if name.startswith("edge_")
    }
    return example._replace(**{**lines, "edge_index": first})
