"""What `/metrics` tells Prometheus: counts and times, never code."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from engine.errors import EngineError
from engine.scheduler import Message, Send

__all__ = ["CONTENT_TYPE", "Metrics"]

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0)


class Metrics:
    """The counters of one engine; safe from any thread."""

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        """Count requests, and read each gauge (its description, its function) when asked."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "diffill_requests",
            "Requests by endpoint and outcome: done, refused by the parser, or the kind of error.",
            ["endpoint", "outcome"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "diffill_request_seconds",
            "Time from a request to its result, waiting included.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._tokens = Counter("diffill_tokens", "Tokens of results.", registry=self._registry)
        self._calls = Counter(
            "diffill_forward_calls", "Forward calls of results.", registry=self._registry
        )
        for name, (about, read) in gauges.items():
            Gauge(f"diffill_{name}", about, registry=self._registry).set_function(read)

    def counting(self, endpoint: str, send: Send) -> Send:
        """Return `send`, counting the message that ends a request."""
        began = time.monotonic()

        def counted(message: Message) -> None:
            match message:
                case {"type": "result", "result": result}:
                    is_offered = result["candidates"][0]["verdict"]["ok"]
                    outcome = "done" if is_offered else "refused"
                    self._requests.labels(endpoint, outcome).inc()
                    self._seconds.labels(endpoint).observe(time.monotonic() - began)
                    self._tokens.inc(result["stats"]["tokens"])
                    self._calls.inc(result["stats"]["forward_calls"])
                case {"type": "error", "kind": kind}:
                    self._requests.labels(endpoint, kind).inc()
                case _:
                    pass
            send(message)

        return counted

    def refused(self, endpoint: str, error: EngineError) -> None:
        """Count a request that did not come to be worked on."""
        self._requests.labels(endpoint, error.kind).inc()

    def text(self) -> bytes:
        """Return all in Prometheus' text form."""
        return generate_latest(self._registry)
