"""Lesson 12: run it.

Most checks look at your app as earlier lessons did. Those marked `process` run `python main.py` as a real
process with real workers, and send it a real signal. `programs` starts it, `anew` imports main.py anew in
another environment, `spans` keeps what your app tells OpenTelemetry. Leave the slow ones out with -m "not process".
"""

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from lessonkit import expected, json_body, task, upstream
from lessonkit.upstream.steps import Answer, Failure, Text

KEY = "placeholder-key"
ENVIRONMENT = {
    "ANTHROPIC_BASE_URL": upstream.address,
    "ANTHROPIC_API_KEY": KEY,
    "no_proxy": "127.0.0.1",  # where a proxy is set, nothing of this goes through it
}

HAIKU = "claude-haiku-4-5-20251001"
AT_ONCE = {"x-should-retry": "false"}  # the SDK tries again by itself, unless a failure says that it need not
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
CODE_WORD = "xylophone-7731"  # stands in prompts, and nowhere else
ANSWER_WORD = "marimba-4402"  # stands in answers, and nowhere else
PROMPT = f"{CODE_WORD} is my code word. Is it {CODE_WORD}?"
SECONDS_AFTER_SIGTERM = 1.2  # a server that gives up on its requests has done so by then
SECOND_PID_SECONDS = 10.0

# What an exception means here, beside what the kit knows of FastAPI's own.
CRASHES = {
    r"'State' object|Missing required|missing 1 required": "",  # the first check has words of its own for these
    r"'coroutine' object": "Write `await call_next(request)`: without `await` there is no response yet.",
    r"^(TypeError|AttributeError|ValueError|NameError|KeyError)\b.* line \d": "Look first at the line that it names.",
}
START = "Mend what `python main.py` tells; the checks on processes need a server that runs."


def generate(client, headers=None, **body):
    return client.post("/generate", json={"prompt": "The door is"} | body, headers=headers)


def field(reply, name):
    """A key of the answer; None where it has no such key."""
    answer = json_body(reply)
    return answer.get(name) if isinstance(answer, dict) else None


def asked_for(upstream):
    """The model that the upstream was asked for last."""
    return upstream.calls[-1].body["model"]


def must_generate(reply, upstream):
    """What other checks build on: a prompt reached the upstream, and was answered."""
    assert upstream.calls and reply.status_code == 200, expected(
        "status 200 from /generate, after a call to the upstream",
        next_step="Mend what the first check tells: this one builds on it.",
    )


def messages_sent(calls):
    return [call for call in calls if call.path == "/v1/messages"]


def around(word, line):
    """A line of output, or the part of a long one in which `word` stands."""
    at = line.find(word)
    return f"a line with: {line[max(0, at - 60) : at + 60].strip()}"


@contextmanager
def second_upstream(port: int = 0) -> Iterator:
    """An upstream of this check alone, which can be closed."""
    one = upstream.Upstream(port)
    try:
        yield one
    finally:
        one.close()


# -- settings ---------------------------------------------------------------------------------------------


@task(
    "POST /generate",
    hints=[
        "TODO(3) gives the client, TODO(6) the model. Does the failure speak of app.state, or of a model?",
        "The lifespan of lesson 8, with the key and the address from get_settings(): a SecretStr gives its text with "
        "get_secret_value(), an address with str(…). generate takes one more parameter, settings: Configured.",
        "async with AsyncAnthropic(api_key=key, base_url=str(settings.anthropic_base_url)) as client: …, FastAPI(…, "
        "lifespan=lifespan), and in the call model=request.model or settings.default_model",
    ],
)
def test_prompt_gets_the_upstreams_answer(upstream, client):
    """A prompt gets the upstream's answer."""
    upstream.script(Answer((Text("It is open."),)))
    reply = generate(client, model="claude-sonnet-4-6")
    crash = client.exchanges[-1].crash or ""
    assert "'State' object has no attribute" not in crash, expected(
        "the client to be in app.state when a request comes",
        next_step="Write the lifespan, let it set app.state.client, and pass lifespan=lifespan to FastAPI.",
    )
    assert "Missing required arguments" not in crash and "missing 1 required" not in crash, expected(
        "the call to name a model",
        next_step="TODO(6): give generate the parameter settings: Configured, and write model=request.model or "
        "settings.default_model in messages.create(…).",
    )
    assert upstream.calls, expected(
        "a call of messages.create to reach the upstream at ANTHROPIC_BASE_URL, and none did",
        next_step="Make the client with base_url=str(settings.anthropic_base_url), and await client.messages.create(…).",
    )
    assert any(KEY in value for value in upstream.calls[-1].headers.values()), expected(
        "the key of ANTHROPIC_API_KEY to reach the upstream; it got another one",
        next_step="Pass api_key=settings.anthropic_api_key.get_secret_value() to AsyncAnthropic: the text of a SecretStr "
        "itself is a row of stars.",
    )
    assert reply.status_code == 200 and field(reply, "text") == "It is open.", expected(
        'status 200 and a `text` of "It is open."',
        next_step="Leave the rest of generate as the starter has it.",
    )
    assert asked_for(upstream) == "claude-sonnet-4-6", expected(
        'the upstream to be asked for "claude-sonnet-4-6", which the request names',
        came_back=f'the upstream was asked for "{asked_for(upstream)}"',
        next_step="Take request.model where there is one: request.model or settings.default_model.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(1): which variable does a field of a BaseSettings read?",
        "The one with the field's name, in capitals or not. The default is what it has when the variable is not set.",
        'default_model: str = "claude-haiku-4-5-20251001", and in generate: request.model or settings.default_model',
    ],
)
def test_default_model_is_a_setting(upstream, anew):
    """Left out, the model is the one of DEFAULT_MODEL."""
    for variables, wanted in (
        ({"DEFAULT_MODEL": "claude-of-tomorrow"}, "claude-of-tomorrow"),
        ({"DEFAULT_MODEL": None}, HAIKU),
    ):
        upstream.always(Answer())
        reply = generate(anew(**variables))
        must_generate(reply, upstream)
        how = "DEFAULT_MODEL is set to it" if variables["DEFAULT_MODEL"] else "DEFAULT_MODEL is not set"
        assert asked_for(upstream) == wanted, expected(
            f'the upstream to be asked for "{wanted}": the request names no model, and {how}',
            came_back=f'the upstream was asked for "{asked_for(upstream)}"',
            next_step="Give Settings the field default_model with that default, and pass on request.model or "
            "settings.default_model.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(2): which lines of yours run while main.py is imported, and which when the app starts?",
        "A line at the left margin that calls Settings() or reads os.environ runs at import. The body of a function runs when "
        "it is called.",
        "@lru_cache above def get_settings() -> Settings: return Settings(), called in the lifespan and by Depends",
    ],
)
def test_settings_are_not_read_at_import(upstream, anew):
    """Settings are read when the app starts, not at import."""
    upstream.always(Answer())
    bare = {"ANTHROPIC_API_KEY": None, "ANTHROPIC_BASE_URL": None, "DEFAULT_MODEL": "claude-at-import"}
    there = {
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": upstream.url,
        "DEFAULT_MODEL": "claude-at-start",
    }
    reply = generate(anew(at_import=bare, **there))
    must_generate(reply, upstream)
    assert asked_for(upstream) == "claude-at-start", expected(
        'the upstream to be asked for "claude-at-start", which DEFAULT_MODEL held when the app started',
        came_back=f'it was asked for "{asked_for(upstream)}"; DEFAULT_MODEL held "claude-at-import" while main.py was imported',
        next_step="Call Settings() in get_settings alone, and get_settings() in functions alone: a line at the left margin "
        "runs at import.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(2): how does the endpoint come by its settings?",
        "As a parameter with Depends(get_settings). FastAPI looks into app.dependency_overrides before it calls it.",
        "Configured = Annotated[Settings, Depends(get_settings)], and settings: Configured in generate",
    ],
)
def test_settings_can_be_overridden(upstream, client, main, monkeypatch):
    """A test can put other settings in the place of get_settings."""
    for name in ("Settings", "get_settings"):
        assert hasattr(main, name), expected(
            f"main.py to hold `{name}`",
            came_back=f"main.py has no `{name}`",
            next_step="Write class Settings(BaseSettings), and a function get_settings that returns one.",
        )
    monkeypatch.setenv("DEFAULT_MODEL", "claude-for-tests")
    other = main.Settings()
    monkeypatch.delenv("DEFAULT_MODEL")
    monkeypatch.setitem(main.app.dependency_overrides, main.get_settings, lambda: other)
    upstream.script(Answer())
    reply = generate(client)
    must_generate(reply, upstream)
    assert asked_for(upstream) == "claude-for-tests", expected(
        'the upstream to be asked for "claude-for-tests", from the settings that '
        "app.dependency_overrides[get_settings] put in place",
        came_back=f'the upstream was asked for "{asked_for(upstream)}"',
        next_step="Let generate take the settings as a parameter, Annotated[Settings, Depends(get_settings)], and not "
        "call get_settings() itself.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(1): print(Settings()), and read what it shows.",
        "Settings end up in logs, sooner or later. A SecretStr shows stars, and gives its text only when it is asked.",
        "anthropic_api_key: SecretStr = Field(min_length=1)",
    ],
)
def test_key_is_a_secret(main):
    """Printing the settings does not show the key."""
    assert hasattr(main, "Settings"), expected(
        "main.py to hold `Settings`",
        came_back="main.py has no `Settings`",
        next_step="Write class Settings(BaseSettings).",
    )
    settings = main.Settings()
    assert KEY not in f"{settings!r} {settings}", expected(
        "settings that can be printed without showing the key",
        came_back=f"print(Settings()) shows {KEY!r}",
        next_step="Give the field of the key the type SecretStr.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(1): what does Settings() say to ANTHROPIC_API_KEY= with nothing behind it?",
        "A variable that is set and empty is a text of no characters, and a str all the same. A Field can ask for at least one.",
        "anthropic_api_key: SecretStr = Field(min_length=1)",
    ],
)
def test_empty_key_counts_as_missing(main, monkeypatch):
    """Settings refuse a key that is missing or empty."""
    assert hasattr(main, "Settings"), expected(
        "main.py to hold `Settings`",
        came_back="main.py has no `Settings`",
        next_step="Write class Settings(BaseSettings).",
    )
    monkeypatch.chdir(os.path.dirname(os.__file__))  # where no .env file is near
    for value in (None, ""):
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
        if value is not None:
            monkeypatch.setenv("ANTHROPIC_API_KEY", value)
        refused = False
        try:
            main.Settings()
        except ValueError:  # what pydantic's ValidationError is
            refused = True
        how = "is set to nothing" if value == "" else "is not set"
        assert refused, expected(
            f"Settings() to raise a ValidationError when ANTHROPIC_API_KEY {how}",
            came_back="settings without a key",
            next_step="Give the key no default, and Field(min_length=1).",
        )


# -- an id for each request -------------------------------------------------------------------------------


@task(
    "POST /generate",
    hints=[
        "TODO(5): what does the middleware do with the response before it returns it?",
        'A function under @app.middleware("http") gets the request and call_next; await call_next(request) gives the '
        "response, whose headers can be set.",
        'response.headers["X-Request-ID"] = uuid4().hex',
    ],
)
def test_each_answer_has_an_id_of_its_own(upstream, client):
    """Each answer carries an X-Request-ID of its own."""
    first, second = (generate(client).headers.get("X-Request-ID") for _ in range(2))
    assert first and second, expected(
        "an X-Request-ID in the headers of the answer",
        came_back="no header X-Request-ID",
        next_step='Set response.headers["X-Request-ID"] in the middleware, and write @app.middleware("http") above it: without '
        "the brackets nothing is registered.",
    )
    assert first != second, expected(
        "two requests to have two ids",
        came_back=f"{first!r} both times",
        next_step="Make the id in the middleware, once for each request: uuid4().hex",
    )
    assert SANE.fullmatch(second), expected(
        "an id of 1 to 64 letters, digits, dots, underscores and hyphens",
        came_back=repr(second),
        next_step="Take uuid4().hex, which is 32 letters and digits.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(5): where does the id of a request come from that has one already?",
        "A gateway in front of your service has given it an id. With the same one in your answer, its log and yours fit together.",
        'request_id = request.headers.get("X-Request-ID", ""), and a new one only where that does not fit REQUEST_ID',
    ],
)
def test_callers_id_is_kept(upstream, client):
    """An id that the caller sends comes back."""
    for given in ("gateway-17_b.4", "A" * 64, "7"):
        came = generate(client, headers={"X-Request-ID": given}).headers.get("X-Request-ID")
        assert came == given, expected(
            f"X-Request-ID {given!r}, as it was sent: {len(given)} of 1 to 64 characters that are allowed",
            came_back=f"X-Request-ID {came!r}" if came else "no header X-Request-ID",
            next_step='Read request.headers.get("X-Request-ID", ""), and keep it when REQUEST_ID.fullmatch(…) says so.',
        )


@task(
    "POST /generate",
    hints=[
        "TODO(5): what may a caller write into this header?",
        "Anything. What you pass on ends up in logs and on other people's screens, so only letters, digits and . _ - get through, "
        "64 at most. match() looks at the beginning alone.",
        "if not REQUEST_ID.fullmatch(request_id): request_id = uuid4().hex",
    ],
)
def test_unfit_id_is_replaced(upstream, client):
    """An id that is too long or holds other characters is replaced."""
    for given in (
        "A" * 65,
        "another gateway",
        "<script>",
        "request;drop",
        "gateway-fête",  # as bytes, each of them a letter in latin-1
        "",
    ):
        long = given in ("", "A" * 65)
        why = f"has {len(given)} characters" if long else "holds a character that is not allowed"
        shown = repr(given) if len(given) <= 20 else f"{given[:20]!r} and so on"
        try:
            reply = generate(client, headers={b"X-Request-ID": given.encode()})
        except UnicodeError:  # the client reads no header with such letters
            reply = None
        assert reply is not None, expected(
            f"a new id in the place of {shown}, which {why}",
            came_back="an X-Request-ID with such letters in it",
            next_step=r"Name the letters, A-Z and a-z: \w means the letters of all languages.",
        )
        came = reply.headers.get("X-Request-ID")
        assert reply.status_code == 200, expected(
            f"status 200, an answer as usual, with a new id in the place of {shown}, which {why}",
            next_step="Replace the id and go on: the header is no reason to refuse a request, or to fail.",
        )
        assert came and came != given and SANE.fullmatch(came), expected(
            f"a new id in the place of {shown}, which {why}",
            came_back=f"X-Request-ID {came!r}" if came is not None else "no header X-Request-ID",
            next_step="Where REQUEST_ID.fullmatch(…) finds nothing, make an id of your own; answer as usual.",
        )
        kept = [part for part in re.findall("[A-Za-z]{6}", given) if part in came]
        assert not kept, expected(
            f"a new id in the place of {shown}, with nothing of it",
            came_back=f"X-Request-ID {came!r}",
            next_step="Make an id of your own, uuid4().hex: one that is cut or cleaned is neither the caller's nor unique.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(5): does your code also run when no endpoint does?",
        "A dependency or an endpoint sets headers on its own answers alone. A middleware stands around everything.",
        '@app.middleware("http") above async def carry_request_id(request, call_next)',
    ],
)
def test_refusals_carry_the_id_too(upstream, client):
    """A refusal carries the id as well."""
    upstream.always(Failure(500, headers=AT_ONCE))
    given = {"X-Request-ID": "gateway-18"}
    for send in (
        lambda: generate(client, headers=given),
        lambda: generate(client, headers=given, max_tokens=0),
        lambda: client.get("/no-such-path", headers=given),
    ):
        reply = send()
        came = reply.headers.get("X-Request-ID")
        assert came == "gateway-18", expected(
            f"X-Request-ID 'gateway-18' on an answer of status {reply.status_code} too",
            came_back=f"X-Request-ID {came!r}" if came else "no header X-Request-ID",
            next_step="Set the header in a middleware, which sees every answer: 404, 422 and 502 as well.",
        )


# -- probes -----------------------------------------------------------------------------------------------


@task(
    "GET /health",
    hints=[
        "TODO(7): the number of this process.",
        "os.getpid() tells it. Each worker is a process of its own, so each has another one.",
        'return Health(status="ok", pid=os.getpid())',
    ],
)
def test_health_tells_the_process(client):
    """GET /health tells that it is well, and in which process."""
    reply = client.get("/health")
    wanted = {"status": "ok", "pid": os.getpid()}
    assert reply.status_code == 200 and json_body(reply) == wanted, expected(
        f'status 200 and exactly {{"status": "ok", "pid": {os.getpid()}}}: the number of the process that answers',
        next_step="Return these two, with os.getpid() called in the endpoint.",
    )


@task(
    "GET /ready",
    hints=[
        "TODO(8): can a connection to the upstream be opened?",
        "asyncio.open_connection(host, port) opens one, or raises an OSError. A probe comes every few seconds; this one sends "
        "nothing, so nothing is paid for.",
        "_, writer = await asyncio.open_connection(url.host, url.port), then writer.close() and return a 200",
    ],
)
def test_ready_while_the_upstream_is_there(anew):
    """GET /ready answers 200 while the upstream is there, at no cost."""
    with second_upstream() as other:
        client = anew(ANTHROPIC_BASE_URL=other.url)
        reply = client.get("/ready")
        assert reply.status_code == 200, expected(
            "status 200: the upstream accepts connections",
            next_step="Open a connection to the host and the port of settings.anthropic_base_url; when that works, answer 200.",
        )
        prompts = len(messages_sent(other.calls))
        assert not prompts, expected(
            "no prompt to reach the upstream from /ready: a probe comes every few seconds, and each prompt costs money",
            came_back=f"{prompts} reached it",
            next_step="Open a connection and close it; do not call messages.create.",
        )
        generate(client)
        assert messages_sent(other.calls), expected(
            "/generate to call the upstream of ANTHROPIC_BASE_URL, which was ready",
            next_step="Make the client with base_url=str(settings.anthropic_base_url).",
        )


@task(
    "GET /ready",
    hints=[
        "TODO(8): what does open_connection raise when nobody listens?",
        "An OSError: ConnectionRefusedError and TimeoutError are kinds of it. 503 says: not now.",
        'except OSError as error: raise HTTPException(status_code=503, detail="The upstream cannot be reached") from error',
    ],
)
def test_not_ready_while_the_upstream_is_down(anew):
    """GET /ready answers 503 while the upstream is down."""
    with second_upstream() as other:
        client = anew(ANTHROPIC_BASE_URL=other.url)
        first = client.get("/ready")
        before = first.status_code
        other.close()
        reply = client.get("/ready")
        assert reply.status_code != 500, expected(
            "status 503: the upstream is down, and this says so",
            next_step="Catch OSError around open_connection, and raise HTTPException(status_code=503, …).",
        )
        assert reply.status_code != 200 or reply.text == first.text, expected(
            "status 503 once the upstream is closed: what asks looks at the status, and not at the body",
            next_step="Raise HTTPException(status_code=503, …) in place of this answer, or set the response's status to 503.",
        )
        assert reply.status_code == 503, expected(
            f"status 503 once the upstream is closed (it was {before} before)",
            next_step="Try to open a connection in the endpoint, each time that it is asked, and keep no answer; what was true "
            "at start-up or at the last call, or is written in the settings, says nothing about now.",
        )
        assert before == 200, expected(
            "status 200 before the upstream is closed",
            came_back=f"{before} while the upstream accepted connections, 503 after",
            next_step="Mend what the check above tells.",
        )


@task(
    "GET /ready",
    hints=[
        "TODO(8): what do you remember from one call of /ready to the next?",
        "Nothing is right: a cached answer is an old one, and a flag that is set once stays.",
        "Open a connection in each call of the endpoint",
    ],
)
def test_ready_again_when_the_upstream_is_back(anew):
    """GET /ready answers 200 again when the upstream is back."""
    with second_upstream() as other:
        client = anew(ANTHROPIC_BASE_URL=other.url)
        other.close()
        down = client.get("/ready")
        assert down.status_code == 503, expected(
            "status 503 while the upstream is down",
            next_step="Mend what the check above tells; what comes back was away first.",
        )
        with second_upstream(int(other.url.rsplit(":", 1)[1])):
            reply = client.get("/ready")
    assert reply.status_code == 200, expected(
        "status 200: the upstream is back, at the same address",
        next_step="Keep nothing from one call to the next; try the connection each time.",
    )


@task(
    "GET /health",
    hints=[
        "TODO(7): what would a system do to a process that says it is not well?",
        "It restarts it. That helps a process that is broken, and never one whose upstream is away. So /health looks at itself alone.",
        'return Health(status="ok", pid=os.getpid()), and nothing else in it',
    ],
)
def test_health_is_ok_while_the_upstream_is_down(anew):
    """GET /health answers 200 while /ready answers 503."""
    with second_upstream() as other:
        client = anew(ANTHROPIC_BASE_URL=other.url)
    ready, health = client.get("/ready"), client.get("/health")
    assert health.status_code == 200, expected(
        "status 200: the upstream is down, and this process is well",
        next_step="Leave the upstream out of /health; a restart of this process would not bring it back.",
    )
    assert ready.status_code == 503, expected(
        "status 503 from /ready while /health answers 200",
        came_back=f"/ready {ready.status_code}, /health {health.status_code}",
        next_step="Give /ready a test of its own: can a connection to the upstream be opened?",
    )


# -- what the outside sees --------------------------------------------------------------------------------


def server_spans(spans, method_and_route):
    from opentelemetry.trace import SpanKind

    route = method_and_route.split(" ")[1]
    servers = [span for span in spans() if span.kind is SpanKind.SERVER]
    return [
        span
        for span in servers
        if route in (span.attributes.get("http.route"), span.attributes.get("url.path"))
    ]


@task(
    "POST /generate",
    hints=[
        "Look at what you wrote into telemetry=.",
        "FastAPI makes a span for each request by itself, for the provider of the whole process. tracing=False ends that.",
        'telemetry={"exclude": is_probe}, and no more',
    ],
)
def test_span_tells_route_and_status(upstream, client, spans):
    """A request makes a span with its route and status."""
    upstream.script(Answer(), Failure(500, headers=AT_ONCE))
    must_generate(generate(client), upstream)
    generate(client)
    told = [
        (span.attributes.get("http.route"), span.attributes.get("http.response.status_code"))
        for span in server_spans(spans, "POST /generate")
    ]
    assert told, expected(
        "a span for each request to /generate",
        came_back="no span",
        next_step="Leave tracing on, and let `exclude` say True for the probes alone.",
    )
    assert told == [("/generate", 200), ("/generate", 502)], expected(
        'two spans, both with http.route "/generate"; http.response.status_code 200 in the first, and 502 in the second, when the '
        "upstream failed",
        came_back=", ".join(f"{route} {status}" for route, status in told),
        next_step="Leave FastAPI's span as it is, and answer 502 when the call raises APIError.",
    )


@task(
    "POST /generate",
    hints=[
        "Look for every place where you set an attribute or begin a span.",
        "Spans leave the house: they go to a service that many people read. A prompt may hold anything that a person types.",
        "Attributes for sizes, counts and names, and none with request.prompt",
    ],
)
def test_spans_hold_no_prompt(upstream, client, spans):
    """No span holds anything of a prompt or an answer."""
    from lessonkit.spans import words_of

    upstream.script(Answer((Text(f"The answer is {ANSWER_WORD}."),)), Failure(500, headers=AT_ONCE))
    must_generate(generate(client, prompt=PROMPT), upstream)
    generate(client, prompt=PROMPT)
    assert spans(), expected(
        "spans, and none came",
        came_back="no span",
        next_step="Leave tracing on.",
    )
    for span in spans():
        words = words_of(span)
        assert CODE_WORD not in span.name and ANSWER_WORD not in span.name, expected(
            "a span whose name tells nothing of what was asked and answered",
            came_back=f"a span with the name {span.name!r}",
            next_step="Name the span after what is done, and not after the text: names are shown in every list of spans.",
        )
        assert CODE_WORD not in words and ANSWER_WORD not in words, expected(
            f"the span {span.name!r} to tell nothing of what was asked and answered",
            came_back=words,
            next_step="Take the attribute or event with the text out; its length is fine.",
        )


@task(
    "GET /ready",
    hints=[
        "TODO(4): how many spans do probes make in a day?",
        'A function under "exclude" gets the scope of a request, whose path stands under "path"; where it returns True, there is no span.',
        'def is_probe(scope): return scope["path"] in PROBES, and FastAPI(…, telemetry={"exclude": is_probe})',
    ],
)
def test_probes_make_no_span(upstream, client, spans):
    """A probe makes no span, a generation does."""
    for path in ("/health", "/ready"):
        client.get(path)
        probes = server_spans(spans, f"GET {path}")
        assert not probes, expected(
            f"no span for GET {path}: probes come every few seconds, and hide what matters",
            came_back=f"a span for {path}",
            next_step='Pass telemetry={"exclude": is_probe} to FastAPI, with a function that says True for the two probes.',
        )
    must_generate(generate(client), upstream)
    assert server_spans(spans, "POST /generate"), expected(
        "a span for POST /generate",
        came_back="no span",
        next_step="Leave out the probes alone: exclude everything, or tracing=False, hides what matters too.",
    )


# -- the process ------------------------------------------------------------------------------------------


def must_run(programs):
    """The suite's server, which answers; an assertion with the cause where it does not."""
    server = programs.server()
    assert "import string" not in server.complained, expected(
        "a server with 2 workers",
        came_back=server.told,
        next_step='Write uvicorn.run("main:app", …): each worker is a new process, which has to import the app by its name.',
    )
    assert "Could not import module" not in server.complained, expected(
        "a server with 2 workers, also when `python main.py` is started from another folder than its own: the checks start it "
        "from an empty one",
        came_back=server.told,
        next_step='Write uvicorn.run("main:app", …), whose workers find main.py from any folder. `python -m uvicorn` needs '
        "--app-dir with the folder of main.py.",
    )
    where = server.listens_on
    assert where is None or where.endswith(f":{server.port}"), expected(
        f"a server on port {server.port}, which PORT says",
        came_back=f"it listens on {where}",
        next_step="Pass host=settings.host and port=settings.port to uvicorn.run.",
    )
    assert not (server.ended and not server.told), expected(
        "`python main.py` to start a server, and to run until it is told to stop",
        came_back=f"it ended at once, with exit status {server.status}, and said nothing",
        next_step='Under `if __name__ == "__main__":`, call what runs uvicorn.run("main:app", …, workers=2).',
    )
    assert not server.ended, expected(
        "`python main.py` to start a server, and to run until it is told to stop",
        came_back=f"it ended with exit status {server.status}: {server.told}",
        next_step="Run `python main.py` yourself with the variables of the README, and mend what it tells.",
    )
    assert server.get("/health") is not None or "died" not in server.complained, expected(
        "workers that stay alive",
        came_back=server.told,
        next_step="Pass timeout_worker_healthcheck=60 to uvicorn.run: a worker that has not imported everything after 5 seconds is "
        "replaced, and on a busy machine that never ends.",
    )
    assert server.get("/health") is not None, expected(
        f"an answer from 127.0.0.1:{server.port}, which HOST and PORT say",
        came_back=server.told or "no answer, and nothing printed",
        next_step="Pass host=settings.host and port=settings.port to uvicorn.run.",
    )
    return server


@pytest.mark.process
@task(
    "GET /health",
    hints=[
        "TODO(9): what does Settings() raise when the key is missing, and who catches it?",
        "A ValidationError of pydantic, which lists its faults. sys.exit(text) writes one line to standard error and ends with 1.",
        "except ValidationError as error: sys.exit(…), around get_settings(), before uvicorn.run",
    ],
)
def test_missing_key_stops_the_start(programs):
    """Without a key, main.py stops with one sentence."""
    started = {
        how: programs.start(ANTHROPIC_API_KEY=key) for how, key in (("is not set", None), ("is empty", ""))
    }
    for how, program in started.items():
        program.wait_until(lambda program=program: program.ended or program.listens_on is not None)
        lines = [line for line in program.complained.splitlines() if line.strip()]
        assert program.listens_on is None, expected(
            f"no server when ANTHROPIC_API_KEY {how}",
            came_back=f"it listens on {program.listens_on}",
            next_step="Call get_settings() before uvicorn.run; give the key no default, and Field(min_length=1).",
        )
        assert program.status, expected(
            f"an exit status other than 0 when ANTHROPIC_API_KEY {how}, so that what started it knows",
            came_back=f"exit status {program.status}" if program.ended else "it still runs",
            next_step='Under `if __name__ == "__main__":`, call get_settings() first, and end with sys.exit("…") when it '
            "raises ValidationError.",
        )
        assert "Traceback" not in program.complained, expected(
            f"one sentence when ANTHROPIC_API_KEY {how}, and no traceback",
            came_back=f"a traceback, which ends with: {lines[-1].strip()}",
            next_step="Catch ValidationError around get_settings(), and end with sys.exit and a sentence of yours.",
        )
        assert len(lines) == 1 and "ANTHROPIC_API_KEY" in lines[0], expected(
            f"one line on standard error that names ANTHROPIC_API_KEY, when it {how}",
            came_back=f"{len(lines)} lines on standard error; all that was written: {program.told or 'nothing'}",
            next_step='Make one line of the fault: sys.exit(f"Not started: set {names} in the environment.") writes it there, with '
            'names = ", ".join(str(fault["loc"][0]).upper() for fault in error.errors()). str(error) has several lines.',
        )


@pytest.mark.process
@task(
    "GET /health",
    hints=[
        "TODO(9): how do workers find your app?",
        'Each is a new process that imports it, so uvicorn.run gets its name, "main:app", and not the app itself. reload=True ignores workers.',
        'uvicorn.run("main:app", host=settings.host, port=settings.port, workers=2)',
    ],
)
def test_two_workers_answer(programs):
    """python main.py serves with two workers: two pids answer."""
    server = must_run(programs)
    pids = set()

    def settled():
        reply = server.get("/health")
        if reply is not None and isinstance(reply.data, dict):
            pids.add(reply.data.get("pid"))
        return len(pids) >= 2 or server.ended or server.companions == 0

    few = server.companions is not None and server.companions < 2
    server.wait_until(settled, SECOND_PID_SECONDS if few else 3 * SECOND_PID_SECONDS)
    assert "flag is ignored" not in server.complained, expected(
        "two workers",
        came_back=server.told,
        next_step="Take reload=True out: it is for your desk, and with it uvicorn ignores workers.",
    )
    assert len(pids) >= 2, expected(
        "two workers to answer GET /health, each with its own pid",
        came_back="one pid, however often it was asked" if pids else "no pid in the answers",
        next_step='Pass workers=2 to uvicorn.run("main:app", …), and return os.getpid() from /health.',
    )
    strangers = [pid for pid in pids if not (isinstance(pid, int) and server.leads(pid))]
    assert not strangers, expected(
        "pids of the processes that serve",
        came_back=f"{strangers[0]!r} is none of them",
        next_step="Return os.getpid() from /health.",
    )


@pytest.mark.process
@task(
    "GET /health",
    hints=[
        "TODO(9): which address does your server listen on?",
        "127.0.0.1 is this machine alone, 0.0.0.0 everybody who can reach it. That is for whoever runs it to say: HOST.",
        "uvicorn.run(…, host=settings.host, port=settings.port, …)",
    ],
)
def test_host_and_port_are_settings(programs):
    """It listens where HOST and PORT say, and nowhere else."""
    server = must_run(programs)
    assert not server.open_to("127.0.0.2"), expected(
        f"a server at 127.0.0.1:{server.port} alone, which HOST and PORT say",
        came_back=f"it listens on {server.listens_on}, so under every address of this machine",
        next_step="Pass host=settings.host to uvicorn.run.",
    )


@pytest.mark.process
@task(
    "POST /generate",
    hints=[
        "Look for print and for a logger in the way of a request.",
        "What a server writes is kept, copied and searched by others. A prompt is a person's own words.",
        "Log the request id, the status, how long it took; not request.prompt, and no body",
    ],
)
def test_server_writes_no_prompt(upstream, programs):
    """The server writes no prompt to its output."""
    server = must_run(programs)
    upstream.script(Answer((Text(f"The answer is {ANSWER_WORD}."),)), Failure(500, headers=AT_ONCE))
    reply = server.post("/generate", {"prompt": PROMPT})
    assert reply is not None and reply.status == 200 and upstream.calls, expected(
        "status 200 from /generate, after a call to the upstream",
        came_back=f"{reply.status} {reply.text}" if reply else server.told,
        next_step="Mend what the checks above tell.",
    )
    requests = {
        "is answered": {},
        "fails upstream": {"prompt": PROMPT},
        "is refused for another field (422)": {"prompt": PROMPT, "max_tokens": 0},
        "is refused for its length (422)": {"prompt": PROMPT + "." * 10_000},
    }
    for what, body in requests.items():
        if body:
            server.post("/generate", body)
        written = server.printed + server.complained
        for word, whose in ((CODE_WORD, "the prompt"), (ANSWER_WORD, "the answer")):
            line = next((line for line in written.splitlines() if word in line), "")
            assert not line, expected(
                f"nothing of {whose} in what the server writes when a prompt {what}",
                came_back=around(word, line),
                next_step=f"Take the print or the log line with {whose} out"
                + (": error.errors() and error.body of a 422 hold what was sent." if "422" in what else "."),
            )


@pytest.mark.process
@task(
    "POST /generate",
    hints=[
        "What do you do about SIGTERM, or about time at shutdown?",
        "uvicorn does it right by itself: it takes no new requests, and waits for those under way. A limit for that wait, or a handler of "
        "your own, takes it back.",
        'uvicorn.run("main:app", host=settings.host, port=settings.port, workers=2), and nothing about signals',
    ],
)
def test_sigterm_waits_for_requests(upstream, wait_for_calls, programs):
    """After SIGTERM, a request in flight gets its answer."""
    server = must_run(programs)
    upstream.hold(2)  # so a call that is alone is not answered
    with ThreadPoolExecutor(1) as pool:
        in_flight = pool.submit(server.post, "/generate", {"prompt": "The last train"})
        server.wait_until(lambda: bool(upstream.calls) or in_flight.done())
        with server.idle_connection() as closed:
            programs.forget()
            server.signal(signal.SIGTERM)
            server.wait_until(lambda: closed() or server.ended)
        server.wait_until(lambda: in_flight.done() or server.ended, SECONDS_AFTER_SIGTERM)
        upstream.release()
        reply = in_flight.result()
    assert upstream.calls, expected(
        "the request to reach the upstream",
        came_back=f"{reply.status} {reply.text}" if reply else server.told,
        next_step="Mend what the checks above tell.",
    )
    assert reply is not None and reply.status == 200, expected(
        "an answer of 200 for a request that was in flight when SIGTERM came",
        came_back=f"{reply.status} {reply.text}" if reply else "the connection was cut",
        next_step="Leave SIGTERM to uvicorn, which waits for requests; and set no timeout_graceful_shutdown that is shorter than a model needs.",
    )
    status = server.wait_for_end()
    assert status == 0, expected(
        "exit status 0 after SIGTERM: it was asked to stop, and stopped",
        came_back="it still runs" if status is None else f"exit status {status}: {server.told}",
        next_step="Run it with workers=2 and let `python main.py` come to its end after uvicorn.run.",
    )
