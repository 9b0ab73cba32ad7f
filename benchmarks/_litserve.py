"""The same bundle behind LitServe, with the same batching: `python -m benchmarks._litserve …`."""

import sys
from pathlib import Path
from typing import Any

import litserve
import torch
from fastapi import Request
from pydantic_core import from_json, to_json

from hydrascope.packaging.bundle import read_bundle
from hydrascope.serving.diagnosis.diagnosis import build_diagnosis
from hydrascope.serving.diagnosis.requests import DiagnoseRequest, read_window
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import TelemetryWindow, WindowAnswer


class Diagnose(litserve.LitAPI):
    """Decodes, answers and encodes with the very code of our own service."""

    def __init__(self, bundle: str, **more: Any) -> None:
        super().__init__(**more)
        self._bundle = bundle

    def setup(self, device: str) -> None:  # noqa: ARG002 (LitServe names it)
        """Open the bundle in the worker's process."""
        torch.set_num_threads(1)
        self._model = ServedModel(read_bundle(Path(self._bundle)))
        (self._machine,) = self._model.manifest.machines
        self._model.warm_up([1, 2, 4, 8, 16], [self._machine])

    def decode_request(self, request: Request) -> TelemetryWindow:
        """Check the request, of which LitServe hands the parsed body on."""
        return read_window(DiagnoseRequest.model_validate(request), self._machine, 60.0)

    def batch(self, inputs: list[Any]) -> list[Any]:
        """Leave windows a list."""
        return inputs

    def predict(self, x: list[TelemetryWindow]) -> list[tuple[TelemetryWindow, WindowAnswer]]:
        """Answer a batch."""
        answers, _ = self._model.answer(x)
        return list(zip(x, answers, strict=True))

    def unbatch(self, output: Any) -> Any:
        """Leave answers a list."""
        return output

    def encode_response(self, output: tuple[TelemetryWindow, WindowAnswer]) -> Any:
        """Put an answer into words."""
        window, answer = output
        found = build_diagnosis(window, answer, self._model.manifest, self._model.version)
        return from_json(to_json(found))


if __name__ == "__main__":
    bundle, port = sys.argv[1:]
    api = Diagnose(bundle, max_batch_size=16, batch_timeout=0.05, api_path="/v1/diagnose")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=30)
    server.run(port=int(port), generate_client_file=False, log_level="error")
