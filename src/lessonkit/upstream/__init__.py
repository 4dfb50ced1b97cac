"""A stand-in for the Messages API, on a loopback port, that the real `anthropic` SDK talks to.

It speaks the wire format of the service (plain and streamed, error envelope, headers), answers with the
tiny language model, keeps what it received, and can be told to answer in other ways. Format: Anthropic's
API reference for Messages, Streaming Messages and Errors; every part is tested with the real SDK.
`python -m lessonkit.upstream` runs it in a terminal.

Each name is loaded from its module when it is first used: a suite is also read for its hints and titles
alone, and need not wait for a server then.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lessonkit.upstream.server import Upstream as Upstream
    from lessonkit.upstream.server import shared as shared
    from lessonkit.upstream.steps import Answer as Answer
    from lessonkit.upstream.steps import Drop as Drop
    from lessonkit.upstream.steps import Failure as Failure
    from lessonkit.upstream.steps import NotAMessage as NotAMessage
    from lessonkit.upstream.steps import Silence as Silence
    from lessonkit.upstream.steps import Step as Step
    from lessonkit.upstream.steps import Text as Text
    from lessonkit.upstream.steps import Thinking as Thinking

_STEPS = ("Answer", "Drop", "Failure", "NotAMessage", "Silence", "Step", "Text", "Thinking")
_HOMES = dict.fromkeys(_STEPS, "lessonkit.upstream.steps") | {
    "Upstream": "lessonkit.upstream.server",
    "shared": "lessonkit.upstream.server",
}

__all__ = [
    "Answer",
    "Drop",
    "Failure",
    "NotAMessage",
    "Silence",
    "Step",
    "Text",
    "Thinking",
    "Upstream",
    "address",
    "shared",
]


def address() -> str:
    """The URL of `shared()`: what a suite puts into its ENVIRONMENT as ANTHROPIC_BASE_URL, uncalled.

    From then on the SDK's clients are on record, those of the learner's module too.
    """
    from lessonkit.upstream import clients, server

    clients.watch()
    return server.shared().url


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lessonkit.upstream' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
