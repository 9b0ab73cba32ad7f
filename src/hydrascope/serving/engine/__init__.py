"""The engine: queue, dynamic batches, circuit breaker, hot swap of models."""
