"""The diagnoser as an ONNX model, for runtimes that are not torch."""

from pathlib import Path

import torch
from torch.export import ExportedProgram

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.packaging.parity import difference
from hydrascope.schemas.errors import SpecError

OPSET = 20


def write_onnx(
    file: Path, exported: ExportedProgram, diagnoser: Diagnoser, golden: list[GraphInputs]
) -> float:
    """Write the model and return the largest difference between its answers and the eager ones.

    Inputs are the fields of `GraphInputs` by name, outputs the answers by name. ONNX Runtime
    refuses a batch without any line.

    Args:
        file: Of the model.
        exported: The diagnoser, by `export_program`.
        diagnoser: Whose answers are expected.
        golden: Batches to compare on.

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
    names = list(diagnoser.predict(golden[0]))
    torch.onnx.export(
        exported,
        f=str(file),
        input_names=list(GraphInputs._fields),
        output_names=names,
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        optimize=False,  # ONNX Runtime does so itself when it opens the model, and much faster
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    wanted = {each.name for each in session.get_inputs()}
    worst = 0.0
    for batch in golden:
        fed = {name: value.numpy() for name, value in batch._asdict().items() if name in wanted}
        found = (torch.from_numpy(answer) for answer in session.run(names, fed))
        answers = dict(zip(names, found, strict=True))
        worst = max(worst, difference(answers, diagnoser.predict(batch)))
    return worst
