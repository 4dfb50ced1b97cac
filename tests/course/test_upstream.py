"""The stand-in for the Messages API, held to its contract by the real SDK: plain, streamed, async and failing."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from lessonkit.upstream import Answer, Drop, Failure, NotAMessage, Silence, Step, Text, Thinking, Upstream
from lessonkit.upstream.steps import SECRET

MODEL = "claude-haiku-4-5-20251001"


def asked(prompt: str = "The door is") -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 20, "messages": [{"role": "user", "content": prompt}]}


@pytest.fixture(scope="module")
def running() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(running: Upstream) -> Upstream:
    running.reset()
    return running


@pytest.fixture
def sdk(upstream: Upstream) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=upstream.url, api_key="placeholder", max_retries=0) as client:
        yield client


def test_answer_is_a_message_with_usage(upstream: Upstream, sdk: anthropic.Anthropic) -> None:
    message = sdk.messages.create(**asked())
    text = "".join(block.text for block in message.content if block.type == "text")
    assert message.model == MODEL
    assert (message.usage.input_tokens, message.usage.output_tokens) == (3, len(text.split()))
    assert message.stop_reason == "end_turn"
    assert upstream.calls[0].prompt == "The door is"
    assert message == sdk.messages.create(**asked()).model_copy(update={"id": message.id})


def test_limit_of_tokens_is_kept_and_told(sdk: anthropic.Anthropic) -> None:
    message = sdk.messages.create(**asked() | {"max_tokens": 2})
    assert (message.usage.output_tokens, message.stop_reason) == (2, "max_tokens")


def test_scripted_blocks_model_and_usage(upstream: Upstream, sdk: anthropic.Anthropic) -> None:
    blocks = (Thinking("hm"), Text("one\n"), Text("two"))
    upstream.script(Answer(blocks, model="another", stop_reason="refusal", input_tokens=7, output_tokens=9))
    message = sdk.messages.create(**asked())
    assert [block.type for block in message.content] == ["thinking", "text", "text"]
    assert (message.model, message.stop_reason) == ("another", "refusal")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 9)


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (Failure(429, "rate_limit_error"), anthropic.RateLimitError),
        (Failure(529, "overloaded_error"), anthropic.OverloadedError),
        (Failure(500, "api_error"), anthropic.InternalServerError),
        (Failure(504, "timeout_error"), anthropic.GatewayTimeoutError),
        (Failure(401, "authentication_error"), anthropic.AuthenticationError),
        (Failure(403, "permission_error"), anthropic.PermissionDeniedError),
        (Failure(404, "not_found_error"), anthropic.NotFoundError),
        (Failure(400, "invalid_request_error"), anthropic.BadRequestError),
        (Drop(), anthropic.APIConnectionError),
    ],
    ids=lambda value: str(getattr(value, "status", getattr(value, "__name__", "drop"))),
)
def test_failures_are_the_errors_of_the_sdk(
    upstream: Upstream, sdk: anthropic.Anthropic, step: Step, error: type[anthropic.APIError]
) -> None:
    upstream.script(step)
    with pytest.raises(error) as caught:
        sdk.messages.create(**asked())
    assert type(caught.value) is error
    if isinstance(caught.value, anthropic.APIStatusError):
        assert caught.value.request_id
        assert SECRET in str(caught.value)


def test_silence_is_a_time_out(upstream: Upstream, sdk: anthropic.Anthropic) -> None:
    upstream.script(Silence())
    with pytest.raises(anthropic.APITimeoutError):
        sdk.with_options(timeout=0.1).messages.create(**asked())
    assert upstream.calls[0].gone.wait(10)


def test_what_is_no_message_reaches_the_caller_as_it_is(upstream: Upstream, sdk: anthropic.Anthropic) -> None:
    upstream.script(NotAMessage())
    assert isinstance(sdk.messages.create(**asked()), str)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "gpt"}, anthropic.NotFoundError),
        ({"max_tokens": 0}, anthropic.BadRequestError),
        ({"messages": []}, anthropic.BadRequestError),
        ({"messages": [{"role": "user", "content": ""}]}, anthropic.BadRequestError),
    ],
    ids=["model", "max_tokens", "no_message", "empty_message"],
)
def test_requests_are_checked(
    sdk: anthropic.Anthropic, change: dict[str, Any], error: type[anthropic.APIError]
) -> None:
    with pytest.raises(error):
        sdk.messages.create(**asked() | change)


def test_stream_gives_the_same_text_and_usage(upstream: Upstream, sdk: anthropic.Anthropic) -> None:
    upstream.script(
        Answer((Thinking("hm"), Text("one two\nthree"))), Answer((Thinking("hm"), Text("one two\nthree")))
    )
    plain = sdk.messages.create(**asked())
    with sdk.messages.stream(**asked()) as stream:
        pieces = list(stream.text_stream)
        streamed = stream.get_final_message()
    assert pieces == ["one", " two\nthree"]
    assert [block.to_dict() for block in streamed.content] == [block.to_dict() for block in plain.content]
    assert streamed.usage.output_tokens == plain.usage.output_tokens
    assert streamed.stop_reason == plain.stop_reason


def test_stream_breaks_off_with_an_error_event_or_a_cut(upstream: Upstream, sdk: anthropic.Anthropic) -> None:
    upstream.script(
        Answer((Text("one two three"),), fail_after=2, error="overloaded_error"),
        Answer((Text("one two three"),), fail_after=2),
    )
    for _ in range(2):
        pieces: list[str] = []
        with pytest.raises(Exception, match=r"overloaded_error|peer closed"):
            read_into(pieces, sdk)
        assert pieces == ["one", " two"]


def read_into(pieces: list[str], sdk: anthropic.Anthropic) -> None:
    with sdk.messages.stream(**asked()) as stream:
        for piece in stream.text_stream:
            pieces.append(piece)


def test_refused_stream_is_a_real_status(upstream: Upstream, sdk: anthropic.Anthropic) -> None:
    upstream.script(Failure(529, "overloaded_error"))
    with pytest.raises(anthropic.OverloadedError), sdk.messages.stream(**asked()):
        pass


def test_barrier_counts_calls_in_flight(upstream: Upstream) -> None:
    async def eight() -> None:
        async with anthropic.AsyncAnthropic(base_url=upstream.url, api_key="placeholder") as client:
            await asyncio.gather(*(client.messages.create(**asked()) for _ in range(8)))

    upstream.hold(8)
    asyncio.run(eight())
    assert (upstream.peak, len(upstream.calls)) == (8, 8)
    assert upstream.wait_until_closed()


def test_first_piece_comes_before_the_rest_and_a_caller_who_leaves_is_noticed(upstream: Upstream) -> None:
    async def first() -> str:
        async with (
            anthropic.AsyncAnthropic(base_url=upstream.url, api_key="placeholder") as client,
            client.messages.stream(**asked()) as stream,
        ):
            async for piece in stream.text_stream:
                return piece
        return ""

    upstream.script(Answer((Text("one two three"),), hold_before=2))
    assert asyncio.run(first()) == "one"
    assert upstream.calls[0].gone.wait(10)
    assert "message_stop" not in upstream.calls[0].sent


def test_client_that_is_not_closed_is_seen(upstream: Upstream) -> None:
    client = anthropic.Anthropic(base_url=upstream.url, api_key="placeholder")
    client.messages.create(**asked())
    client.messages.create(**asked())
    assert (upstream.connections, upstream.open_connections) == (1, 1)
    client.close()
    assert upstream.wait_until_closed()
