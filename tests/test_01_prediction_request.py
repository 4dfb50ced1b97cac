"""Lesson 1: a function behind HTTP.

Each check sends a request with FastAPI's TestClient and looks at what came back. `model` shows what
reached `run_model`, and can be told what to answer.
"""

from lessonkit import error_locations, expected, json_body, task

KEYS = {"result", "model", "tokens_used"}


def prediction(reply):
    """The reply's JSON object, once the reply is a 200 at all."""
    assert reply.status_code == 200, expected(
        "status 200, as for every request with a text",
        next_step="Read what came back: it says what was refused, or which line failed.",
    )
    answer = json_body(reply)
    assert isinstance(answer, dict), expected(
        "a JSON object with the keys result, model and tokens_used",
        next_step="Return a PredictionResponse, and not the text alone.",
    )
    return answer


def shown(call):
    """A call of the model as it is written in Python."""
    return f"run_model({call.text!r}, {call.max_tokens!r}, {call.temperature!r})"


@task(
    "GET /health",
    hints=[
        "TODO(1): an endpoint is a function with a decorator above it that names the method and the path.",
        "The decorator for GET is @app.get(path). FastAPI turns a returned dict into JSON.",
        'Above a function write @app.get("/health"), and in it: return {"status": "ok"}',
    ],
)
def test_health_says_ok(client):
    """GET /health answers 200 with {"status": "ok"}."""
    reply = client.get("/health")
    assert reply.status_code == 200, expected(
        'status 200 and {"status": "ok"}', next_step="Let the function return a dict; 200 is the default."
    )
    answer = json_body(reply)
    assert answer is not None, expected(
        'exactly {"status": "ok"}',
        next_step="Return the dict: what a function prints is seen in the terminal only.",
    )
    assert answer == {"status": "ok"}, expected(
        'exactly {"status": "ok"}',
        next_step="Compare with what came back, letter by letter: a dict, with a colon between key and value, "
        "both in lower case.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(2) to TODO(4) belong together: two models, and a function with a decorator that uses them.",
        "One parameter whose type is a Pydantic model is read from the JSON body. Parameters of type str, int "
        "or float are read from the query (the part of a URL after ?) instead.",
        "In PredictionRequest: text: str and max_tokens: int = 512 and one more. Under "
        '@app.post("/predict"): def predict(request: PredictionRequest) -> PredictionResponse',
    ],
)
def test_text_alone_is_enough(client):
    """A body with nothing but text gets a prediction."""
    reply = client.post("/predict", json={"text": "The door is"})
    places = error_locations(reply)
    assert not any(place.startswith("query.") for place in places), expected(
        "the fields to be read from the JSON body, and not from the query",
        next_step="Declare one parameter whose type is the model: request: PredictionRequest.",
    )
    assert "body.text" not in places, expected(
        "`text` to be found in the JSON body, where it was sent",
        next_step="Let the body be a Pydantic model; Form() reads another kind of body.",
    )
    assert "body.request" not in places, expected(
        "the fields to stand in the body themselves, not under a key `request`",
        next_step="Let the model be the only body parameter, without Body(embed=True).",
    )
    assert reply.status_code != 422, expected(
        "status 200: only `text` is required",
        next_step="Give `max_tokens` and `temperature` a default after an equals sign. "
        "A type such as `int | None` alone does not make a field optional.",
    )
    assert reply.status_code != 500, expected(
        "status 200",
        next_step="Read what came back: it names the exception, and the line where there is one.",
    )
    assert reply.status_code == 200, expected(
        "status 200", next_step="Let the function return its answer and leave the status code to FastAPI."
    )
    answer = json_body(reply)
    assert isinstance(answer, dict) and isinstance(answer.get("result"), str), expected(
        "a JSON object with the model's text under `result`",
        next_step="Return a PredictionResponse, filled with what run_model gave you.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(3): look at what the endpoint returns.",
        "Return an object with exactly the fields of PredictionResponse; a return type of that model keeps all else out.",
        "return PredictionResponse(result=…, model=…, tokens_used=…)",
    ],
)
def test_answer_has_exactly_three_fields(client):
    """The answer has three fields and no more."""
    answer = prediction(client.post("/predict", json={"text": "A queue in front"}))
    missing = KEYS - answer.keys()
    assert not missing, expected(
        f"the keys result, model and tokens_used; missing: {', '.join(sorted(missing))}",
        next_step="Give PredictionResponse these three fields, spelled like that, and fill all of them.",
    )
    extra = answer.keys() - KEYS
    assert not extra, expected(
        f"only the keys result, model and tokens_used; there is also {', '.join(sorted(extra))}",
        next_step="A response is a promise: take out what the contract does not name.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(4): look at what you put into `result`.",
        "The answer's result is what run_model returned, whole and unchanged.",
        "result = run_model(…) and then PredictionResponse(result=result, …)",
    ],
)
def test_result_is_what_the_model_returned(client, model):
    """The result is the model's own text, unchanged."""
    told = "Two  spaces, a Capital, and more than a hundred characters, " + "so that nobody cuts it off. " * 4
    model.answer_with(told)
    answer = prediction(client.post("/predict", json={"text": "Say it as it is"}))
    assert model.calls, expected(
        "the given run_model to be called for this request",
        next_step="Call the imported run_model in the endpoint and return what it gives you; define none of your own.",
    )
    assert answer.get("result") == told, expected(
        "`result` to be what run_model returned, to the letter",
        next_step="Pass the model's text on as it is: no strip(), no other case, no cut, no second call.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(4): look at the field `model` of the answer.",
        "The name stands at the top of the file, in MODEL_NAME.",
        "PredictionResponse(…, model=MODEL_NAME, …)",
    ],
)
def test_answer_names_the_model(client):
    """The answer names the model: my-model-v1."""
    answer = prediction(client.post("/predict", json={"text": "Who are you"}))
    assert answer.get("model") == "my-model-v1", expected(
        '`model` to be "my-model-v1"', next_step="Fill the field `model` with MODEL_NAME."
    )


@task(
    "POST /predict",
    hints=[
        "TODO(4): look at how you count.",
        "len() of a string counts its characters. Split the string into words first.",
        "tokens_used=len(result.split())",
    ],
)
def test_tokens_used_counts_words(client, model):
    """tokens_used is the number of words of the result."""
    model.answer_with("one  two  two three\nfour")
    answer = prediction(client.post("/predict", json={"text": "Count the words"}))
    assert answer.get("tokens_used") == 5, expected(
        'the number 5 in `tokens_used`, for the result "one  two  two three\\nfour"',
        next_step="Count what result.split() gives, with no argument: split(' ') counts double spaces, "
        "len(result) counts characters.",
    )
    model.answer_with("")
    answer = prediction(client.post("/predict", json={"text": "Say nothing"}))
    assert answer.get("result") == "", expected(
        "an empty `result` when the model returns an empty text", next_step="Pass an empty text on as it is."
    )
    assert answer.get("tokens_used") == 0, expected(
        "`tokens_used` to be 0 when the model returns an empty text",
        next_step='Use len(result.split()) as it is: "".split() is empty, while "".split(" ") holds one item.',
    )


@task(
    "POST /predict",
    hints=[
        "TODO(4): look at the call of run_model.",
        "run_model takes text, max_tokens and temperature, in this order. Each comes from the request.",
        "run_model(request.text, request.max_tokens, request.temperature)",
    ],
)
def test_arguments_reach_the_model(client, model):
    """The three fields reach the model as they were sent."""
    reply = client.post(
        "/predict", json={"text": " Learn a Framework ", "max_tokens": 7, "temperature": 1.75}
    )
    assert reply.status_code != 422, expected(
        "status 200 for max_tokens 7 and temperature 1.75",
        next_step="Look at the types: max_tokens is an int, temperature a float.",
    )
    prediction(reply)
    assert model.calls, expected(
        "the given run_model to be called for this request",
        next_step="Call the imported run_model in the endpoint, with the request's three fields.",
    )
    call = model.calls[-1]
    wanted = "run_model(' Learn a Framework ', 7, 1.75)"
    assert call.text == " Learn a Framework ", expected(
        wanted, came_back=shown(call), next_step="Pass request.text first, as it is, spaces included."
    )
    assert call.max_tokens == 7, expected(
        wanted, came_back=shown(call), next_step="Pass request.max_tokens as the second argument, unchanged."
    )
    assert call.temperature == 1.75, expected(
        wanted, came_back=shown(call), next_step="Pass request.temperature as the third argument, unchanged."
    )


@task(
    "POST /predict",
    hints=[
        "TODO(4): look at what you do with the temperature before the call.",
        "0 counts as false in Python, so `request.temperature or 0.7` turns a 0 that was sent into 0.7.",
        "The model's default already stands in for a field that was left out: pass request.temperature as it is.",
    ],
)
def test_temperature_zero_stays_zero(client, model):
    """A temperature of 0 reaches the model as 0."""
    prediction(client.post("/predict", json={"text": "The lighthouse", "temperature": 0}))
    assert model.calls, expected(
        "the given run_model to be called for this request",
        next_step="Call the imported run_model in the endpoint.",
    )
    assert model.calls[-1].temperature == 0, expected(
        "run_model('The lighthouse', 512, 0)",
        came_back=shown(model.calls[-1]),
        next_step="Pass request.temperature on without `or`: 0 counts as false.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(2): look at the two fields with a default.",
        "A default stands after an equals sign, as in a function's parameters.",
        "max_tokens: int = 512 and temperature: float = 0.7",
    ],
)
def test_defaults_reach_the_model(client, model):
    """Left out, max_tokens is 512 and temperature is 0.7."""
    prediction(client.post("/predict", json={"text": "The night train"}))
    assert model.calls, expected(
        "the given run_model to be called for this request",
        next_step="Call the imported run_model in the endpoint.",
    )
    call = model.calls[-1]
    assert (call.max_tokens, call.temperature) == (512, 0.7), expected(
        "run_model('The night train', 512, 0.7)",
        came_back=shown(call),
        next_step="Set the defaults in PredictionRequest, keep nothing from an earlier request, and pass the fields "
        "on unchanged.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(2): look at the field `text`.",
        "A field without a default is required, and FastAPI answers 422 by itself when it is missing.",
        "text: str, with nothing after it, and no check of your own in the endpoint",
    ],
)
def test_missing_text_is_refused(client):
    """A body without text is refused with 422."""
    reply = client.post("/predict", json={})
    assert reply.status_code != 200, expected(
        "status 422: `text` is required", next_step="Declare `text: str` with no default."
    )
    assert reply.status_code == 422, expected(
        "status 422, which FastAPI sends by itself for a missing field",
        next_step="Declare `text: str` in the model, and take your own check or error handler for it away.",
    )
    assert "text" in reply.text, expected(
        "an answer that names the field `text`",
        next_step="Let FastAPI write the answer: its `loc` says which field is missing.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(2): look at the type of `temperature`.",
        "Pydantic checks each field against its type. A field of type Any, or a plain dict, is not checked.",
        "temperature: float = 0.7",
    ],
)
def test_temperature_has_to_be_a_number(client):
    """A temperature that is not a number is refused with 422."""
    reply = client.post("/predict", json={"text": "The weather", "temperature": "hot"})
    assert reply.status_code == 422, expected(
        "status 422: the word hot is not a number",
        next_step="Declare `temperature: float = 0.7`, and FastAPI refuses all else.",
    )
    assert "temperature" in reply.text, expected(
        "an answer that names the field `temperature`",
        next_step="Let FastAPI write the answer: its `loc` says which field is wrong.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(4): look at the decorator above predict.",
        "Each method has a decorator of its own. A path without one for GET answers 405 to GET.",
        'Only @app.post("/predict"), and no @app.get or api_route for that path',
    ],
)
def test_predict_answers_post_only(client):
    """Only POST is answered: GET /predict gets 405."""
    reply = client.get("/predict")
    assert reply.status_code == 405, expected(
        "status 405: /predict is there, and GET is not one of its methods",
        next_step="Register /predict for POST alone.",
    )


@task(
    "POST /predict",
    hints=[
        "Look at what lives outside the endpoint function: module variables, mutable defaults.",
        "A value that one request changes and the next one reads makes answers depend on who came before.",
        "Read every value from `request`, and keep nothing between two requests.",
    ],
)
def test_requests_do_not_influence_each_other(client, model):
    """What one request sent does not change the next one."""
    prediction(client.post("/predict", json={"text": "The same text", "max_tokens": 3, "temperature": 0}))
    model.forget()
    prediction(client.post("/predict", json={"text": "The same text"}))
    assert model.calls, expected(
        "run_model to be called for the second request as well",
        next_step="Keep no answers: the same text with other options is another request.",
    )
    call = model.calls[-1]
    assert (call.text, call.max_tokens, call.temperature) == ("The same text", 512, 0.7), expected(
        "run_model('The same text', 512, 0.7), after a request with max_tokens 3 and temperature 0",
        came_back=shown(call),
        next_step="Keep nothing from an earlier request: no module variable, no mutable default.",
    )


@task(
    "POST /predict",
    hints=[
        "Look at what lives outside the endpoint function, and is changed inside it.",
        "While one request waits, another may run and change a variable that both share.",
        "Let every value of a request live in the function: parameters and local variables.",
    ],
)
def test_requests_at_once_stay_apart(client, model, at_once):
    """Requests that arrive at the same time each get their own answer."""
    texts = ["An API is", "The kitchen of", "The night train", "A lighthouse answers"]
    replies = at_once("/predict", [{"text": text, "temperature": 0} for text in texts]).replies()
    results = {call.text: call.result for call in model.calls}
    for text, reply in zip(texts, replies, strict=True):
        answer = prediction(reply)
        assert text in results and answer.get("result") == results[text], expected(
            "each of four requests at once to be answered with what run_model returned for its own text",
            next_step="Keep what belongs to a request in parameters and local variables, nowhere else.",
        )
