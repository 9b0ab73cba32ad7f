"""Traces through the stages of a diagnosis, sent where OTEL_EXPORTER_OTLP_ENDPOINT says."""

import os

from opentelemetry import trace

from hydrascope import __version__


def configure_tracing() -> None:
    """Send traces if an endpoint is configured; without one, spans cost next to nothing."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "hydrascope", "service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
