"""Lesson 5: async by default, and what breaks it.

No check looks at a clock. `slow_model` and `blocking_model` are the given models' own records: they count
the calls in flight (begun and not ended) and can hold every call until a number of them is in flight. A
hold ends by itself when nobody joins for a while, so code that makes one call after the other gets to its
end, and the count tells. `at_once` sends several requests at the same moment.
"""

from lessonkit import error_locations, expected, json_body, task

TOGETHER = 8
MOST_IN_FLIGHT = 5
SIZES = {"red": 4, "green": 2, "blue": 3}  # three batches, and how many texts are in each
FIVE = ["delta", "alpha", "echo", "bravo", "charlie"]
NO_CRASH = "an answer, and no exception out of your code"
NOT_AWAITABLE = ("in 'await' expression", "can't be awaited")  # older and newer Pythons
NO_TEXT = ("valid string", "valid list", "'coroutine'")  # a coroutine, a task or a future stood for the text
CURES = {
    "InvalidStateError": "Read task.result() below the `async with` block and not inside it: the tasks have their results "
    "only when the block has ended.",
    "asynchronous context manager": "Look at what stands behind `async with`: asyncio.TaskGroup() and asyncio.Semaphore(…) "
    "belong there, each with its parentheses.",
    "context manager protocol": "Write `async with` and not `with`: a semaphore and a task group are waited for.",
    "await wasn't used": "Write `await` before asyncio.gather(…): without it you hold a future, and no results.",
    "asyncio.run() cannot": "Write `await` in place of asyncio.run(…): the server's event loop runs already.",
    "object is not callable": "Hand over the function and its argument separately, as in "
    "asyncio.to_thread(blocking_model, request.text).",
}
READ = "Read what came back: it names the exception and the line of your code that it came through. Mend that first."


def crash_of(client):
    return client.exchanges[-1].crash or ""


def cure(crash, own=()):
    """The next step for a crash: `own` maps words of it to what they mean in this check, and comes first."""
    steps = {**dict(own), **CURES}
    return next((step for words, step in steps.items() if words in crash), READ)


def counted(client, name, record):
    """What came back, in numbers; None where a crash tells more."""
    if any(exchange.crash for exchange in client.exchanges):
        return None
    return f"{len(record.calls)} calls of {name}; the most in flight at any moment was {record.peak}"


def other_text(record, wanted):
    """The first text that the model was called with and that nobody sent; None when there is none."""
    return next((call.text for call in record.calls if call.text not in wanted), None)


def single_bodies():
    return [{"text": f"Request {number}"} for number in range(1, TOGETHER + 1)]


def texts(count):
    return [f"Text {number}" for number in range(1, count + 1)]


@task(
    "POST /predict",
    hints=[
        "TODO(1): look at how the endpoint calls slow_model.",
        "Calling an `async def` function makes a coroutine; `await` runs it and gives its result. `await` stands only in an `async def`.",
        "async def predict(request: PredictionRequest) -> PredictionResponse, and in it: await slow_model(request.text)",
    ],
)
def test_predict_answers_with_slow_model(client, slow_model, blocking_model):
    """POST /predict answers with what slow_model returned."""
    text = "  The door is "
    slow_model.answers[text] = "Two  spaces, and a Capital."
    reply = client.post("/predict", json={"text": text})
    assert not blocking_model.calls, expected(
        "slow_model to be awaited for this request; blocking_model was called",
        next_step="Write `await slow_model(request.text)` here. blocking_model belongs to /predict/blocking.",
    )
    crash = crash_of(client)
    await_it = (
        "Write `await slow_model(request.text)` in an `async def`: without `await`, the call never begins."
    )
    assert not crash, expected(NO_CRASH, next_step=cure(crash, dict.fromkeys(NO_TEXT, await_it)))
    assert len(slow_model.calls) == 1, expected(
        f"slow_model to be awaited once for this request; it ran {len(slow_model.calls)} times",
        next_step=await_it,
    )
    stray = other_text(slow_model, [text])
    assert stray is None, expected(
        f"slow_model to be called with {text!r}, as it was sent; it was called with {stray!r}",
        next_step="Pass request.text to slow_model as it is: no strip(), no lower(), and none in the field either.",
    )
    assert reply.status_code == 200, expected(
        "status 200", next_step="Return PredictionResponse(result=…), filled with what slow_model gave you."
    )
    assert json_body(reply) == {"result": "Two  spaces, and a Capital."}, expected(
        'exactly {"result": "Two  spaces, and a Capital."}, which is what slow_model returned',
        next_step="Return PredictionResponse(result=…) with the model's text as it is.",
    )
    client.post("/predict", json={"text": text})
    assert len(slow_model.calls) == 2, expected(
        "slow_model to be awaited again when the same text is sent a second time; the answer came out of a memory",
        next_step="Ask slow_model for every request, and keep no answers: no dict in the module, no lru_cache.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(1): look for what makes one request wait for another: a lock, or a call that blocks.",
        "While one request is at `await slow_model(…)`, the event loop starts the next one. Nothing else is needed.",
        "One line: return PredictionResponse(result=await slow_model(request.text)), with no lock or semaphore around it.",
    ],
)
def test_eight_requests_are_eight_in_flight(client, at_once, slow_model):
    """Eight requests at once are eight calls in flight."""
    slow_model.hold(until=TOGETHER)
    at_once("/predict", single_bodies()).replies()
    assert slow_model.calls, expected(
        "slow_model to be awaited for each request; it was not called at all",
        next_step="Write `await slow_model(request.text)` in the endpoint.",
    )
    assert slow_model.peak >= TOGETHER, expected(
        f"{TOGETHER} calls of slow_model in flight at the same time",
        next_step="Let no request wait for another: take out the lock, the limit or the blocking call around "
        "`await slow_model(request.text)`.",
        came_back=counted(client, "slow_model", slow_model),
    )


@task(
    "POST /predict",
    hints=[
        "Look at what lives outside the endpoint: a module variable that the endpoint writes.",
        "At an `await` the function pauses and another request runs. What it wrote into a shared variable is there when you come back.",
        "Keep the text and the result in local variables, or use them directly: result=await slow_model(request.text)",
    ],
)
def test_each_request_gets_its_own_answer(at_once, slow_model):
    """Each of eight requests at once gets the answer to its own text."""
    bodies = single_bodies()
    slow_model.answers = {body["text"]: f"Answer to {body['text']}" for body in bodies}
    slow_model.hold(until=TOGETHER)
    replies = at_once("/predict", bodies).replies()
    asked = {call.text for call in slow_model.calls}
    assert asked == set(slow_model.answers), expected(
        f"slow_model to get each of the {TOGETHER} texts once; it got {len(asked)} different ones",
        next_step="Pass request.text to slow_model, and keep nothing of a request in a module variable.",
    )
    own = [
        json_body(reply) == {"result": slow_model.answers[body["text"]]}
        for body, reply in zip(bodies, replies, strict=True)
    ]
    assert all(own), expected(
        f"{TOGETHER} different answers, each to its own text; {own.count(False)} of {TOGETHER} were not",
        next_step="Keep what belongs to one request in local variables: at an `await`, other requests run and write to shared ones.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(1): look for asyncio.run, new_event_loop, or a thread that you started.",
        "The server already runs an event loop, and your `async def` runs on it. `await` hands the work to that loop.",
        "async def predict(…), await slow_model(request.text), and no asyncio.run",
    ],
)
def test_predict_runs_on_the_servers_event_loop(at_once, slow_model, event_loop):
    """slow_model is awaited on the server's own event loop."""
    slow_model.hold(until=TOGETHER)
    at_once("/predict", single_bodies()).replies()
    assert slow_model.calls, expected(
        "slow_model to be awaited for each request; it was not called at all",
        next_step="Write `await slow_model(request.text)` in an `async def`.",
    )
    elsewhere = {id(call.loop) for call in slow_model.calls if not event_loop.serves(call)}
    assert not elsewhere, expected(
        f"every call awaited on the one event loop of the server; other event loops that were made: {len(elsewhere)}",
        next_step="Let the endpoint be `async def` and write `await`: asyncio.run makes a loop and holds a thread for each request.",
    )


@task(
    "POST /predict",
    hints=[
        "Look for time.sleep in the endpoint, or in a function that it calls.",
        "time.sleep holds the thread it is called in. In an `async def` that is the thread of the event loop, so all other requests stop.",
        "Take time.sleep out. Where a pause is really wanted: await asyncio.sleep(seconds)",
    ],
)
def test_the_event_loop_is_never_put_to_sleep(client, slow_model, event_loop):
    """Nothing in POST /predict calls time.sleep on the event loop."""
    client.post("/predict", json={"text": "The night train"})
    assert slow_model.calls, expected(
        "slow_model to be awaited for this request; it was not called at all",
        next_step="Write `await slow_model(request.text)` in the endpoint.",
    )
    assert event_loop.sleeps == 0, expected(
        f"no time.sleep in the event loop's thread; there was {event_loop.sleeps}, and no other request could move meanwhile",
        next_step="Take time.sleep out, or write `await asyncio.sleep(…)` in its place.",
    )


@task(
    "POST /predict/blocking",
    hints=[
        "TODO(2): look at the call of blocking_model.",
        "blocking_model is a plain function: call it, and return what it gives you. It is not awaited.",
        "PredictionResponse(result=blocking_model(request.text))",
    ],
)
def test_blocking_answers_with_blocking_model(client, slow_model, blocking_model):
    """POST /predict/blocking answers with what blocking_model said."""
    text = "  The harbour "
    blocking_model.answers[text] = "No  boat, and a Capital."
    reply = client.post("/predict/blocking", json={"text": text})
    crash = crash_of(client)
    assert not slow_model.calls, expected(
        "blocking_model to be called for this request; slow_model was",
        next_step="Call blocking_model(request.text) in this endpoint, and not slow_model.",
    )
    no_text = (
        "Write `await` before asyncio.to_thread(…): it makes a coroutine, which is no text. In a `def` endpoint, "
        "blocking_model(request.text) alone is enough."
    )
    own = {
        **dict.fromkeys(NO_TEXT, no_text),
        **dict.fromkeys(
            NOT_AWAITABLE,
            "Take the `await` before blocking_model(…) away: blocking_model is not awaited, it returns the text itself.",
        ),
    }
    assert not crash, expected(NO_CRASH, next_step=cure(crash, own))
    assert len(blocking_model.calls) == 1, expected(
        f"blocking_model to be called once for this request; it was called {len(blocking_model.calls)} times",
        next_step="Call blocking_model(request.text) in this endpoint, once.",
    )
    stray = other_text(blocking_model, [text])
    assert stray is None, expected(
        f"blocking_model to be called with {text!r}, as it was sent; it was called with {stray!r}",
        next_step="Pass request.text to blocking_model as it is: no strip(), no lower(), and none in the field either.",
    )
    assert reply.status_code == 200, expected(
        "status 200", next_step="Return PredictionResponse(result=…); blocking_model is not awaited."
    )
    assert json_body(reply) == {"result": "No  boat, and a Capital."}, expected(
        'exactly {"result": "No  boat, and a Capital."}, which is what blocking_model returned',
        next_step="Return PredictionResponse(result=…) with the model's text as it is.",
    )


@task(
    "POST /predict/blocking",
    hints=[
        "TODO(2): look at the word before the function's name: def, or async def?",
        "FastAPI runs a `def` endpoint in a thread of its own. An `async def` endpoint runs on the event loop, where a blocking call stops everybody.",
        "def predict_blocking(request: PredictionRequest) -> PredictionResponse, without async",
    ],
)
def test_blocking_requests_overlap(client, at_once, blocking_model):
    """Eight blocking requests at once: at least four in flight."""
    blocking_model.hold(until=TOGETHER)
    at_once("/predict/blocking", single_bodies()).replies()
    assert blocking_model.calls, expected(
        "blocking_model to be called for each request; it was not called at all",
        next_step="Call blocking_model(request.text) in this endpoint.",
    )
    on_the_loop = any(call.loop is not None for call in blocking_model.calls)
    assert blocking_model.peak >= 4 or not on_the_loop, expected(
        f"at least 4 of {TOGETHER} calls in flight at the same time; here blocking_model holds the thread of the event loop",
        next_step="Declare this endpoint with `def` and not `async def`: FastAPI then calls it in a thread of its own.",
        came_back=counted(client, "blocking_model", blocking_model),
    )
    assert blocking_model.peak >= 4, expected(
        f"at least 4 of {TOGETHER} calls in flight at the same time",
        next_step="Let the threads run side by side: take out the lock, or give the pool more threads.",
        came_back=counted(client, "blocking_model", blocking_model),
    )


@task(
    "POST /predict/blocking",
    hints=[
        "TODO(2): while your endpoint runs, who is free to answer /health?",
        "The event loop starts every request, /health too. A blocking call in an `async def` holds the event loop.",
        "def predict_blocking(…), so that only a thread of the pool is held",
    ],
)
def test_health_answers_while_blocking_calls_run(client, at_once, slow_model, blocking_model):
    """GET /health answers while blocking calls are in flight."""
    blocking_model.hold(patience_ticks=45)
    burst = at_once("/predict/blocking", single_bodies())
    blocking_model.wait_for(TOGETHER)
    health = client.get("/health")
    meanwhile = not blocking_model.gave_up
    blocking_model.release()
    burst.replies()
    assert blocking_model.calls, expected(
        "blocking_model to be called for each request; it was not called at all",
        next_step="Call blocking_model(request.text) in the endpoint of /predict/blocking.",
    )
    on_the_loop = any(call.loop is not None for call in blocking_model.calls)
    assert meanwhile or not on_the_loop, expected(
        "an answer to /health while calls of blocking_model are in flight",
        next_step="Declare /predict/blocking with `def`, so that blocking_model holds a thread of the pool and not the event loop.",
        came_back="an answer to /health, but only after the calls had ended",
    )
    assert len(blocking_model.calls) <= TOGETHER and not slow_model.calls, expected(
        "an answer to /health that asks no model; here a model was called for it, and takes as long as for everybody else",
        next_step='Leave the health check as the starter has it: async def, and return {"status": "ok"}.',
        came_back="an answer to /health, and a call of a model for it",
    )
    assert meanwhile, expected(
        "an answer to /health while calls of blocking_model are in flight",
        next_step="Keep /health an `async def`, as the starter has it: a `def` needs a thread as well, and all of them may be held.",
        came_back="an answer to /health, but only after the calls had ended",
    )
    assert health.status_code == 200, expected(
        "status 200 from /health", next_step="Leave the health check as the starter has it."
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(3) and TODO(4): `texts` comes in, `results` goes out, one for each text, also when a text comes twice.",
        "`async with asyncio.TaskGroup() as group:` starts a call with group.create_task(slow_model(text)), and its block ends when "
        "all have ended. Below the block, task.result() is what the call returned.",
        "In the block: tasks = [group.create_task(slow_model(text)) for text in request.texts]. Below it: return "
        "BatchResponse(results=[task.result() for task in tasks])",
    ],
)
def test_batch_has_one_result_for_each_text(client, slow_model, blocking_model):
    """A batch gets one result for each text."""
    sent = ["  North ", "South", "  North "]
    slow_model.answers = {"  North ": "Snow", "South": "Sun"}
    reply = client.post("/predict/batch", json={"texts": sent})
    assert not blocking_model.calls, expected(
        "slow_model to be awaited for each text; blocking_model was called",
        next_step="Write `await slow_model(text)` in the batch. blocking_model belongs to /predict/blocking.",
    )
    crash = crash_of(client)
    no_texts = (
        "Put into `results` what each call returned: task.result() of each task, read below the task group, or what "
        "`await asyncio.gather(…)` gives you. A task or a coroutine is no text."
    )
    assert not crash, expected(NO_CRASH, next_step=cure(crash, dict.fromkeys(NO_TEXT, no_texts)))
    assert len(slow_model.calls) == 3, expected(
        f"slow_model to be awaited once for each of the 3 texts; it ran {len(slow_model.calls)} times",
        next_step="Make one call of slow_model for each item of request.texts, also when a text comes twice, and await all of them.",
    )
    stray = other_text(slow_model, sent)
    assert stray is None, expected(
        f"slow_model to be called with each text as it was sent; it was called with {stray!r}",
        next_step="Pass each text of request.texts to slow_model as it is: no strip(), no lower(), and none in the field either.",
    )
    assert reply.status_code == 200, expected(
        "status 200",
        next_step="Wait for all calls, then return BatchResponse(results=…) with what each of them returned.",
    )
    assert json_body(reply) == {"results": ["Snow", "Sun", "Snow"]}, expected(
        'exactly {"results": ["Snow", "Sun", "Snow"]}',
        next_step="Put what slow_model returned for each text into the list `results`: an item for each text.",
    )
    client.post("/predict/batch", json={"texts": ["South"]})
    assert len(slow_model.calls) == 4, expected(
        "slow_model to be awaited again for a text that an earlier batch had; the answer came out of a memory",
        next_step="Ask slow_model for every text of every batch, and keep no answers: no dict in the module, no lru_cache.",
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(3): look at the field `texts`.",
        "min_length and max_length count the items of a list, as they count the characters of a string.",
        "texts: Annotated[list[Text], Field(min_length=1, max_length=20)]",
    ],
)
def test_empty_batch_is_refused(client, slow_model):
    """An empty batch is refused with 422; one text is enough."""
    reply = client.post("/predict/batch", json={"texts": []})
    assert reply.status_code == 422 and "body.texts" in error_locations(reply), expected(
        "status 422 that names `texts`: an empty list is no batch",
        next_step="Give `texts` a min_length of 1 with Field, on the list and not on the text in it: Annotated[list[Text], Field(…)].",
    )
    reply = client.post("/predict/batch", json={"texts": ["The only one"]})
    assert reply.status_code == 200, expected(
        "status 200: one text is a batch", next_step="Let min_length of `texts` be 1."
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(3): look at the field `texts`.",
        "max_length counts the items of a list. The limit belongs to the list, and not to the text in it.",
        "texts: Annotated[list[Text], Field(min_length=1, max_length=20)]",
    ],
)
def test_batch_of_twenty_one_is_refused(client, slow_model):
    """Twenty texts are accepted, twenty-one are refused with 422."""
    reply = client.post("/predict/batch", json={"texts": texts(21)})
    assert reply.status_code == 422 and "body.texts" in error_locations(reply), expected(
        "status 422 that names `texts`: 21 texts are one too many",
        next_step="Give `texts` a max_length of 20 with Field, on the list and not on the text in it.",
    )
    assert not slow_model.calls, expected(
        f"no call of slow_model for a batch that is refused; there were {len(slow_model.calls)}",
        next_step="Declare the limit on the field, so that your function never sees such a batch.",
    )
    reply = client.post("/predict/batch", json={"texts": texts(20)})
    assert reply.status_code == 200, expected(
        "status 200: 20 texts are allowed", next_step="Let max_length of `texts` be 20."
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(4): look at where you wait: for each call, or for all of them?",
        "`await` in a loop waits for one call before it starts the next. Make a task of each call first, then wait for all.",
        "async with asyncio.TaskGroup() as group: tasks = [group.create_task(…) for text in request.texts]",
    ],
)
def test_batch_calls_overlap(client, slow_model):
    """The calls of a batch overlap."""
    slow_model.hold(until=2)
    client.post("/predict/batch", json={"texts": texts(4)})
    assert slow_model.calls, expected(
        "slow_model to be awaited for each text; it was not called at all",
        next_step="Make a task for each text with group.create_task(…) in an asyncio.TaskGroup.",
    )
    assert slow_model.peak >= 2, expected(
        "at least 2 calls of one batch in flight at the same time",
        next_step="Start all calls before you wait for the first: an `await` in a loop, or a lock around it, makes them stand in line.",
        came_back=counted(client, "slow_model", slow_model),
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(4): look at what bounds the number of calls, and at where it is made.",
        "An asyncio.Semaphore lets that many through at a time. All tasks have to share one.",
        "places = asyncio.Semaphore(MOST_IN_FLIGHT) in the endpoint; in each task: async with places: return await slow_model(text)",
    ],
)
def test_batch_has_at_most_five_in_flight(client, slow_model):
    """At most five calls of a batch are in flight."""
    slow_model.hold(until=MOST_IN_FLIGHT)
    client.post("/predict/batch", json={"texts": texts(12)})
    crash = crash_of(client)
    assert not crash, expected(NO_CRASH, next_step=cure(crash))
    assert len(slow_model.calls) == 12, expected(
        f"slow_model to be awaited once for each of the 12 texts; it ran {len(slow_model.calls)} times",
        next_step="Make a call for every text, and let those beyond the fifth wait for a place.",
    )
    assert slow_model.peak <= MOST_IN_FLIGHT, expected(
        f"at most {MOST_IN_FLIGHT} calls of one batch in flight",
        next_step="Let all tasks of a batch share one asyncio.Semaphore(MOST_IN_FLIGHT), and hold it around `await slow_model(text)`. "
        "A semaphore made inside each task bounds nothing.",
        came_back=counted(client, "slow_model", slow_model),
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(4): look at how you collect the results.",
        "Calls end in any order. The list of tasks that you made has the order of the texts.",
        "results=[task.result() for task in tasks], after the task group",
    ],
)
def test_batch_keeps_the_order(client, slow_model):
    """The results stand in the order of the texts."""
    slow_model.answers = {text: text.upper() for text in FIVE}
    slow_model.hold(until=MOST_IN_FLIGHT, last_first=True)
    reply = client.post("/predict/batch", json={"texts": FIVE})
    answer = json_body(reply)
    results = answer.get("results") if isinstance(answer, dict) else None
    assert isinstance(results, list) and len(results) == len(FIVE), expected(
        "a list `results` with one item for each of the 5 texts",
        next_step="Return BatchResponse(results=…) with what slow_model returned for each text.",
    )
    assert results == [text.upper() for text in FIVE], expected(
        "the results in the order of the texts, DELTA first, although the call that began last was answered first",
        next_step="Read the results from the list of tasks, or from asyncio.gather: both keep the order. "
        "as_completed and append() follow the order in which calls end.",
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(4): look for asyncio.run, new_event_loop, or a thread pool of your own.",
        "The endpoint is an `async def`, so it runs on the server's event loop already. Tasks made there run there.",
        "async def predict_batch(…), and in it: async with asyncio.TaskGroup() as group",
    ],
)
def test_batch_runs_on_the_servers_event_loop(client, slow_model, event_loop):
    """A batch is awaited on the server's own event loop."""
    client.post("/predict/batch", json={"texts": FIVE})
    assert slow_model.calls, expected(
        "slow_model to be awaited for each text; it was not called at all",
        next_step="Make a task for each text in an `async def` endpoint.",
    )
    elsewhere = {id(call.loop) for call in slow_model.calls if not event_loop.serves(call)}
    assert not elsewhere, expected(
        f"every call awaited on the one event loop of the server; other event loops that were made: {len(elsewhere)}",
        next_step="Let the endpoint be `async def` and await the tasks there, without asyncio.run.",
    )


@task(
    "POST /predict/batch",
    hints=[
        "Look for time.sleep in the batch, or in a function that it calls.",
        "The batch runs on the event loop. time.sleep holds that thread, so no other request moves, not even /health.",
        "Take time.sleep out: the semaphore is what paces the calls. Where a pause is really wanted: await asyncio.sleep(seconds)",
    ],
)
def test_a_batch_never_puts_the_event_loop_to_sleep(client, slow_model, event_loop):
    """Nothing in POST /predict/batch calls time.sleep on the loop."""
    client.post("/predict/batch", json={"texts": FIVE})
    assert slow_model.calls, expected(
        "slow_model to be awaited for each text; it was not called at all",
        next_step="Make a task for each text in an `async def` endpoint.",
    )
    assert event_loop.sleeps == 0, expected(
        "no time.sleep in the event loop's thread, where no other request can move meanwhile; calls of it in this "
        f"batch: {event_loop.sleeps}",
        next_step="Take time.sleep out, or write `await asyncio.sleep(…)` in its place. The semaphore paces the calls already.",
    )


@task(
    "POST /predict/batch",
    hints=[
        "Look at what lives outside the endpoint: a list or a dict of results that all batches write to.",
        "While one batch waits, another one runs, and both write into the same place.",
        "Make the list or the dict in the endpoint, or take the results from the tasks: [task.result() for task in tasks]",
    ],
)
def test_batches_at_once_keep_apart(client, at_once, slow_model):
    """Three batches at once each get the results of their own texts."""
    batches = [[f"{name} {number}" for number in range(size)] for name, size in SIZES.items()]
    slow_model.answers = {text: text.upper() for batch in batches for text in batch}
    slow_model.hold(until=sum(SIZES.values()))
    replies = at_once("/predict/batch", [{"texts": batch} for batch in batches]).replies()
    assert slow_model.calls, expected(
        "slow_model to be awaited for each text; it was not called at all",
        next_step="Make a task for each text in an `async def` endpoint.",
    )
    got = [
        answer.get("results") if isinstance(answer, dict) else answer for answer in map(json_body, replies)
    ]
    own = [  # in any order: that is for the check of the order
        isinstance(results, list) and sorted(results, key=str) == [text.upper() for text in batch]
        for batch, results in zip(batches, got, strict=True)
    ]
    assert all(own), expected(
        f"the results of its own texts for each of {len(SIZES)} batches at once; {own.count(False)} of {len(SIZES)} got others",
        next_step="Make what collects the results in the endpoint, and not in the module: while one batch waits, "
        "another one writes there.",
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(5): look at what happens when one call raises ModelError.",
        "A task group raises an ExceptionGroup that holds what failed. `except*` looks into it, a plain `except ModelError` does not.",
        'except* ModelError as failures: raise HTTPException(status_code=502, detail="The model failed") from failures',
    ],
)
def test_one_failure_makes_the_batch_a_502(client, slow_model):
    """One text that fails makes the whole batch a 502."""
    slow_model.failing = {"echo"}
    reply = client.post("/predict/batch", json={"texts": FIVE})
    asked = [call.text for call in slow_model.calls].count("echo")
    assert asked, expected(
        "slow_model to be awaited for each text; the one that fails was not among the calls",
        next_step="Make a call for every text of the batch.",
    )
    crash = crash_of(client)
    returned = (crash.startswith("ResponseValidationError") and "results: Field required" in crash) or (
        reply.is_success and '"status_code":502' in reply.text
    )
    assert not returned, expected(
        "status 502: slow_model raised ModelError for one of the five texts",
        next_step="Raise the HTTPException: raise HTTPException(…) in place of return HTTPException(…). "
        "What is returned is taken for a BatchResponse.",
    )
    assert reply.status_code != 200, expected(
        "status 502: slow_model raised ModelError for one of the five texts",
        next_step="Let the exception through to the place where you wait for all calls. Caught earlier, or with "
        "return_exceptions=True, it turns into a result.",
    )
    assert reply.status_code == 502 or "The model failed" not in reply.text, expected(
        "status 502, which says that a server behind yours failed",
        next_step="Change the status code to 502; all the rest is right.",
    )
    catch_group = (
        "Put the task group into a `try` with `except* ModelError`, and raise HTTPException(status_code=502, …) there: the group "
        "raises an ExceptionGroup, which a plain `except ModelError` does not catch."
    )
    own = {
        "ExceptionGroup with HTTPException": "Let ModelError out of the task, and raise HTTPException(status_code=502, …) where you "
        "wait for all calls, in `except* ModelError` around the task group: raised in a task, it is wrapped in a group too.",
        "ExceptionGroup with ModelError": catch_group,
        "ModelError: the model": "Raise HTTPException(status_code=502, …) in the `except` or `except*` block itself, around where you wait for all "
        "calls: below it, task.result() of a failed call raises ModelError again.",
    }
    assert reply.status_code == 502, expected(
        "status 502: slow_model raised ModelError for one of the five texts",
        next_step=cure(crash, own) if crash else catch_group,
    )
    assert json_body(reply) == {"detail": "The model failed"}, expected(
        'exactly {"detail": "The model failed"}',
        next_step='Raise HTTPException(status_code=502, detail="The model failed"), without the text of the exception.',
    )
    assert asked == 1, expected(
        f"one call of slow_model for each text, also for the one that fails; for that one there were {asked}",
        next_step="Take the second try out: the contract says one call for each text, and a model in trouble does not need twice the work.",
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(5): look at the other calls of the batch at the moment when one fails.",
        "asyncio.gather raises the first exception and lets the other calls run on. A task group cancels them and waits until they have ended.",
        "async with asyncio.TaskGroup() as group: …, and the `except* ModelError` around it",
    ],
)
def test_a_failed_batch_leaves_no_call_running(client, slow_model):
    """When the failure is told, no call of the batch is left running."""
    slow_model.failing = {"echo"}
    slow_model.hold()
    client.post("/predict/batch", json={"texts": FIVE})
    running = slow_model.in_flight
    slow_model.release()
    assert any(call.text == "echo" for call in slow_model.calls), expected(
        "slow_model to be awaited for each text; the one that fails was not among the calls",
        next_step="Make a call for every text of the batch.",
    )
    assert running == 0, expected(
        "no call of slow_model left running when the answer is there",
        next_step="Start the calls in an asyncio.TaskGroup, which cancels the others when one fails. "
        "asyncio.gather and asyncio.wait let them run on.",
        came_back=f"{client.exchanges[-1].came_back()}, with calls of slow_model still running: {running}",
    )


@task(
    "POST /predict/batch",
    hints=[
        "TODO(4) and TODO(5): look at who gives a place back when slow_model raises.",
        "A line after the call is skipped when the call raises. `async with` gives the place back in every case.",
        "async with places: return await slow_model(text)",
    ],
)
def test_a_failure_takes_nothing_from_later_batches(client, slow_model):
    """After a failed batch, the next one has as many in flight."""
    slow_model.failing = {"The one that fails"}
    slow_model.hold(until=MOST_IN_FLIGHT)
    client.post("/predict/batch", json={"texts": FIVE})
    before = slow_model.peak
    client.post("/predict/batch", json={"texts": ["The one that fails"]})
    slow_model.forget()
    slow_model.hold(until=MOST_IN_FLIGHT)
    reply = client.post("/predict/batch", json={"texts": FIVE})
    assert before and reply.status_code == 200, expected(
        "status 200 for a batch that follows a failed one, and slow_model awaited for it",
        next_step="Keep nothing of a failed batch in a module variable.",
    )
    assert slow_model.peak >= before, expected(
        f"as many calls in flight as before the failure, {before}",
        next_step="Give the place back when slow_model raises too: write `async with` and not acquire() and release().",
        came_back=counted(client, "slow_model", slow_model),
    )
