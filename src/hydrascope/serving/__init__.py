"""The service: engine (queue, batching, breaker, hot swap), HTTP, cache, observability."""
