"""Lesson 8: a model behind the network.

Your app talks to a stand-in for the Messages API, with the real SDK. `upstream` is that stand-in: it can be told what
to answer (`script`), to answer only when several calls are in flight (`hold`), and it keeps every call. Ask
for it before `client`, so that it is there when the app starts. `sdk_clients` tells how many clients sent
these calls, and how many of them are still open.
"""

from contextlib import suppress

from lessonkit import error_locations, expected, json_body, task, upstream
from lessonkit.plugin import Stopped
from lessonkit.upstream.steps import Answer, Drop, Failure, Text, Thinking

KEY = "placeholder-key"
ENVIRONMENT = {
    "ANTHROPIC_BASE_URL": upstream.address,
    "ANTHROPIC_API_KEY": KEY,
    "no_proxy": "127.0.0.1",  # where a proxy is set, nothing of this goes through it
}

HAIKU, SONNET = "claude-haiku-4-5-20251001", "claude-sonnet-4-6"
KEYS = {"text", "model", "input_tokens", "output_tokens"}
TOGETHER = 8
AT_ONCE = {"x-should-retry": "false"}  # the SDK tries again by itself, unless a failure says that it need not


def generate(client, **body):
    return client.post("/generate", json={"prompt": "The door is"} | body)


def field(reply, name):
    """A key of the answer; None where it has no such key."""
    answer = json_body(reply)
    return answer.get(name) if isinstance(answer, dict) else None


def slip(client):
    """What is missing, and the next step, where the last request failed for a cause that can be told; else two empty texts."""
    crash = client.exchanges[-1].crash or ""
    if "'State' object has no attribute" in crash:
        return (
            "the client to be in app.state when a request comes; a lifespan puts it there at start-up, once FastAPI "
            "knows of it: FastAPI(…, lifespan=lifespan)",
            "Pass lifespan=lifespan to FastAPI, and set the same name in app.state that get_client reads.",
        )
    if "'coroutine' object" in crash:
        return (
            "the message, which is what `await client.messages.create(…)` gives; without `await` the call never begins",
            "Write `await` in front of the call.",
        )
    if "can't be used in 'await'" in crash:
        return (
            "an AsyncAnthropic, whose calls can be awaited; those of Anthropic cannot",
            "Make the client with AsyncAnthropic(), or leave `await` and `async` out of this endpoint.",
        )
    if "unexpected keyword argument" in crash:
        return (
            "messages.create to be called with model, max_tokens and messages; what else is there, it does not know",
            "Take the argument that is named above out of the call.",
        )
    if "expected str instance" in crash or "text: Input should be a valid string" in crash:
        return (
            "`text` to be a string; message.content is a list, and what is in it are blocks, not strings",
            'A block is not a string: take block.text of those of type "text", and join these: '
            '"".join(block.text for block in message.content if block.type == "text").',
        )
    return "", ""


def not_called(client, reply):
    """The message for a request that never reached the upstream, which names the cause where it can be told."""
    what, step = slip(client)
    if what:
        return {"what": what, "next_step": step}
    if reply.status_code == 200 and isinstance(field(reply, "text"), str):
        return {
            "what": "a call upstream for this request; there was none, so this is the answer to an earlier request",
            "next_step": "Keep no answers: call client.messages.create(…) for every request, also when it looks like an earlier one.",
        }
    return {
        "what": "a call of messages.create to reach the upstream, and none did",
        "next_step": "Await client.messages.create(…) in the endpoint, on a client made as AsyncAnthropic(): with nothing "
        "in the brackets it finds the upstream by itself.",
    }


def other_calls(upstream):
    """The paths of calls that are no messages.create."""
    return sorted({call.path for call in upstream.calls} - {"/v1/messages"})


def loop_is_closed(shut_down):
    """Whether the app cannot shut down, for its client belongs to an event loop that has ended."""
    try:
        shut_down()
    except Stopped as stopped:
        if "Event loop is closed" not in str(stopped):
            raise
        return True
    return False


@task(
    "GET /models",
    hints=[
        "TODO(3): look at what stands in MODELS, and at what a caller has to get.",
        "A dict that an endpoint returns becomes a JSON object. The list goes under the key models.",
        'Under @app.get("/models"): return {"models": MODELS}',
    ],
)
def test_models_are_listed(upstream, client):
    """GET /models lists the two models."""
    before = len(upstream.calls)
    reply = client.get("/models")
    assert len(upstream.calls) == before, expected(
        "no call upstream here: the two names stand in MODELS",
        came_back=f"{reply.status_code}, after a call of {upstream.calls[-1].path if upstream.calls else ''}",
        next_step="Return MODELS from the endpoint, and leave the client out of it.",
    )
    assert reply.status_code == 200, expected(
        "status 200", next_step="Return a dict from the endpoint; 200 is the default."
    )
    assert json_body(reply) == {"models": [HAIKU, SONNET]}, expected(
        f'exactly {{"models": ["{HAIKU}", "{SONNET}"]}}',
        next_step="Return MODELS, as it stands at the top of the starter, under the one key `models`.",
    )


@task(
    "GET /models",
    hints=[
        "Look at the brackets of FastAPI(…).",
        "title and version are parameters of FastAPI, as in lesson 3. The starter has them.",
        'app = FastAPI(title="AI Inference API", version="1.0.0", lifespan=lifespan)',
    ],
)
def test_app_has_its_name_and_version(client):
    """The app is called AI Inference API, version 1.0.0."""
    info = field(client.get("/openapi.json"), "info") or {}
    assert (info.get("title"), info.get("version")) == ("AI Inference API", "1.0.0"), expected(
        'the title "AI Inference API" and the version "1.0.0"',
        came_back=f'the title "{info.get("title")}" and the version "{info.get("version")}"',
        next_step="Keep title and version in FastAPI(…) when you add the lifespan.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): look at what the endpoint takes, calls and returns.",
        "The body is one parameter of the type GenerateRequest, the client another one of the type Client. "
        "The call is awaited, and GenerateResponse is filled from what it gives.",
        "message = await client.messages.create(model=request.model, max_tokens=request.max_tokens, "
        'messages=[{"role": "user", "content": request.prompt}])',
    ],
)
def test_prompt_alone_is_enough(upstream, client, sdk_clients, shut_down):
    """A prompt alone gets the upstream's answer."""
    upstream.script(Answer((Text("  It is  open. "),)))
    reply = generate(client)
    places = error_locations(reply)
    assert not any(place.startswith("query.") for place in places), expected(
        "the fields to be read from the JSON body, and the client to come from a dependency",
        came_back="422: FastAPI looks for these in the query: "
        + ", ".join(place.removeprefix("query.") for place in places if place.startswith("query.")),
        next_step="Write request: GenerateRequest for the body, and client: Client for the client, where Client = "
        "Annotated[AsyncAnthropic, Depends(get_client)].",
    )
    assert reply.status_code != 422, expected(
        "status 200: only `prompt` is required",
        next_step="Give `model` and `max_tokens` a default, and let the request model be the only body parameter.",
    )
    what, step = slip(client)
    assert not what, expected(what, next_step=step)
    assert upstream.calls or sdk_clients.still_open or not sdk_clients.used, expected(
        "a client that is open while the app runs",
        came_back="a client that was closed before it could send this request",
        next_step="Put the `yield` of the lifespan inside the `async with` block: the client is closed where the block ends.",
    )
    assert upstream.calls, expected(**not_called(client, reply))
    others = other_calls(upstream)
    assert not others, expected(
        "a call of messages.create, and no other one",
        came_back=f"{reply.status_code}, after a call of {', '.join(others)}",
        next_step="Take the other call out: messages.create alone is what a request needs.",
    )
    content = upstream.calls[-1].body["messages"][-1].get("content")
    assert isinstance(content, str | list), expected(
        "a text as the content of the message",
        came_back=f"the upstream got the content {str(content)[:200]}",
        next_step='The content is a GenerateRequest here, not a text: write {"role": "user", "content": request.prompt}.',
    )
    assert not 200 < reply.status_code < 300, expected(
        "status 200, which is the default",
        next_step=f"Take status_code={reply.status_code} out of @app.post(…): nothing was made that stays.",
    )
    assert reply.status_code == 200, expected(
        "status 200", next_step="Fill GenerateResponse from the message that the awaited call returned."
    )
    assert isinstance(field(reply, "text"), str), expected(
        "a JSON object with the answer's text under `text`",
        next_step="Return a GenerateResponse, filled from the message.",
    )
    assert "TextBlock(" not in field(reply, "text"), expected(
        '`text` to be "  It is  open. ", the text in the one block of the upstream\'s answer',
        next_step='A block is not a string, and str(…) shows how it is made: take block.text of those of type "text".',
    )
    assert field(reply, "text") == "  It is  open. ", expected(
        '`text` to be "  It is  open. ", which is the one text block of the upstream\'s answer',
        next_step="Return the text as it is, spaces included.",
    )
    assert not loop_is_closed(shut_down), expected(
        "a client that is used and closed in one event loop, the app's; this one can no longer be closed when the app shuts down",
        came_back="RuntimeError: Event loop is closed. Your endpoint starts a loop of its own, and ends it",
        next_step="Take asyncio.run(…) out: declare the endpoint with `async def`, and write `await client.messages.create(…)`.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(5): look at the fields of GenerateResponse, and at what the endpoint returns.",
        "The SDK's message has many more fields. A response model with four fields keeps all others in the house.",
        "text: str, model: str, input_tokens: int, output_tokens: int",
    ],
)
def test_answer_has_exactly_four_keys(upstream, client):
    """The answer has four keys and no more."""
    reply = generate(client)
    assert reply.status_code == 200, expected(
        "status 200, and an answer with four keys",
        next_step="Mend what the check above tells; the keys come after the status.",
    )
    answer = json_body(reply)
    keys = answer.keys() if isinstance(answer, dict) else set()
    missing = KEYS - keys
    assert not missing, expected(
        f"the keys text, model, input_tokens and output_tokens; missing: {', '.join(sorted(missing))}",
        next_step="Give GenerateResponse these four fields, and fill all of them from the message.",
    )
    extra = keys - KEYS
    assert not extra, expected(
        f"only the keys text, model, input_tokens and output_tokens; there is also {', '.join(sorted(extra))}",
        next_step="Return a GenerateResponse with these four fields alone, and not the SDK's message.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): look at the content of the message that you send.",
        "What the caller wrote is passed on to the letter, spaces and line ends included.",
        'messages=[{"role": "user", "content": request.prompt}]',
    ],
)
def test_prompt_reaches_the_upstream_unchanged(upstream, client):
    """The prompt reaches the upstream to the letter."""
    prompt = "  Name: \n\n{name}, “Grüße” \t"
    reply = generate(client, prompt=prompt)
    assert upstream.calls, expected(**not_called(client, reply))
    call = upstream.calls[-1]
    sent = call.body["messages"]
    assert len(sent) == 1 or sent[-1].get("role") != "assistant", expected(
        "one message, the prompt",
        came_back=f'the upstream got {len(sent)} messages, the last of the role "assistant": {call.prompt[:200]!r}',
        next_step="Take the second message out: how the answer begins is the model's matter.",
    )
    assert call.prompt == prompt, expected(
        f"the text {prompt!r} to reach the upstream",
        came_back=f"the upstream got {call.prompt[:200]!r}",
        next_step="Write request.prompt as the content: no strip(), and no words of yours around it.",
    )
    role = call.body["messages"][-1]["role"]
    assert role == "user", expected(
        'a message of the role "user"',
        came_back=f'the upstream got a message of the role "{role}"',
        next_step='Write {"role": "user", "content": request.prompt}: the assistant is the model.',
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): look at what else you pass to messages.create.",
        "A system prompt changes every answer, and costs tokens with every call. This contract has none.",
        "model, max_tokens and messages, and no system",
    ],
)
def test_nothing_is_added_to_the_prompt(upstream, client):
    """The prompt is all that the upstream gets: no system prompt."""
    reply = generate(client)
    assert upstream.calls, expected(**not_called(client, reply))
    body = upstream.calls[-1].body
    assert not body.get("system"), expected(
        "no system prompt",
        came_back=f"the upstream got the system prompt {str(body.get('system'))[:200]!r}",
        next_step="Take the parameter `system` out of messages.create.",
    )
    count = len(body["messages"])
    assert count == 1, expected(
        "one message, with the prompt",
        came_back=f"the upstream got {count} messages",
        next_step="Let `messages` be a list of one, made in the endpoint: no instruction before the prompt, and nothing of earlier requests.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): look at the first two arguments of messages.create.",
        "Both come from the request. MODELS says what you recommend; it is no limit, for new models appear all the time.",
        "model=request.model, max_tokens=request.max_tokens",
    ],
)
def test_model_and_max_tokens_are_passed_on(upstream, client):
    """model and max_tokens reach the upstream as they were sent."""
    upstream.always(Answer())
    for model in ("", "a-model-of-next-year-" + "x" * 200, "a-model-of-next-year"):
        told = f'"{model}"' if len(model) < 100 else f"of {len(model)} characters"
        reply = generate(client, model=model, max_tokens=7)
        assert reply.status_code != 422, expected(
            f"a model {told} to be passed on: any string is one, of any length, in MODELS or not",
            next_step="Declare `model: str`, without limits, and leave it to the upstream which models there are.",
        )
        assert upstream.calls, expected(**not_called(client, reply))
        body = upstream.calls[-1].body
        assert body["model"] == model, expected(
            f"the upstream to be asked for the model {told}",
            came_back=f'the upstream was asked for "{body["model"]}"',
            next_step="Pass model=request.model to messages.create.",
        )
    assert body["max_tokens"] == 7, expected(
        "the upstream to be asked for at most 7 tokens",
        came_back=f"the upstream was asked for at most {body['max_tokens']}",
        next_step="Pass max_tokens=request.max_tokens to messages.create.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(4): look at the defaults of model and max_tokens.",
        "A default stands after an equals sign, or as default= in a Field.",
        "model: str = MODELS[0] and max_tokens: int = Field(default=1024, …)",
    ],
)
def test_defaults_reach_the_upstream(upstream, client):
    """Left out, model is the first of MODELS and max_tokens 1024."""
    reply = generate(client)
    assert upstream.calls, expected(**not_called(client, reply))
    body = upstream.calls[-1].body
    assert (body["model"], body["max_tokens"]) == (HAIKU, 1024), expected(
        f'the upstream to be asked for "{HAIKU}" and at most 1024 tokens',
        came_back=f'the upstream was asked for "{body["model"]}" and at most {body["max_tokens"]} tokens',
        next_step="Set these two defaults in GenerateRequest, and pass both fields on.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): print message.content for an answer of several blocks.",
        "content is a list of blocks. The answer is the text of all of them, one after the other.",
        '"".join(block.text for block in message.content if block.type == "text")',
    ],
)
def test_text_joins_all_blocks(upstream, client):
    """text joins all text blocks, with nothing between."""
    upstream.script(Answer((Text("One "), Text("two,"), Text("\nthree"))))
    text = field(generate(client), "text")
    assert text != "One ", expected(
        '`text` to be "One two,\\nthree": the upstream answered in three blocks, and this is the first alone',
        next_step="Go through all of message.content, and join the texts.",
    )
    assert text == "One two,\nthree", expected(
        '`text` to be "One two,\\nthree", from the blocks "One ", "two," and "\\nthree"',
        next_step='Join the texts of all blocks with nothing between: "".join(…), and strip nothing.',
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): which kinds of blocks may an answer hold?",
        "A block says in `type` what it is. Only blocks of type text have a text; a model that thinks first sends a thinking block.",
        '"".join(block.text for block in message.content if block.type == "text")',
    ],
)
def test_thinking_is_left_out(upstream, client):
    """A block of thinking is not part of the text."""
    upstream.script(Answer((Thinking("The user greets me."), Text("Good morning."))))
    reply = generate(client)
    assert reply.status_code == 200, expected(
        "status 200: this answer begins with a block of type thinking, which has no `text`",
        next_step='Take the blocks whose `type` is "text", wherever they stand. content[0] is the first block of any type.',
    )
    assert field(reply, "text") == "Good morning.", expected(
        '`text` to be "Good morning.", without what the model thought before it',
        next_step='Keep only blocks with block.type == "text".',
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): what does your code do when the list of blocks is empty?",
        'A model may have nothing to say. content[0] and next(…) fail then; "".join(…) gives an empty string.',
        '"".join(block.text for block in message.content if block.type == "text")',
    ],
)
def test_answer_without_text_is_empty(upstream, client):
    """An answer without any text is an empty text."""
    upstream.script(Answer(()))
    reply = generate(client)
    assert reply.status_code == 200, expected(
        "status 200: this answer has no blocks at all, which is no failure",
        next_step='Join the texts with "".join(…), which is "" for no text. content[0] and next(…) fail.',
    )
    assert field(reply, "text") == "", expected(
        '`text` to be "", because the upstream said nothing',
        next_step='Return what "".join(…) gives, and put nothing in its place.',
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): where does the `model` of your answer come from?",
        "The name in a request may stand for another model, today one and tomorrow the next. Only the message says which one answered.",
        "model=message.model",
    ],
)
def test_model_is_the_one_that_answered(upstream, client):
    """model is the one that answered, in the upstream's words."""
    upstream.script(Answer((Text("Hello."),), model="claude-haiku-4-5-next"))
    reply = generate(client)
    assert field(reply, "model") == "claude-haiku-4-5-next", expected(
        f'`model` to be "claude-haiku-4-5-next", which answered; "{HAIKU}" was asked for',
        next_step="Fill `model` with message.model, and not with what the request asked for.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): look at message.usage.",
        "A token is not a word, so counting words gives another number. The upstream counts, and bills by its count.",
        "input_tokens=message.usage.input_tokens, output_tokens=message.usage.output_tokens",
    ],
)
def test_token_counts_are_the_upstreams(upstream, client):
    """The two counts are the upstream's own."""
    upstream.script(Answer((Text("Two words."),), input_tokens=23, output_tokens=71))
    reply = generate(client)
    counts = (field(reply, "input_tokens"), field(reply, "output_tokens"))
    assert counts != (71, 23), expected(
        "23 input tokens and 71 output tokens; these are the other way round",
        next_step="Input is what was sent to the model, output what it wrote: swap the two.",
    )
    assert counts == (23, 71), expected(
        "23 input tokens and 71 output tokens, which is what the upstream counted",
        next_step="Take both numbers from message.usage, and count nothing yourself.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(1) and TODO(2): where is the client made, and how often does that line run?",
        "A client holds open connections for the next call. One that is made for each request opens a new one each time. "
        "What the lifespan makes is made once.",
        "async with AsyncAnthropic() as client: app.state.client = client, then yield; and in get_client: "
        "return request.app.state.client",
    ],
)
def test_one_client_serves_all_requests(upstream, client, sdk_clients):
    """One client serves all requests."""
    replies = [generate(client) for _ in range(3)]
    assert sdk_clients.used, expected(
        "a client of the anthropic SDK to call the upstream; none did",
        next_step="Make an AsyncAnthropic() and call its messages.create(…).",
    )
    assert [reply.status_code for reply in replies] == [200, 200, 200], expected(
        "status 200 for each of three requests in a row",
        came_back=", ".join(str(reply.status_code) for reply in replies),
        next_step="Keep the client open between requests: `async with` and close() belong in the lifespan, "
        "and not into the endpoint or its dependency.",
    )
    assert sdk_clients.used == 1, expected(
        "one client for three requests",
        came_back=f"{sdk_clients.used} clients, each with a connection of its own",
        next_step="Make the client once, in the lifespan, and let the endpoint or its dependency hand out that one.",
    )
    upstream.script(Failure(500, headers=AT_ONCE))
    for _ in range(2):
        generate(client)
    assert sdk_clients.used == 1, expected(
        "the same client after a call that failed: a failure of the upstream leaves it as good as it was",
        came_back=f"{sdk_clients.used} clients, one of them made after the failure",
        next_step="Take the new client out of your `except`, and leave the one of the lifespan in its place.",
    )


@task(
    "POST /generate",
    hints=[
        "Look at what lives outside the endpoint: a list of messages, a module variable.",
        "A server talks to many people. What one of them wrote must not reach the model with another one's prompt.",
        'messages=[{"role": "user", "content": request.prompt}], made anew in each call',
    ],
)
def test_each_call_carries_its_own_prompt_alone(upstream, client):
    """Nothing of one request reaches the upstream with the next."""
    for prompt in ("My name is Ada.", "What is my name?"):
        generate(client, prompt=prompt)
    assert len(upstream.calls) >= 2, expected(
        "a call upstream for each of two requests",
        came_back=f"{len(upstream.calls)} calls reached the upstream",
        next_step="Call client.messages.create(…) for every request, also when it looks like an earlier one.",
    )
    messages = upstream.calls[-1].body["messages"]
    assert len(messages) == 1 and upstream.calls[-1].prompt == "What is my name?", expected(
        "the second call to carry one message, its own prompt to the letter",
        came_back=f"it carried {len(messages)}, the last of them {upstream.calls[-1].prompt[:200]!r}",
        next_step="Make the list of messages in the endpoint, from this request alone.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(4): look at the field `prompt`.",
        "min_length and max_length count characters, and both ends are allowed.",
        "prompt: str = Field(min_length=1, max_length=10_000)",
    ],
)
def test_prompt_has_1_to_10000_characters(upstream, client):
    """prompt has 1 to 10000 characters."""
    upstream.always(Answer())
    for prompt in ("a", "é" * 10_000, "   "):
        reply = generate(client, prompt=prompt)
        assert reply.status_code == 200, expected(
            f"status 200: {len(prompt)} of 1 to 10000 characters"
            + (", for a space is one too" if prompt.isspace() else ""),
            next_step="Strip nothing and refuse no spaces: what to make of them is the upstream's matter."
            if prompt.isspace()
            else "Set min_length=1 and max_length=10_000, which let both ends through.",
        )
        arrived = len(upstream.calls[-1].prompt) if upstream.calls else 0
        assert arrived == len(prompt), expected(
            f"all {len(prompt)} characters of the prompt to reach the upstream",
            came_back=f"{arrived} characters reached it",
            next_step="Write request.prompt as the content, and cut nothing off: what is too long has been refused by then.",
        )
    before = len(upstream.calls)
    for body in ({"prompt": "a" * 10_001}, {"prompt": ""}, {}):
        reply = client.post("/generate", json=body)
        what = f"{len(body['prompt'])} characters" if "prompt" in body else "no prompt at all"
        assert reply.status_code == 422, expected(
            f"status 422, for {what}",
            next_step="Write prompt: str = Field(min_length=1, max_length=10_000), with no default, and leave the "
            "refusal to FastAPI.",
        )
    assert len(upstream.calls) == before, expected(
        "no call upstream for a prompt that is refused; there was one",
        next_step="Declare the limits in GenerateRequest, so that the endpoint does not even start.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(4): look at the field `max_tokens`.",
        "ge and le let their own number through, gt and lt do not.",
        "max_tokens: int = Field(default=1024, ge=1, le=4096)",
    ],
)
def test_max_tokens_is_1_to_4096(upstream, client):
    """max_tokens is 1 to 4096."""
    for count in (1, 4096):
        reply = generate(client, max_tokens=count)
        assert reply.status_code == 200, expected(
            f"status 200: {count} itself is allowed",
            next_step="Set ge=1 and le=4096 in the Field of `max_tokens`; gt and lt leave the ends out.",
        )
    before = len(upstream.calls)
    for count in (0, 4097):
        reply = generate(client, max_tokens=count)
        assert reply.status_code == 422, expected(
            f"status 422: {count} is one step outside",
            next_step="Write Field(default=1024, ge=1, le=4096) for `max_tokens`, and leave the refusal to FastAPI.",
        )
    assert len(upstream.calls) == before, expected(
        "no call upstream for a number that is refused; there was one",
        next_step="Declare the limits in GenerateRequest, so that the endpoint does not even start.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): does your endpoint wait with `await`, and for a client that can be awaited?",
        "Anthropic holds the thread while it waits. In an `async def` that is the thread of the event loop, which serves "
        "everybody. AsyncAnthropic gives it back at each `await`.",
        "async def generate(…), a client of the type AsyncAnthropic, and: message = await client.messages.create(…)",
    ],
)
def test_eight_requests_are_eight_in_flight(upstream, client, at_once, wait_for_calls):
    """Eight requests at once are eight calls in flight."""
    reply = generate(client)
    assert reply.status_code == 200 and upstream.calls, expected(
        "status 200 and a call upstream, for a single request",
        next_step="Mend what the checks above tell; eight at once come after one.",
    )
    upstream.hold(TOGETHER)
    burst = at_once("/generate", [{"prompt": f"Train {number}"} for number in range(TOGETHER)])
    wait_for_calls(1 + TOGETHER)
    upstream.release()
    burst.replies()
    most = upstream.peak
    assert most > 1, expected(
        f"{TOGETHER} calls in flight upstream at the same time",
        came_back=f"never more than {most} at a time",
        next_step="Let the endpoint be `async def` and await an AsyncAnthropic, with no lock around the call. A synchronous "
        "Anthropic in an `async def` stops the whole server; it belongs in a `def` endpoint.",
    )
    assert most >= TOGETHER, expected(
        f"{TOGETHER} calls in flight upstream at the same time",
        came_back=f"at most {most} at a time",
        next_step="Take out what bounds the calls: a semaphore, a small pool, or asyncio.to_thread, which has few threads. "
        "Await an AsyncAnthropic instead.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): while one call waits for the upstream, who answers /models?",
        "The event loop starts every request. A call that is not awaited holds it until the answer is there.",
        "async def generate(…), a client of the type AsyncAnthropic, and: message = await client.messages.create(…)",
    ],
)
def test_models_answers_while_a_call_runs(upstream, client, at_once, wait_for_calls):
    """GET /models answers while a call is in flight."""
    reply = generate(client)
    assert reply.status_code == 200 and upstream.calls, expected(
        "status 200 and a call upstream, when nothing else goes on",
        next_step="Mend what the checks above tell; two things at once come after one.",
    )
    upstream.hold(2)  # so a call that is alone is not answered
    burst = at_once("/generate", [{"prompt": "Train 1"}])
    wait_for_calls(2)
    models = client.get("/models")
    meanwhile = len(upstream.calls) == 2 and not upstream.calls[-1].answered.is_set()
    upstream.release()
    burst.replies()
    assert meanwhile, expected(
        "an answer to GET /models while a call of /generate is in flight",
        came_back="it came only after that call had ended",
        next_step="Free the event loop while you wait: await an AsyncAnthropic, or declare /generate with `def` and keep "
        "the synchronous client.",
    )
    assert models.status_code == 200, expected(
        "status 200 from /models", next_step="Let /models answer from MODELS alone."
    )


@task(
    "POST /generate",
    hints=[
        "TODO(1): which line runs when the app shuts down?",
        "What stands after the `yield` of a lifespan runs at shutdown, and so does the end of an `async with` around it.",
        "async with AsyncAnthropic() as client: app.state.client = client, then yield, both inside the block",
    ],
)
def test_client_is_closed_at_shutdown(upstream, client, sdk_clients, shut_down):
    """The client is closed when the app shuts down."""
    generate(client)
    assert sdk_clients.used, expected(
        "a client of the anthropic SDK to call the upstream; none did",
        next_step="Make an AsyncAnthropic() and call its messages.create(…).",
    )
    shut_down()
    assert not sdk_clients.still_open, expected(
        "no client left open after the app has shut down",
        came_back=f"{sdk_clients.still_open} left open, of {sdk_clients.used} that sent a request",
        next_step="Make the client in the lifespan, `async with AsyncAnthropic() as client`, with the yield inside; or "
        "close it after the yield with `await client.close()`. And pass lifespan=lifespan to FastAPI.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(1): look at the brackets of AsyncAnthropic(…).",
        "The SDK reads ANTHROPIC_API_KEY from the environment by itself. A key in the code is in the history of the repository for good.",
        "AsyncAnthropic()",
    ],
)
def test_key_comes_from_the_environment(upstream, client, anew):
    """The key comes from the environment."""
    generate(client)
    assert upstream.calls, expected(
        "a call to reach the upstream; none did",
        next_step="Call client.messages.create(…), on a client made as AsyncAnthropic().",
    )
    assert any(KEY in value for value in upstream.calls[-1].headers.values()), expected(
        "the key of the environment variable ANTHROPIC_API_KEY to reach the upstream",
        came_back="the upstream got another key",
        next_step="Write AsyncAnthropic() without api_key: the SDK reads the variable by itself. Take the key out of the "
        "code, and have it replaced if it is real.",
    )
    before = len(upstream.calls)
    with suppress(AssertionError):  # an app that does not start without a key has none in its code
        generate(anew(ANTHROPIC_API_KEY=None, ANTHROPIC_AUTH_TOKEN=None, ANTHROPIC_PROFILE=None))
    keys = [
        call.headers.get(name) for call in upstream.calls[before:] for name in ("x-api-key", "authorization")
    ]
    assert not any(keys), expected(
        "no key to reach the upstream from an app that is started without ANTHROPIC_API_KEY",
        came_back="the upstream got a key, which can only stand in the code",
        next_step="Write AsyncAnthropic() without api_key. A default in the code is a key in the code: take it out, and have it "
        "replaced if it is real.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(7): what does your endpoint answer when messages.create raises?",
        "5xx says that the fault is on the server's side. 502 says that a server behind it failed.",
        'except APIError as error: raise HTTPException(status_code=502, detail="The model failed") from error',
    ],
)
def test_upstream_failure_is_a_5xx(upstream, client):
    """When the upstream fails, the answer is a 5xx."""
    for status in (500, 529, 429, 401, 400):
        upstream.always(Failure(status, headers=AT_ONCE))
        reply = generate(client)
        assert upstream.calls, expected(**not_called(client, reply))
        assert not reply.status_code == status < 500, expected(
            f"a status from 500 to 599: the upstream answered {status} to your service, whose request it was",
            next_step=f"Answer with 502, and do not pass the upstream's status on: to your caller {status} would say that their own "
            "request was wrong.",
        )
        assert 500 <= reply.status_code <= 599, expected(
            f"a status from 500 to 599: the upstream answered {status}, and the caller did nothing wrong",
            next_step='Raise HTTPException(status_code=502, detail="The model failed") when the call raises APIError.',
        )
    upstream.always(Drop())
    reply = generate(client)
    assert 500 <= reply.status_code <= 599, expected(
        "a status from 500 to 599: the connection to the upstream was cut, so there is no status of the upstream at all",
        next_step="Answer with 502 for every APIError; one that tells of a connection has no status_code.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(7): look at the detail of your HTTPException.",
        "str(error) holds what the upstream wrote: names of its machines, sometimes keys. It belongs in your log.",
        'raise HTTPException(status_code=502, detail="The model failed") from error',
    ],
)
def test_failure_shows_nothing_of_the_exception(upstream, client):
    """A failure shows the caller nothing of the exception."""
    for failure in (Failure(500, headers=AT_ONCE), Failure(529, "overloaded_error", headers=AT_ONCE)):
        upstream.always(failure)
        reply = generate(client)
        assert upstream.calls and reply.status_code >= 400, expected(
            "a call upstream, and a failure when it fails",
            next_step='Raise HTTPException(status_code=502, detail="The model failed") when the call raises APIError.',
        )
        assert "Traceback" not in reply.text, expected(
            "a short answer; this one shows the caller the traceback, with the exception's words at its end",
            next_step="Take debug=True out of FastAPI(…): it is for your own machine.",
        )
        words = ("shard eu-7", "sk-ant-internal", "OverloadedError", "InternalServerError", "Error code: ")
        shown = [word for word in words if word in reply.text]
        headers = [name for name, value in reply.headers.items() if any(word in value for word in words)]
        assert not headers, expected(
            "nothing of the exception, in no part of the answer",
            came_back=f"a header with its words: {', '.join(f'{name}: {reply.headers[name][:100]}' for name in headers)}",
            next_step="Take str(error) out of the headers: a caller reads these too. It belongs in your log.",
        )
        assert not shown, expected(
            f"a sentence of your own; the answer shows the caller {shown[0] if shown else ''!r}, which is the exception's",
            next_step='Write a fixed detail, such as "The model failed", and keep str(error) out of the answer.',
        )
