"""The ways in which the stand-in can be told to answer one call."""

from dataclasses import dataclass, field

SECRET = "the upstream's own words: shard eu-7, key sk-ant-internal"


@dataclass(frozen=True)
class Text:
    """A block of text; streamed, it comes in `pieces` (by default word by word)."""

    text: str
    pieces: tuple[str, ...] = ()

    def streamed(self) -> tuple[str, ...]:
        if self.pieces:
            return self.pieces
        words = self.text.split(" ")
        return tuple(word if place == 0 else f" {word}" for place, word in enumerate(words))


@dataclass(frozen=True)
class Thinking:
    """A block in which the model thinks, which is not part of its answer."""

    thinking: str


@dataclass(frozen=True)
class Answer:
    """A message.

    `model` None echoes the one asked for. Token counts None are counted from the words. A streamed
    answer waits before its text piece number `hold_before` (from 1) until `Upstream.release()`; after text
    piece number `fail_after` it ends with an error event of type `error`, or, when `error` is None, with
    the connection cut. `seconds_apart` lie before each text piece; a whole answer takes as long as its pieces.
    """

    blocks: tuple[Text | Thinking, ...] = (Text("All is well."),)
    model: str | None = None
    stop_reason: str = "end_turn"
    input_tokens: int | None = None
    output_tokens: int | None = None
    hold_before: int | None = None
    fail_after: int | None = None
    error: str | None = None
    seconds_apart: float = 0.0

    @property
    def text(self) -> str:
        """The text blocks, joined with nothing between."""
        return "".join(block.text for block in self.blocks if isinstance(block, Text))


@dataclass(frozen=True)
class Failure:
    """An error in the service's envelope: `Failure(429, "rate_limit_error")`."""

    status: int
    type: str = "api_error"
    message: str = SECRET
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Silence:
    """No answer until the caller gives up, or until `Upstream.release()`.

    With `ticks`, an ordinary answer comes after so many, so that a caller who never gives up is not held for ever.
    """

    ticks: int | None = None


@dataclass(frozen=True)
class Drop:
    """The connection is cut before an answer."""


@dataclass(frozen=True)
class NotAMessage:
    """Status 200 with a body that is no message, as a proxy in between may send."""

    body: str = "<html><body>Welcome to the proxy</body></html>"
    content_type: str = "text/html"


Step = Answer | Failure | Silence | Drop | NotAMessage
