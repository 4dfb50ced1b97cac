"""The fixture `spans`: what the learner's app tells OpenTelemetry, kept in memory.

FastAPI sends spans to the provider of the whole process, or to one that the app names in `telemetry=`. Both
get an exporter that keeps them.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from lessonkit.client import RecordingClient

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

Spans = Callable[[], "list[ReadableSpan]"]


@pytest.fixture
def spans(client: RecordingClient, request: pytest.FixtureRequest) -> Iterator[Spans]:
    """Gives the spans that have ended in this check, oldest first: `spans()`."""
    from opentelemetry import trace  # which other lessons need not wait for
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    exporter = InMemorySpanExporter()
    keeping = SimpleSpanProcessor(exporter)
    configured: dict[str, Any] = getattr(request.getfixturevalue("main").app, "_telemetry", {})
    providers: list[Any] = [trace.get_tracer_provider(), configured.get("tracer_provider")]
    for one in {id(provider): provider for provider in providers}.values():
        if hasattr(one, "add_span_processor"):
            one.add_span_processor(keeping)
    yield lambda: list(exporter.get_finished_spans())
    keeping.shutdown()


def words_of(span: "ReadableSpan") -> str:
    """All that a span says, as one text: its name, attributes, events and status."""
    said: list[object] = [span.name, dict(span.attributes or {}), span.status.description]
    said += [(event.name, dict(event.attributes or {})) for event in span.events]
    return " ".join(map(str, said))
