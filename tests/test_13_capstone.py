"""Lesson 13: the capstone, in three parts.

Behaviour: what the page of rules says, for two keys, ADA and BOB, with 20 words an hour each; each check starts the app
anew, and time stands still in it. Contract: Schemathesis makes requests from openapi.json, as many as it needs to
try every limit. Your tests: test_main.py runs on your app, on right services, and on faulty ones, each in a process of its own.
"""

import asyncio
import re
import sys
import threading
from functools import partial

import pytest

from lessonkit import error_locations, expected, json_body, task
from lessonkit.model import run_model
from lessonkit.patience import TICK_SECONDS, Patience
from lessonkit.sse import events

ADA, BOB = "ada-5f3c9e1b7d20", "bob-81d6a4c27e93"
QUOTA = 20
ENVIRONMENT = {"API_KEYS": f"{ADA},{BOB}", "QUOTA_WORDS": str(QUOTA)}
SERVE_WITH = tuple(ENVIRONMENT)  # what somebody sets who repeats a request by hand
BODY = {"prompt": "The door is"}
PAID = ("/completions", "/completions/stream", "/jobs")
HOUR = 3600
SHARE = 0.8
POLLS = 1_000
LOOKS = 200
QUIET_TICKS = 50

CURES = {  # what a crash says, and what to do about it
    "a coroutine was expected": "Call the function: asyncio.create_task(run_job(job, request)) takes what the call gives, "
    "and not the function itself.",
    "no running event loop": "Write `async def` for the endpoint that calls asyncio.create_task: a `def` endpoint runs in a "
    "thread, which has no event loop.",
    "tokens_used: Input should be a valid": "Look at tokens_used in openapi.json: in a Completion it is the number of words, "
    "len(text.split()); in a Job it is null as long as there is no text, int | None.",
    "text: Input should be a valid": "Look at text in openapi.json: in a Completion it is what run_model returned; in a Job it "
    "is null as long as there is none, str | None.",
}
REFUSALS = {
    401: "Let require_key accept every key of API_KEYS: this one stands there.",
    404: "Read what came back: this operation found nothing under this path, or is not there yet.",
    422: "Read what came back: it names the field that was refused, and openapi.json allows this value.",
}

behaviour = partial(task, part="Behaviour")
by_contract = partial(task, part="Contract", after="Behaviour")
by_your_tests = partial(task, part="Your tests", after="Behaviour")


@pytest.fixture(autouse=True)
def _an_hour_of_its_own(clock):
    """No check runs across the end of an hour."""


def ask(client, method, path, key=ADA, **options):
    headers = {} if key is None else {"X-API-Key": key}
    reply = client.request(method, path, headers=headers, **options)
    reply.extensions["crash"] = client.exchanges[-1].crash or ""
    return reply


def pay(client, path="/completions", key=ADA, **body):
    """One request that costs words."""
    return ask(client, "POST", path, key, json=BODY | body)


def cure(reply, status):
    """What to do about a reply that has another status than this one."""
    crash = reply.extensions["crash"]
    if crash:
        known = (step for words, step in CURES.items() if words in crash)
        return next(known, "Read what came back: it names the exception and your line. Mend that line first.")
    if reply.status_code < 400:
        return f"Write status_code={status} in the decorator."
    return REFUSALS.get(reply.status_code, "Read what came back: it says what was refused.")


def an_object(reply, status=200):
    """The reply's JSON object, once the reply has the right status at all."""
    too_early = reply.status_code == 429 and reply.request.method == "POST"
    assert not too_early, expected(
        f"status {status}: this key has words left, and one is enough (rule 5)",
        next_step="Refuse only when nothing remains: an answer may get longer than what is left, so do not compare "
        "with max_tokens.",
    )
    assert reply.status_code == status, expected(f"status {status}", next_step=cure(reply, status))
    found = json_body(reply)
    assert isinstance(found, dict), expected(
        "a JSON object with the fields that openapi.json gives", next_step="Return the model of that name."
    )
    return found


def quota(client, key=ADA):
    """What GET /quota says of a key: used and remaining."""
    found = an_object(ask(client, "GET", "/quota", key))
    return found.get("used"), found.get("remaining")


def use_up(client, model, key=ADA):
    """Let a key pay all its words with one completion, and look that this counts."""
    model.answer_with("word " * QUOTA)
    an_object(pay(client, key=key))
    assert quota(client, key) == (QUOTA, 0), expected(
        f"used {QUOTA} and remaining 0 after a completion of {QUOTA} words, before this can be looked at",
        next_step="Mend what the checks above tell: a completion costs its words.",
    )


def let_pass(client, seconds):
    """Let time pass for everything that the app's event loop waits for; nobody waits for it."""

    async def jump():
        loop = asyncio.get_running_loop()
        real = loop.time
        loop.time = lambda: real() + seconds

    client.portal.call(jump)


def ask_for_job(client, key=ADA, **body):
    """The reply of POST /jobs; one that waits for the job gets it over with, and is told so."""
    answered, waits = threading.Event(), []

    def watch():
        patience = Patience(QUIET_TICKS)
        while not answered.wait(TICK_SECONDS):
            if patience.over():
                waits.append(True)
                return let_pass(client, HOUR + 1)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        reply = pay(client, "/jobs", key, **body)
    finally:
        answered.set()
        watching.join()
    assert not waits, expected(
        "POST /jobs to answer at once, whatever start_after says",
        came_back=f"no answer to {body} before the job was done",
        next_step="Start a task with asyncio.create_task. A request that awaits the job waits for it, and so does "
        "one that leaves it to BackgroundTasks.",
    )
    return reply


def new_job(client, key=ADA, **body):
    """A job that was taken, as POST /jobs tells it."""
    job = an_object(ask_for_job(client, key, **body), 202)
    assert isinstance(job.get("id"), str) and job["id"], expected(
        "a job with an `id`, which is a text", next_step="Give each job an id: uuid4().hex makes one."
    )
    return job


def look(client, job, key=ADA):
    return ask(client, "GET", f"/jobs/{job['id']}", key)


def finished(client, job):
    """The job once it is no longer queued."""
    for _ in range(POLLS):
        reply = look(client, job)
        assert reply.status_code not in (404, 405), expected(
            "the job, at the path where its key looks whether it is done",
            next_step="Build GET /jobs/{job_id} now, which is part of TODO(7): it finds a job by the id that POST /jobs told.",
        )
        found = an_object(reply)
        if found.get("status") != "queued":
            return found
        if len(client.exchanges) > 2:
            del client.exchanges[-2]
    raise AssertionError(
        expected(
            "a job without start_after to be done soon",
            came_back=f"it was still queued when it was looked at for the {POLLS:,}th time",
            next_step="Start a task in POST /jobs that fills in text and tokens_used, and sets the status to done.",
        )
    )


@behaviour(
    "GET /quota",
    hints=[
        "TODO(2): require_key gets what the header X-API-Key holds. Is that one of API_KEYS?",
        "Compare it with each key of API_KEYS, and raise an HTTPException with the status 401 and WWW-Authenticate when none is equal.",
        'raise HTTPException(401, "Unknown API key", headers={"WWW-Authenticate": "APIKey"})',
    ],
)
def test_unknown_key_is_401(client):
    """A missing or unknown key is 401."""
    for key, what in ((None, "without the header X-API-Key"), ("eve", "with a key that is not in API_KEYS")):
        reply = ask(client, "GET", "/quota", key)
        assert reply.status_code == 401, expected(
            f"status 401 for GET /quota {what}",
            next_step="Raise HTTPException(401, …): the caller is not known; 403 is for one who is known, and may not."
            if reply.status_code == 403
            else "Let require_key raise HTTPException(401, …) unless the key is one of API_KEYS, TODO(2), and let "
            "GET /quota depend on it.",
        )
        assert reply.headers.get("www-authenticate"), expected(
            "the header WWW-Authenticate with a 401",
            came_back="401 without that header",
            next_step='Raise HTTPException(401, …, headers={"WWW-Authenticate": "APIKey"}).',
        )
    reply = ask(client, "GET", "/quota")
    assert reply.status_code == 200, expected(
        "status 200 for GET /quota with a key of API_KEYS", next_step=cure(reply, 200)
    )


@behaviour(
    "GET /quota",
    hints=[
        "TODO(2): when are two keys the same?",
        "When they are equal as a whole, to the letter: not when one begins with the other, or stands in it.",
        "any(secrets.compare_digest(presented, known.encode()) for known in API_KEYS)",
    ],
)
def test_only_a_whole_key_is_right(client):
    """A key that is nearly right is unknown."""
    assert ask(client, "GET", "/quota").status_code == 200, expected(
        "status 200 with a right key, before this can be looked at",
        next_step="Mend what the checks above tell.",
    )
    nearly = {
        "with the first characters of a right key": ADA[:6],
        "with a right key and one character more": f"{ADA}1",
        "with all right keys, and the comma between": f"{ADA},{BOB}",
        "with a right key in upper case": ADA.upper(),
    }
    for what, key in nearly.items():
        reply = ask(client, "GET", "/quota", key)
        assert reply.status_code in (401, 403), expected(
            f"status 401 {what}",
            next_step="Split API_KEYS at the commas, and compare whole keys: secrets.compare_digest, or ==.",
        )


@behaviour(
    "POST /completions",
    hints=[
        "TODO(1) and TODO(4): the models CompletionRequest and Completion, and the endpoint.",
        "run_model takes the three fields of the request; the answer has the text, the model's name and the words.",
        "text = run_model(request.prompt, request.max_tokens, request.temperature), then Completion(text=text, model=MODEL_NAME, …)",
    ],
)
def test_completion_is_the_models_text(client, model):
    """A completion is the model's own text, and its words."""
    told = "Four  words, to be\ncounted"
    model.answer_with(told)
    completion = an_object(pay(client, max_tokens=9, temperature=0.5))
    assert model.calls, expected(
        "the given run_model to be called for this request", next_step="Call the imported run_model."
    )
    call = model.calls[-1]
    assert (call.text, call.max_tokens, call.temperature) == ("The door is", 9, 0.5), expected(
        "run_model('The door is', 9, 0.5)",
        came_back=f"run_model({call.text!r}, {call.max_tokens!r}, {call.temperature!r})",
        next_step="Pass prompt, max_tokens and temperature on as they were sent.",
    )
    assert completion.get("text") == told, expected(
        "`text` to be what run_model returned, to the letter", next_step="Pass the text on as it is."
    )
    assert completion.get("tokens_used") == 5, expected(
        "the number 5 in `tokens_used`, for five words", next_step="Count what text.split() gives."
    )
    assert completion.get("model") == "my-model-v1", expected(
        '`model` to be "my-model-v1"', next_step="Fill the field `model` with MODEL_NAME."
    )


@behaviour(
    "POST /completions",
    hints=[
        "TODO(1): look at the defaults that openapi.json gives.",
        "A field that is not in `required` has its default in the model.",
        "max_tokens: int = Field(default=64, …) and temperature: float = Field(default=0, …)",
    ],
)
def test_defaults_reach_the_model(client, model):
    """Left out, max_tokens is 64 and temperature is 0."""
    an_object(pay(client))
    assert model.calls, expected(
        "the given run_model to be called for this request", next_step="Call the imported run_model."
    )
    call = model.calls[-1]
    assert (call.max_tokens, call.temperature) == (64, 0), expected(
        "run_model('The door is', 64, 0)",
        came_back=f"run_model({call.text!r}, {call.max_tokens!r}, {call.temperature!r})",
        next_step="Set the defaults of openapi.json in CompletionRequest.",
    )


@behaviour(
    "GET /quota",
    hints=[
        "TODO(3) and TODO(4): where do you write down what a completion cost?",
        "A Counter that holds the words of each key: add tokens_used when the model has answered.",
        "app.state.used[key] += words, and Quota(limit=QUOTA_WORDS, used=…, remaining=…)",
    ],
)
def test_completion_costs_its_words(client, model):
    """GET /quota counts the words of completions."""
    found = an_object(ask(client, "GET", "/quota"))
    assert found == {"limit": QUOTA, "used": 0, "remaining": QUOTA}, expected(
        f"limit {QUOTA} (QUOTA_WORDS in the checks), used 0, remaining {QUOTA} for a key that has used nothing",
        next_step="Return a Quota with these three, and read QUOTA_WORDS from the environment as the starter does.",
    )
    for text, used in (("one two three", 3), ("four five", 5)):
        model.answer_with(text)
        an_object(pay(client))
        assert quota(client) == (used, QUOTA - used), expected(
            f"used {used} and remaining {QUOTA - used}: completions of 3 and 2 words were sent",
            next_step="Add the words of each completion (its tokens_used) to what its key has used.",
        )


@behaviour(
    "GET /quota",
    hints=[
        "TODO(3): what does the count belong to?",
        "Each key has a count of its own, so the key has to be part of where you keep it.",
        "app.state.used[key], and never one number for all",
    ],
)
def test_each_key_pays_for_itself(client, model):
    """Each key has a quota of its own."""
    use_up(client, model, ADA)
    assert quota(client, BOB) == (0, QUOTA), expected(
        f"used 0 and remaining {QUOTA} for a key that sent nothing, while another key used up its words",
        next_step="Keep a count for each key.",
    )
    an_object(pay(client, key=BOB))


@behaviour(
    "POST /completions",
    hints=[
        "TODO(3): a dependency for the three operations that cost words.",
        "It depends on require_key, looks at what remains, and raises 429 with Retry-After: a whole number of seconds, 1 to 3600.",
        'raise HTTPException(429, "No words left", headers={"Retry-After": str(seconds)})',
    ],
)
def test_used_up_quota_is_429(client, model):
    """Without words left, all that costs words is refused with 429."""
    use_up(client, model)
    model.forget()
    for path in PAID:
        reply = pay(client, path)
        assert reply.status_code == 429, expected(
            f"status 429 for POST {path}: this key has no words left",
            next_step="Let this operation depend on what looks at the quota, too, as POST /completions does."
            if path != PAID[0]
            else "Refuse when nothing remains: used >= QUOTA_WORDS, or remaining == 0. All three operations that cost words "
            "depend on what looks there.",
        )
        wait = reply.headers.get("retry-after", "")
        assert wait.isascii() and wait.isdigit() and 1 <= int(wait) <= HOUR, expected(
            f"the header Retry-After with a whole number of seconds, from 1 to {HOUR}",
            came_back=f"429 with the Retry-After {wait!r}" if wait else "429 without that header",
            next_step='Raise HTTPException(429, …, headers={"Retry-After": str(seconds)}), rounded up with math.ceil.',
        )
    assert not model.calls, expected(
        "no call of run_model for a request that is refused; there was one",
        next_step="Look at the quota before the model is called.",
    )


@behaviour(
    "POST /completions",
    hints=[
        "TODO(3): when is a key refused?",
        "As long as one word remains, a completion is answered, however long it gets. `remaining` ends at 0.",
        "remaining=max(0, QUOTA_WORDS - used)",
    ],
)
def test_last_completion_is_answered_whole(client, model):
    """The last completion is answered whole, and 0 remain."""
    model.answer_with("word " * (QUOTA - 1))
    an_object(pay(client))
    model.answer_with("one two three")
    reply = pay(client, max_tokens=64)
    assert reply.status_code == 200, expected(
        "status 200: one word remained, and that is enough to be answered",
        next_step="Refuse only when nothing remains; do not compare with max_tokens.",
    )
    used, remaining = quota(client)
    assert remaining == 0 and isinstance(used, int) and used >= QUOTA, expected(
        f"remaining 0, and used {QUOTA} or more: the last completion was longer than what was left",
        next_step="Count all words as used, and let remaining be max(0, …).",
    )


@behaviour(
    "POST /completions",
    hints=[
        "TODO(3): what is different in the next hour?",
        "Keep the count by key and hour: int(time.time()) // 3600 is the number of the hour.",
        "app.state.used[key, this_hour()] += words",
    ],
)
def test_next_hour_brings_new_words(clock, client, model):
    """After Retry-After seconds, the quota is full again."""
    use_up(client, model)
    reply = pay(client)
    wait = reply.headers.get("retry-after", "")
    assert reply.status_code == 429 and wait.isdigit(), expected(
        "429 with Retry-After, before this can be looked at", next_step="Mend what the checks above tell."
    )
    clock.move(int(wait) - 2 if int(wait) > 2 else 0)
    assert pay(client).status_code == 429 or int(wait) <= 2, expected(
        f"still 429 two seconds before the {wait} seconds of Retry-After are over",
        next_step="Let Retry-After say when words are there again: math.ceil(3600 - time.time() % 3600), for hours by the clock.",
    )
    clock.move(2)
    model.answer_with("one two three")
    reply = pay(client)
    assert reply.status_code == 200, expected(
        f"status 200: the {wait} seconds of Retry-After are over, so there are words again",
        next_step="Begin each hour with 0 used words for each key: keep the count by key and hour.",
    )
    assert quota(client) == (3, QUOTA - 3), expected(
        f"used 3 and remaining {QUOTA - 3}: three words were sent in the new hour",
        next_step="Begin each hour with 0 used words for each key.",
    )


@behaviour(
    "POST /completions/stream",
    hints=[
        "TODO(5): a generator with response_class=EventSourceResponse, as in lesson 10.",
        "Complete first, then yield a ServerSentEvent for each piece, so that the pieces joined are the text; then `done`.",
        'yield ServerSentEvent(event="done", data={"tokens_used": completion.tokens_used})',
    ],
)
def test_stream_tells_the_text_in_pieces(client, model):
    """The stream's pieces are the text, and `done` ends it."""
    told = "The door is open, and nobody\n\nhas to knock"
    model.answer_with(told)
    reply = pay(client, "/completions/stream")
    assert reply.status_code == 200, expected("status 200 and a stream", next_step=cure(reply, 200))
    kind = reply.headers.get("content-type", "no content type").partition(";")[0]
    assert kind == "text/event-stream", expected(
        "a response of the type text/event-stream",
        came_back=f"one of the type {kind}",
        next_step="Write @app.post(…, response_class=EventSourceResponse) above a generator.",
    )
    found = events(reply)
    names = [event.name for event in found]
    assert names[-1:] == ["done"] and names.count("done") == 1, expected(
        "one event `done`, as the last",
        came_back=f"these events: {', '.join(names) or 'none'}",
        next_step="Yield one `done` after the loop over the pieces.",
    )
    assert set(names[:-1]) == {"token"}, expected(
        "events of the name `token` before it",
        came_back=f"these events: {', '.join(names)}",
        next_step='Yield ServerSentEvent(event="token", data={"text": piece}) for each piece.',
    )
    pieces = [event.value.get("text") if isinstance(event.value, dict) else None for event in found[:-1]]
    assert all(isinstance(piece, str) for piece in pieces), expected(
        'the data {"text": …} in each `token`, with a piece of the text',
        came_back=f"a token with the data {found[0].data}",
        next_step='Hand over an object, and not the piece alone: ServerSentEvent(event="token", data={"text": piece}).',
    )
    assert "".join(pieces) == told, expected(
        f"pieces that are {told!r} when they are joined with nothing between",
        came_back=f"these pieces: {pieces}",
        next_step='Keep the white space with the words: re.findall(r"\\s*\\S+\\s*", text).',
    )
    assert len(pieces) > 1, expected(
        "the text in more pieces than one",
        came_back="one piece",
        next_step="Cut the text into words and yield an event for each.",
    )
    assert found[-1].value == {"tokens_used": 9}, expected(
        'the data {"tokens_used": 9} in `done`: the text has nine words',
        came_back=found[-1].data,
        next_step="Count the words of the whole text.",
    )


@behaviour(
    "POST /completions/stream",
    hints=[
        "TODO(5): how many pieces has a text without words?",
        "None: a loop over no pieces sends nothing, and `done` comes after the loop.",
        'for piece in re.findall(r"\\s*\\S+\\s*", text): an empty text has no such piece',
    ],
)
def test_text_without_words_is_done_alone(client, model):
    """The stream of a text without words is `done` alone."""
    model.answer_with("")
    reply = pay(client, "/completions/stream")
    found = [(event.name, event.value) for event in events(reply)]
    assert found == [("done", {"tokens_used": 0})], expected(
        'one event alone, `done` with {"tokens_used": 0}: the model had nothing to say',
        came_back=f"these events: {', '.join(f'{name} {value}' for name, value in found) or 'none'}",
        next_step="Yield a `token` for each piece that has a word, and none for an empty text.",
    )


@behaviour(
    "POST /completions/stream",
    hints=[
        "TODO(5): who writes down what a stream cost?",
        "Use the same function for a completion and a stream; it calls the model and counts the words.",
        "completion = await asyncio.to_thread(complete, request, key)",
    ],
)
def test_stream_costs_its_words(client, model):
    """A stream costs what a completion costs."""
    model.answer_with("one two three four")
    pay(client, "/completions/stream")
    assert quota(client) == (4, QUOTA - 4), expected(
        f"used 4 and remaining {QUOTA - 4} after a stream of four words",
        next_step="Let the stream use the function that completes and counts.",
    )


@behaviour(
    "POST /completions",
    hints=[
        "TODO(3): in which order do things happen to a request?",
        "Words are written down after the model has answered, and only then.",
        "text = run_model(…) first, used += len(text.split()) after it",
    ],
)
def test_refused_request_costs_nothing(client, model):
    """A refused request reaches no model and costs nothing."""
    an_object(ask(client, "GET", "/quota"))
    model.forget()
    for path in PAID:
        for wrong in ({"max_tokens": 0}, {"prompt": ""}, {"stop": "."}):
            reply = pay(client, path, **wrong)
            assert reply.status_code == 422, expected(
                f"status 422 for POST {path} with {wrong}: openapi.json does not allow it",
                next_step="Look at minLength, minimum and additionalProperties in openapi.json, and give the "
                "request's model the same.",
            )
    assert not model.calls, expected(
        "no call of run_model for a refused request; there was one",
        next_step="Leave the checking to the request's model.",
    )
    assert quota(client) == (0, QUOTA), expected(
        f"used 0 and remaining {QUOTA} after requests that were all refused",
        next_step="Count words only after the model has answered.",
    )


@behaviour(
    "POST /jobs",
    hints=[
        "TODO(6): what does a client get at once?",
        "202 with the job, still queued, and the header Location with the job's own path.",
        'response.headers["Location"] = f"/jobs/{job.id}"',
    ],
)
def test_job_is_accepted(client):
    """POST /jobs answers 202 with Location and a queued job."""
    reply = ask_for_job(client, start_after=HOUR)
    job = an_object(reply, 202)
    wanted = {"id": job.get("id"), "status": "queued", "text": None, "tokens_used": None}
    extra = ", ".join(sorted(job.keys() - wanted.keys()))
    assert not extra, expected(
        f"a job with the four fields of openapi.json and no more; there is also {extra}",
        next_step="Keep what is not the caller's out of the answer: Field(exclude=True), or a response model.",
    )
    assert isinstance(job.get("id"), str) and job == wanted, expected(
        'a job with an id, the status "queued", and null for text and tokens_used',
        next_step="Return a Job as openapi.json has it, with all four fields.",
    )
    place = reply.headers.get("location", "")
    assert place.endswith(f"/jobs/{job['id']}"), expected(
        f"the header Location with the job's path, /jobs/{job['id']}",
        came_back=f"the Location {place!r}" if place else "no such header",
        next_step='Take a response: Response, and set response.headers["Location"].'
        if not place
        else "Let the path begin with a /: without it, a client looks below the path that it called."
        if place == f"jobs/{job['id']}"
        else 'Put the id of this job into its path: response.headers["Location"] = f"/jobs/{job.id}".',
    )


@behaviour(
    "POST /jobs",
    hints=[
        "TODO(6): what is a job's id made of?",
        "Of chance alone. An id goes into paths, and paths go into logs and browsers; a key in it is known to all who read them.",
        "id=uuid4().hex, and the owner in a field of its own that is not shown",
    ],
)
def test_answers_hold_no_key(client):
    """No answer tells an API key: not in an id, nor in Location."""
    reply = pay(client, "/jobs")
    an_object(reply, 202)
    shown = {"the body": reply.text} | {
        f"the header {name.title()}": value for name, value in reply.headers.items()
    }
    telling = [where for where, text in shown.items() if ADA in text]
    assert not telling, expected(
        "an answer without the caller's API key in it: paths and bodies end up in logs",
        came_back=f"the key stands in {' and in '.join(telling)}",
        next_step="Make the id of chance alone, uuid4().hex, and keep the owner in a field that is not shown.",
    )


@behaviour(
    "POST /jobs",
    hints=[
        "TODO(6): what does the task do?",
        "It waits start_after seconds, completes, and fills in the job's text, tokens_used and status.",
        'await asyncio.sleep(request.start_after), then complete(request, key), then job.status = "done"',
    ],
)
def test_job_is_done_and_costs_its_words(client, model):
    """A job is done soon, has its text, and costs its words."""
    model.answer_with("six words are in this job")
    job = finished(client, new_job(client))
    assert job.get("status") == "done", expected(
        'the status "done"', next_step="Set the status when the text is there."
    )
    assert (job.get("text"), job.get("tokens_used")) == ("six words are in this job", 6), expected(
        "the model's text, and the 6 of its words", next_step="Fill in both when the model has answered."
    )
    assert quota(client) == (6, QUOTA - 6), expected(
        f"used 6 and remaining {QUOTA - 6} after a job of six words",
        next_step="Let the job use the function that completes and counts.",
    )


@behaviour(
    "POST /jobs",
    hints=[
        "TODO(6): what happens before the model is called?",
        "The task sleeps; the request does not.",
        "await asyncio.sleep(request.start_after), as the task's first line",
    ],
)
def test_delayed_job_waits(client, model):
    """A job with start_after does not start before its time."""
    late = new_job(client, start_after=HOUR)
    model.answer_with("one two")
    now = finished(client, new_job(client))
    assert now.get("status") == "done", expected(
        "a job without start_after to be done meanwhile", next_step="Let each job have a task of its own."
    )
    found = an_object(look(client, late))
    assert found.get("status") == "queued" and len(model.calls) == 1, expected(
        "a job with start_after 3600 to be queued still, when a later one without it is done",
        next_step="Wait request.start_after seconds in the task, before the model is called.",
    )
    assert found == late, expected(
        "the same four fields from GET /jobs/{job_id} as from POST /jobs, while the job waits",
        next_step="Return the same model in both, null included.",
    )


@behaviour(
    "GET /jobs/{job_id}",
    hints=[
        "TODO(7): what does the endpoint do when there is no such job?",
        "Look it up with .get, which gives None, and raise 404.",
        'raise HTTPException(404, "Job not found")',
    ],
)
def test_unknown_job_is_404(client):
    """A job that does not exist is 404."""
    for method in ("GET", "DELETE"):
        reply = ask(client, method, "/jobs/nobody-made-this")
        assert "path.job_id" not in error_locations(reply), expected(
            "status 404: openapi.json says that a job's id is a text, so any text may come",
            next_step="Declare job_id: str.",
        )
        assert reply.status_code == 404, expected(
            f"status 404 for {method} of a job that does not exist",
            next_step='Raise HTTPException(404, "Job not found") when there is no such job.',
        )


@behaviour(
    "GET /quota",
    hints=[
        "Look at where jobs and counts live.",
        "The lifespan of the starter makes them when the app starts; a variable of the module outlives a restart in the same process.",
        "app.state.jobs and app.state.used, as the starter makes them",
    ],
)
def test_each_start_begins_empty(client, model, anew):
    """A service that is started begins without jobs and words used."""
    use_up(client, model, ADA)
    new_job(client, BOB, start_after=HOUR)
    again = anew(QUOTA_WORDS=str(QUOTA))
    quota(again)
    with client:
        after = quota(client)
        jobs = json_body(ask(client, "GET", "/jobs", BOB))
    assert (after, jobs) == ((0, QUOTA), []), expected(
        f"used 0, remaining {QUOTA} and no jobs after the app was stopped and started again",
        came_back=f"used {after[0]}, remaining {after[1]}, jobs {jobs}",
        next_step="Make what you keep in the lifespan, on app.state, as the starter does.",
    )


@behaviour(
    "GET /jobs/{job_id}",
    hints=[
        "TODO(7): whose job is it?",
        "A job keeps its owner, which is not shown; for everybody else it does not exist.",
        "if job is None or job.owner != key: raise HTTPException(404, …)",
    ],
)
def test_jobs_belong_to_their_key(client):
    """Another key's job is 404, and in nobody else's list."""
    job = new_job(client, ADA, start_after=HOUR)
    for method in ("GET", "DELETE"):
        reply = ask(client, method, f"/jobs/{job['id']}", BOB)
        assert reply.status_code == 404, expected(
            f"status 404 for {method} with another key than the one that made the job",
            next_step="Compare the job's owner with the key, and answer as if there were no such job.",
        )
    listed = json_body(ask(client, "GET", "/jobs", BOB))
    assert listed == [], expected(
        "an empty list for a key that made no job", next_step="List the jobs whose owner is the key."
    )
    mine = json_body(ask(client, "GET", "/jobs", ADA))
    mine = [(one.get("id"), one.get("status")) for one in mine if isinstance(one, dict)] if mine else mine
    assert mine == [(job["id"], "queued")], expected(
        "the job, still queued, in the list of the key that made it",
        next_step="List the key's own jobs, and let no other key change them.",
    )


@behaviour(
    "GET /jobs",
    hints=[
        "TODO(7): which of the jobs, and in which order?",
        "A dict keeps the order in which things were put in; newest first is the other way round. Cut after that.",
        "own[::-1][:limit]",
    ],
)
def test_list_is_newest_first_and_limited(client):
    """GET /jobs lists the newest first, 20 unless told."""
    made = [new_job(client, start_after=HOUR)["id"] for _ in range(22)]
    for query, count in (("?limit=3", 3), ("", 20), ("?limit=100", 22)):
        reply = ask(client, "GET", f"/jobs{query}")
        listed = json_body(reply)
        assert reply.status_code == 200 and isinstance(listed, list), expected(
            "status 200 and a JSON list of jobs", next_step="Return a list of Job."
        )
        found = [job.get("id") if isinstance(job, dict) else None for job in listed]
        assert len(found) == count, expected(
            f"{count} jobs from GET /jobs{query}, of 22 that were made",
            came_back=f"{len(found)} jobs",
            next_step="Cut the list after `limit`, which is 20 when it is left out.",
        )
        assert found == made[::-1][:count], expected(
            "the newest job first",
            came_back="the oldest first" if found == made[:count] else "another order",
            next_step="Turn the list round before you cut it: own[::-1][:limit].",
        )


@behaviour(
    "GET /jobs",
    hints=[
        "TODO(7): the key's own jobs, newest first, at most `limit`: in this order.",
        "Whoever cuts first counts the jobs of others as well.",
        "own = [job for job in app.state.jobs.values() if job.owner == key], and own[::-1][:limit] after that",
    ],
)
def test_limit_counts_own_jobs(client):
    """The `limit` of GET /jobs counts the key's own jobs."""
    own = {new_job(client, ADA, start_after=HOUR)["id"] for _ in range(2)}
    for _ in range(3):
        new_job(client, BOB, start_after=HOUR)
    reply = ask(client, "GET", "/jobs?limit=2")
    listed = json_body(reply)
    found = {job.get("id") for job in listed if isinstance(job, dict)} if isinstance(listed, list) else None
    assert found == own, expected(
        "the 2 jobs of this key from GET /jobs?limit=2, though another key made 3 since",
        next_step="Take the key's own jobs first, and cut what is left after `limit`.",
    )


@behaviour(
    "DELETE /jobs/{job_id}",
    hints=[
        "TODO(7): what does cancelling change?",
        "The task is cancelled, and the job's status as well. The answer is a 204, which has no body.",
        '@app.delete("/jobs/{job_id}", status_code=204), and job.status = "cancelled"',
    ],
)
def test_queued_job_can_be_cancelled(client):
    """A queued job can be cancelled: 204."""
    job = new_job(client, start_after=HOUR)
    reply = ask(client, "DELETE", f"/jobs/{job['id']}")
    assert reply.status_code == 204, expected(
        "status 204 for a job that is queued",
        next_step="Write status_code=204 in the decorator, and return nothing.",
    )
    after = look(client, job)
    assert after.status_code == 200, expected(
        "status 200, and the job still there after it was cancelled",
        next_step="Set the job's status, and keep the job.",
    )
    assert an_object(after).get("status") == "cancelled", expected(
        'the status "cancelled" after a DELETE that was answered with 204',
        next_step='Set the job\'s status to "cancelled".',
    )


@behaviour(
    "DELETE /jobs/{job_id}",
    hints=[
        "TODO(7): what becomes of the task when its job is cancelled?",
        "It still waits, and would complete the job when its time has come. A task can be cancelled.",
        "app.state.tasks[job.id].cancel()",
    ],
)
def test_cancelled_job_never_runs(clock, client, model):
    """A cancelled job never runs, even when its time comes."""
    job = new_job(client, start_after=HOUR)
    ask(client, "DELETE", f"/jobs/{job['id']}")
    before = json_body(look(client, job))
    late = new_job(client, start_after=HOUR)
    clock.move(HOUR + 1)
    let_pass(client, HOUR + 1)
    for _ in range(LOOKS):  # one that was not cancelled runs now; a timer of its own kind may not know it
        if an_object(look(client, late)).get("status") != "queued":
            break
        del client.exchanges[-1]
    after = json_body(look(client, job))
    assert after == before, expected(
        "the cancelled job unchanged when the time of its start_after has come",
        next_step="Cancel the job's task as well: app.state.tasks[job.id].cancel().",
    )
    assert len(model.calls) <= 1, expected(
        "no call of run_model for a job that was cancelled before its time; there was one",
        next_step="Cancel the job's task as well, or let it look at the status before the model is called.",
    )


@behaviour(
    "DELETE /jobs/{job_id}",
    hints=[
        "TODO(7): can this job still be cancelled?",
        "Only a queued one can; for a job that is done or cancelled the answer is 409, and nothing changes.",
        'if job.status != "queued": raise HTTPException(409, …)',
    ],
)
def test_finished_job_cannot_be_cancelled(client, model):
    """Cancelling what is done or cancelled is 409."""
    model.answer_with("one two")
    done = finished(client, new_job(client))
    reply = ask(client, "DELETE", f"/jobs/{done['id']}")
    assert reply.status_code == 409, expected(
        "status 409: this job is done", next_step="Raise HTTPException(409, …) unless the status is queued."
    )
    assert an_object(look(client, done)) == done, expected(
        "the job unchanged after the 409", next_step="Raise before anything is changed."
    )
    late = new_job(client, start_after=HOUR)
    ask(client, "DELETE", f"/jobs/{late['id']}")
    reply = ask(client, "DELETE", f"/jobs/{late['id']}")
    assert reply.status_code == 409, expected(
        "status 409: this job was cancelled already",
        next_step="Raise HTTPException(409, …) unless the status is queued.",
    )


@behaviour(
    "GET /jobs",
    hints=[
        "TODO(3): which operations cost words?",
        "The three POSTs. Looking at jobs and at the quota, and cancelling, cost nothing.",
        "key: PayingKey for the three, and key: Key for all others",
    ],
)
def test_jobs_are_there_without_words_left(client, model):
    """Without words left, jobs can be read and cancelled."""
    job = new_job(client, start_after=HOUR)
    for _ in range(2):
        model.answer_with("word " * QUOTA)
        pay(client)
    for method, path in (("GET", "/jobs"), ("GET", f"/jobs/{job['id']}"), ("DELETE", f"/jobs/{job['id']}")):
        reply = ask(client, method, path)
        assert reply.status_code != 429, expected(
            f"an answer to {method} {path.replace(job['id'], '{job_id}')} though no words are left: it costs none",
            next_step="Let only the three operations that cost words depend on what looks at the quota.",
        )


@behaviour(
    "POST /completions",
    hints=[
        "TODO(4), TODO(5) and TODO(6): in which thread does run_model work? Lesson 5 had two ways to leave the event loop.",
        "A `def` endpoint runs in a thread of the pool. In an `async def`, a generator or a task, hand the call to a thread and await it.",
        "completion = await asyncio.to_thread(complete, request, key)",
    ],
)
def test_model_leaves_the_event_loop_free(client, model):
    """run_model never runs on the event loop."""
    held = []

    def see(frame, event, argument):
        if event == "call" and frame.f_code is run_model.__code__:
            held.append(frame)

    client.portal.call(sys.setprofile, see)
    try:
        for path in PAID:
            model.forget()
            model.answer_with("two words")
            if path == "/jobs":
                finished(client, new_job(client, max_tokens=1))
            else:
                pay(client, path, max_tokens=1)
            assert model.calls, expected(
                f"the given run_model to be called for POST {path}", next_step="Call the imported run_model."
            )
            assert not held, expected(
                "run_model in a thread of its own: while it works, the event loop serves nobody else",
                came_back=f"run_model was called on the event loop, by POST {path}",
                next_step="Write `def` and not `async def` for this endpoint, or await asyncio.to_thread(…) in it."
                if path == PAID[0]
                else "Hand it to a thread: completion = await asyncio.to_thread(complete, request, key).",
            )
    finally:
        client.portal.call(sys.setprofile, None)


@behaviour(
    "POST /completions",
    hints=[
        "TODO(2): which operations ask for the key?",
        "A dependency that every operation has, in a parameter or through another dependency: 401 with WWW-Authenticate.",
        'raise HTTPException(401, "Unknown API key", headers={"WWW-Authenticate": "APIKey"})',
    ],
)
def test_every_operation_needs_a_key(client, model):
    """Every operation refuses a missing or unknown key with 401."""
    job = finished(client, new_job(client))["id"]
    model.forget()
    operations = [("POST", path) for path in PAID]
    operations += [("GET", "/jobs"), ("GET", f"/jobs/{job}"), ("DELETE", f"/jobs/{job}"), ("GET", "/quota")]
    for method, path in operations:
        for key in (None, "eve"):
            reply = ask(client, method, path, key, **({"json": BODY} if method == "POST" else {}))
            assert reply.status_code != 403, expected(
                "status 401: the caller is not known; 403 is for one who is known, and may not",
                next_step="Raise HTTPException(401, …).",
            )
            what = "without the header X-API-Key" if key is None else "with a key that is not in API_KEYS"
            assert reply.status_code == 401, expected(
                f"status 401 for {method} {path} {what}",
                next_step="Let this operation depend on require_key, too.",
            )
            assert reply.headers.get("www-authenticate"), expected(
                "the header WWW-Authenticate with a 401",
                came_back="401 without that header",
                next_step='Raise HTTPException(401, …, headers={"WWW-Authenticate": "APIKey"}).',
            )
    assert not model.calls, expected(
        "no call of run_model for a request without a known key; there was one",
        next_step="Refuse it in a dependency, before the endpoint starts.",
    )


def holds(contract, anew, *operations):
    """What breaks the contract of one of these operations first, with words enough in the quota; None if nothing."""
    client = anew(QUOTA_WORDS="1000000000")
    for operation in operations:
        breach = contract.first_breach(client, operation, {"X-API-Key": ADA})
        if breach is not None:
            return f"{operation} answered {breach}"
    return None


KEPT = "every answer to be one that openapi.json allows for the request"
MEND = "Repeat the request, and look the operation up in openapi.json: its limits, its statuses, what an answer holds."
CONTRACT_HINTS = [
    "The request that broke the contract stands above, as small as Schemathesis could make it.",
    "Compare field by field: required, types, minimum and maximum, additionalProperties, and the statuses that are listed.",
]


@pytest.mark.process  # many requests, which need their time
@by_contract("POST /completions", hints=CONTRACT_HINTS)
def test_completions_keep_the_contract(contract, anew):
    """POST /completions keeps the contract."""
    breach = holds(contract, anew, "POST /completions")
    assert breach is None, expected(KEPT, came_back=breach, next_step=MEND)


@pytest.mark.process  # many requests, which need their time
@by_contract("POST /completions/stream", hints=CONTRACT_HINTS)
def test_streams_keep_the_contract(contract, anew):
    """POST /completions/stream keeps the contract."""
    breach = holds(contract, anew, "POST /completions/stream")
    assert breach is None, expected(KEPT, came_back=breach, next_step=MEND)


@pytest.mark.process  # many requests, which need their time
@by_contract("POST /jobs", hints=CONTRACT_HINTS)
def test_jobs_keep_the_contract(contract, anew):
    """The four operations on jobs keep the contract."""
    breach = holds(contract, anew, "POST /jobs", "GET /jobs", "GET /jobs/{job_id}", "DELETE /jobs/{job_id}")
    assert breach is None, expected(KEPT, came_back=breach, next_step=MEND)


@pytest.mark.process  # many requests, which need their time
@by_contract("GET /quota", hints=CONTRACT_HINTS)
def test_quota_keeps_the_contract(contract, anew):
    """GET /quota keeps the contract."""
    breach = holds(contract, anew, "GET /quota")
    assert breach is None, expected(KEPT, came_back=breach, next_step=MEND)


def advice(run, planted):
    """What to do about tests that refuse a right service."""
    lost = re.search(r"No module named '(\w+)", run.says)
    beside = planted.file.parent
    if lost and ((beside / f"{lost[1]}.py").exists() or (beside / lost[1]).is_dir()):
        return (
            "Only test_main.py and conftest.py go along to other services: put what your tests need of "
            f"{lost[1]} into one of the two."
        )
    if "from 'main'" in run.says:
        return "Import nothing but app from main: other services have other names."
    if "queued" in run.says and "cancelled" not in run.says:
        return (
            "Let this test ask GET /jobs/{job_id} again until the job is no longer queued, some hundred times with a "
            "short time.sleep between: on another service a job takes longer."
        )
    if re.search(r"event:|data:", run.says):
        return (
            "Let this test read the events with client.sse(…), and not look for `event: token` in the text: the space "
            "after the colon may be missing."
        )
    return "Let this test look only at what the rules or openapi.json promise."


@pytest.mark.process
@by_your_tests(
    "POST /completions",
    hints=[
        "Run them by yourself, in the folder of test_main.py: uv run python -m pytest test_main.py",
        "Your app passes the checks, so a test of yours that fails says something else than the rules.",
    ],
)
def test_your_tests_pass_on_your_app(planted):
    """Your tests pass on your own app."""
    assert planted.file.is_file(), expected(
        "a file test_main.py beside main.py", next_step="Take the one that the lesson gives to begin with."
    )
    run = planted.own()
    assert run.ok, expected(
        "every test of test_main.py to pass on your app, and at least one to run",
        came_back=run.in_words(),
        next_step="In the folder of test_main.py: uv run python -m pytest test_main.py",
    )


@pytest.mark.process
@by_your_tests(
    "POST /completions",
    hints=[
        "Which of your tests knows something that the rules leave open?",
        "The form of an id, the words of an error, where a text is cut into pieces, names inside main.py: all that is open.",
        "Use `app` alone from main.py, and compare statuses and fields, not sentences.",
    ],
)
def test_your_tests_accept_right_services(planted):
    """Your tests pass on right services that are not yours."""
    for run in planted.right().values():
        assert run.ok, expected(
            "every test of test_main.py to pass on services that keep all rules, and were written by others",
            came_back=run.in_words(),
            next_step=advice(run, planted),
        )


@pytest.mark.process
@by_your_tests(
    "POST /completions",
    hints=[
        "Take the first fault that was not caught. Which request would show it?",
        "A test that nothing can fail catches nothing: look at the answer's fields, and at GET /quota afterwards.",
    ],
)
def test_your_tests_catch_planted_faults(planted):
    """Your tests catch at least 80 % of the planted faults."""
    refused = [run for run in planted.right().values() if not run.ok]
    assert not refused, expected(
        "your tests to accept right services first; a test that refuses everything would catch any fault",
        came_back=refused[0].in_words() if refused else "",
        next_step="Mend what the check above tells.",
    )
    found = planted.faults()
    fickle = [run for run in planted.right().values() if not run.ok]
    assert not fickle, expected(
        "your tests to accept the same right services once more, between the faulty ones",
        came_back=f"this time {fickle[0].in_words() if fickle else ''}",
        next_step="Let no test remember earlier runs (in a file, say), nor depend on chance or on the speed of the machine.",
    )
    missed = [fault.words for fault in found if not fault.caught]
    caught = len(found) - len(missed)
    skipped = planted.own().skipped
    not_counted = (
        f" {skipped} of your tests are skipped or marked xfail: these do not count." if skipped else ""
    )
    next_step = f"Write a test for the first of these: {missed[0] if missed else ''}."
    if not caught and (planted.file.parent / "conftest.py").exists():
        next_step = "Look at conftest.py first: with it, no test of yours fails on any faulty service."
    assert caught >= SHARE * len(found), expected(
        f"at least {SHARE:.0%} of {len(found)} faulty services to fail a test of yours",
        came_back=f"{caught} of {len(found)} were caught.{not_counted} Not caught: {'; '.join(missed)}",
        next_step=next_step,
    )
