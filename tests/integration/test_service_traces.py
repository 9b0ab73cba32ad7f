"""Traces of the service, as a collector of OpenTelemetry receives them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.support.rig_requests import ask, request_bodies
from tests.support.services import service


@contextmanager
def trace_collector() -> Iterator[tuple[str, list[Span]]]:
    """Take in what is sent by OTLP over HTTP."""
    spans: list[Span] = []

    class Collect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collect) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()


def test_a_trace_leads_through_a_request_and_its_batch_names_it(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trace_collector() as (url, spans):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        with service(bundle) as running:
            ask(running.port, next(request_bodies([3])))
    # What was still to be sent came when the service ended.
    (read,) = [each for each in spans if each.name == "read"]
    (engine,) = [each for each in spans if each.name == "engine"]
    assert read.trace_id == engine.trace_id
    (batch,) = [each for each in spans if each.name == "batch"]
    assert [each.span_id for each in batch.links] == [engine.span_id]
    for name in ("features", "network"):
        (stage,) = [each for each in spans if (each.name, each.trace_id) == (name, batch.trace_id)]
        assert stage.parent_span_id == batch.span_id
