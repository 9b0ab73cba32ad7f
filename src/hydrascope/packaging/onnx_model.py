"""The network as an ONNX model, for runtimes that are not torch."""

from pathlib import Path

import torch

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.packaging.program import export_program
from hydrascope.schemas.errors import SpecError

OPSET = 20


def write_onnx(file: Path, diagnoser: Diagnoser, golden: list[GraphInputs]) -> float:
    """Write the model and return the largest difference between its answers and the eager ones.

    Inputs are the fields of `GraphInputs` by name, outputs the heads' answers by name. ONNX Runtime
    refuses a batch without any line.

    Raises:
        SpecError: The packages that write and run ONNX are not installed.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 (torch needs it)
    except ModuleNotFoundError as error:
        raise SpecError(
            f"onnx: {error.name} is not installed; pip install 'hydrascope[onnx]'"
        ) from None
    names = [head.name for head in diagnoser.heads]
    torch.onnx.export(
        export_program(diagnoser, golden[0]),
        f=str(file),
        input_names=list(GraphInputs._fields),
        output_names=names,
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    wanted = {each.name for each in session.get_inputs()}
    worst = 0.0
    for batch in golden:
        fed = {name: value.numpy() for name, value in batch._asdict().items() if name in wanted}
        eager = diagnoser.predict(batch)
        for name, answer in zip(names, session.run(names, fed), strict=True):
            worst = max(worst, float((torch.from_numpy(answer) - eager[name]).abs().max()))
    return worst
