"""A stand-in for the Messages API, on a loopback port, that the real `anthropic` SDK talks to.

It speaks the wire format of the service (plain and streamed, error envelope, headers), answers with the
tiny language model, keeps what it received, and can be told to answer in other ways. Format: Anthropic's
API reference for Messages, Streaming Messages and Errors; every part is tested with the real SDK.
"""

from lessonkit.upstream.server import Upstream, address, shared
from lessonkit.upstream.steps import Answer, Drop, Failure, NotAMessage, Silence, Step, Text, Thinking

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
