"""The service: HTTP interface, batching engine, model process, equipment, observability."""
