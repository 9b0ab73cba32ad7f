"""OpenTelemetry traces of a diagnosis, sent to OTEL_EXPORTER_OTLP_ENDPOINT."""

import asyncio
import logging
import os

from opentelemetry import trace

from hydrascope import __version__

_LOG = logging.getLogger(__name__)
_FLUSH_TIMEOUT_S = 2.0


def configure_tracing() -> None:
    """Send traces if an endpoint is configured; without one, spans cost almost nothing."""
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


async def flush_traces() -> None:
    """Send the buffered traces; a process ended by a signal has no later chance."""
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is None:
        return
    try:
        async with asyncio.timeout(_FLUSH_TIMEOUT_S):
            await asyncio.to_thread(flush)
    except TimeoutError:
        _LOG.warning("the last traces were not sent: the collector does not answer")
