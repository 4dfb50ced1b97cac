"""Lesson 11: guardrails.

Three callers have a key here, ADA, BOB and EMMA, and each may send six requests a minute. Time stands still in every check,
each has a day of its own, and `clock.move` lets time pass. `upload` hands a body to the app in pieces;
`comparisons` keeps what was compared in constant time; `anew` starts a further instance of your app, as a
second worker; `redis_url` is a real Redis, and the one check that uses it is left out where there is none.
`note` adds a sentence to a failure's message.
"""

import json
from dataclasses import asdict, replace
from functools import partial

import pytest

from lessonkit import expected, json_body, task, upstream
from lessonkit.client import curl_line
from lessonkit.comparisons import on_record
from lessonkit.concurrency import OneOfSeveral, RecordedBurst
from lessonkit.upstream.steps import Failure

ADA, BOB = "ada-5f3c9e1b7d20", "bob-81d6a4c27e93"
EMMA = "ada-5f3cd4197d20"  # begins and ends as ADA does, and is as long
KEYRING = f"{ADA},{BOB},{EMMA}"
LIMIT = 6
MOST_BYTES = 50_000
AT_ONCE = 4
PAGE, SECOND_PAGE = "https://app.example.com", "https://admin.example.com"
ENVIRONMENT = {
    "ANTHROPIC_BASE_URL": upstream.address,
    "ANTHROPIC_API_KEY": "placeholder-key",
    "no_proxy": "127.0.0.1",
    "API_KEYS": on_record(KEYRING),
    "RATE_LIMIT": f"{LIMIT}/minute",
    "RATE_LIMIT_STORAGE_URI": "memory://",
    "MAX_BODY_BYTES": str(MOST_BYTES),
    "ALLOWED_ORIGINS": f"{PAGE},{SECOND_PAGE}",
}
# What somebody sets who repeats a request by hand.
SERVE_WITH = ("API_KEYS", "RATE_LIMIT", "MAX_BODY_BYTES", "ALLOWED_ORIGINS")

KEYS = {"text", "model", "input_tokens", "output_tokens"}
TIME_BETWEEN = 25  # seconds, which end in the same minute of the clock: it begins at second 20
HOUR = 3600
NO_RETRY = {"x-should-retry": "false"}
ASK = b'{"prompt": "The door is"}'

how_much = partial(task, part="How much")
who = partial(task, part="Who")
how_often = partial(task, part="How often")
how_many = partial(task, part="How many at a time")
from_where = partial(task, part="From where")
afterwards = partial(task, part="After a failure")

EMPTY_IS_NONE = (
    'Refuse before anything uses the key: APIKeyHeader(name="X-API-Key") does so by itself; with auto_error=False the '
    "key is None where it is missing or empty, so look at that first."
)

# What a crash says, and what mends it.
CURES = {
    "bytes-like object is required": "Encode both sides: secrets.compare_digest(key.encode(), known.encode()).",
    "'str' and 'bytes'": "Encode both sides: secrets.compare_digest(key.encode(), known.encode()).",
    "'bytes' and 'str'": "Encode both sides: secrets.compare_digest(key.encode(), known.encode()).",
    "must be encoded before hashing": "Give the hash bytes: hashlib.sha256(key.encode()).hexdigest().",
    "supporting the buffer API": "Return the key from require_key: what it returns is what require_quota gets.",
    "'NoneType' object has no attribute 'encode'": "Return the key from require_key: what it returns is what "
    "require_quota gets.",
    "WindowStats": "Take the reset_time of what get_window_stats gives: "
    "limiter.get_window_stats(RATE_LIMIT, caller).reset_time.",
    "'int' object has no attribute 'encode'": 'Make the header\'s value a text: headers={"Retry-After": str(seconds)}.',
    "'float' object has no attribute 'encode'": "Make the header's value a text, of whole seconds: "
    "str(math.ceil(seconds)).",
}


@pytest.fixture(autouse=True)
def _a_day_of_its_own(clock):
    """No check finds a quota that an earlier one used up."""


def generate(client, key=ADA, **headers):
    """One request for a short answer, with a key or (None) without."""
    if key is not None:
        headers["X-API-Key"] = key
    return client.post("/generate", json={"prompt": "The door is"}, headers=headers)


def statuses(client, count, key=ADA):
    """The statuses of `count` requests, one after the other."""
    found = [generate(client, key).status_code for _ in range(count)]
    last = client.exchanges[-1]
    curl = f"for i in $(seq {count}); do {last.curl}; done"
    client.exchanges[-1] = OneOfSeveral(
        **asdict(last) | {"curl": curl, "others": count - 1, "how": "one after the other"}
    )
    return found


def use_up(client, key=ADA):
    """Use a key's quota up, and look that there is one at all."""
    found = statuses(client, LIMIT + 1, key)
    look_for_crash(client, found)
    assert found == [200] * LIMIT + [429], expected(
        f"{LIMIT} requests with one key to be answered with 200, and the next with 429, before this can be looked at",
        came_back=in_short(found),
        next_step="Mend what the checks above tell: six requests a minute for each key.",
    )


def look_for_crash(client, found):
    """Where one of several requests crashed, that is the news, and not how many had which status."""
    crash = first_crash(client)
    assert crash is None or 500 not in found, expected(
        f"{LIMIT} × 200 for one key, and then 429, with Retry-After",
        came_back=f"{in_short(found)}; the first 500 because of {crash}",
        next_step=step_after(crash or ""),
    )


def first_crash(client):
    """What the first request of this check said that crashed; None where none did."""
    return next((one.crash for one in client.exchanges if one.status == 500 and one.crash), None)


def step_after(crash):
    """What mends a crash, where its words give it away."""
    known = (step for words, step in CURES.items() if words in crash)
    return next(known, "Compare what that line uses with what the TODO above it names.")


def step_without_key(client):
    """What mends a crash after a request whose key is missing or empty."""
    crash = first_crash(client) or ""
    return EMPTY_IS_NONE if "NoneType" in crash else step_after(crash)


def number_in(text):
    """The number that a header holds; 0 where it holds none."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def in_short(found):
    """Statuses as `10 × 200, 1 × 429`."""
    return ", ".join(f"{found.count(one)} × {one}" for one in dict.fromkeys(found))


def padded(count):
    """A legal body of exactly `count` bytes, and one character less: the spaces after JSON mean nothing."""
    body = json.dumps({"prompt": "Le café est ouvert."}, ensure_ascii=False).encode()
    return body + b" " * (count - len(body))


@how_much(
    "POST /generate",
    hints=[
        "TODO(1): look at the brackets of FastAPI(…).",
        "FastAPI counts bytes for you when it is told a limit: the parameter max_body_size, for the whole app.",
        "app = FastAPI(…, max_body_size=MAX_BODY_BYTES)",
    ],
)
def test_body_over_the_limit_is_413(upstream, client):
    """A body of more than MAX_BODY_BYTES is refused with 413."""
    headers = {"X-API-Key": ADA, "Content-Type": "application/json"}
    reply = client.post("/generate", content=padded(MOST_BYTES + 1), headers=headers)
    assert reply.status_code == 413, expected(
        f"status 413: the body has {MOST_BYTES + 1:,} bytes (and fewer characters: é is two bytes; after the JSON come "
        f"spaces), and MAX_BODY_BYTES is {MOST_BYTES:,} in the checks",
        next_step="Pass max_body_size=MAX_BODY_BYTES to FastAPI. It counts bytes, and answers 413 by itself.",
    )
    assert not upstream.calls, expected(
        "no call upstream for a body that is refused; there was one",
        next_step="Refuse it before the endpoint starts.",
    )
    reply = client.post("/generate", content=padded(MOST_BYTES), headers=headers)
    assert reply.status_code != 413, expected(
        f"no 413: {MOST_BYTES:,} bytes are exactly MAX_BODY_BYTES, and the limit itself is allowed",
        next_step="Refuse what is larger than MAX_BODY_BYTES, and take what is as large.",
    )


@how_much(
    "POST /generate",
    hints=[
        "TODO(1): which header did you rely on, and who writes it?",
        "Content-Length is a promise of the caller, and a body sent in pieces has none. The bytes have to be counted as they come.",
        "app = FastAPI(…, max_body_size=MAX_BODY_BYTES), and no middleware of your own",
    ],
)
def test_body_without_a_length_is_413_too(upstream, client, upload):
    """A body without Content-Length is counted as well."""
    body = padded(MOST_BYTES + 10_000)
    pieces = [body[at : at + 10_000] for at in range(0, len(body), 10_000)]
    sent = upload("/generate", pieces, {"X-API-Key": ADA})
    assert sent.status is not None, expected(
        "an answer to a body in pieces; none came",
        next_step="Count the pieces as the app reads them, and answer once there are too many: "
        "max_body_size does it.",
    )
    assert sent.status == 413, expected(
        f"status 413: {len(body):,} bytes came in {len(pieces)} pieces, and no Content-Length said so before",
        next_step="Count the bytes as they arrive. FastAPI(…, max_body_size=MAX_BODY_BYTES) does; a look at "
        "Content-Length alone does not.",
    )


@how_much(
    "POST /generate",
    hints=[
        "TODO(1): when does your code look at the size: before or after the body is in memory?",
        "FastAPI reads a JSON body before the first dependency runs. What counts has to stand before that.",
        "app = FastAPI(…, max_body_size=MAX_BODY_BYTES)",
    ],
)
def test_large_body_is_not_read_to_its_end(upstream, client, upload):
    """A body that is too large is not read to its end."""
    body = padded(8 * MOST_BYTES)
    pieces = [body[at : at + 10_000] for at in range(0, len(body), 10_000)]
    sent = upload("/generate", pieces, {"X-API-Key": ADA})
    assert sent.status == 413, expected(
        f"status 413 for a body of {len(body):,} bytes in {len(pieces)} pieces",
        next_step="Pass max_body_size=MAX_BODY_BYTES to FastAPI.",
    )
    assert sent.taken <= len(pieces) // 2, expected(
        f"the app to stop reading soon after {MOST_BYTES:,} bytes, which is after 6 of {len(pieces)} pieces",
        came_back=f"413, after the app had read {sent.taken} of {len(pieces)} pieces into memory",
        next_step="Count while the body arrives, not when it is there: `await request.body()` and len(…) load all of it "
        "first. FastAPI(…, max_body_size=MAX_BODY_BYTES) stops in time.",
    )


@who(
    "POST /generate",
    hints=[
        "TODO(2) and TODO(5): does /generate ask for a key at all?",
        "A dependency runs before the endpoint. APIKeyHeader reads a header, and answers 401 where it is missing.",
        'key: Annotated[str, Depends(APIKeyHeader(name="X-API-Key"))] in require_key, and '
        "dependencies=[Depends(require_key)] in the decorator of /generate",
    ],
)
def test_missing_key_is_401(upstream, client):
    """A request without a key is refused with 401."""
    reply = generate(client, key=None)
    assert reply.status_code != 422, expected(
        "status 401: who sends no key is a stranger, and not somebody who filled a form in wrongly",
        next_step='Take the header with APIKeyHeader(name="X-API-Key"), which answers 401; a required Header() answers 422.',
    )
    assert reply.status_code != 403, expected(
        "status 401: 403 says that the caller is known and may not; without a key nobody is known",
        next_step="Raise HTTPException with 401, and the header WWW-Authenticate.",
    )
    assert reply.status_code != 500, expected(
        "status 401 for a request without X-API-Key; the code crashes on a key that is not there",
        next_step=step_without_key(client),
    )
    assert reply.status_code == 401, expected(
        "status 401 for a request without X-API-Key",
        next_step="Write require_key, TODO(2), and let /generate ask for it, TODO(5): dependencies=[Depends(require_key)].",
    )
    assert not upstream.calls, expected(
        "no call upstream for a stranger; there was one",
        next_step="Refuse in a dependency, so that the endpoint does not even start.",
    )


@who(
    "POST /generate",
    hints=[
        "TODO(2): what do you compare the key with, and how?",
        "A key is right when it equals one of API_KEYS, all of it, letter by letter.",
        "any(secrets.compare_digest(key.encode(), known.encode()) for known in API_KEYS)",
    ],
)
def test_wrong_key_is_401(upstream, client):
    """A key that is not in API_KEYS is refused with 401."""
    wrong = {
        "nobody has": "eve-000000000000",
        "is a right one but for its last character": ADA[:-1] + "x",
        "is the beginning of a right one": ADA[:6],
        "is a right one and more": ADA + "0",
        "is a right one in capitals": ADA.upper(),
        "is the whole list": KEYRING,
        "is empty": "",
    }
    for what, key in wrong.items():
        reply = generate(client, key)
        assert reply.status_code != 429, expected(
            f"status 401 for a key that {what}; it was counted before it was looked at",
            next_step="Ask for the key first and count afterwards: let require_quota depend on require_key.",
        )
        assert reply.status_code != 403, expected(
            "status 401: 403 says that the caller is known and may not; with a wrong key nobody is known",
            next_step="Raise HTTPException with 401, and the header WWW-Authenticate.",
        )
        assert reply.status_code != 500, expected(
            f"status 401 for a key that {what}; the code crashes on it",
            next_step=step_after(first_crash(client) or "") if key else step_without_key(client),
        )
        assert reply.status_code == 401, expected(
            f"status 401 for a key that {what}",
            next_step="Compare the whole key with each of API_KEYS, and raise HTTPException with 401 when none is equal.",
        )
    assert not upstream.calls, expected(
        "no call upstream for a wrong key; there was one",
        next_step="Refuse in a dependency, so that the endpoint does not even start.",
    )


@who(
    "POST /generate",
    hints=[
        "TODO(2): look at the HTTPException that you raise for a wrong key.",
        "A 401 has to say how to identify oneself: that is what the header WWW-Authenticate is for.",
        'HTTPException(401, "Unknown API key", headers={"WWW-Authenticate": "APIKey"})',
    ],
)
def test_401_says_how_to_identify(client):
    """A 401 has the header WWW-Authenticate."""
    for what, key in {"no key": None, "a wrong key": "eve-000000000000"}.items():
        reply = generate(client, key)
        assert reply.status_code == 401, expected(
            f"status 401 for {what}", next_step="Mend what the checks above tell."
        )
        assert reply.headers.get("www-authenticate"), expected(
            f"the header WWW-Authenticate in the 401 for {what}; it is missing",
            next_step='Pass headers={"WWW-Authenticate": "APIKey"} to the HTTPException.',
        )


@who(
    "POST /generate",
    hints=[
        "TODO(2): what happens to a key that is right?",
        "A dependency lets a request pass by returning. API_KEYS holds all keys, already as a list.",
        "for known in API_KEYS: all of them count, the first and the last",
    ],
    guard="The starter lets everybody in, so those with a key as well.",
)
def test_right_keys_get_an_answer(upstream, client):
    """Each of API_KEYS gets an answer."""
    for key in (ADA, BOB, EMMA):
        reply = generate(client, key)
        assert reply.status_code != 429, expected(
            f"status 200 for the key {key}: no quota is used up yet",
            next_step="limiter.hit(…) is True where there is room. Refuse where it is False: "
            "if not limiter.hit(RATE_LIMIT, caller).",
        )
        assert reply.status_code != 500, expected(
            f"status 200 for the key {key}, which is right; the code crashes on it",
            next_step=step_after(first_crash(client) or ""),
        )
        assert reply.status_code == 200, expected(
            f"status 200 for the key {key}: API_KEYS is {KEYRING} in the checks",
            next_step="Let require_key return the key when it is one of API_KEYS, whichever it is.",
        )
        answer = json_body(reply)
        assert isinstance(answer, dict) and answer.keys() == KEYS, expected(
            "the answer of lesson 8, with exactly text, model, input_tokens and output_tokens",
            next_step="Leave the body of generate as the starter has it; guardrails stand around it.",
        )


@who(
    "POST /generate",
    hints=[
        "TODO(2): from where do you read the key?",
        "A URL is written into logs, histories and bookmarks, and a key in it is no secret any more. Headers are not.",
        'APIKeyHeader(name="X-API-Key") alone: no APIKeyQuery, no APIKeyCookie',
    ],
)
def test_key_counts_in_its_header_alone(client):
    """A key in the URL, or in another header, opens nothing."""
    for name in ("X-API-Key", "x-api-key", "x_api_key", "api_key", "api-key", "key", "token"):
        reply = client.post(f"/generate?{name}={ADA}", json={"prompt": "The door is"})
        assert reply.status_code == 401, expected(
            f"status 401: the key stands in the query, as {name}, and not in the header X-API-Key",
            next_step="Read the key from the header alone: URLs end up in logs. A parameter without Header() or "
            "APIKeyHeader is read from the query.",
        )
    for header in ({"Authorization": f"Bearer {ADA}"}, {"Cookie": f"X-API-Key={ADA}"}):
        reply = generate(client, None, **header)
        assert reply.status_code == 401, expected(
            f"status 401: the key stands in the header {next(iter(header))}, and not in X-API-Key",
            next_step="Read the key from the header X-API-Key alone.",
        )


@who(
    "POST /generate",
    hints=[
        "TODO(2): what does compare_digest say of a text with an é in it?",
        "compare_digest takes two texts only where both are ASCII, else it raises TypeError. Bytes are always in order.",
        "secrets.compare_digest(key.encode(), known.encode())",
    ],
)
def test_key_beyond_ascii_is_401(client):
    """A key with letters beyond ASCII is a wrong key, and no crash."""
    for key in ("clé-de-la-maison".encode(), "clé".encode("latin-1"), b"\xff\xfe\x80"):
        reply = client.post("/generate", json={"prompt": "The door is"}, headers={b"X-API-Key": key})
        assert reply.status_code != 500, expected(
            "status 401; a header may hold any bytes, and anybody can send them",
            next_step="Encode both sides, key.encode() and known.encode(): secrets.compare_digest takes bytes of any kind, "
            "and texts only where they are ASCII.",
        )
        assert reply.status_code == 401, expected(
            "status 401 for a key with letters that no right key has",
            next_step="Compare all of the key, and drop nothing from it.",
        )


@who(
    "POST /generate",
    hints=[
        "TODO(2): which operator compares the key?",
        "== and `in` stop at the first letter that differs, so their time tells how much of a guess was right. "
        "secrets.compare_digest takes as long for any guess.",
        "any(secrets.compare_digest(key.encode(), known.encode()) for known in API_KEYS)",
    ],
)
def test_keys_are_compared_in_constant_time(client, comparisons):
    """Keys are compared in constant time."""
    guesses = [ADA[:-1] + "x", ADA[:-1] + "y"]
    seen = []
    for guess in guesses:
        comparisons.forget()
        reply = generate(client, guess)
        assert reply.status_code == 401, expected(
            "status 401 for a key that is wrong in its last character",
            next_step="Mend what the checks above tell.",
        )
        seen.append(set(comparisons.sides))
    assert seen[0], expected(
        "a wrong key to be compared by secrets.compare_digest or hmac.compare_digest",
        came_back="401, without a call of either",
        next_step="Replace == and `in` by secrets.compare_digest(key.encode(), known.encode()), for each of API_KEYS, "
        "with nothing before it that looks at the key's letters.",
    )
    assert seen[0] - seen[1], expected(
        "the key that was sent (or a hash of it) to be one side of compare_digest",
        came_back="401, and compare_digest was called with the same two sides for two different keys",
        next_step="Give compare_digest what the caller sent, and let its answer decide.",
    )


@who(
    "POST /generate",
    hints=[
        "TODO(2): who gets in when API_KEYS is empty?",
        "A lock without keys stays shut. The mistake to make is a lock that opens when nobody has set it up.",
        "Compare with each of API_KEYS: any(…) over an empty list is False, and that refuses.",
    ],
)
def test_without_keys_nobody_gets_in(client, anew):
    """Where no key is configured, nobody gets in."""
    unlocked = anew(API_KEYS="")
    for key in (None, "", ADA):
        reply = generate(unlocked, key)
        assert reply.status_code == 401, expected(
            "status 401: the app was started with an empty API_KEYS, so no key is right",
            next_step="Let an empty list refuse everybody, and keep the starter's listed(…), which leaves empty parts out. "
            "A key from the code is none either.",
        )


@who(
    "GET /health",
    hints=[
        "Where do you ask for the key: at one endpoint, or at the whole app?",
        "What watches your servers asks /health every few seconds, and has no key.",
        "dependencies=[…] in the decorator of /generate, and not in FastAPI(…)",
    ],
    guard="The starter has /health, and it has to stay open.",
)
def test_health_stays_open(client):
    """GET /health needs no key and has no limit."""
    for _ in range(LIMIT + 2):
        reply = client.get("/health")
        assert reply.status_code == 200 and json_body(reply) == {"status": "ok"}, expected(
            'status 200 and {"status": "ok"}, without a key, however often',
            next_step="Ask for the key, and count, at /generate alone: dependencies=[…] in its decorator.",
        )


@how_often(
    "POST /generate",
    hints=[
        "TODO(3): is there a limiter, and does /generate depend on it?",
        "limiter.hit(RATE_LIMIT, caller) counts one request, and says whether there was room for it.",
        "if not limiter.hit(RATE_LIMIT, caller): raise HTTPException(429, …)",
    ],
)
def test_six_pass_and_the_next_is_429(upstream, client, anew):
    """Six requests pass, and the seventh is refused with 429."""
    found = statuses(client, LIMIT + 2)
    look_for_crash(client, found)
    assert found[0] == 200, expected(
        "status 200 for the first request with a right key", next_step="Mend what the checks above tell."
    )
    assert 429 in found, expected(
        f"status 429 from the seventh request on: RATE_LIMIT is {LIMIT}/minute in the checks",
        came_back=f"{in_short(found)}, within one moment",
        next_step="Let /generate depend on require_quota, TODO(5). Make the limiter once, above require_quota, and not in it; call "
        "limiter.hit(RATE_LIMIT, caller), with the same text for the same key, and raise HTTPException with 429 when it says False.",
    )
    if found.count(200) < LIMIT:
        fresh = statuses(anew(RATE_LIMIT=f"{LIMIT}/minute"), LIMIT + 1)
        assert fresh != [200] * LIMIT + [429], expected(
            f"{LIMIT} × 200 and then 429: time has moved on by a day since the requests of the checks above",
            came_back=f"{in_short(found)}; and {in_short(fresh)} from the app when it was started anew, so it still counts "
            "requests of an earlier day",
            next_step="Count with limiter.hit, which forgets what is older than the limit's time; a counter of your own has to "
            "be set back.",
        )
    assert found == [200] * LIMIT + [429] * 2, expected(
        f"{LIMIT} × 200 and then 429: RATE_LIMIT is {LIMIT}/minute in the checks",
        came_back=in_short(found),
        next_step="Take the number from RATE_LIMIT, call hit once for each request, and refuse only where it says False.",
    )
    assert len(upstream.calls) == LIMIT, expected(
        f"{LIMIT} calls upstream: a request that is refused costs nothing",
        came_back=f"{len(upstream.calls)} calls reached the upstream",
        next_step="Count in a dependency, so that the endpoint does not start for a request that is refused.",
    )


@how_often(
    "POST /generate",
    hints=[
        "TODO(3): for how long does your code remember a request?",
        "RATE_LIMIT holds a number and a stretch of time. What parse makes of it knows both, and hit looks at both.",
        "limiter.hit(RATE_LIMIT, caller), where caller depends on the key and on nothing that changes with time",
    ],
)
def test_limit_is_for_the_whole_minute(client, clock, note):
    """The limit is for the whole minute."""
    use_up(client)
    clock.move(TIME_BETWEEN)
    note(f"{LIMIT + 1} requests with this key, {TIME_BETWEEN} seconds without any, and then this one")
    reply = generate(client)
    assert reply.status_code == 429, expected(
        f"status 429: {LIMIT} requests passed {TIME_BETWEEN} seconds ago, in the same minute, and RATE_LIMIT is {LIMIT}/minute",
        next_step="Pass all of RATE_LIMIT to hit, its time as well as its number; and give the bucket a name in which no time "
        "stands, else a new one begins too early.",
    )


@how_often(
    "POST /generate",
    hints=[
        "TODO(3): look at the headers of your 429.",
        "reset_time is a moment, in seconds since 1970. Retry-After is how long from now, in whole seconds.",
        'headers={"Retry-After": str(max(1, math.ceil(reset_time - time.time())))}',
    ],
)
def test_429_says_when_to_come_back(client, clock, note):
    """A 429 has Retry-After, in whole seconds."""
    use_up(client)
    note(f"{LIMIT + 1} requests with this key came before; {LIMIT} of them pass")
    told = generate(client).headers.get("retry-after")
    assert told is not None, expected(
        "the header Retry-After in a 429; it is missing",
        next_step='Pass headers={"Retry-After": …} to the HTTPException. In the body no program looks for it.',
    )
    assert "WindowStats" not in told, expected(
        "a whole number of seconds in Retry-After",
        came_back=f"Retry-After: {told}",
        next_step=step_after(told),
    )
    assert abs(number_in(told)) <= HOUR, expected(
        "1 to 60 in Retry-After, the whole seconds from now: the quota is for a minute",
        came_back=f"Retry-After: {told}, which is a moment, counted in seconds from 1970 on",
        next_step="Subtract the time that it is now, time.time(), from reset_time, and round up: "
        "str(max(1, math.ceil(reset_time - time.time()))).",
    )
    assert number_in(told) >= 0, expected(
        "1 to 60 in Retry-After, the whole seconds from now",
        came_back=f"Retry-After: {told}",
        next_step="Subtract the other way round: reset_time lies ahead, so it is reset_time - time.time().",
    )
    assert told.isdecimal() and told.isascii(), expected(
        "a whole number of seconds in Retry-After",
        came_back=f"Retry-After: {told}",
        next_step="Round up and make it a text: str(math.ceil(seconds)).",
    )
    assert 1 <= int(told) <= 61, expected(
        "1 to 60 seconds in Retry-After: the quota is for a minute",
        came_back=f"Retry-After: {told}",
        next_step="Subtract the time that it is now, time.time(), from reset_time; and say at least 1.",
    )
    clock.move(TIME_BETWEEN)
    note(f"{LIMIT + 2} requests with this key, {TIME_BETWEEN} seconds without any, and then this one")
    later = generate(client)
    assert later.status_code == 429, expected(
        f"status 429 {TIME_BETWEEN} seconds later as well", next_step="Mend what the check above tells."
    )
    told, left = later.headers.get("retry-after", ""), 60 - TIME_BETWEEN
    assert told.isdecimal() and int(told) <= left + 1, expected(
        f"at most {left} seconds in Retry-After: of the minute, {TIME_BETWEEN} are over",
        came_back=f"Retry-After: {told or 'missing'}",
        next_step="Tell the time that is left, and not the whole minute: the limiter's reset_time less time.time().",
    )


@how_often(
    "POST /generate",
    hints=[
        "TODO(3): how long does your code remember a request, and what does Retry-After promise?",
        "The limit is a number for a stretch of time. `limits` forgets by itself what is older than that.",
        "limiter.get_window_stats(RATE_LIMIT, caller).reset_time is when there is room again.",
    ],
)
def test_there_is_room_again_after_that_time(client, clock, note):
    """After Retry-After there is room again."""
    use_up(client)
    clock.move(0.5)
    told = generate(client).headers.get("retry-after", "")
    assert told.isdecimal() and int(told) <= 61, expected(
        "a whole number of seconds in Retry-After, 60 at most", next_step="Mend what the checks above tell."
    )
    clock.move(int(told))
    note(f"{LIMIT + 2} requests with this key, {told} seconds without any, and then this one")
    reply = generate(client)
    assert reply.status_code == 200, expected(
        f"status 200: Retry-After was {told}, and so many seconds have passed",
        next_step="Tell the time until the limiter's reset_time, rounded up (math.ceil): rounded down, a caller comes too early. "
        "And count with the limiter alone, which forgets what is over.",
    )
    clock.move(180)
    found = statuses(client, LIMIT + 1)
    look_for_crash(client, found)
    assert found == [200] * LIMIT + [429], expected(
        f"all of the quota three minutes later: {LIMIT} × 200, and then 429",
        came_back=in_short(found),
        next_step="Count with limiter.hit alone, and with nothing that is never set back.",
    )


@how_often(
    "POST /generate",
    hints=[
        "TODO(3): what stands after RATE_LIMIT in limiter.hit(…)?",
        "What follows the limit is the name of a bucket. Callers with the same name share one.",
        "limiter.hit(RATE_LIMIT, caller), where caller comes from this request's key",
    ],
)
def test_each_key_has_a_quota_of_its_own(client):
    """Each key has a quota of its own."""
    use_up(client, ADA)
    for key in (BOB, EMMA):
        found = statuses(client, LIMIT + 1, key)
        look_for_crash(client, found)
        alike = " (the two begin and end alike, and are as long)" if key == EMMA else ""
        assert found == [200] * LIMIT + [429], expected(
            f"{LIMIT} × 200 and then 429 for the key {key}, after {ADA} has used its quota up{alike}",
            came_back=in_short(found),
            next_step="Name the bucket after the key: limiter.hit(RATE_LIMIT, caller), with a caller that depends on all of the "
            "key, and not on a part of it, the address or the path; and let require_key return the key.",
        )


@how_often(
    "POST /generate",
    hints=[
        "TODO(3): what comes first, the lock or the counter?",
        "A dependency that takes another one as a parameter runs after it, and not at all when that one refuses.",
        "def require_quota(key: Annotated[str, Depends(require_key)])",
    ],
)
def test_401_costs_nothing(client):
    """A request that is refused with 401 costs nothing."""
    found = statuses(client, LIMIT + 2, "eve-000000000000")
    assert found == [401] * (LIMIT + 2), expected(
        f"status 401 for each of {LIMIT + 2} requests with a wrong key",
        came_back=in_short(found),
        next_step="Ask for the key first and count afterwards: let require_quota depend on require_key.",
    )
    found = statuses(client, LIMIT + 1)
    look_for_crash(client, found)
    assert found == [200] * LIMIT + [429], expected(
        f"{LIMIT} × 200 and then 429 for a right key, after {LIMIT + 2} requests with a wrong one",
        came_back=in_short(found),
        next_step="Count only requests whose key is right: let require_quota depend on require_key.",
    )


@how_often(
    "POST /generate",
    hints=[
        "TODO(3): how much time lies between looking at the counter and counting?",
        "Two requests that look at the same moment both see room for one. hit() looks and counts in one step.",
        "limiter.hit(RATE_LIMIT, caller) once, before the endpoint; no limiter.test(…)",
    ],
)
def test_limit_holds_for_requests_at_once(upstream, client, at_once, wait_for_calls):
    """The limit also holds for requests at the same time."""
    client.headers["X-API-Key"] = ADA
    upstream.hold(AT_ONCE + 1)
    burst = at_once("/generate", [{"prompt": f"Train {number}"} for number in range(LIMIT + 3)])
    wait_for_calls(LIMIT + 3)
    upstream.release()
    found = sorted(reply.status_code for reply in burst.replies())
    assert upstream.calls, expected(
        "calls upstream for the first of several requests at once; there was none",
        next_step="Mend what the checks above tell; several at once come after one.",
    )
    assert len(upstream.calls) <= LIMIT and 429 in found, expected(
        f"at most {LIMIT} calls upstream for {LIMIT + 3} requests at once, and 429 for the rest",
        came_back=f"{len(upstream.calls)} calls upstream; {in_short(found)}",
        next_step="Count each request when it comes, with limiter.hit, which looks and counts in one step. To look first and "
        "count later leaves room for others in between.",
    )


@how_often(
    "POST /generate",
    hints=[
        "TODO(3): where do the counts live?",
        "Each worker is a process with memory of its own. A storage that all of them reach by a URL is not.",
        "limiter = MovingWindowRateLimiter(storage_from_string(RATE_LIMIT_STORAGE_URI))",
    ],
)
def test_workers_share_the_limit(client, anew, redis_url):
    """Two workers with one Redis share the limit."""
    workers = [anew(RATE_LIMIT_STORAGE_URI=redis_url) for _ in range(2)]
    found = [generate(workers[number % 2]).status_code for number in range(LIMIT)]
    assert found == [200] * LIMIT, expected(
        f"{LIMIT} × 200, sent to two instances of the app in turn; RATE_LIMIT_STORAGE_URI is that of a Redis",
        came_back=in_short(found),
        next_step="Make the storage with storage_from_string(RATE_LIMIT_STORAGE_URI): it knows redis:// as well.",
    )
    found = [generate(worker).status_code for worker in workers]
    assert found == [429, 429], expected(
        f"429 from both instances after {LIMIT} requests in all: they have one Redis, so they share the counts",
        came_back=in_short(found),
        next_step="Let the limiter keep its counts in storage_from_string(RATE_LIMIT_STORAGE_URI), under a name that is the "
        "same in every worker (hash() of a text is not), and nowhere else.",
    )


@how_many(
    "POST /generate",
    hints=[
        "TODO(4) and TODO(5): what takes a place, and until when?",
        "max_concurrency counts how many calls of a dependency run. One with `yield` runs until the request is done; one "
        "with `return` is over at once.",
        "Depends(generation_slot, max_concurrency=GENERATIONS_AT_ONCE), where generation_slot is an async def with `yield`",
    ],
)
def test_at_most_four_generations_in_flight(upstream, anew, wait_for_calls):
    """At most four generations are in flight."""
    fresh = anew(
        RATE_LIMIT=f"{LIMIT}/minute"
    )  # what waits belongs to one event loop, and each check has its own
    fresh.headers["X-API-Key"] = ADA
    upstream.hold(AT_ONCE + 1)
    burst = RecordedBurst(fresh, "/generate", [{"prompt": f"Train {number}"} for number in range(LIMIT)])
    wait_for_calls(AT_ONCE + 1)
    upstream.release()
    found = sorted(reply.status_code for reply in burst.replies())
    burst.finish()
    assert upstream.peak <= AT_ONCE, expected(
        f"at most {AT_ONCE} calls in flight upstream, of {LIMIT} requests at once",
        came_back=f"{upstream.peak} at a time",
        next_step="Depend on generation_slot with max_concurrency=GENERATIONS_AT_ONCE, and let it `yield`: a dependency that "
        "returns gives its place back before the call begins.",
    )
    assert upstream.peak == AT_ONCE, expected(
        f"{AT_ONCE} calls in flight upstream, of {LIMIT} requests at once",
        came_back=f"never more than {upstream.peak} at a time",
        next_step=f"Let {AT_ONCE} in, and not fewer; and let nothing else hold them up, as a call that is not awaited does.",
    )
    assert set(found) <= {200, 503} and 200 in found, expected(
        "status 200 for those who got a place, and for the rest 200 (they waited) or 503",
        came_back=in_short(found),
        next_step="Let the rest wait for a place, which max_concurrency does by itself; or answer 503.",
    )


def preflight(client, origin):
    """What a browser asks before a page from `origin` may POST JSON with a key."""
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key",
    }
    reply = client.options("/generate", headers=asked)
    client.exchanges[-1] = replace(
        client.exchanges[-1], curl=curl_line("OPTIONS", "/generate", asked, "").replace("curl", "curl -i", 1)
    )
    return reply


def allowed_origin(reply):
    return reply.headers.get("access-control-allow-origin")


@from_where(
    "POST /generate",
    hints=[
        "TODO(6): is CORSMiddleware there, and what may a page send?",
        "Before a page may send JSON with a key, the browser asks with OPTIONS, and sends no key with that. CORSMiddleware "
        "answers it, from its lists of origins, methods and headers.",
        'app.add_middleware(CORSMiddleware, allow_origins=ALLOWED_ORIGINS, allow_methods=["GET", "POST"], '
        'allow_headers=["Content-Type", "X-API-Key"])',
    ],
)
def test_browser_may_ask_for_a_listed_page(client):
    """A browser that asks for a listed page is told yes."""
    for page in (PAGE, SECOND_PAGE):
        reply = preflight(client, page)
        assert reply.status_code != 401, expected(
            "a 200 for the browser's question before the request: it never sends a key with OPTIONS",
            next_step="Let CORSMiddleware answer first: ask for the key in a dependency of /generate, or add a middleware that "
            "asks for it before you add CORSMiddleware.",
        )
        assert reply.status_code in (200, 204), expected(
            f"status 200 for OPTIONS /generate from {page}, a page in ALLOWED_ORIGINS, that asks for POST with the headers "
            "content-type and x-api-key",
            next_step="Add CORSMiddleware with allow_origins=ALLOWED_ORIGINS, and with the method POST and the headers "
            "Content-Type and X-API-Key in its lists.",
        )
        assert allowed_origin(reply) in (page, "*"), expected(
            f"the header Access-Control-Allow-Origin: {page}",
            came_back=f"{reply.status_code}, with Access-Control-Allow-Origin: {allowed_origin(reply)}",
            next_step="Add CORSMiddleware with allow_origins=ALLOWED_ORIGINS, the list and not the text.",
        )
        headers = reply.headers.get("access-control-allow-headers", "").lower()
        assert headers == "*" or {"content-type", "x-api-key"} <= set(headers.replace(" ", "").split(",")), (
            expected(
                "content-type and x-api-key in Access-Control-Allow-Headers, else no page can send JSON or a key",
                came_back=f"Access-Control-Allow-Headers: {headers or 'missing'}",
                next_step='Write allow_headers=["Content-Type", "X-API-Key"].',
            )
        )


@from_where(
    "POST /generate",
    hints=[
        "TODO(6): do refusals pass the middleware as well?",
        "A browser shows an answer to the page only where the answer names the page. A 429 without that looks like a broken network.",
        "HTTPException in a dependency is answered inside the middleware; what another middleware answers outside it is not.",
    ],
)
def test_listed_page_can_read_answers_and_refusals(client, note):
    """A listed page can read answers, and 401 and 429 as well."""
    seen = set()
    for key in (ADA, None, *[ADA] * LIMIT):
        reply = generate(client, key, Origin=PAGE)
        seen.add(reply.status_code)
        if reply.status_code == 429:
            note(f"{LIMIT} requests with this key came before, and all of them pass")
        told = allowed_origin(reply)
        assert told in (PAGE, "*"), expected(
            f"the header Access-Control-Allow-Origin: {PAGE} in a {reply.status_code} too, when a page from there asks",
            came_back=f"{reply.status_code}, with "
            + (f"Access-Control-Allow-Origin: {told}" if told else "no Access-Control-Allow-Origin"),
            next_step="Add CORSMiddleware with allow_origins=ALLOWED_ORIGINS, and let refusals come from inside it: from "
            "dependencies, or from a middleware that was added before it.",
        )
    assert {200, 401, 429} <= seen, expected(
        f"status 200, then 401 without a key, and 429 after {LIMIT} requests",
        came_back=", ".join(map(str, sorted(seen))),
        next_step="Mend what the checks above tell.",
    )


@from_where(
    "POST /generate",
    hints=[
        "TODO(6): a page can read an answer. Can it read all of the answer's headers?",
        "Of the headers, a browser shows a page only a few, unless the answer names more in Access-Control-Expose-Headers.",
        'app.add_middleware(CORSMiddleware, …, expose_headers=["Retry-After"])',
    ],
)
def test_listed_page_can_read_retry_after(client, note):
    """A listed page can read Retry-After."""
    replies = [generate(client, Origin=PAGE) for _ in range(LIMIT + 1)]
    note(f"{LIMIT} requests with this key came before, and all of them pass")
    assert replies[-1].status_code == 429, expected(
        f"status 429 for the seventh request with one key, from the page {PAGE}",
        next_step="Mend what the checks above tell: six requests a minute for each key.",
    )
    told = replies[-1].headers.get("access-control-expose-headers", "")
    named = {one.strip().lower() for one in told.split(",")}
    assert named & {"retry-after", "*"}, expected(
        "Retry-After in the header Access-Control-Expose-Headers of a 429, else the browser keeps it from the page",
        came_back=f"429, with Access-Control-Expose-Headers: {told or 'missing'}",
        next_step='Add expose_headers=["Retry-After"] to CORSMiddleware. allow_headers is about what a page sends, '
        "expose_headers about what it may read.",
    )


@from_where(
    "POST /generate",
    hints=[
        "TODO(6): who else is let in?",
        "An origin is scheme, name and port, and all of it has to be equal. * lets every page of the web in.",
        "allow_origins=ALLOWED_ORIGINS, and no allow_origin_regex",
    ],
)
def test_other_pages_are_not_let_in(client):
    """A page that is not listed is not let in."""
    assert allowed_origin(preflight(client, PAGE)) is not None, expected(
        f"the header Access-Control-Allow-Origin for {PAGE}, which is in ALLOWED_ORIGINS; it is missing",
        next_step="Add CORSMiddleware with allow_origins=ALLOWED_ORIGINS.",
    )
    strangers = (
        "https://evil.example",
        f"{PAGE}.evil.example",
        PAGE[:-1],
        "https://evil-app.example.com",
        "https://appXexample.com",
        "http://app.example.com",
        "null",
    )
    for origin in strangers:
        for reply in (preflight(client, origin), generate(client, None, Origin=origin)):
            told = allowed_origin(reply)
            assert told != "*", expected(
                f"no Access-Control-Allow-Origin for {origin}, which is not in ALLOWED_ORIGINS",
                came_back="Access-Control-Allow-Origin: *, which lets every page of the web in",
                next_step="Write allow_origins=ALLOWED_ORIGINS in place of the star.",
            )
            assert told != origin, expected(
                f"no Access-Control-Allow-Origin for {origin}, which is not in ALLOWED_ORIGINS",
                came_back=f"Access-Control-Allow-Origin: {told}",
                next_step="Write allow_origins=ALLOWED_ORIGINS, which compares the whole origin; a star together with "
                "allow_credentials, or a pattern, lets others in.",
            )


# Last, for a place that is lost stays lost for the checks after it.
@afterwards(
    "POST /generate",
    hints=[
        "TODO(4): what gives a place back when the upstream fails?",
        "An exception skips the lines below it. `async with`, `finally`, and a dependency with `yield` do not forget.",
        "Depends(generation_slot, max_concurrency=GENERATIONS_AT_ONCE), or async with slots: around the call",
    ],
    guard="Where no place is ever taken, none can be lost.",
)
def test_failure_gives_its_place_back(upstream, client, upload, at_once):
    """A generation that fails gives its place back."""
    upstream.script(*[Failure(500, headers=NO_RETRY)] * (AT_ONCE + 1))
    for _ in range(AT_ONCE + 1):
        sent = upload("/generate", [ASK], {"X-API-Key": ADA})
        if sent.status is None:
            break
    sent = upload("/generate", [ASK], {"X-API-Key": ADA}) if sent.status is not None else sent
    assert sent.status is not None, expected(
        f"an answer, after {AT_ONCE + 1} generations that failed; none came",
        next_step="Give the place back also when the call raises: `async with`, or `finally`, or a dependency with `yield`.",
    )
    assert sent.status == 200, expected(
        f"status 200 once the upstream answers again, after {AT_ONCE + 1} generations that failed",
        next_step="Give the place back also when the call raises: `async with`, or `finally`, or a dependency with `yield`.",
    )
