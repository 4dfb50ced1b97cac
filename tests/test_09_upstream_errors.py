"""Lesson 9: when the model fails.

`upstream` is the stand-in of lesson 8, told here to fail in every way that a service can. `logs` keeps what
your code writes into the log, whatever your logging is set up like, and `anew` starts your app once more with
other environment variables. In these checks the SDK does not wait before it tries again.
"""

import re

import pytest

from lessonkit import error_locations, expected, json_body, task, upstream
from lessonkit.at_once import Burst
from lessonkit.extra_route import PATH as ADDED
from lessonkit.plugin import NOTES
from lessonkit.upstream.steps import SECRET, Answer, Drop, Failure, NotAMessage, Silence, Text

KEY = "placeholder-key"
ENVIRONMENT = {
    "ANTHROPIC_BASE_URL": upstream.address,
    "ANTHROPIC_API_KEY": KEY,
    "UPSTREAM_TIMEOUT_SECONDS": "5",  # the checks of the time limit start the app with others
    "no_proxy": "127.0.0.1",  # where a proxy is set, nothing of this goes through it
}

ID = "X-Request-ID"
MOST_CALLS = 3  # one, and two more tries
MOST_SCRIPTED = 12  # failures for a loop around the SDK's tries, and an end for one that never ends
WARNING = 30
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NO_WAIT = {"retry-after-ms": "1", "retry-after": "0"}  # tried again at once, by whoever tries again
NO_WAIT_TOLD = {"retry-after-ms": "1"}  # as above, and without Retry-After, which a 529 seldom has
A_WHILE = 50  # ticks of silence, after which the upstream answers a caller who knows no time limit
TELL_APART = (
    "Look the status up in your table, in one handler for the SDK's exceptions; `except Exception` with one status for all "
    "tells nobody anything."
)
ONE_BODY = "Use the one function that makes the body."
UNDER_ERROR = 'the failure under "error", as for all others'

# What an exception that nobody handled says of its cause, and the next step. The first that fits is told.
CAUSES = {
    r"^(NameError|UnboundLocalError)": "Mend that line, or what it uses, first.",
    r"'NoneType' object is not callable|No response returned": "A middleware or a handler gives no response: end it with "
    "`return response`, or with `return problem_response(…)` in a handler.",
    r"'coroutine' object (has no attribute|is not callable)": "Write `await` in front of call_next(request): without it there "
    "is no response yet.",
    r"object has no attribute '(state|problem|errors)'": "A handler takes request first, then error: put its parameters in "
    "this order.",
    r"'State' object has no attribute 'request_id'": "Set request.state.request_id in the middleware, before it awaits "
    "call_next(request).",
    r"exceptions must derive from BaseException": "A Problem is no exception and cannot be raised: "
    "raise UpstreamFailed(MISCONFIGURED), raise UpstreamFailed(FAILED).",
    r"^ResponseValidationError|'UpstreamFailed' object has no attribute 'messages'": "Write `raise UpstreamFailed(…)`: with "
    "`return`, the exception is taken for the answer, and no handler sees it.",
    r"^JSONDecodeError": "Catch JSONDecodeError around the call as well: it is no APIError.",
    r"^KeyError: \d": "Write BY_STATUS.get(error.status_code, FAILED): BY_STATUS[…] raises KeyError for every status that is "
    "not in it.",
    r"has no attribute 'status_code'": "Ask isinstance(error, APIStatusError) before you read error.status_code: where no "
    "answer came, there is none.",
    r"^TypeError: \"?Could not resolve authentication": "Look at client.api_key before the call: without a key it is None, and "
    "the call raises a TypeError, which is no APIError.",
    r"^TimeoutError": "Catch TimeoutError too: it is Python's own, which asyncio.timeout raises, and no APIError.",
    r"^(APITimeoutError|APIConnectionError)": "Catch APIError in the endpoint: {name} is one, and it is no APIStatusError.",
    r"^API\w*Error|^\w+Error: Error code: ": "Catch APIError in the endpoint: {name} is one.",
    r"^UpstreamFailed": "UpstreamFailed was raised and no handler answers it: write one under "
    "@app.exception_handler(UpstreamFailed).",
    r"not JSON (compliant|serializable)": "Leave `ctx` out as well as `input`: an exception or a NaN in them cannot be written as JSON.",
    r"required positional argument|unexpected keyword": "Compare the brackets of that call with the function's own.",
}


def generate(client, **body):
    return client.post("/generate", json={"prompt": "The door is"} | body)


def fail(upstream, client, logs, step):
    """The app's answer while the upstream does `step` to every call, and then as often as anybody may try."""
    upstream.reset()
    upstream.script(*[step] * MOST_SCRIPTED)
    logs.records.clear()
    reply = generate(client)
    tried(upstream, reply, client, logs)
    return reply


def tried(upstream, reply, client, logs):
    """Some call arrived upstream."""
    assert upstream.calls, expected(
        "a call to reach the upstream; none did",
        **seen(reply, client, logs, "Call client.messages.create(…) in the endpoint, as in lesson 8."),
    )


def error(reply):
    """The object under `error` in a failure's body; an empty one where there is none."""
    try:
        found = reply.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def unanswered(reply, client, logs):
    """The exception that no handler answered in the last request, in words; "" where there was none."""
    if client.exchanges[-1].crash:
        return client.exchanges[-1].crash
    logged = logs.exception or ""
    handled = f"UpstreamFailed: {error(reply).get('code')}"  # logged by the handler, which then answers with its code
    return logged if reply.status_code == 500 and not logged.startswith(handled) else ""


def seen(reply, client, logs, otherwise):
    """What came back and the next step: those of an exception that nobody answered, or else `otherwise`."""
    crash = unanswered(reply, client, logs)
    if not crash:
        return {"next_step": otherwise}
    told = f"{reply.status_code}, because of {crash}"
    step = next((step for words, step in CAUSES.items() if re.search(words, crash)), otherwise)
    return {"came_back": told, "next_step": step.replace("{name}", crash.split(":")[0])}


def assert_shape(reply, client, logs):
    """The failure has an object under `error`."""
    assert error(reply), expected(UNDER_ERROR, **seen(reply, client, logs, ONE_BODY))


def assert_one_record(request_id, logs, calls, otherwise):
    """One record at WARNING or above holds the id of the request that just failed."""
    found = logs.with_text(request_id)
    quiet = [one for one in logs.with_text(request_id, level=0) if one not in found]
    without = [one for one in logs.records if one.level >= WARNING and one.exception is not None] or [
        one for one in logs.records if one.level >= WARNING
    ]
    came_back, step = (
        "no record at WARNING or above, and none below that was let through",
        f"{otherwise} What print() writes is no log record, and info() is below WARNING; a setLevel above WARNING drops "
        "warning() too.",
    )
    if quiet:
        came_back = "only a record below WARNING, which is not shown unless somebody asks for it"
        step = "Write it with logger.warning(…) or logger.error(…)."
    elif without:
        came_back = "a record without the id: " + without[-1].texts[-1][:120]
        step = "Put request.state.request_id into what you log, the id that the header has."
    assert found, expected(
        f"a log record at WARNING or above that holds the id {request_id}",
        came_back=came_back,
        next_step=step,
    )
    assert len(found) <= calls, expected(
        "one log record for one failed call",
        came_back=f"{len(found)} records with the id, for {calls} call upstream",
        next_step="Write it in one place, the handler: not where you raise as well.",
    )


def say_it_is_added(request):
    """Let the message say that the endpoint is there in this check only."""
    note = f"for this check your app has one endpoint more, GET {ADDED}; outside of it, that curl finds a 404"
    request.node.stash.setdefault(NOTES, []).append(note)


@task(
    "POST /generate",
    hints=[
        "Look at what you changed in generate.",
        "Errors are added around the call of lesson 8; the call and its answer stay as they were.",
        "try: message = await client.messages.create(…), then the except lines, then return GenerateResponse(…)",
    ],
    guard="the starter holds the finished code of lesson 8, which does this already",
)
def test_good_answer_still_comes_back(upstream, client, logs):
    """When nothing fails, the answer is that of lesson 8."""
    upstream.script(Answer((Text("One "), Text("two.")), input_tokens=23, output_tokens=71))
    reply = generate(client, model="claude-sonnet-4-6")
    tried(upstream, reply, client, logs)
    assert reply.status_code == 200, expected(
        "status 200: nothing fails here",
        **seen(
            reply,
            client,
            logs,
            "Leave the call and its answer as they were in lesson 8; errors are added around them.",
        ),
    )
    wanted = {"text": "One two.", "model": "claude-sonnet-4-6", "input_tokens": 23, "output_tokens": 71}
    assert json_body(reply) == wanted, expected(
        f"exactly {wanted}".replace("'", '"'),
        next_step="Return the GenerateResponse of lesson 8, unchanged.",
    )


@task(
    "POST /generate",
    hints=[
        "Look at the line of the lifespan that reads UPSTREAM_TIMEOUT_SECONDS.",
        "os.environ[…] raises KeyError where a variable is not set; os.environ.get has a second argument, for that case.",
        'time_limit = float(os.environ.get("UPSTREAM_TIMEOUT_SECONDS", "30"))',
    ],
    guard="the starter reads the time limit with its default",
)
def test_time_limit_has_a_default(upstream, anew, logs):
    """Without UPSTREAM_TIMEOUT_SECONDS the app starts as well."""
    read_it = 'Read it with os.environ.get("UPSTREAM_TIMEOUT_SECONDS", "30"), as the starter does.'
    upstream.always(Answer())
    client, told = None, ""
    try:
        client = anew(UPSTREAM_TIMEOUT_SECONDS=None)
    except AssertionError as stopped:
        told = str(stopped).partition("Came back: ")[2].splitlines()[0]
    assert client, expected(
        "the app to start without UPSTREAM_TIMEOUT_SECONDS: the time limit is 30 seconds then",
        came_back=told,
        next_step=read_it,
    )
    reply = generate(client)
    assert reply.status_code == 200, expected(
        "status 200 without UPSTREAM_TIMEOUT_SECONDS: the time limit is 30 seconds then",
        **seen(reply, client, logs, read_it),
    )


@task(
    "POST /generate",
    hints=[
        "Look at what runs around the call: the SDK, and perhaps a loop of yours.",
        "The SDK tries twice more by itself for 429, 5xx and broken connections. A loop around it multiplies: three times three is nine.",
        "No loop; or AsyncAnthropic(timeout=time_limit, max_retries=0) and a loop of at most three turns",
    ],
    guard="the SDK keeps this limit by itself, until somebody adds tries",
)
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Failure(429, "rate_limit_error", headers=NO_WAIT), id="429"),
        pytest.param(Failure(500, headers=NO_WAIT), id="500"),
        pytest.param(Drop(), id="connection"),
        pytest.param(NotAMessage('{"type": "mess', "application/json"), id="broken_json"),
    ],
)
def test_at_most_two_more_tries(upstream, client, logs, step):
    """What may succeed is tried at most twice more."""
    fail(upstream, client, logs, step)
    count = len(upstream.calls)
    by_sdk = max(int(call.headers.get("x-stainless-retry-count", 0)) for call in upstream.calls)
    what = "at most 3 calls upstream for one request: the first, and two more tries"
    assert by_sdk < MOST_CALLS, expected(
        what,
        came_back=f"{count} calls reached the upstream",
        next_step="Your client's max_retries is too high: it is 2 when you leave it out, and more is too much.",
    )
    assert count <= MOST_CALLS, expected(
        what,
        came_back=f"{count} calls reached the upstream",
        next_step="The SDK tries twice more by itself. Take your own loop out, or make the client with max_retries=0 and "
        "let your loop end.",
    )


@task(
    "POST /generate",
    hints=[
        "Look at what your loop does with a 400.",
        "A request that was refused as wrong is refused the next time too. Only time, load and connections get better.",
        "No loop of your own: the SDK tries none of these again",
    ],
    guard="the SDK tries none of these again, until somebody adds tries",
)
def test_refused_call_is_not_tried_again(upstream, client, logs):
    """A call that the upstream refuses is not tried again."""
    for status in (400, 401, 403, 404):
        fail(upstream, client, logs, Failure(status, headers=NO_WAIT))
        count = len(upstream.calls)
        assert count == 1, expected(
            f"one call upstream: after {status} another try brings the same answer, and costs time",
            came_back=f"{count} calls reached the upstream",
            next_step="Try again only for 429, 5xx, a broken connection or a time-out. The SDK does so by itself.",
        )


@task(
    "GET /models",
    hints=[
        "TODO(1): look at what happens to every request, whatever its path.",
        "A middleware stands around all endpoints: call_next(request) gives the response, and you may add a header.",
        'request.state.request_id = uuid4().hex, then response = await call_next(request), then response.headers["X-Request-ID"] = …',
    ],
)
def test_every_reply_carries_an_id(upstream, client, logs):
    """Every reply carries X-Request-ID."""
    for method, path, body in (
        ("GET", "/models", None),
        ("POST", "/generate", {"prompt": "The door is"}),
        ("POST", "/generate", {}),
        ("GET", "/nowhere", None),
    ):
        reply = client.request(method, path, json=body)
        names = list(reply.headers)
        alike = [
            name for name in names if re.sub("[^a-z]", "", name) in ("xrequestid", "requestid", "xrequestsid")
        ]
        assert reply.headers.get(ID) or not alike, expected(
            "a header X-Request-ID on this reply",
            came_back=f"{reply.status_code} with the headers {', '.join(names)}",
            next_step=f"There is {alike[0] if alike else ''}; the name is X-Request-ID, with two hyphens.",
        )
        crash = client.exchanges[-1].crash
        assert reply.headers.get(ID) or not crash or reply.status_code != 500, expected(
            "a header X-Request-ID on this reply; your middleware stands around it, and failed",
            **seen(reply, client, logs, "Mend the line that is named there."),
        )
        twice = reply.headers.get_list(ID)
        assert len(twice) < 2, expected(
            "one header X-Request-ID on this reply",
            came_back=f"{reply.status_code} with that header {len(twice)} times: {', '.join(twice)}",
            next_step='Set it in one place, with response.headers["X-Request-ID"] = …, which replaces; append() adds a second one.',
        )
        assert reply.headers.get(ID), expected(
            "a header X-Request-ID on this reply",
            came_back=f"{reply.status_code} with the headers {', '.join(names) or 'none'}",
            next_step='Set it in a middleware, under @app.middleware("http"): it sees every reply, those that no endpoint of '
            "yours made too. And return the response from it.",
        )


@task(
    "GET /models",
    hints=[
        "TODO(1): where is the id made, and how often does that line run?",
        "What is made at import is made once. An id that two requests share finds neither of them in a log.",
        "request.state.request_id = uuid4().hex, inside the middleware",
    ],
)
def test_each_request_has_an_id_of_its_own(client):
    """Each request has an id of its own."""
    ids = [client.get("/models").headers.get(ID) for _ in range(3)]
    assert all(ids), expected(
        "a header X-Request-ID on each of three replies",
        next_step="Set the header in the middleware, on the response that call_next gave.",
    )
    assert len(set(ids)) == 3, expected(
        "three ids for three requests",
        came_back=f"the ids {', '.join(ids)}",
        next_step="Make the id inside the middleware, anew for each request: uuid4().hex.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(2) and TODO(3): the shape, and the handler that answers with it.",
        "HTTPException puts its detail under `detail`. A JSONResponse has the body that you give it.",
        'JSONResponse({"error": {"code": …, "message": …, "request_id": …}}, status_code=problem.status_code)',
    ],
)
def test_failure_has_one_shape(upstream, client, logs):
    """A failure is {"error": {"code", "message", "request_id"}}."""
    reply = fail(upstream, client, logs, Failure(500, headers=NO_WAIT))
    told = error(reply)
    try:
        beside = reply.json().get("detail")
    except (ValueError, AttributeError):
        beside = None
    assert told or not isinstance(beside, dict), expected(
        'a JSON object with an object under "error", for a failure of the upstream',
        next_step='The outer key is `error`, not `detail`: return JSONResponse({"error": {…}}, status_code=…) from your handler. '
        "HTTPException always answers under `detail`.",
    )
    assert told, expected(
        'a JSON object with an object under "error", for a failure of the upstream',
        **seen(
            reply,
            client,
            logs,
            "Answer with a JSONResponse of that shape, in a handler under @app.exception_handler(…) for the exception "
            "that generate raises.",
        ),
    )
    assert reply.status_code != 500 or not unanswered(reply, client, logs), expected(
        "the answer of your handler; an exception came in between, and was told as one that nobody foresaw",
        **seen(reply, client, logs, "Mend the line that is named there."),
    )
    missing = [name for name in ("code", "message", "request_id") if not isinstance(told.get(name), str)]
    assert not missing and all(told[name] for name in ("code", "message", "request_id")), expected(
        "texts under code, message and request_id"
        + (f"; missing, or no text: {', '.join(missing)}" if missing else ", none of them empty"),
        next_step="Fill all three: a word for programs, a sentence for people, and the id of this request.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(2): where does the id in the body come from?",
        "request.state lives as long as its request, and the middleware and the handler see the same one.",
        '"request_id": request.state.request_id',
    ],
)
def test_body_and_header_hold_one_id(upstream, client, logs):
    """The id in the body is the one in the header."""
    reply = fail(upstream, client, logs, Failure(500, headers=NO_WAIT))
    in_body, in_header = error(reply).get("request_id"), reply.headers.get(ID)
    assert in_body and in_header, expected(
        "an id under error.request_id, and one in the header X-Request-ID",
        **seen(reply, client, logs, "Put request.state.request_id in both."),
    )
    assert in_body == in_header, expected(
        "one id in both places",
        came_back=f"{in_body} in the body, {in_header} in the header",
        next_step="Make the id once for each request, in the middleware, and read request.state.request_id everywhere else. "
        "The upstream's own request id is another one.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(3): look at the line that writes into the log.",
        "A caller who complains names the id. Whoever searches the log for it has to find one record, at WARNING or above.",
        'logger.warning("Request %s: %s", request.state.request_id, error, exc_info=error)',
    ],
)
def test_failure_is_logged_once_with_its_id(upstream, client, logs):
    """A failed call is one log record that holds the id."""
    for step in (
        Failure(500, headers={"x-should-retry": "false"} | NO_WAIT),
        Failure(404, "not_found_error", headers=NO_WAIT),
        Failure(401, "authentication_error", headers=NO_WAIT),
        Failure(529, "overloaded_error", headers={"x-should-retry": "false"} | NO_WAIT),
    ):
        reply = fail(upstream, client, logs, step)
        request_id = reply.headers.get(ID)
        assert request_id and error(reply), expected(
            'a failure under "error", with a header X-Request-ID',
            **seen(reply, client, logs, "See to these first."),
        )
        assert_one_record(
            request_id,
            logs,
            len(upstream.calls),
            'Write logger.warning("Request %s: %s", request.state.request_id, error, exc_info=error) in the handler of the failure.',
        )


@task(
    "POST /generate",
    hints=[
        "TODO(1): where does the id lie between the middleware and the handler, and how many requests share that place?",
        "While one request waits for the model, others come in. What lies in the module or in app.state is there once for all of them.",
        "request.state.request_id: each request has a state of its own",
    ],
)
def test_requests_at_once_keep_their_ids(upstream, client, logs):
    """Two requests at once keep their ids apart."""
    upstream.hold(2)  # answers when both are there
    upstream.always(Failure(400, headers=NO_WAIT))
    one, other = Burst(client, "/generate", [{"prompt": "The door is"}, {"prompt": "A window is"}]).replies()
    ids = [one.headers.get(ID), other.headers.get(ID)]
    assert all(ids) and error(one) and error(other), expected(
        'two failures under "error", each with a header X-Request-ID, for two requests that wait for the upstream at once',
        **seen(one, client, logs, "See to these first."),
    )
    in_bodies = [error(one).get("request_id"), error(other).get("request_id")]
    assert ids[0] != ids[1] and in_bodies == ids, expected(
        "an id of its own for each of two requests that wait for the upstream at once, the same in its header and its body",
        came_back=f"{ids[0]} and {ids[1]} in the headers, {in_bodies[0]} and {in_bodies[1]} in the bodies",
        next_step="Keep the id in request.state, which each request has for itself: in a global, or in app.state, the second "
        "request writes over the id of the first.",
    )
    lost = [one for one in ids if not logs.with_text(one)]
    assert not lost, expected(
        "a log record with its own id for each of two requests that wait for the upstream at once",
        came_back=f"no record with the id {lost[0] if lost else ''}",
        next_step="Log request.state.request_id, and no id that several requests share.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(5): which exception has no status at all?",
        "APIConnectionError: no answer came, so there is no status to look up, and error.status_code fails.",
        "if isinstance(error, APIStatusError): … and at the end return FAILED",
    ],
)
def test_broken_connection_is_502(upstream, client, logs):
    """A connection that breaks is a 502."""
    reply = fail(upstream, client, logs, Drop())
    assert reply.status_code != 504, expected(
        "status 502: the connection was cut, which is no question of time",
        next_step="Ask for APITimeoutError, and not for APIConnectionError, before you answer 504.",
    )
    assert reply.status_code != 503, expected(
        "status 502: the connection was cut; nobody said that the model is busy",
        next_step="Let the function end with `return FAILED`, for the connection errors that are no time-outs.",
    )
    told_apart = "Treat APIConnectionError too: it is no APIStatusError, and has no status_code."
    assert reply.status_code == 502, expected(
        "status 502: the connection to the upstream was cut",
        **seen(reply, client, logs, TELL_APART if reply.status_code == 500 else told_apart),
    )
    assert_shape(reply, client, logs)


@task(
    "POST /generate",
    hints=[
        "TODO(5): what does your table answer for a status that is not in it?",
        "502 says that the server behind this one failed. A 4xx upstream is about the call that *your* code made.",
        "BY_STATUS.get(error.status_code, FAILED)",
    ],
)
@pytest.mark.parametrize(
    "statuses", [pytest.param((500, 503), id="5xx"), pytest.param((400, 413, 422), id="4xx")]
)
def test_other_upstream_errors_are_502(upstream, client, logs, statuses):
    """Every other status of the upstream is a 502."""
    for status in statuses:
        reply = fail(upstream, client, logs, Failure(status, headers=NO_WAIT))
        assert status >= 500 or not 400 <= reply.status_code < 500, expected(
            f"status 502: the upstream answered {status} to your code. The caller's request was valid, and cannot be mended by the caller",
            next_step="Answer 502 for all statuses of the upstream that have no line of their own in the table; do not pass them on.",
        )
        assert reply.status_code == 502, expected(
            f"status 502: the upstream answered {status}, which has no line of its own in the table",
            **seen(reply, client, logs, "Let the table answer 502 for all statuses that it does not list."),
        )
        assert error(reply), expected(
            'the failure under "error", as for all others',
            next_step="Use the one function that makes the body.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(4): look at the messages.",
        "str(error) holds what the upstream wrote. It belongs in the log, where exc_info=error puts it.",
        'Problem(502, "model_failed", "The model failed."), with no f-string around the exception',
    ],
)
def test_nothing_of_the_upstream_is_shown(upstream, client, logs):
    """No body shows what the upstream wrote."""
    leaks = (
        "Traceback",
        "shard eu-7",
        "sk-ant-internal",
        "Error code:",
        "anthropic.com",
        KEY,
    )
    for step in (
        Failure(500, headers=NO_WAIT),
        Failure(429, headers=NO_WAIT),
        Failure(404, headers=NO_WAIT),
        Failure(401, headers=NO_WAIT),
        Failure(400, headers=NO_WAIT),
    ):
        reply = fail(upstream, client, logs, step)
        assert error(reply), expected(
            'a failure under "error"',
            **seen(reply, client, logs, "Answer every failure with the shape of the contract."),
        )
        shown = [one for one in leaks if one in reply.text]
        assert "Traceback" not in shown, expected(
            "words of your own; the body shows a traceback: files, lines and code of yours",
            next_step="Write a fixed message, and leave the traceback to the log, where exc_info=error puts it.",
        )
        assert not shown, expected(
            f"words of your own; the body shows {shown[0]!r}",
            next_step="Write a fixed message for each line of the table, and leave str(error) to the log.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(4) and TODO(5): look up 429 and 529 in your table.",
        "The SDK's exception for 529, OverloadedError, is an InternalServerError too: whoever asks for that first never "
        "gets to it. Both are an APIStatusError with a status_code.",
        "BY_STATUS = {429: BUSY, 529: BUSY, …} and BY_STATUS.get(error.status_code, FAILED)",
    ],
)
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Failure(429, "rate_limit_error", headers=NO_WAIT), id="429"),
        pytest.param(Failure(529, "overloaded_error", headers=NO_WAIT_TOLD), id="529"),
    ],
)
def test_busy_upstream_is_503(upstream, client, logs, step):
    """An upstream that is busy is a 503."""
    reply = fail(upstream, client, logs, step)
    what = f"status 503: the upstream answered {step.status}, it has too much to do just now"
    assert step.status != 529 or reply.status_code != 502, expected(
        what,
        next_step="Ask for 529 before you ask for 5xx: OverloadedError is a child of InternalServerError, so the parent's "
        "branch takes it.",
    )
    assert reply.status_code != 502, expected(
        what,
        next_step="Put 429 and 529 into BY_STATUS, both as BUSY with its 503, and look error.status_code up in there: "
        "what it does not find is a 502.",
    )
    assert reply.status_code == 503, expected(what, **seen(reply, client, logs, TELL_APART))
    assert_shape(reply, client, logs)


@task(
    "POST /generate",
    hints=[
        "TODO(2): look at the headers of your JSONResponse.",
        "Retry-After is a header that clients read by themselves: the seconds to wait before the next try.",
        'headers={"Retry-After": "5"} if problem.status_code == 503 else None',
    ],
)
def test_busy_reply_says_when_to_come_back(upstream, client, logs):
    """A 503 says in Retry-After when to come back."""
    for step in (
        Failure(429, "rate_limit_error", headers=NO_WAIT),
        Failure(529, "overloaded_error", headers=NO_WAIT_TOLD),
    ):
        reply = fail(upstream, client, logs, step)
        wait = reply.headers.get("Retry-After", "")
        assert reply.status_code == 503 and wait, expected(
            "status 503 with a header Retry-After",
            came_back=f"{reply.status_code} with the headers {', '.join(reply.headers)}",
            next_step='Give the response headers={"Retry-After": "5"}: in the headers, where clients look, and not in the body.',
        )
        assert wait.isdigit() or wait.endswith(" GMT"), expected(
            "whole seconds in Retry-After, such as 5",
            came_back=f"Retry-After: {wait}",
            next_step='Write the number alone, as a text: "5".',
        )


@task(
    "POST /generate",
    hints=[
        "TODO(4): look up 408 and 504 in your table.",
        "Here somebody behind the upstream ran out of time, and it says so with a status. For your caller that is the same.",
        "BY_STATUS = {408: LATE, 504: LATE, …}",
    ],
)
@pytest.mark.parametrize("status", [pytest.param(408, id="408"), pytest.param(504, id="504")])
def test_late_upstream_is_504(upstream, client, logs, status):
    """An upstream that says 408 or 504 is a 504."""
    reply = fail(upstream, client, logs, Failure(status, "timeout_error", headers=NO_WAIT))
    assert reply.status_code == 504, expected(
        f"status 504: the upstream answered {status}, so the model was not ready in time",
        **seen(
            reply,
            client,
            logs,
            "Give 408 and 504 their own line in the table, before the one for all other 4xx and 5xx.",
        ),
    )
    assert_shape(reply, client, logs)


@task(
    "POST /generate",
    hints=[
        "TODO(5): look at the order in which you ask what an exception is.",
        "APITimeoutError is a child of APIConnectionError, so a question for the parent is answered yes for both.",
        "if isinstance(error, APITimeoutError): return LATE, before anything about APIConnectionError",
    ],
)
def test_silent_upstream_is_504(upstream, anew, logs):
    """An upstream that does not answer in time is a 504."""
    client = anew(UPSTREAM_TIMEOUT_SECONDS="0.03")
    upstream.always(Silence(ticks=A_WHILE))
    reply = generate(client)
    tried(upstream, reply, client, logs)
    what = "status 504: the upstream is silent, and the time limit of UPSTREAM_TIMEOUT_SECONDS is over"
    assert reply.status_code != 200, expected(
        what,
        came_back="200: your app waited far longer than that, until the upstream spoke after all",
        next_step='Make the client with timeout=float(os.environ.get("UPSTREAM_TIMEOUT_SECONDS", "30")), as the starter does.',
    )
    assert reply.status_code != 502, expected(
        what,
        next_step="Ask for APITimeoutError before APIConnectionError, whose child it is: the parent's branch takes both.",
    )
    assert reply.status_code == 504, expected(what, **seen(reply, client, logs, TELL_APART))
    assert_shape(reply, client, logs)


@task(
    "POST /generate",
    hints=[
        "TODO(4): look up 404 in your table.",
        "The model is the one thing in the call that the caller chose, so this failure is the caller's.",
        "BY_STATUS = {404: UNKNOWN_MODEL, …}, a Problem with the status 404",
    ],
)
def test_unknown_model_is_404(upstream, client, logs):
    """A model that the upstream does not know is a 404."""
    reply = generate(client, model="gpt-of-next-year")
    tried(upstream, reply, client, logs)
    assert reply.status_code == 404, expected(
        "status 404: the upstream knows no such model, and answered 404",
        **seen(
            reply,
            client,
            logs,
            "Give 404 its own line in the table: the caller chose the model and can choose another.",
        ),
    )
    assert error(reply), expected(
        'the failure under "error", as for all others',
        next_step="Raise the exception that your handler answers, and no HTTPException.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(4): look at the codes.",
        "A program compares the code letter by letter: small letters, digits and underscores, and the same word next year.",
        '"model_busy", "model_timeout"',
    ],
)
def test_codes_are_stable_words(upstream, client, anew, logs):
    """A code is a stable word in snake_case."""
    hurried = anew(UPSTREAM_TIMEOUT_SECONDS="0.03")
    upstream.always(Silence(ticks=A_WHILE))
    late = generate(hurried)
    told = {"silence": error(late).get("code")}
    for status in (429, 529, 408, 504, 401, 400):
        told[f"status {status}"] = error(fail(upstream, client, logs, Failure(status, headers=NO_WAIT))).get(
            "code"
        )
    odd = {
        what: code
        for what, code in told.items()
        if not isinstance(code, str) or not SNAKE_CASE.fullmatch(code)
    }
    assert not odd, expected(
        "a word in snake_case under error.code, such as model_busy, for each failure of the table",
        came_back="; ".join(f"{what} upstream: the code {code!r}" for what, code in odd.items()),
        next_step="Write the code into the table yourself: small letters, digits and underscores.",
    )
    for status in (500, 404):
        codes = [
            error(fail(upstream, client, logs, Failure(status, message=words, headers=NO_WAIT))).get("code")
            for words in (SECRET, "other words: shard eu-8")
        ]
        assert all(isinstance(code, str) and SNAKE_CASE.fullmatch(code) for code in codes), expected(
            "a word in snake_case under error.code, such as model_busy",
            came_back=f"the code {codes[0]!r}",
            next_step="Write the code into the table yourself: small letters, digits and underscores.",
        )
        assert codes[0] == codes[1], expected(
            f"one code for two failures of one kind, the upstream's {status}",
            came_back=f"the codes {codes[0]!r} and {codes[1]!r}",
            next_step="Take the code from your table, and not from what the upstream wrote.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(4): look up 401 and 403 in your table.",
        "Whose key did the upstream refuse? The caller has none, so 401 would send the caller looking for the wrong thing.",
        'MISCONFIGURED = Problem(500, "misconfigured", …) for 401 and 403',
    ],
)
def test_refused_key_is_misconfigured(upstream, client, logs):
    """A key that the upstream refuses is a 500, misconfigured."""
    for step in (
        Failure(401, "authentication_error", headers=NO_WAIT),
        Failure(403, "permission_error", headers=NO_WAIT),
    ):
        reply = fail(upstream, client, logs, step)
        assert reply.status_code != step.status, expected(
            f"status 500: the upstream refused the key of your service with {step.status}; the caller has nothing to do with it",
            next_step="Give 401 and 403 a line of their own in the table, with 500.",
        )
        assert reply.status_code == 500, expected(
            f"status 500: the upstream answered {step.status}, so your service is set up wrongly",
            **seen(reply, client, logs, "Give 401 and 403 a line of their own in the table, with 500."),
        )
        assert error(reply).get("code") == "misconfigured", expected(
            'the code "misconfigured", which tells whoever runs the service where to look',
            **seen(reply, client, logs, 'Make it Problem(500, "misconfigured", …) in the table.'),
        )


@task(
    "POST /generate",
    hints=[
        "TODO(6): look at what your handler returns.",
        "RequestValidationError has errors(), a list of dicts. A caller needs three of their keys.",
        '{"detail": [{"type": one["type"], "loc": one["loc"], "msg": one["msg"]} for one in error.errors()]}',
    ],
)
def test_refusal_lists_type_loc_and_msg(upstream, client, logs):
    """A 422 lists type, loc and msg under detail, no input."""
    for body, place in (
        ({}, "body.prompt"),
        ({"prompt": ""}, "body.prompt"),
        ({"prompt": "a" * 10_001}, "body.prompt"),
        ({"prompt": "a", "max_tokens": 0}, "body.max_tokens"),
        ({"prompt": "a", "max_tokens": 4097}, "body.max_tokens"),
    ):
        reply = client.post("/generate", json=body)
        assert reply.status_code == 422, expected(
            "status 422: the caller's body breaks a rule of GenerateRequest",
            **seen(
                reply,
                client,
                logs,
                "Keep the fields of lesson 8 (a prompt of 1 to 10,000 characters, 1 to 4096 tokens), and let your handler for "
                "RequestValidationError answer 422.",
            ),
        )
        places = error_locations(reply)
        assert "body" not in places or place in places, expected(
            f"an entry whose `loc` names the field: {place.split('.')}".replace("'", '"'),
            next_step="Put the rule on the field, Field(ge=1, le=4096), or a @field_validator: what a @model_validator refuses "
            'has only ["body"] in its `loc`.',
        )
        assert place in places, expected(
            f'a list under "detail", with an entry whose `loc` is {place.split(".")}'.replace("'", '"'),
            next_step='Return {"detail": […]} from the handler for RequestValidationError, with type, loc and msg of each error.',
        )
        entries = reply.json()["detail"]
        assert all({"type", "loc", "msg"} <= entry.keys() for entry in entries), expected(
            "type, loc and msg in each entry",
            next_step="Take these three keys of each of error.errors().",
        )
        assert not any("input" in entry for entry in entries), expected(
            "no key `input`: the stock answer sends back what came in, secrets included",
            next_step="Answer RequestValidationError yourself, with type, loc and msg alone.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(6): how many entries does your list have, and how many does error.errors()?",
        "Pydantic looks at all fields before it refuses. A caller who learns of one error at a time sends one request for each.",
        "[… for one in error.errors()], with no [0] and no [:1]",
    ],
)
def test_refusal_names_every_error(client, logs):
    """A 422 lists all errors of a body, not only the first."""
    reply = client.post("/generate", json={"prompt": "", "max_tokens": 0})
    places = error_locations(reply)
    assert reply.status_code == 422 and {"body.prompt", "body.max_tokens"} <= set(places), expected(
        'status 422 with two entries under "detail", for prompt and for max_tokens: both break a rule',
        **seen(reply, client, logs, "Go through all of error.errors(), and not only its first."),
    )
    assert not any("input" in entry for entry in reply.json()["detail"]), expected(
        "no key `input` in any entry", next_step="Take type, loc and msg of each error, and nothing else."
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): which of the keys of an error hold what the caller sent?",
        "`input` does, and error.body as well. A password typed into the wrong field ends up in somebody's log that way.",
        'for key in ("type", "loc", "msg")',
    ],
)
def test_refusal_echoes_nothing(upstream, client):
    """A 422 never shows what was sent."""
    for body in ({"secret_note": "swordfish-77"}, {"prompt": "a", "max_tokens": "swordfish-77"}):
        reply = client.post("/generate", json=body)
        assert reply.status_code == 422 and error_locations(reply), expected(
            'status 422 with a list under "detail"',
            next_step="Answer RequestValidationError in a handler of your own.",
        )
        assert "swordfish-77" not in reply.text and '"input"' not in reply.text, expected(
            "an answer without what was sent; this one shows it",
            next_step="Take type, loc and msg of each error, and neither `input` nor error.body.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(6): what does json.dumps do with NaN, when it has to write standard JSON?",
        "Python reads NaN and 1e999 as numbers. The stock handler wants to send them back as `input`, and JSON has no such number.",
        "Leave `input` out: type, loc and msg are texts and can always be written",
    ],
)
def test_numbers_that_json_has_not_are_refused(upstream, client, logs):
    """NaN and 1e999 are refused with 422."""
    for body in (
        '{"prompt": NaN}',
        '{"prompt": "a", "max_tokens": NaN}',
        '{"prompt": "a", "max_tokens": 1e999}',
        '{"max_tokens": 1e999}',
    ):
        reply = client.post("/generate", content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code == 422, expected(
            "status 422: this is no text, and no whole number",
            **seen(
                reply,
                client,
                logs,
                "Answer RequestValidationError yourself, without `input`: it holds NaN or infinity, which cannot be written as "
                "JSON, so sending it back fails.",
            ),
        )
        entries = json_body(reply).get("detail")
        assert isinstance(entries, list) and all("input" not in entry for entry in entries), expected(
            'type, loc and msg under "detail", and no `input`',
            next_step="Take these three keys of each of error.errors().",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(6): print error.errors() for a validator that raises ValueError.",
        "Its key `ctx` holds the exception itself, which is no text and cannot be written as JSON.",
        'for key in ("type", "loc", "msg")',
    ],
)
def test_validators_own_error_is_a_422(main, client, logs, extra_route, request):
    """A rule of a validator of your own is told as 422 too."""
    from typing import Annotated

    from pydantic import AfterValidator

    def refuse(value: str) -> str:
        raise ValueError("this rule is a validator's own")

    def endpoint(word: Annotated[str, AfterValidator(refuse)]) -> str:
        return word

    say_it_is_added(request)
    reply = client.get(extra_route(endpoint), params={"word": "any"})
    assert reply.status_code == 422, expected(
        "status 422, on an endpoint that this check adds to your app: its validator raises ValueError",
        **seen(
            reply,
            client,
            logs,
            "Leave `ctx` out as well: it holds the ValueError itself, which cannot be written as JSON.",
        ),
    )
    entries = json_body(reply).get("detail")
    keys = set(entries[0]) if isinstance(entries, list) and entries else set()
    assert {"type", "loc", "msg"} <= keys and "input" not in keys, expected(
        'type, loc and msg under "detail", and no `input`',
        next_step="Answer RequestValidationError in one handler, for the whole app.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(6): this prompt is half of a character. Which key of the error holds it?",
        "JSON can write half a character as an escape, and UTF-8 cannot write it at all: an answer that repeats it fails.",
        'for key in ("type", "loc", "msg")',
    ],
)
def test_half_a_character_breaks_nothing(upstream, client, logs):
    """A prompt that cannot be sent gets an answer in shape."""
    body = '{"prompt": "\\ud800"}'
    reply = client.post("/generate", content=body, headers={"Content-Type": "application/json"})
    told = error_locations(reply) if reply.status_code == 422 else reply.status_code >= 500 and error(reply)
    assert told, expected(
        'a 422 with its list under "detail", or a 5xx with the failure under "error": this text is half of a character, which '
        "JSON allows and UTF-8 cannot write",
        **seen(
            reply,
            client,
            logs,
            "Answer the 422 without `input`, which holds that text; and catch what nobody foresaw around call_next.",
        ),
    )
    assert reply.headers.get(ID), expected(
        "a header X-Request-ID on this reply too",
        next_step="Catch Exception inside the function that sets the header.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(7): what does the SDK do without a key?",
        "UpstreamFailed carries a Problem to your handler. Without a key the client is made all the same. Only the call raises, and what it raises is a TypeError, no APIError.",
        "if client.api_key is None: raise UpstreamFailed(MISCONFIGURED), in get_client. A Problem alone cannot be raised",
    ],
)
def test_missing_key_is_misconfigured(upstream, anew, logs):
    """Without a key the app starts, and answers 500, misconfigured."""
    upstream.always(Failure(401, "authentication_error", headers=NO_WAIT))
    client = anew(ANTHROPIC_API_KEY=None, ANTHROPIC_AUTH_TOKEN=None, ANTHROPIC_PROFILE=None)
    models = client.get("/models")
    assert models.status_code == 200, expected(
        "status 200 from /models: it needs no key",
        **seen(models, client, logs, "Look for the key where a call is made, and not at start-up."),
    )
    reply = generate(client)
    what = 'status 500 with the code "misconfigured": for this check the key was taken away'
    code = error(reply).get("code")
    assert reply.status_code == 500, expected(
        what,
        **seen(
            reply,
            client,
            logs,
            f"Answer with status 500: {reply.status_code} tells something else of the same failure.",
        ),
    )
    assert code, expected(
        what,
        **seen(
            reply,
            client,
            logs,
            "Answer in your own shape, with the code under error: raise UpstreamFailed(MISCONFIGURED), and no HTTPException.",
        ),
    )
    assert code == "misconfigured", expected(
        what,
        **seen(
            reply,
            client,
            logs,
            f"Give it the code misconfigured, as for a key that is refused; {code} is another word for the same.",
        ),
    )


@task(
    "POST /generate",
    hints=[
        "TODO(8): print what the call gives for an answer that is a web page.",
        "The SDK trusts a status of 200: a page comes out as a str, other JSON as an empty Message, broken JSON as a "
        "JSONDecodeError.",
        'if getattr(message, "type", None) != "message": raise UpstreamFailed(FAILED), and except JSONDecodeError',
    ],
)
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(NotAMessage(), id="web_page"),
        pytest.param(NotAMessage('{"maintenance": true}', "application/json"), id="other_json"),
        pytest.param(NotAMessage('{"type": "mess', "application/json"), id="broken_json"),
    ],
)
def test_answer_that_is_no_message_is_502(upstream, client, logs, step):
    """A 200 from upstream that is not a message is a 502."""
    reply = fail(upstream, client, logs, step)
    ways = {
        "text/html": "the call gives a str",
        '{"m': "the call gives a Message in which all is None",
        '{"t': "the call raises JSONDecodeError, which is no APIError",
    }
    how = ways.get(step.content_type) or ways[step.body[:3]]
    assert reply.status_code == 502, expected(
        f"status 502: the upstream's answer is {step.body!r}, with status 200; {how}",
        **seen(
            reply,
            client,
            logs,
            "Look at what the call gave before you read it, and turn all that is no message into the 502 of your table.",
        ),
    )
    assert_shape(reply, client, logs)
    assert step.body not in reply.text and "Traceback" not in reply.text, expected(
        "words of your own; the body shows what the upstream sent",
        next_step="Write a fixed message, and leave the upstream's words to the log.",
    )
    assert_one_record(
        reply.headers.get(ID, "no id"),
        logs,
        len(upstream.calls),
        "Raise the exception whose handler writes the record: UpstreamFailed(FAILED).",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(9): where does an exception of an endpoint come by on its way out?",
        "A handler for Exception answers outside of all middleware, so its reply gets no header from yours. A try around "
        "call_next is inside.",
        "try: response = await call_next(request), except Exception: logger.exception(…) and response = problem_response(…)",
    ],
)
def test_unexpected_exception_has_the_shape(main, client, logs, extra_route, request):
    """An exception that nobody foresaw is a 500 of the same shape."""

    def endpoint() -> None:
        raise RuntimeError("row 7781 of the ledger")

    say_it_is_added(request)
    reply = client.get(extra_route(endpoint))
    told = error(reply)
    assert not told or reply.status_code == 500, expected(
        "status 500: an endpoint that this check adds to your app raises RuntimeError, which is a fault of your own code",
        next_step=f"The shape is right; its status is 500, not {reply.status_code}: with 502 to 504 you blame the upstream.",
    )
    assert told, expected(
        'status 500 with the failure under "error", on an endpoint that this check adds to your app: it raises RuntimeError',
        **seen(
            reply,
            client,
            logs,
            "Catch Exception around call_next in the middleware, and answer with the one shape.",
        ),
    )
    assert "7781" not in reply.text and "Traceback" not in reply.text, expected(
        "words of your own; the body shows those of the exception",
        next_step="Write a fixed message, and leave the exception to logger.exception(…).",
    )
    assert reply.headers.get(ID), expected(
        "a header X-Request-ID on this reply too",
        next_step="A handler for Exception answers outside of your middleware. Catch Exception around call_next instead, "
        "where the header is set; or set it in that handler as well.",
    )
    assert told.get("request_id") == reply.headers[ID], expected(
        "one id in the body and in the header",
        came_back=f"{told.get('request_id')} in the body, {reply.headers[ID]} in the header",
        next_step="Use request.state.request_id in both.",
    )
    code = told.get("code")
    assert isinstance(code, str) and SNAKE_CASE.fullmatch(code), expected(
        "a word in snake_case under error.code, such as internal_error",
        came_back=f"the code {code!r}",
        next_step="Write it in small letters, digits and underscores, as in your table.",
    )
    assert told.get("message"), expected("a message for people under error.message", next_step=ONE_BODY)
