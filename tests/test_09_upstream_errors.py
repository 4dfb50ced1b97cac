"""Lesson 9: when the model fails.

`upstream` is the stand-in of lesson 8, told here to fail in every way that a service can. `logs` keeps what
your code writes into the log, whatever your logging is set up like, and `anew` starts your app once more with
other environment variables. In these checks the SDK does not wait before it tries again.
"""

import re

import pytest

from lessonkit import error_locations, expected, json_body, task, upstream
from lessonkit.upstream.steps import SECRET, Answer, Drop, Failure, NotAMessage, Silence, Text

KEY = "placeholder-key"
ENVIRONMENT = {
    "ANTHROPIC_BASE_URL": upstream.address,
    "ANTHROPIC_API_KEY": KEY,
    "UPSTREAM_TIMEOUT_SECONDS": "5",  # the check of the time limit starts the app with a lower one
    "no_proxy": "127.0.0.1",  # where a proxy is set, nothing of this goes through it
}

ID = "X-Request-ID"
MOST_CALLS = 3  # one, and two more tries
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NO_WAIT = {"retry-after-ms": "1", "retry-after": "0"}  # tried again at once, by whoever tries again
NO_WAIT_TOLD = {"retry-after-ms": "1"}  # as above, and without Retry-After, which a 529 seldom has
A_WHILE = 50  # ticks of silence, after which the upstream answers a caller who knows no time limit
TELL_APART = (
    "Look the status up in your table, in one handler for the SDK's exceptions; `except Exception` with one status for all "
    "tells nobody anything."
)


def generate(client, **body):
    return client.post("/generate", json={"prompt": "The door is"} | body)


def fail(upstream, client, step):
    """The app's answer while the upstream does `step` to every call, and then as often as anybody may try."""
    upstream.reset()
    upstream.script(*[step] * (2 * MOST_CALLS))
    reply = generate(client)
    tried(upstream)
    return reply


def tried(upstream):
    """Some call arrived upstream, and not more than there may be."""
    assert upstream.calls, expected(
        "a call to reach the upstream; none did",
        next_step="Call client.messages.create(…) in the endpoint, as in lesson 8.",
    )
    count = len(upstream.calls)
    assert count <= MOST_CALLS, expected(
        "at most 3 calls upstream for one request: the first, and two more tries",
        came_back=f"{count} calls reached the upstream",
        next_step="The SDK tries twice more by itself. Take your own loop out, or make the client with max_retries=0 and "
        "let your loop end.",
    )


def error(reply):
    """The object under `error` in a failure's body; an empty one where there is none."""
    try:
        found = reply.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def came(reply, logs=None):
    """What came back, with the exception that the log tells of where there is one."""
    told = f"{reply.status_code} {reply.text[:300]}"
    if logs is not None and logs.exception and reply.status_code == 500:
        return f"{told} and in your log: {logs.exception}"
    return None


@task(
    "POST /generate",
    hints=[
        "Look at what you changed in generate.",
        "Errors are added around the call of lesson 8; the call and its answer stay as they were.",
        "try: message = await client.messages.create(…), then the except lines, then return GenerateResponse(…)",
    ],
    guard="the starter holds the finished code of lesson 8, which does this already",
)
def test_good_answer_still_comes_back(upstream, client):
    """When nothing fails, the answer is that of lesson 8."""
    upstream.script(Answer((Text("One "), Text("two.")), input_tokens=23, output_tokens=71))
    reply = generate(client, model="claude-sonnet-4-6")
    tried(upstream)
    assert reply.status_code == 200, expected(
        "status 200: nothing fails here",
        next_step="Leave the call and its answer as they were in lesson 8; errors are added around them.",
    )
    wanted = {"text": "One two.", "model": "claude-sonnet-4-6", "input_tokens": 23, "output_tokens": 71}
    assert json_body(reply) == wanted, expected(
        f"exactly {wanted}".replace("'", '"'),
        next_step="Return the GenerateResponse of lesson 8, unchanged.",
    )


@task(
    "GET /models",
    hints=[
        "TODO(1): look at what happens to every request, whatever its path.",
        "A middleware stands around all endpoints: call_next(request) gives the response, and you may add a header.",
        'request.state.request_id = uuid4().hex, then response = await call_next(request), then response.headers["X-Request-ID"] = …',
    ],
)
def test_every_reply_carries_an_id(upstream, client):
    """Every reply carries X-Request-ID."""
    for method, path, body in (
        ("GET", "/models", None),
        ("POST", "/generate", {"prompt": "The door is"}),
        ("POST", "/generate", {}),
        ("GET", "/nowhere", None),
    ):
        reply = client.request(method, path, json=body)
        assert reply.headers.get(ID), expected(
            "a header X-Request-ID on this reply",
            came_back=f"{reply.status_code} with the headers {', '.join(reply.headers) or 'none'}",
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
        "TODO(4) and TODO(5): the shape, and the handler that answers with it.",
        "HTTPException puts its detail under `detail`. A JSONResponse has the body that you give it.",
        'JSONResponse({"error": {"code": …, "message": …, "request_id": …}}, status_code=problem.status_code)',
    ],
)
def test_failure_has_one_shape(upstream, client, logs):
    """A failure is {"error": {"code", "message", "request_id"}}."""
    reply = fail(upstream, client, Failure(500, headers=NO_WAIT))
    told = error(reply)
    assert told, expected(
        'a JSON object with an object under "error", for a failure of the upstream',
        came_back=came(reply, logs),
        next_step="Answer with a JSONResponse of that shape, in a handler under @app.exception_handler(…) for the exception "
        "that generate raises.",
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
        "TODO(4): where does the id in the body come from?",
        "request.state lives as long as its request, and the middleware and the handler see the same one.",
        '"request_id": request.state.request_id',
    ],
)
def test_body_and_header_hold_one_id(upstream, client):
    """The id in the body is the one in the header."""
    reply = fail(upstream, client, Failure(500, headers=NO_WAIT))
    in_body, in_header = error(reply).get("request_id"), reply.headers.get(ID)
    assert in_body and in_header, expected(
        "an id under error.request_id, and one in the header X-Request-ID",
        next_step="Put request.state.request_id in both.",
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
        "TODO(2): look at the codes.",
        "A program compares the code letter by letter: small letters, digits and underscores, and the same word next year.",
        '"model_busy", "model_timeout"',
    ],
)
def test_codes_are_stable_words(upstream, client):
    """A code is a stable word in snake_case."""
    for status in (500, 404):
        codes = [
            error(fail(upstream, client, Failure(status, message=words, headers=NO_WAIT))).get("code")
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
        "TODO(2) and TODO(3): look up 429 and 529 in your table.",
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
    reply = fail(upstream, client, step)
    what = f"status 503: the upstream answered {step.status}, it has too much to do just now"
    assert step.status != 529 or reply.status_code != 502, expected(
        what,
        next_step="Ask for 529 before you ask for 5xx: OverloadedError is a child of InternalServerError, so the parent's "
        "branch takes it.",
    )
    assert reply.status_code == 503, expected(what, came_back=came(reply, logs), next_step=TELL_APART)
    assert error(reply), expected(
        'the failure under "error", as for all others', next_step="Use the one function that makes the body."
    )


@task(
    "POST /generate",
    hints=[
        "TODO(4): look at the headers of your JSONResponse.",
        "Retry-After is a header that clients read by themselves: the seconds to wait before the next try.",
        'headers={"Retry-After": "5"} if problem.status_code == 503 else None',
    ],
)
def test_busy_reply_says_when_to_come_back(upstream, client):
    """A 503 says in Retry-After when to come back."""
    for step in (
        Failure(429, "rate_limit_error", headers=NO_WAIT),
        Failure(529, "overloaded_error", headers=NO_WAIT_TOLD),
    ):
        reply = fail(upstream, client, step)
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
        "TODO(3): look at the order in which you ask what an exception is.",
        "APITimeoutError is a child of APIConnectionError, so a question for the parent is answered yes for both.",
        "if isinstance(error, APITimeoutError): return LATE, before anything about APIConnectionError",
    ],
)
def test_silent_upstream_is_504(upstream, anew, logs):
    """An upstream that does not answer in time is a 504."""
    client = anew(UPSTREAM_TIMEOUT_SECONDS="0.1")
    upstream.always(Silence(ticks=A_WHILE))
    reply = generate(client)
    tried(upstream)
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
    assert reply.status_code == 504, expected(what, came_back=came(reply, logs), next_step=TELL_APART)
    assert error(reply), expected(
        'the failure under "error", as for all others', next_step="Use the one function that makes the body."
    )


@task(
    "POST /generate",
    hints=[
        "TODO(2): look up 408 and 504 in your table.",
        "Here somebody behind the upstream ran out of time, and it says so with a status. For your caller that is the same.",
        "BY_STATUS = {408: LATE, 504: LATE, …}",
    ],
)
@pytest.mark.parametrize("status", [pytest.param(408, id="408"), pytest.param(504, id="504")])
def test_late_upstream_is_504(upstream, client, logs, status):
    """An upstream that says 408 or 504 is a 504."""
    reply = fail(upstream, client, Failure(status, "timeout_error", headers=NO_WAIT))
    assert reply.status_code == 504, expected(
        f"status 504: the upstream answered {status}, so the model was not ready in time",
        came_back=came(reply, logs),
        next_step="Give 408 and 504 their own line in the table, before the one for all other 4xx and 5xx.",
    )
    assert error(reply), expected(
        'the failure under "error", as for all others', next_step="Use the one function that makes the body."
    )


@task(
    "POST /generate",
    hints=[
        "TODO(3): which exception has no status at all?",
        "APIConnectionError: no answer came, so there is no status to look up, and error.status_code fails.",
        "if isinstance(error, APIStatusError): … and at the end return FAILED",
    ],
)
def test_broken_connection_is_502(upstream, client, logs):
    """A connection that breaks is a 502."""
    reply = fail(upstream, client, Drop())
    assert reply.status_code != 504, expected(
        "status 502: the connection was cut, which is no question of time",
        next_step="Ask for APITimeoutError, and not for APIConnectionError, before you answer 504.",
    )
    assert reply.status_code == 502, expected(
        "status 502: the connection to the upstream was cut",
        came_back=came(reply, logs),
        next_step="Treat APIConnectionError too: it is no APIStatusError, and has no status_code.",
    )
    assert error(reply), expected(
        'the failure under "error", as for all others', next_step="Use the one function that makes the body."
    )


@task(
    "POST /generate",
    hints=[
        "TODO(3): what does your table answer for a status that is not in it?",
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
        reply = fail(upstream, client, Failure(status, headers=NO_WAIT))
        assert status >= 500 or not 400 <= reply.status_code < 500, expected(
            f"status 502: the upstream answered {status} to your code. The caller's request was valid, and cannot be mended by the caller",
            next_step="Answer 502 for all statuses of the upstream that have no line of their own in the table; do not pass them on.",
        )
        assert reply.status_code == 502, expected(
            f"status 502: the upstream answered {status}, which has no line of its own in the table",
            came_back=came(reply, logs),
            next_step="Let the table answer 502 for all statuses that it does not list.",
        )
        assert error(reply), expected(
            'the failure under "error", as for all others',
            next_step="Use the one function that makes the body.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(2): look up 404 in your table.",
        "The model is the one thing in the call that the caller chose, so this failure is the caller's.",
        "BY_STATUS = {404: UNKNOWN_MODEL, …}, a Problem with the status 404",
    ],
)
def test_unknown_model_is_404(upstream, client, logs):
    """A model that the upstream does not know is a 404."""
    reply = generate(client, model="gpt-of-next-year")
    tried(upstream)
    assert reply.status_code == 404, expected(
        "status 404: the upstream knows no such model, and answered 404",
        came_back=came(reply, logs),
        next_step="Give 404 its own line in the table: the caller chose the model and can choose another.",
    )
    assert error(reply), expected(
        'the failure under "error", as for all others',
        next_step="Raise the exception that your handler answers, and no HTTPException.",
    )


@task(
    "POST /generate",
    hints=[
        "TODO(2): look up 401 and 403 in your table.",
        "Whose key did the upstream refuse? The caller has none, so 401 would send the caller looking for the wrong thing.",
        'MISCONFIGURED = Problem(500, "misconfigured", …) for 401 and 403',
    ],
)
def test_refused_key_is_misconfigured(upstream, client):
    """A key that the upstream refuses is a 500, misconfigured."""
    for step in (
        Failure(401, "authentication_error", headers=NO_WAIT),
        Failure(403, "permission_error", headers=NO_WAIT),
    ):
        reply = fail(upstream, client, step)
        assert reply.status_code != step.status, expected(
            f"status 500: the upstream refused the key of your service with {step.status}; the caller has nothing to do with it",
            next_step="Give 401 and 403 a line of their own in the table, with 500.",
        )
        assert reply.status_code == 500, expected(
            f"status 500: the upstream answered {step.status}, so your service is set up wrongly",
            next_step="Give 401 and 403 a line of their own in the table, with 500.",
        )
        assert error(reply).get("code") == "misconfigured", expected(
            'the code "misconfigured", which tells whoever runs the service where to look',
            next_step='Make it Problem(500, "misconfigured", …) in the table.',
        )


@task(
    "POST /generate",
    hints=[
        "TODO(7): what does the SDK do without a key?",
        "The client is made all the same. Only the call raises, and what it raises is a TypeError, no APIError.",
        "if client.api_key is None: raise UpstreamFailed(MISCONFIGURED), in get_client",
    ],
)
def test_missing_key_is_misconfigured(upstream, anew, logs):
    """Without a key the app starts, and answers 500, misconfigured."""
    client = anew(ANTHROPIC_API_KEY=None, ANTHROPIC_AUTH_TOKEN=None, ANTHROPIC_PROFILE=None)
    upstream.always(Failure(401, "authentication_error", headers=NO_WAIT))
    models = client.get("/models")
    assert models.status_code == 200, expected(
        "status 200 from /models: it needs no key",
        next_step="Look for the key where a call is made, and not at start-up.",
    )
    reply = generate(client)
    assert reply.status_code == 500 and error(reply).get("code") == "misconfigured", expected(
        'status 500 with the code "misconfigured"',
        came_back=came(reply, logs),
        next_step="Look at client.api_key before the call: without a key it is None, and the call raises a TypeError, which "
        "is no APIError.",
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
    reply = fail(upstream, client, step)
    ways = {
        "text/html": "the call gives a str",
        '{"m': "the call gives a Message in which all is None",
        '{"t': "the call raises JSONDecodeError, which is no APIError",
    }
    how = ways.get(step.content_type) or ways[step.body[:3]]
    assert reply.status_code == 502, expected(
        f"status 502: the upstream's answer is {step.body!r}, with status 200; {how}",
        came_back=came(reply, logs),
        next_step="Look at what the call gave before you read it, and turn all that is no message into the 502 of your table.",
    )
    assert error(reply), expected(
        'the failure under "error", as for all others', next_step="Use the one function that makes the body."
    )


@task(
    "POST /generate",
    hints=[
        "TODO(2): look at the messages.",
        "str(error) holds what the upstream wrote. It belongs into the log, where exc_info=error puts it.",
        'Problem(502, "model_failed", "The model failed."), with no f-string around the exception',
    ],
)
def test_nothing_of_the_upstream_is_shown(upstream, client):
    """No body shows what the upstream wrote."""
    leaks = (
        "shard eu-7",
        "sk-ant-internal",
        "Error code:",
        "Traceback",
        "Welcome to the proxy",
        "anthropic.com",
        KEY,
    )
    for step in (
        Failure(500, headers=NO_WAIT),
        Failure(429, headers=NO_WAIT),
        Failure(404, headers=NO_WAIT),
        Failure(401, headers=NO_WAIT),
        Failure(400, headers=NO_WAIT),
        NotAMessage(),
    ):
        reply = fail(upstream, client, step)
        assert error(reply), expected(
            'a failure under "error"', next_step="Answer every failure with the shape of the contract."
        )
        shown = [one for one in leaks if one in reply.text]
        assert not shown, expected(
            f"words of your own; the body shows {shown[0]!r}",
            next_step="Write a fixed message for each line of the table, and leave str(error) to the log.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(5): look at the line that writes into the log.",
        "A caller who complains names the id. Whoever searches the log for it has to find one record, at WARNING or above.",
        'logger.warning("Request %s: %s", request.state.request_id, error, exc_info=error)',
    ],
)
def test_failure_is_logged_once_with_its_id(upstream, client, logs):
    """A failed call is one log record that holds the id."""
    for step in (
        Failure(401, "authentication_error", headers=NO_WAIT),
        Failure(404, "not_found_error", headers=NO_WAIT),
        Failure(529, "overloaded_error", headers={"x-should-retry": "false"} | NO_WAIT),
        NotAMessage(),
    ):
        reply = fail(upstream, client, step)
        request_id = reply.headers.get(ID)
        assert request_id and error(reply), expected(
            'a failure under "error", with a header X-Request-ID', next_step="See to these first."
        )
        found = logs.with_text(request_id)
        quiet = [one for one in logs.with_text(request_id, level=0) if one not in found]
        without = [one for one in logs.records if one.level >= 30]
        came_back = "no record at WARNING or above"
        if quiet:
            came_back = "only a record below WARNING, which is not shown unless somebody asks for it"
        elif without:
            came_back = "a record without the id: " + without[-1].texts[-1][:120]
        assert found, expected(
            f"a log record at WARNING or above that holds the id {request_id}",
            came_back=came_back,
            next_step='Write logger.warning("Request %s: %s", request.state.request_id, error, exc_info=error) in the handler of '
            "the failure. What print() writes is no log record.",
        )
        assert len(found) <= len(upstream.calls), expected(
            "one log record for one failed call",
            came_back=f"{len(found)} records with the id, for {len(upstream.calls)} call upstream",
            next_step="Write it in one place, the handler: not where you raise as well.",
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
    ],
)
def test_at_most_two_more_tries(upstream, client, step):
    """What may succeed is tried at most twice more."""
    reply = fail(upstream, client, step)
    assert reply.status_code >= 400, expected(
        "a failure, after three failed calls at most",
        next_step="Stop after the second retry and tell the caller.",
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
def test_refused_call_is_not_tried_again(upstream, client):
    """A call that the upstream refuses is not tried again."""
    for status in (400, 401, 403, 404):
        fail(upstream, client, Failure(status, headers=NO_WAIT))
        count = len(upstream.calls)
        assert count == 1, expected(
            f"one call upstream: after {status} another try brings the same answer, and costs time",
            came_back=f"{count} calls reached the upstream",
            next_step="Try again only for 429, 5xx, a broken connection or a time-out. The SDK does so by itself.",
        )


@task(
    "POST /generate",
    hints=[
        "TODO(6): look at what your handler returns.",
        "RequestValidationError has errors(), a list of dicts. A caller needs three of their keys.",
        '{"detail": [{"type": one["type"], "loc": one["loc"], "msg": one["msg"]} for one in error.errors()]}',
    ],
)
def test_refusal_lists_type_loc_and_msg(upstream, client):
    """A 422 lists type, loc and msg under detail, no input."""
    for body, place in (
        ({}, "body.prompt"),
        ({"prompt": ""}, "body.prompt"),
        ({"prompt": "a", "max_tokens": 0}, "body.max_tokens"),
        ({"prompt": "a", "max_tokens": 4097}, "body.max_tokens"),
    ):
        reply = client.post("/generate", json=body)
        assert reply.status_code == 422, expected(
            "status 422: the caller's body breaks a rule of GenerateRequest",
            next_step="Keep the fields of lesson 8, and let your handler for RequestValidationError answer 422.",
        )
        assert place in error_locations(reply), expected(
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
            came_back=came(reply, logs),
            next_step="Answer RequestValidationError yourself, without `input`: it holds NaN or infinity, which cannot be written as "
            "JSON, so sending it back fails.",
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
def test_validators_own_error_is_a_422(main, client, logs, extra_route):
    """A rule of a validator of your own is told as 422 too."""
    from typing import Annotated

    from pydantic import AfterValidator

    def refuse(value: str) -> str:
        raise ValueError("this rule is a validator's own")

    def endpoint(word: Annotated[str, AfterValidator(refuse)]) -> str:
        return word

    reply = client.get(extra_route(endpoint), params={"word": "any"})
    assert reply.status_code == 422, expected(
        "status 422, on an endpoint that this check adds to your app: its validator raises ValueError",
        came_back=came(reply, logs),
        next_step="Leave `ctx` out as well: it holds the ValueError itself, which cannot be written as JSON.",
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
        "TODO(9): where does an exception of an endpoint come by on its way out?",
        "A handler for Exception answers outside of all middleware, so its reply gets no header from yours. A try around "
        "call_next is inside.",
        "try: response = await call_next(request), except Exception: logger.exception(…) and response = problem_response(…)",
    ],
)
def test_unexpected_exception_has_the_shape(main, client, logs, extra_route):
    """An exception that nobody foresaw is a 500 of the same shape."""

    def endpoint() -> None:
        raise RuntimeError("row 7781 of the ledger")

    reply = client.get(extra_route(endpoint))
    told = error(reply)
    assert reply.status_code == 500 and told, expected(
        'status 500 with the failure under "error", on an endpoint that this check adds to your app: it raises RuntimeError',
        next_step="Catch Exception around call_next in the middleware, and answer with the one shape.",
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
    assert isinstance(code, str) and SNAKE_CASE.fullmatch(code) and told.get("message"), expected(
        "a code in snake_case, and a message", next_step="Use the one function that makes the body."
    )


@task(
    "POST /generate",
    hints=[
        "TODO(9): this prompt is half of a character, and no exception of the SDK tells of it.",
        "It cannot be written as UTF-8, so the call raises UnicodeEncodeError before anything is sent.",
        "The try around call_next catches it as it catches everything else",
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
        next_step="Catch what nobody foresaw around call_next, in the middleware.",
    )
    assert reply.headers.get(ID), expected(
        "a header X-Request-ID on this reply too",
        next_step="Catch Exception inside the function that sets the header.",
    )
