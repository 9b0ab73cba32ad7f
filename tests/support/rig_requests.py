"""Requests of the rig's load cycles, and their answers."""

import json
import time
import urllib.request
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.zema import EPOCH, ZemaSource

PATH = "/v1/diagnose"


def request_bodies(cycles: Iterable[int], digits: int | None = None) -> Iterator[bytes]:
    """Yield load cycles of the rig as requests' bodies, exact or to so many decimal digits."""
    source = ZemaSource()
    for row in cycles:
        start = EPOCH + timedelta(seconds=60 * row)
        signals = source.read("zema", TimeWindow(start=start, end=start + timedelta(seconds=60)))
        content = {
            "equipment_id": "zema",
            "start": start.isoformat(),
            "signals": {
                name: {
                    "values": _rounded(signal.values.tolist(), digits),
                    "rate_hz": signal.rate_hz,
                }
                for name, signal in signals.items()
            },
        }
        yield json.dumps(content).encode()


def _rounded(values: list[float], digits: int | None) -> list[float]:
    return values if digits is None else [round(value, digits) for value in values]


def ask(port: int, body: bytes) -> dict[str, Any]:
    """Return the answer to one request."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{PATH}", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def first_latencies_s(port: int, count: int) -> list[float]:
    """Return the latencies of requests one after the other, from the first one on."""
    latencies = []
    for body in request_bodies(range(count), digits=4):
        start = time.perf_counter()
        ask(port, body)
        latencies.append(time.perf_counter() - start)
    return latencies
