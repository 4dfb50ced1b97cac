"""Lesson 10: tokens as they come.

`upstream` is the stand-in for the Messages API. It can stop before a piece until it is told to go on
(`hold_before`, `release`), break off in several ways, and it keeps what it sent of each call. `events` reads
the Server-Sent Events of a whole answer, `live` reads them one by one while the app still writes. What your code
looks like is all the same to these checks: they read the bytes.
"""

import json
import re

from lessonkit import error_locations, expected, task, upstream
from lessonkit.sse import events, live
from lessonkit.upstream.steps import Answer, Drop, Failure, NotAMessage, Text, Thinking

ENVIRONMENT = {
    "ANTHROPIC_BASE_URL": upstream.address,
    "ANTHROPIC_API_KEY": "placeholder-key",
    "no_proxy": "127.0.0.1",  # where a proxy is set, nothing of this goes through it
}

PATH = "/generate/stream"
BODY = {"prompt": "The door is"}
SECRETS = (
    "shard eu-7",
    "sk-ant-internal",
    "overloaded_error",
    "api_error",
    "OverloadedError",
    "APIStatusError",
)
AT_ONCE = {"x-should-retry": "false"}  # the SDK tries again by itself, unless a failure says that it need not
HELD = Answer((Text("One two three four"),), hold_before=4)  # three pieces leave, the fourth waits
LONG = Answer(
    (Text("and " * 2_000),), hold_before=4
)  # longer than what fits into a connection that nobody reads
LEFT_SECONDS = 1.5
GONE_SECONDS = 5.0


def stream(client, **body):
    """The whole answer, read to its end."""
    return client.post(PATH, json=BODY | body)


def data_of(reply, name):
    """The data of all events of this name, as JSON."""
    return [event.value for event in events(reply) if event.name == name]


def pieces(reply):
    """The texts of the token events, as far as they have one."""
    texts = [data.get("text") if isinstance(data, dict) else None for data in data_of(reply, "token")]
    return [text for text in texts if isinstance(text, str)]


def joined(reply):
    return "".join(pieces(reply))


def names(reply):
    """The names of the events, tokens in a row once: "token, done, done"."""
    found = [event.name for event in events(reply)]
    told = [
        name for place, name in enumerate(found) if name != "token" or found[place - 1 : place] != ["token"]
    ]
    return ", ".join(told)


def came(reply):
    """What came back, in names of events; a status where it is not 200."""
    if reply.status_code != 200:
        return f"status {reply.status_code}, and no stream"
    return f"these events: {names(reply)}" if names(reply) else "a stream with no event"


def late(client, reply):
    """What came back of a request whose 200 had left before it failed."""
    crash = client.exchanges[-1].crash
    return f"status 200 and {came(reply)}" + (f", because of {crash}" if crash else "")


def shown_data(reply, name):
    """The data of the first event of this name, as it was sent; what came back where there is none."""
    sent = next((event.data for event in events(reply) if event.name == name), None)
    if sent is None:
        return came(reply)
    try:
        json.loads(sent)
    except ValueError:
        return f"the data {sent[:200]}, which is no JSON"
    return (
        f"the data {sent}"
        if len(sent) <= 300
        else f"data of {len(sent)} characters: {sent[:300].rsplit(' ', 1)[0]} …"
    )


def being_written(call):
    """Whether the upstream was asked for a stream, and has not sent its end."""
    return bool(call.body.get("stream")) and "message_stop" not in call.sent


def first_words(reply):
    """The beginning of a stream, for a message."""
    return json.dumps(reply.text[:160], ensure_ascii=False)


@task(
    "POST /generate/stream",
    hints=[
        "TODO(2): look at what stands in the brackets of @app.post, and at the `yield` of the endpoint.",
        "A generator with response_class=EventSourceResponse is sent as Server-Sent Events, in a response of the type text/event-stream.",
        '@app.post("/generate/stream", response_class=EventSourceResponse) above an `async def` that yields',
    ],
)
def test_answer_is_an_event_stream(upstream, client):
    """The answer is a stream of the type text/event-stream."""
    reply = stream(client)
    places = error_locations(reply)
    assert not any(place.startswith("query.") for place in places), expected(
        "the fields to be read from the JSON body, and everything else to come from a dependency",
        came_back="422: FastAPI looks for these in the query: "
        + ", ".join(place.removeprefix("query.") for place in places if place.startswith("query.")),
        next_step="Write stream: OpenStream, where OpenStream = Annotated[AsyncMessageStream, Depends(open_stream)].",
    )
    assert reply.status_code == 200, expected(
        "status 200 and a stream; only `prompt` is required",
        next_step="Take the body as a GenerateRequest in open_stream, and yield the opened stream there.",
    )
    kind = reply.headers.get("content-type", "no content type")
    assert kind != "application/jsonl", expected(
        "a response of the type text/event-stream",
        came_back="one of the type application/jsonl: a generator is sent as JSON Lines, unless it is told otherwise",
        next_step="Write @app.post(…, response_class=EventSourceResponse).",
    )
    assert kind.partition(";")[0].strip().lower() == "text/event-stream", expected(
        "a response of the type text/event-stream",
        came_back=f"one of the type {kind}",
        next_step="Let the endpoint be a generator under @app.post(…, response_class=EventSourceResponse), or name the "
        "media_type of your own StreamingResponse.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(2): what does your generator yield for a piece of text?",
        "ServerSentEvent has `event`, the name, and `data`, which FastAPI writes as JSON for you.",
        'yield ServerSentEvent(event="token", data={"text": event.text})',
    ],
)
def test_pieces_are_token_events(upstream, client, logs):
    """Each piece is an event `token` with {"text": …}."""
    upstream.script(Answer((Text("It is open."),)))
    reply = stream(client)
    found = events(reply)
    assert upstream.calls, expected(
        "a call to reach the upstream; none did",
        next_step="Open client.messages.stream(…) with `async with` in open_stream.",
    )
    assert found or "data:" not in reply.text, expected(
        "events, each with an empty line at its end",
        came_back=f"lines that never become an event: {first_words(reply)}",
        next_step='End each event with an empty line, that is with two line ends: f"event: token\\ndata: {…}\\n\\n".',
    )
    assert found, expected(
        "events of the name `token`",
        next_step="Go through the open stream with `async for`, and yield a ServerSentEvent for each piece of text.",
    )
    assert found[0].name != "message", expected(
        "the name `token` on each piece",
        came_back=f"an event without a name: {first_words(reply)}",
        next_step='Yield a ServerSentEvent with event="token"; a dict alone becomes an event without a name.',
    )
    assert found[0].name != "error" or "StreamClosed" not in (logs.exception or ""), expected(
        "an open stream, which open_stream hands over",
        came_back=f"the `error` that your `except` makes of {logs.exception}",
        next_step="`yield` the stream inside the `async with`: with `return` the block ends, and closes the stream, before anybody reads it.",
    )
    assert found[0].name != "error", expected(
        "events of the name `token`",
        came_back=f"the `error` that your `except` makes{f' of {logs.exception}' if logs.exception else ''}: {first_words(reply)}",
        next_step="Mend what was raised in your loop: the upstream did not fail, and your `except` hides it."
        if logs.exception
        else "Something in your loop is wrong, and your `except` hides it. Write `raise` as its first line for a moment, and run this "
        "check again: it then shows what was raised, and where.",
    )
    tokens = [event for event in found if event.name == "token"]
    assert tokens, expected(
        "events of the name `token`",
        came_back=came(reply),
        next_step='Yield ServerSentEvent(event="token", data={"text": …}) for each piece of text.',
    )
    data = tokens[0].value
    assert data is not None, expected(
        "JSON as the data of a token",
        came_back=f"the data {tokens[0].data[:80]!r}, which is no JSON",
        next_step='Write data={"text": …}: FastAPI turns it into JSON. raw_data is sent as it is, and a line end in it would '
        "end the event's data.",
    )
    assert not (isinstance(data, str) and "{" in data), expected(
        'a JSON object as the data of a token: {"text": …}',
        came_back=f"{tokens[0].data[:80]}, a JSON string with an object in it: it was turned into JSON twice",
        next_step='Write data={"text": …} without json.dumps or model_dump_json: FastAPI turns it into JSON.',
    )
    assert all(
        isinstance(one.value, dict) and one.value.keys() == {"text"} and isinstance(one.value["text"], str)
        for one in tokens
    ), expected(
        'a JSON object with one key as the data of each token: {"text": "…"}',
        came_back=f"the data {tokens[0].data[:160]}",
        next_step='Write data={"text": event.text}, and nothing else.',
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(2): print the type of each event that the SDK's stream gives.",
        "One piece of text comes as two events there: a raw content_block_delta, and a `text`, which has the piece in .text "
        "and everything so far in .snapshot. One of the two is enough.",
        'if event.type == "text": yield a token with event.text',
    ],
)
def test_pieces_joined_are_the_answer(upstream, client):
    """The pieces, joined, are the whole answer."""
    whole = "One two, three"
    upstream.script(Answer((Text("One "), Text("two, three"))))
    reply = stream(client)
    found = pieces(reply)
    told = f"the pieces {found}" if found else "no piece"
    assert not found or (joined(reply) != whole * 2 and found[::2] != found[1::2]), expected(
        "each piece once",
        came_back=f"{told}: each text comes twice",
        next_step='Take one kind of the stream\'s events alone: those with event.type == "text".',
    )
    assert not (len(found) > 1 and found[0] and found[1].startswith(found[0])), expected(
        "each token to hold its own piece alone",
        came_back=f"{told}: each repeats what came before",
        next_step="Send event.text, the new piece, and not event.snapshot or a text that you collect.",
    )
    assert joined(reply) == whole, expected(
        f'pieces that make "{whole}" when they are joined with nothing between; the upstream sent two blocks of text',
        came_back=told,
        next_step="Send every piece as it is, of all text blocks: strip nothing, and add no space.",
    )
    long = " ".join(str(number) for number in range(100))
    upstream.script(Answer((Text(long),)))
    found = joined(stream(client))
    assert found == long, expected(
        f"all of an answer of {len(long)} characters",
        came_back=f"{len(found)} characters, which end with {found[-20:]!r}",
        next_step="Send every piece, however many there are: max_tokens is what bounds an answer.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(2): what happens to a line end on its way out?",
        "In the bytes of an event a line end ends the line. Inside JSON it is written as \\n, two characters, and comes through.",
        'data={"text": event.text}, with the text as it is',
    ],
)
def test_line_ends_come_through(upstream, client):
    """Line ends, quotes and letters of all kinds come through."""
    parts = ("1. Knock\n", "\n", "2. \"Who's", ' there?"\r\n', "  — Grüße, 文 🙂\n\n")
    whole = "".join(parts)
    upstream.script(Answer((Text(whole, pieces=parts),)))
    reply = stream(client)
    assert joined(reply) == whole, expected(
        f"pieces that make {whole!r} when they are joined",
        came_back=f"the pieces {pieces(reply)}, in a stream that begins with {first_words(reply)}",
        next_step='Let JSON carry the text: data={"text": …} in a ServerSentEvent, or json.dumps({"text": …}) in your own '
        "bytes. Strip nothing, and send a piece that is a line end too.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(2): which kinds of pieces does the stream of a thinking model hold?",
        "A delta says in its type what it is. Only those of text belong to the answer.",
        'if event.type == "text": …, and nothing for event.type == "thinking"',
    ],
)
def test_thinking_stays_out(upstream, client):
    """What the model thinks is not part of the stream."""
    upstream.script(Answer((Thinking("The user greets me."), Text("Good morning."))))
    reply = stream(client)
    assert "greets me" not in reply.text, expected(
        "nothing of what the model thought",
        next_step='Send a token for event.type == "text" alone; thinking_delta and thinking are of another kind.',
    )
    assert joined(reply) == "Good morning.", expected(
        'pieces that make "Good morning.": the upstream sent a block of thinking, and then this text',
        next_step='Look at event.type before you look at .text: only an event of the type "text" is sure to have one.',
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(2): where does your code stand still until the whole answer is there?",
        "A list, a join, get_final_message() before the loop, messages.create(…): each waits for the end. A `yield` inside the `async for` "
        "sends at once.",
        "async for event in stream: … yield ServerSentEvent(…)",
    ],
)
def test_first_token_leaves_before_the_end(upstream, client):
    """The first token leaves while the upstream still writes."""
    upstream.script(HELD)
    with live(client, PATH, BODY) as reading:
        first = reading.next()
        asked = upstream.calls[-1].body if upstream.calls else {}
        meanwhile = bool(upstream.calls) and being_written(upstream.calls[-1])
        upstream.release()
    assert asked, expected(
        "a call to reach the upstream; none did",
        came_back="no call",
        next_step="Open client.messages.stream(…) with `async with` in open_stream.",
    )
    assert asked.get("stream"), expected(
        "the upstream to be asked for a stream",
        came_back="it was asked for one whole message",
        next_step="Call client.messages.stream(…) instead of messages.create(…), and go through its events.",
    )
    assert meanwhile, expected(
        "a first event while the upstream had sent three pieces of its answer, and waited with the fourth",
        came_back="nothing, until the upstream had sent its end",
        next_step="Yield each piece inside the loop over the stream. Anything that waits for the end, such as a list, a join or "
        "get_final_message() before the first `yield`, makes the reader wait too. A synchronous stream stops everybody where it stands in "
        "an `async def`: there, use AsyncAnthropic, `async with` and `async for`.",
    )
    assert first is not None and first.name == "token", expected(
        "a token as the first event, while the upstream still writes",
        came_back="the end of the stream" if first is None else f"an event of the name {first.name}",
        next_step="Yield a token for each piece of text, inside the loop over the stream.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(3): what does your generator yield when the answer is complete?",
        "A reader cannot tell an answer that is complete from a line that went dead, unless the last event says so. The SDK's stream "
        'ends with an event of the type "message_stop".',
        'elif event.type == "message_stop": yield ServerSentEvent(event="done", data=…), then return',
    ],
)
def test_done_comes_once_at_the_end(upstream, client):
    """One done ends a complete answer."""
    upstream.script(Answer((Text("One "), Text("two."))))
    reply = stream(client)
    found = [event.name for event in events(reply)]
    assert "done" in found, expected(
        "an event `done` after the last token",
        came_back=came(reply),
        next_step='After the last piece, yield ServerSentEvent(event="done", data=…).',
    )
    assert found.count("done") == 1 and found[-1] == "done", expected(
        "one `done`, and nothing after it",
        came_back=came(reply),
        next_step='Yield it when the whole message has ended, for the event "message_stop", and then return: a block of text that '
        "ends is not the end of the answer.",
    )
    assert set(found) == {"token", "done"}, expected(
        "tokens and one `done`, and nothing else",
        came_back=came(reply),
        next_step="Pass on the pieces of text, and keep the upstream's other events to yourself.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(3): look at the data of your `done`.",
        "It has two keys; the second holds an object with two numbers.",
        '{"stop_reason": …, "usage": {"input_tokens": …, "output_tokens": …}}',
    ],
)
def test_done_has_stop_reason_and_usage(upstream, client):
    """done holds stop_reason and usage, and no more."""
    upstream.script(Answer((Text("One two."),)))
    reply = stream(client)
    data = next(iter(data_of(reply, "done")), None)
    shown = shown_data(reply, "done")
    assert isinstance(data, dict) and data.keys() == {"stop_reason", "usage"}, expected(
        'a `done` whose data is a JSON object with the keys "stop_reason" and "usage"',
        came_back=shown,
        next_step='Write data={"stop_reason": …, "usage": {…}}, as a dict or a model; the text has left in the tokens.',
    )
    usage = data["usage"]
    assert isinstance(usage, dict) and usage.keys() == {"input_tokens", "output_tokens"}, expected(
        'a `usage` with the keys "input_tokens" and "output_tokens"',
        came_back=shown,
        next_step="Put these two numbers alone into `usage`; the SDK's own usage object holds more.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(3): where does the stop_reason of your `done` come from?",
        "A model stops because it is done, because max_tokens is reached, or for other reasons. The message knows which, once it is whole.",
        '"stop_reason": event.message.stop_reason',
    ],
)
def test_stop_reason_is_the_upstreams(upstream, client):
    """stop_reason is the upstream's own."""
    for reason in ("end_turn", "max_tokens"):
        upstream.script(Answer((Text("One two"),), stop_reason=reason))
        reply = stream(client)
        data = next(iter(data_of(reply, "done")), None)
        found = data.get("stop_reason") if isinstance(data, dict) else None
        assert "error" not in [event.name for event in events(reply)], expected(
            f'a `done` with the stop_reason "{reason}": an answer that has reached max_tokens is complete, and nothing failed',
            came_back=came(reply),
            next_step='Make a `done` of every "message_stop", and leave it to the reader what the stop_reason means.',
        )
        assert found == reason, expected(
            f'the stop_reason "{reason}" in `done`, which is what the upstream said',
            came_back=f"the stop_reason {json.dumps(found)}"
            if isinstance(data, dict)
            else shown_data(reply, "done"),
            next_step='Take it from the message as it is at its end: event.message.stop_reason of the event "message_stop". At the start '
            "it is null.",
        )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(3): at which moment do you read the usage?",
        "The first event of a stream knows what went in. How many tokens came out is only known at the end.",
        'event.message.usage, for the event of the type "message_stop"',
    ],
)
def test_usage_is_that_of_the_end(upstream, client):
    """usage holds the upstream's counts at the end."""
    upstream.script(Answer((Text("Two words."),), input_tokens=23, output_tokens=71))
    data = next(iter(data_of(stream(client), "done")), None)
    usage = data.get("usage") if isinstance(data, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    counts = (usage.get("input_tokens"), usage.get("output_tokens"))
    shown = f"{counts[0]} and {counts[1]}"
    assert counts != (23, 1), expected(
        "23 input tokens and 71 output tokens",
        came_back=f"{shown}: these are the counts of the first event, before the model wrote anything",
        next_step='Read the usage when the message is whole: event.message.usage of the event "message_stop".',
    )
    assert counts != (71, 23), expected(
        "23 input tokens and 71 output tokens",
        came_back=f"{shown}: the other way round",
        next_step="Input is what was sent to the model, output what it wrote: swap the two.",
    )
    assert counts == (23, 71), expected(
        "23 input tokens and 71 output tokens in `done`, which is what the upstream counted",
        came_back=shown,
        next_step="Take both numbers from the message at its end, and count nothing yourself: a piece is not a token.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(3): what does your code do when no piece ever comes?",
        "A model may have nothing to say, or may think and then say nothing. The answer is complete all the same.",
        'elif event.type == "message_stop": yield the done, whatever came before',
    ],
)
def test_answer_without_text_is_a_done_alone(upstream, client):
    """An answer without any text is a done alone."""
    for blocks in ((), (Thinking("Nothing to add."),)):
        upstream.script(Answer(blocks))
        reply = stream(client)
        assert [event.name for event in events(reply)] == ["done"], expected(
            "one `done` and no other event: "
            + (
                "this answer has a block of thinking and no text"
                if blocks
                else "this answer has no blocks at all"
            ),
            next_step="Send a token for each piece of text, an empty one for none, and a `done` in any case."
            if reply.status_code != 200
            else "Send no token when there is no piece, and a `done` whenever the message is whole, with or without text.",
        )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(1): look at what you pass to client.messages.stream.",
        "The same three arguments as lesson 8 passed to messages.create.",
        'model=request.model, max_tokens=request.max_tokens, messages=[{"role": "user", "content": request.prompt}]',
    ],
)
def test_request_reaches_the_upstream(upstream, client):
    """prompt, model and max_tokens reach the upstream as sent."""
    prompt = "  Name: \n\n{name}, “Grüße” \t"
    upstream.script(Answer())
    stream(client, prompt=prompt, model="a-model-of-next-year", max_tokens=7)
    assert upstream.calls, expected(
        "a call to reach the upstream; none did",
        next_step="Open client.messages.stream(…) with `async with` in open_stream.",
    )
    body = upstream.calls[-1].body
    messages = body["messages"]
    assert not body.get("system"), expected(
        "no system prompt: the caller's prompt is all that the upstream gets",
        came_back=f"the upstream got the system prompt {str(body.get('system'))[:200]!r}",
        next_step="Take the parameter `system` out of messages.stream.",
    )
    assert len(messages) == 1 and upstream.calls[-1].prompt == prompt, expected(
        f"one message upstream, with the text {prompt!r}",
        came_back=f"{len(messages)} of them, the last with the text {upstream.calls[-1].prompt[:200]!r}",
        next_step='Write messages=[{"role": "user", "content": request.prompt}].',
    )
    assert (body["model"], body["max_tokens"]) == ("a-model-of-next-year", 7), expected(
        'the upstream to be asked for the model "a-model-of-next-year" and at most 7 tokens',
        came_back=f'it was asked for "{body["model"]}" and at most {body["max_tokens"]}',
        next_step="Pass model=request.model and max_tokens=request.max_tokens.",
    )
    before = len(upstream.calls)
    stream(client)
    assert len(upstream.calls) > before, expected(
        "a call upstream for a body with a prompt alone; there was none",
        next_step="Give `model` and `max_tokens` of GenerateRequest their defaults.",
    )
    body = upstream.calls[-1].body
    assert (body["model"], body["max_tokens"]) == ("claude-haiku-4-5-20251001", 1024), expected(
        'the upstream to be asked for "claude-haiku-4-5-20251001" and at most 1024 tokens, for a body with a prompt alone',
        came_back=f'it was asked for "{body["model"]}" and at most {body["max_tokens"]}',
        next_step="Leave the two defaults of GenerateRequest as the starter has them.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(1): look at what open_stream takes.",
        "A GenerateRequest as the type of a parameter is read from the body and held to its limits before anything runs.",
        "async def open_stream(request: GenerateRequest, client: Client)",
    ],
)
def test_bad_request_never_starts_a_stream(upstream, client):
    """A body that breaks the limits is a 422, and no stream."""
    assert stream(client, max_tokens=4096).status_code == 200 and upstream.calls, expected(
        "status 200 and a call upstream for a max_tokens of 4096, which is allowed",
        next_step="Declare the body as GenerateRequest, and open the stream with it.",
    )
    before = len(upstream.calls)
    for body in (
        {},
        {"prompt": ""},
        {"prompt": "a" * 10_001},
        BODY | {"max_tokens": 0},
        BODY | {"max_tokens": 4097},
    ):
        reply = client.post(PATH, json=body)
        wrong = f"max_tokens is {body['max_tokens']}" if "max_tokens" in body else "prompt is missing"
        if "prompt" in body and "max_tokens" not in body:
            wrong = f"prompt has {len(body['prompt'])} characters"
        assert reply.status_code == 422, expected(
            f"status 422, for {wrong}",
            next_step="Declare the body as GenerateRequest, in a parameter of the endpoint or its dependency: FastAPI checks it before the "
            "stream begins. What a generator finds out comes too late for a status.",
        )
    assert len(upstream.calls) == before, expected(
        "no call upstream for a body that is refused; there was one",
        next_step="Leave the refusal to FastAPI, so that open_stream does not even start.",
    )


TABLE = {429: 503, 529: 503, 500: 502, 400: 502, 504: 504, 404: 404, 401: 500, 403: 500}


@task(
    "POST /generate/stream",
    hints=[
        "TODO(1): where is the stream opened, and has the status left by then?",
        "The status is the first thing to leave, and a generator runs after it has left. A dependency runs before. An APIError that leaves it goes to answer_error, which has the status.",
        "async def open_stream(…): async with client.messages.stream(…) as stream: yield stream, with no `try` around it",
    ],
)
def test_refusal_is_a_real_status(upstream, client):
    """What the upstream refuses is a real status, by the table."""
    for refused, told in TABLE.items():
        upstream.script(Failure(refused, headers=AT_ONCE))
        reply = stream(client)
        assert upstream.calls, expected(
            "a call to reach the upstream; none did",
            next_step="Open client.messages.stream(…) with `async with` in open_stream.",
        )
        assert reply.status_code != 200, expected(
            f"status {told}: the upstream refused with {refused}, before a single piece",
            came_back=late(client, reply),
            next_step="Open the stream where a status can still be told: in a dependency with `yield`, and not inside the "
            "generator, which runs when 200 has left. An HTTPException there comes too late as well.",
        )
        assert reply.status_code == told, expected(
            f"status {told}: the upstream refused with {refused}, and lesson 9's table makes {told} of it",
            next_step="Let the APIError leave open_stream: answer_error, which is registered for it, answers by the table.",
        )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(1): what is raised when there is nobody to refuse, because the connection breaks?",
        "An APIConnectionError, which has no status. It is an APIError all the same, so the handler that is registered for APIError knows it.",
        "app.add_exception_handler(APIError, answer_error), as the starter has it",
    ],
)
def test_broken_connection_at_the_start_is_a_502(upstream, client):
    """A connection that breaks before the stream is open is a 502."""
    upstream.always(Drop())
    reply = stream(client)
    assert upstream.calls, expected(
        "a call to reach the upstream; none did",
        next_step="Open client.messages.stream(…) with `async with` in open_stream.",
    )
    assert reply.status_code != 200, expected(
        "status 502: the connection to the upstream was cut before a single piece",
        came_back=late(client, reply),
        next_step="Open the stream in a dependency with `yield`, where a status can still be told.",
    )
    assert reply.status_code == 502, expected(
        "status 502: the connection to the upstream was cut before an answer, and lesson 9's table makes 502 of it",
        next_step="Register answer_error for APIError, as the starter does: a connection that breaks has no status, so it is no APIStatusError.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(1): what do you answer when opening the stream fails?",
        "str(error) holds what the upstream wrote. explain(error) has words that are made for callers.",
        "no `try` in open_stream at all: answer_error answers",
    ],
)
def test_refusal_shows_nothing_of_the_upstream(upstream, client):
    """A refusal shows nothing of the upstream's words."""
    for failure in (Failure(529, "overloaded_error", headers=AT_ONCE), Failure(400, headers=AT_ONCE)):
        upstream.script(failure)
        reply = stream(client)
        assert reply.status_code >= 400 and upstream.calls, expected(
            "a call upstream, and a status of 400 or more when it is refused",
            next_step="Open the stream in a dependency with `yield`, and let the APIError leave it.",
        )
        shown = [word for word in SECRETS if word in reply.text]
        assert not shown, expected(
            f"fixed words; the answer shows the caller {shown[0] if shown else ''!r}, which is the upstream's or the exception's",
            next_step="Leave the answer to answer_error, and keep str(error) out of what you send.",
        )


def broken(reply, cause):
    """What is wrong with a stream that broke off after its first piece, and the next step; two empty texts when nothing is."""
    found = [event.name for event in events(reply)]
    if "done" in found and "error" in found:
        return (
            f"an `error` and no `done`: {cause}",
            'Yield the `done` inside the loop, for the event "message_stop", then return. In a `finally`, or after the `except`, it is sent '
            "for a broken answer too.",
        )
    if "done" in found:
        return (
            f"an `error` and no `done`: {cause}",
            'Yield the `done` for the event "message_stop" alone, which is the upstream\'s word that the answer is whole. A loop '
            "that has ended, or a caught exception, is not.",
        )
    if "error" not in found and "tidily" in cause:
        return (
            f"an event `error` at the end: {cause}",
            "The loop ended without a message_stop, and nothing was raised: yield the `error` there too. After the loop, still inside the `try`: raise "
            "EOFError(…), which your `except` then tells.",
        )
    if "error" not in found:
        return (
            f"an event `error` at the end: {cause}",
            "Put the loop into a `try`, and yield the `error` in its `except Exception`: a cut connection is no APIError, but the HTTP "
            "client's own.",
        )
    if found.count("error") > 1 or found[-1] != "error":
        return f"one `error`, and nothing after it: {cause}", "Let the generator end after the `error`."
    if joined(reply) != "One":
        return (
            f'the piece that came, a token with "One", and then the `error`: {cause}',
            "Yield each piece as it comes; what the reader has seen stays.",
        )
    return "", ""


@task(
    "POST /generate/stream",
    hints=[
        "TODO(4): what does your loop do when the SDK raises in the middle?",
        "200 has left, so the stream itself has to tell it. A reader of the stream knows two endings: done and error.",
        'except Exception as error: … yield ServerSentEvent(event="error", data={"code": code, "message": message})',
    ],
)
def test_failure_in_the_middle_is_an_error_event(upstream, client):
    """When the upstream fails in the middle, an error event ends the stream."""
    upstream.script(Answer((Text("One two three"),), fail_after=1, error="overloaded_error"))
    reply = stream(client)
    what, step = broken(reply, "after its first piece the upstream sent an error event")
    assert not what, expected(what, came_back=came(reply), next_step=step)


@task(
    "POST /generate/stream",
    hints=[
        "TODO(4): which exceptions does your `except` catch?",
        "A connection that is cut in the middle is told by the HTTP client below the SDK. Its exception is no APIError.",
        "except Exception as error",
    ],
)
def test_cut_connection_is_an_error_event(upstream, client):
    """When the connection is cut, an error event ends the stream."""
    upstream.script(Answer((Text("One two three"),), fail_after=1))
    reply = stream(client)
    what, step = broken(reply, "after the first piece the connection to the upstream was cut")
    crash = client.exchanges[-1].crash
    came_back = came(reply) + (f", because of {crash}" if crash else "")
    assert not what, expected(what, came_back=came_back, next_step=step)


EARLY = "".join(
    f"event: {data['type']}\ndata: {json.dumps(data)}\n\n"
    for data in (
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-haiku-4-5-20251001",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 3, "output_tokens": 1},
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "One"}},
    )
)


@task(
    "POST /generate/stream",
    hints=[
        'TODO(4): what does your code do when the loop ends, and no "message_stop" has come?',
        "A proxy in between may end a response tidily in the middle. Nothing is raised then: the loop is just over.",
        "after the loop, still inside the `try`: raise EOFError(…); the `done` and a return stand in the loop",
    ],
)
def test_early_end_is_an_error_event(upstream, client):
    """An answer that ends too early is an error, never a done."""
    upstream.script(NotAMessage(EARLY, "text/event-stream"))
    reply = stream(client)
    what, step = broken(
        reply, "the upstream's stream ended after one piece, tidily, but without a message_stop"
    )
    assert not what, expected(what, came_back=came(reply), next_step=step)
    upstream.script(NotAMessage())
    reply = stream(client)
    found = [event.name for event in events(reply)]
    assert reply.status_code >= 500 or found == ["error"], expected(
        "an `error` alone, or a status of 5xx: the upstream answered 200 with a page of HTML, and no event at all",
        came_back=came(reply),
        next_step='Yield an `error` when the loop ends without a "message_stop", also when it never began.',
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(4): look at the data of your `error`.",
        "explain(error) gives three things: the status, which comes too late here, a code and a message.",
        '_, code, message = explain(error), and data={"code": code, "message": message}',
    ],
)
def test_error_event_has_code_and_message(upstream, client):
    """error holds a code and a message, nothing of the upstream's."""
    for kind in ("overloaded_error", None):
        upstream.script(Answer((Text("One two three"),), fail_after=1, error=kind))
        reply = stream(client)
        data = next(iter(data_of(reply, "error")), None)
        shown = shown_data(reply, "error")
        assert not isinstance(data, list), expected(
            'an `error` whose data is a JSON object with the keys "code" and "message"',
            came_back=f"{shown}: all that explain(error) gives, as a list",
            next_step='Take it apart: _, code, message = explain(error), then data={"code": code, "message": message}.',
        )
        assert isinstance(data, dict) and data.keys() == {"code", "message"}, expected(
            'an `error` whose data is a JSON object with the keys "code" and "message"',
            came_back=shown,
            next_step='Write data={"code": code, "message": message}, with both from explain(error).',
        )
        code, message = data["code"], data["message"]
        assert (
            isinstance(code, str) and re.fullmatch(r"[a-z][a-z0-9_]*", code) and isinstance(message, str)
        ), expected(
            "a code in snake_case, such as model_failed, and a message, both texts",
            came_back=shown,
            next_step="Take code and message from explain(error), which gives (status, code, message).",
        )
        assert code not in SECRETS, expected(
            "a code of your own words",
            came_back=f"{shown}: its code is the upstream's",
            next_step="Take the code from explain(error): what the upstream calls its errors may change, and tells your readers who it is.",
        )
        words = [word for word in (*SECRETS, "incomplete chunked", "peer closed") if word in reply.text]
        assert not words, expected(
            f"fixed words; the stream shows the reader {words[0] if words else ''!r}, which is the upstream's or the exception's",
            came_back=shown,
            next_step="Take the message from explain(error), and keep str(error) for the log.",
        )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(1) and TODO(2): while one stream waits for its next piece, who answers everybody else?",
        "Anthropic holds the thread while it waits. In an `async def` that is the thread of the event loop. `async with` and `async for` give it back.",
        "async with client.messages.stream(…) and async for event in stream, on an AsyncAnthropic",
    ],
)
def test_streams_do_not_wait_for_each_other(upstream, client):
    """Two streams are read at the same time."""
    upstream.always(HELD)
    second = None
    with live(client, PATH, BODY) as reading:
        reading.next()
        alone = bool(upstream.calls) and being_written(upstream.calls[0])
        if alone:
            with live(client, PATH, {"prompt": "The train is"}) as other:
                second = other.next()
                both = len(upstream.calls) == 2 and all(being_written(call) for call in upstream.calls)
                upstream.release()
        upstream.release()
    assert alone, expected(
        "a first event while the upstream still writes",
        came_back="nothing, until the upstream had sent its end",
        next_step="Yield inside the loop over the stream. And where the client is Anthropic, in an `async def`: use AsyncAnthropic, `async "
        "with` and `async for`.",
    )
    assert both and second is not None, expected(
        "the first event of a second stream, while a first one waits for its next piece",
        came_back="nothing, until the first stream had ended",
        next_step="Free the event loop while you wait: AsyncAnthropic with `async with` and `async for`, and no lock around a "
        "stream. A synchronous stream belongs in `def` functions.",
    )


@task(
    "POST /generate/stream",
    hints=[
        "TODO(1): which line closes the upstream's stream, and does it run when the reader leaves?",
        "When the reader leaves, FastAPI cancels the endpoint and ends its dependencies; an `async with` around the `yield` closes the stream "
        "then. A task of your own, or a generator that nobody ends, goes on.",
        "async with client.messages.stream(…) as stream: yield stream",
    ],
)
def test_reader_who_leaves_ends_the_call(upstream, client):
    """A reader who leaves ends the call of the upstream."""
    upstream.script(LONG)
    with live(client, PATH, BODY) as reading:
        first = reading.next()
        call = upstream.calls[-1] if upstream.calls else None
        read = call is not None and first is not None and being_written(call)
        if read:
            reading.read_on()
            reading.leave()
            call.gone.wait(LEFT_SECONDS)
            upstream.release()  # the next pieces come, which is when a thread notices
            call.gone.wait(GONE_SECONDS)
        upstream.release()
    assert read, expected(
        "a first event while the upstream still writes, for a reader who then leaves",
        came_back="nothing, until the upstream had sent its end",
        next_step="Mend the check on the first token first.",
    )
    assert call.gone.is_set(), expected(
        "the call of the upstream to be closed, when the reader has left after the first token",
        came_back="the upstream could write on, for nobody: with a real one, you pay for every token of it",
        next_step="Hold the stream with `async with` in a dependency, around its `yield`, so that it is closed however the request ends. Start "
        "no task that reads it by itself.",
    )
