"""Lesson 3: the docs write themselves.

Each check reads what the app publishes at /openapi.json, the one document behind /docs, /redoc and every
client generator, or asks whether the service does what that document says and what it did in lesson 2.
The functions at the end find things in the document.
"""

import json
from difflib import get_close_matches

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict

from lessonkit import expected, json_body, task

REQUEST_FIELDS = ("text", "max_tokens", "temperature")
RESPONSE_FIELDS = ("result", "model", "tokens_used")
LIMITS = (
    ("text", "minLength", 1),
    ("text", "maxLength", 10000),
    ("max_tokens", "minimum", 1),
    ("max_tokens", "maximum", 4096),
    ("temperature", "minimum", 0),
    ("temperature", "maximum", 2),
)
SHOWN = 240
# What json_schema_extra may add to a model's schema; ITSELF is what Pydantic writes there.
ITSELF = {"type", "title", "description", "properties", "required", "additionalProperties"}
OTHERS = {"examples", "example", "deprecated", "default", "readOnly", "writeOnly", "externalDocs", "$comment"}
ARGUMENTS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
}
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@task(
    "GET /docs",
    hints=[
        "Look at the arguments of FastAPI(…).",
        "FastAPI serves /openapi.json, /docs and /redoc by itself, unless an argument switches them off or "
        "moves them.",
        "No openapi_url, docs_url, redoc_url and openapi_version in the code, no include_in_schema=False on "
        "/predict, and no app.openapi() above the functions",
    ],
    guard="FastAPI serves these pages from the first line on; the check fails when they are switched off.",
    in_schema=False,
)
def test_docs_are_served(client, main):
    """/openapi.json, /docs and /redoc are there."""
    schema = published(client)
    assert str(schema.get("openapi")).startswith("3.1"), expected(
        "a document of OpenAPI 3.1",
        came_back=f"200; the document says OpenAPI {schema.get('openapi')}",
        next_step="Leave the version of OpenAPI to FastAPI: take openapi_version out.",
    )
    shown = f"200; the docs show {', '.join(schema['paths']) or 'no path at all'}"
    assert predict_operation(schema) or not would_be_documented(main.app), expected(
        "POST /predict in the docs: the app has it, and nothing hides it",
        came_back=shown,
        next_step="Your own openapi function leaves it out: let it start from get_openapi(…, routes=app.routes)."
        if "openapi" in vars(main.app)
        else "The document was made before /predict was there, and FastAPI keeps the first one. Take "
        "app.openapi() out, or call it below the last function.",
    )
    assert predict_operation(schema), expected(
        "POST /predict in the docs",
        came_back=shown,
        next_step="If the function is there, take include_in_schema=False away from it and from its router. "
        'If not, bring it back under @app.post("/predict").',
    )
    for page in ("/docs", "/redoc"):
        reply = client.get(page)
        assert reply.status_code == 200, expected(
            f"status 200 from {page}",
            next_step="Take docs_url and redoc_url out of FastAPI(…): they move a page, or switch it off with None.",
        )
        assert reply.headers.get("content-type", "").startswith("text/html"), expected(
            f"an HTML page at {page}", next_step=f"Leave the path {page} to FastAPI."
        )


@task(
    "GET /openapi.json",
    hints=[
        "TODO(1): look at FastAPI(…) near the top of the file.",
        "title and version are arguments of FastAPI; both are strings.",
        'FastAPI(title="Prediction API", version="1.0.0", …)',
    ],
    in_schema=False,
)
def test_api_has_title_and_version(client):
    """The docs are titled Prediction API, version 1.0.0."""
    info = as_dict(published(client).get("info"))
    assert info.get("title") == "Prediction API", expected(
        'the title "Prediction API"',
        came_back=f'200; the docs say "{info.get("title")}"',
        next_step='Write title="Prediction API" into FastAPI(…).',
    )
    assert info.get("version") == "1.0.0", expected(
        'the version "1.0.0"',
        came_back=f'200; the docs say "{info.get("version")}"',
        next_step='Write version="1.0.0" into FastAPI(…); it is the version of your API, not of FastAPI.',
    )


@task(
    "GET /openapi.json",
    hints=[
        "TODO(1): look at FastAPI(…) near the top of the file.",
        "A comment and the docstring of main.py stay in the file. What the docs show is an argument of FastAPI.",
        'FastAPI(…, description="What this service does, in a sentence.")',
    ],
    in_schema=False,
)
def test_api_has_a_description(client):
    """The docs say what the service is for."""
    info = as_dict(published(client).get("info"))
    assert is_text(info.get("description")), expected(
        "a description of the whole API",
        came_back=seen("info", info),
        next_step='Write description="…" into FastAPI(…). `summary` is another field, and a comment stays in '
        "the file.",
    )


@task(
    "GET /internal/metrics",
    hints=[
        "TODO(2): two things are asked for: the operation works, and the docs do not show it.",
        "A path is hidden by an argument of its decorator, which is about the schema.",
        '@app.get("/internal/metrics", include_in_schema=False) above a function that returns a dict',
    ],
    in_schema=False,
)
def test_metrics_work_and_stay_out_of_the_docs(client, main):
    """GET /internal/metrics works and is not in the docs."""
    # Stands before every check that predicts: the first request here finds no prediction made yet.
    reply = client.get("/internal/metrics", follow_redirects=False)
    assert reply.status_code != 404, expected(
        "status 200: the path is hidden from the docs, and still there",
        next_step=to_be_found(main.app),
    )
    assert reply.status_code != 405, expected(
        "status 200 for a GET",
        next_step="Register the path with @app.get: who looks at numbers sends no body.",
    )
    assert not reply.is_redirect, expected(
        "status 200 at exactly this path, and no redirect to another",
        next_step="Leave out the slash at the end of the path.",
    )
    assert reply.status_code == 200 or not reply.is_success, expected(
        "status 200, like every GET that works",
        next_step="Take status_code out of the decorator: 200 is the default, whatever the function returns.",
    )
    assert not (client.exchanges[-1].crash or "").startswith("ResponseValidationError"), expected(
        "status 200, and an answer that fits the function's return type",
        next_step="What the function returns does not fit what stands after its arrow, at the place that the error "
        "names. Change one of the two; a call needs its parentheses, process_time().",
    )
    assert reply.status_code == 200, expected(
        "status 200 for a plain GET, also before the first prediction",
        next_step="Mend the error that is named above; the numbers are asked for before the first prediction, too."
        if client.exchanges[-1].crash
        else "Let it need no parameter, no header and no earlier prediction.",
    )
    shown = [path for path in published(client)["paths"] if path.rstrip("/") == "/internal/metrics"]
    assert not shown, expected(
        "no /internal/metrics in the docs",
        came_back=f"200; the docs show {', '.join(published(client)['paths'])}",
        next_step="Add include_in_schema=False to its decorator, without quotes: 'False' in quotes is a string, "
        "and counts as true.",
    )
    client.post("/predict", json={"text": "A door", "max_tokens": 3})
    reply = client.get("/internal/metrics", follow_redirects=False)
    assert reply.status_code == 200, expected(
        "status 200 after a prediction, as before it",
        next_step="Look at what a prediction changes in the numbers that this path returns.",
    )


@task(
    "GET /health",
    hints=[
        "Look at the first function of the file.",
        "This lesson changes nothing about /health: the same path, the same answer.",
        '@app.get("/health") above a function that returns {"status": "ok"}',
    ],
    guard="The code that lesson 2 left behind answers this; the check fails when it is lost or changed.",
    in_schema=False,
)
def test_health_is_as_before(client):
    """GET /health answers as in lesson 2."""
    reply = client.get("/health")
    assert reply.status_code != 404, expected(
        'status 200 and {"status": "ok"}, as in lesson 2',
        next_step='Bring the function back under @app.get("/health"): lesson 3 adds to the service and takes '
        "nothing away.",
    )
    assert reply.status_code == 200 and json_body(reply) == {"status": "ok"}, expected(
        'status 200 and exactly {"status": "ok"}, as in lesson 2',
        next_step='Let the function return {"status": "ok"} with status 200, as it did; the words in the docs are '
        "yours.",
    )


@task(
    "POST /predict",
    hints=[
        "Look at the parameters of predict.",
        "FastAPI describes a body from the type of a parameter. It cannot look into a function that reads the "
        "Request itself.",
        "def predict(request: PredictionRequest)",
    ],
    guard="The code that lesson 2 left behind declares the body's type; the check fails when it is lost.",
)
def test_request_body_is_documented(client):
    """The docs show the body of POST /predict."""
    schema = published(client)
    assert body_media(schema), expected(
        "a JSON body under POST /predict",
        came_back=seen("the parameters and body of POST /predict", parameters(schema)),
        next_step="Take the body as a parameter whose type is the model, request: PredictionRequest. What the "
        "function reads from a Request by itself, from the query or from a form, is no JSON body in the docs.",
    )
    body = body_media(schema).get("schema")
    shown = fields(schema, body)
    assert set(REQUEST_FIELDS) <= shown.keys(), expected(
        "a body with the fields text, max_tokens and temperature",
        came_back=f"200; the docs show a body with {', '.join(shown) or 'no fields'}",
        next_step="Let predict have one body parameter, of the type PredictionRequest, without embed: a second one "
        "moves the fields a level down, and a dict has no fields that FastAPI could know.",
    )
    assert is_named(body), expected(
        "the body's schema under the model's name, a `$ref`",
        came_back=f"200; it is written out on the spot: {cut(body)}",
        next_step="Let FastAPI take it from the parameter's type, and not from openapi_extra.",
    )
    asked = [
        one for one in map(as_dict, predict_operation(schema).get("parameters") or []) if one.get("required")
    ]
    assert not asked, expected(
        "a body, and nothing else that a caller must send",
        came_back="200; the docs also ask for "
        + ", ".join(f"`{one.get('name')}` in the {one.get('in')}" for one in asked),
        next_step="Take that parameter out of predict: lesson 2's callers do not send it, and get a 422.",
    )


@task(
    "POST /predict",
    hints=[
        "Look at the first line of predict, at what stands after the arrow.",
        "FastAPI describes the answer from the return type. dict and JSONResponse say nothing about fields.",
        "def predict(request: PredictionRequest) -> PredictionResponse:",
    ],
    guard="The code that lesson 2 left behind declares the return type; the check fails when it is lost.",
)
def test_answer_is_documented(client):
    """The docs show the answer of POST /predict."""
    schema = published(client)
    promised = [status for status in as_dict(predict_operation(schema).get("responses")) if status[:1] == "2"]
    assert "200" in promised or not promised, expected(
        "an answer with status 200",
        came_back=f"200; the docs show an answer with status {', '.join(promised)}",
        next_step="Take status_code out of the decorator: 200 is the default.",
    )
    answer = answer_media(schema).get("schema")
    shown = fields(schema, answer)
    assert not any(meaning.get("type") == "array" for meaning in meanings(schema, answer)), expected(
        "one object as the answer",
        came_back=f"200; the docs show a list: {cut(answer)}",
        next_step="Write -> PredictionResponse, without list[…] around it, and return one, without [ and ].",
    )
    assert set(RESPONSE_FIELDS) <= shown.keys(), expected(
        "an answer with the fields result, model and tokens_used",
        came_back=f"200; the docs show {', '.join(shown) or 'no fields'} in the answer: {cut(answer)}",
        next_step="Write the model after the arrow: def predict(…) -> PredictionResponse. With no return type, "
        "with dict or with a Response, the docs of the answer are empty. If the arrow is right, take "
        "response_model=None out of the decorator: it overrules the arrow.",
    )
    assert is_named(answer), expected(
        "the answer's schema under the model's name, a `$ref`",
        came_back=f"200; it is written out on the spot: {cut(answer)}",
        next_step="Let FastAPI take it from the return type, and not from openapi_extra or responses.",
    )


@task(
    "POST /predict",
    hints=[
        "Look at the limits of PredictionRequest.",
        "What Field knows, the docs show. A validator or an `if` refuses as well, but the docs cannot read it.",
        "Field(ge=1, le=4096) for max_tokens, Field(ge=0, le=2) for temperature, Field(min_length=1, "
        "max_length=10000) for text",
    ],
    guard="The code that lesson 2 left behind has the limits in Field; the check fails when they move.",
)
def test_limits_are_documented(client):
    """The docs show each limit of the request."""
    schema = published(client)
    shown = fields(schema, body_media(schema).get("schema"))
    for name, keyword, limit in LIMITS:
        written = [part for part in meanings(schema, shown.get(name)) if part.keys() & ARGUMENTS.keys()]
        listed = ", ".join(
            f"{word} {plain(part[word])}" for part in written for word in ARGUMENTS if word in part
        )
        assert limits_of(schema, shown.get(name)).get(keyword) == limit, expected(
            f"`{name}` with {keyword} {limit} in the docs",
            came_back=f"200; the docs show `{name}` with {listed or 'no limit'}",
            next_step=to_show(schema, shown, name, keyword, limit),
        )


@task(
    "POST /predict",
    hints=[
        "Look at where the limits of PredictionRequest come from.",
        "json_schema_extra changes what the docs say and nothing else. ge and le change both.",
        "Field(default=512, ge=1, le=4096), and nothing about limits in json_schema_extra",
    ],
    guard="The code that lesson 2 left behind keeps its limits; the check fails when the docs alone have them.",
)
def test_documented_limits_hold(client):
    """The limits in the docs are the limits that hold."""
    schema = published_or_empty(client)
    ends = {"text": ("x", "x" * 10000), "max_tokens": (1, 4096), "temperature": (0, 2)}
    beyond = {"text": ("", "x" * 10001), "max_tokens": (0, 4097), "temperature": (2.1, -0.1)}
    for name, values in beyond.items():
        for value in values:
            reply = client.post("/predict", json={"text": "A door", name: value})
            assert reply.status_code == 422, expected(
                f"status 422: this `{name}` is outside the limits that the docs are to show",
                next_step=to_refuse(
                    client, "Write the limit into Field(…), which refuses and documents at once."
                ),
            )
    for name, values in ends.items():
        for value in values:
            reply = client.post("/predict", json={"text": "A door", name: value})
            assert reply.status_code < 400, expected(
                f"status 200: this `{name}` is within the limits that the docs are to show",
                next_step=first_argument(schema)
                or (
                    "Mend the error that is named above: the limits let this request through, and predict breaks on it."
                    if client.exchanges[-1].crash
                    else "Let Field(…) alone set the limits, both ends included, and check nothing else."
                ),
            )


@task(
    "POST /predict",
    hints=[
        "Look at what you changed in PredictionRequest while you wrote docs: model_config, types, defaults.",
        "model_config is one name: a second model_config in the class replaces the first, and what it said is gone.",
        'One model_config = ConfigDict(extra="forbid", json_schema_extra=…), `text` without a default, and the '
        "types str, int and float",
    ],
    guard="The code that lesson 2 left behind refuses these; the check fails when the docs cost a rule.",
)
def test_bad_requests_are_refused_as_before(client):
    """What lesson 2 refuses is still refused."""
    schema = published_or_empty(client)
    reply = client.post("/predict", json={"text": "A door", "max_token": 5})
    assert reply.status_code == 422, expected(
        "status 422, as in lesson 2: `max_token` is not a field",
        next_step=to_refuse(
            client,
            'Write extra="forbid" and the example into one ConfigDict(…): where model_config stands in the class '
            "twice, the second one replaces the first. Body parameters without a model refuse no key at all.",
        ),
    )
    reply = client.post("/predict", json={})
    assert reply.status_code == 422, expected(
        "status 422, as in lesson 2: `text` is required",
        next_step=to_refuse(
            client,
            first_argument(schema, "text") or "Give `text` no default: an example belongs to `examples`.",
        ),
    )
    for name, kind in (("text", "str"), ("max_tokens", "int"), ("temperature", "float")):
        reply = client.post("/predict", json={"text": "A door"} | {name: None})
        assert reply.status_code == 422, expected(
            f"status 422, as in lesson 2: null is no value of `{name}`",
            next_step=to_refuse(client, f"Let the type of `{name}` be {kind} alone, and not {kind} | None."),
        )
    reply = client.post("/predict", json={"text": "A door", "max_tokens": 12.5})
    assert reply.status_code == 422, expected(
        "status 422, as in lesson 2: 12.5 is not a whole number",
        next_step=to_refuse(client, "Let the type of `max_tokens` be int."),
    )
    reply = client.post("/predict", json={"text": "A door", "temperature": "nan"})
    assert reply.status_code == 422, expected(
        "status 422, as in lesson 2: nan is not a temperature",
        next_step=to_refuse(client, "Keep ge=0 and le=2 in the Field(…) of `temperature`; both refuse nan."),
    )


@task(
    "POST /predict",
    hints=[
        "Look at what you changed in predict and in PredictionRequest while you wrote docs.",
        "The defaults are 512 and 0.7, what was sent reaches run_model as it is, and tokens_used counts words.",
        "result = run_model(request.text, request.max_tokens, request.temperature), and len(result.split())",
    ],
    guard="The code that lesson 2 left behind answers like this; the check fails when the docs cost an answer.",
)
def test_good_requests_are_answered_as_before(client, model):
    """What lesson 2 accepts is still answered."""
    model.answer_with("that lets everybody in")
    reply = client.post("/predict", json={"text": " A door "})
    assert reply.status_code < 400, expected(
        "status 200, as in lesson 2: `text` alone is enough, and spaces count",
        next_step="Keep default=512 and default=0.7 in the two other fields; where the answer has `loc` and `msg`, "
        "they say what was refused.",
    )
    assert reply.status_code == 200, expected(
        "status 200, as in lesson 2",
        next_step="Leave the status code to FastAPI: take status_code out of the decorator.",
    )
    assert model.calls, expected(
        "an answer that the model gave, as in lesson 2; run_model was not called",
        next_step="Call run_model(request.text, request.max_tokens, request.temperature): a text of your own "
        "belongs to `examples`.",
    )
    call = model.calls[-1]
    assert call.text == " A door ", expected(
        "run_model to get the text ' A door ', as it was sent",
        came_back=shown_call(call),
        next_step="Pass request.text on, and strip nothing: no str_strip_whitespace in model_config.",
    )
    assert (call.max_tokens, call.temperature) == (512, 0.7), expected(
        "run_model(' A door ', 512, 0.7): these are the defaults of lesson 2",
        came_back=shown_call(call),
        next_step="Write default=512 for max_tokens and default=0.7 for temperature (another value to show belongs "
        "to `examples`), and pass request.max_tokens and request.temperature on.",
    )
    answer = {"result": "that lets everybody in", "model": "my-model-v1", "tokens_used": 4}
    told = json_body(reply)
    assert isinstance(told, dict), expected(
        "one JSON object, as in lesson 2",
        next_step="Write -> PredictionResponse, without list[…] around it, and return one, without [ and ].",
    )
    assert told.get("tokens_used") == 4, expected(
        "`tokens_used` to be 4, the number of words in `result`",
        next_step="Write tokens_used=len(result.split()): len(result) counts characters.",
    )
    assert told == answer, expected(
        f"exactly {json.dumps(answer)}",
        next_step="Return the model's text as `result`, MODEL_NAME as `model`, the number of words as "
        "`tokens_used`, and nothing else.",
    )
    reply = client.post("/predict", json={"text": "A door", "max_tokens": 3, "temperature": "0.5"})
    assert reply.status_code == 200, expected(
        'status 200, as in lesson 2: "0.5" reads as the number 0.5',
        next_step="Take strict=True out: a strict model refuses a number in quotes.",
    )
    call = model.calls[-1]
    assert (call.text, call.max_tokens, call.temperature) == ("A door", 3, 0.5), expected(
        "run_model('A door', 3, 0.5): the values that were sent",
        came_back=shown_call(call),
        next_step="Pass request.text, request.max_tokens and request.temperature on, in this order.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(3): look at model_config of PredictionRequest, and send your example yourself.",
        "A whole example belongs to the model: json_schema_extra adds to its schema, and `examples` is a list "
        "there.",
        'ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "…", "max_tokens": …, …}]})',
    ],
)
def test_published_examples_are_accepted(client, main):
    """The docs show a whole request, and the app accepts it."""
    schema = published(client)
    unknown = unknown_settings(main)
    body = body_media(schema).get("schema")
    examples = whole_examples(schema)
    parts = [name for name, field in fields(schema, body).items() if has_example(schema, field)]
    empty = [
        name for name, one in named_examples(schema).items() if not {"value", "externalValue"} & one.keys()
    ]
    assert not empty, expected(
        "a whole request in each named example",
        came_back=f"200; the example `{empty and empty[0]}` in openapi_examples has no `value`",
        next_step=f'Put the request under "value": openapi_examples={{"{empty and empty[0]}": {{"value": {{…}}}}}}.',
    )
    assert examples or not unknown, expected(
        "an example of the whole request",
        came_back=f"200; the docs show none, and model_config has {', '.join(unknown)}, which Pydantic does not know",
        next_step=f'Write json_schema_extra={{"examples": [{{…}}]}} in place of {unknown and unknown[0]}. Pydantic '
        "ignores a setting that it does not know."
        + (" schema_extra is Pydantic 1's word." if "schema_extra" in unknown else ""),
    )
    stray = stray_words(schema)
    assert examples or not stray, expected(
        "an example of the whole request, under the word `examples`",
        came_back=f"200; json_schema_extra wrote {', '.join(stray)} beside the fields, and no `examples`",
        next_step='Put the whole request one level down: json_schema_extra={"examples": [{…}]}.'
        if set(stray) & set(REQUEST_FIELDS)
        else f'Write "examples" for "{stray and stray[0]}": json_schema_extra={{"examples": [{{…}}]}}. Readers of the '
        "document look for this word.",
    )
    assert examples or not parts, expected(
        "an example of the whole request",
        came_back=f"200; the docs have one for single fields alone ({', '.join(parts)})",
        next_step="Put one object with all of it on the model: model_config = ConfigDict(…, "
        'json_schema_extra={"examples": [{…}]}).',
    )
    assert examples or not has_example(schema, answer_media(schema).get("schema")), expected(
        "an example of the whole request",
        came_back="200; the docs show an example of the answer, and none of the request",
        next_step='Write json_schema_extra={"examples": [{…}]} into the model_config of PredictionRequest. An '
        "example on PredictionResponse is one of the answer.",
    )
    assert examples, expected(
        "at least one example of the whole request",
        came_back="200; the docs show none",
        next_step='Add json_schema_extra={"examples": [{…}]} to the model_config of PredictionRequest, with a '
        "request that a reader can copy.",
    )
    for example in examples:
        assert isinstance(example, dict), expected(
            "each example to be an object",
            came_back=f"200; the docs show {example!r}",
            next_step="Write the example as a dict, {…}, and not as a text that holds JSON.",
        )
        assert not is_wrapped(example), expected(
            "each example to be a request as it is sent",
            came_back=f"200; the docs show {cut(example)}",
            next_step="Write the request itself into `examples`, without summary and value around it: these "
            "belong to openapi_examples.",
        )
        reply = client.post("/predict", json=example)
        assert reply.status_code < 400, expected(
            "status 200: this is an example from your docs, and people copy it",
            next_step="Mend the example: where the answer has `loc` and `msg`, they say what is wrong with it.",
        )
        assert reply.status_code == 200, expected(
            "status 200", next_step="Leave the status code to FastAPI: take status_code out of the decorator."
        )


@task(
    "POST /predict",
    hints=[
        "TODO(4): look at the three fields of PredictionRequest.",
        "Field takes a description beside the limits. A comment, or the docstring of the class, describes no "
        "field.",
        'text: str = Field(min_length=1, max_length=10000, description="The text that …")',
    ],
)
def test_request_fields_are_described(client):
    """Each field of the request has a description."""
    schema = published(client)
    silent = undescribed(schema, body_media(schema).get("schema"), REQUEST_FIELDS)
    assert not silent, expected(
        "a description of each field of the request",
        came_back=f"200; the docs have none for {', '.join(silent)}",
        next_step=first_argument(schema, *silent)
        or misspelt(schema, *silent)
        or 'Add description="…" to the Field(…) of each. A comment or a title is not one, and a string below the '
        "field is one only where model_config has use_attribute_docstrings=True.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(5): look at the three fields of PredictionResponse.",
        "A response model takes descriptions in the same way as a request model.",
        'tokens_used: int = Field(examples=[6], description="How many words …")',
    ],
)
def test_answer_fields_are_described(client):
    """Each field of the answer has a description."""
    schema = published(client)
    silent = undescribed(schema, answer_media(schema).get("schema"), RESPONSE_FIELDS)
    assert not silent, expected(
        "a description of each field of the answer",
        came_back=f"200; the docs have none for {', '.join(silent)}",
        next_step=first_argument(schema, *silent)
        or misspelt(schema, *silent)
        or 'Add description="…" to the Field(…) of each. A comment or a title is not one, and a string below the '
        "field is one only where model_config has use_attribute_docstrings=True.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(6): look at the decorator above predict.",
        "tags is an argument of the decorator: a list of strings, since an operation may have several.",
        '@app.post("/predict", tags=["predictions"])',
    ],
)
def test_predict_has_the_tag(client):
    """POST /predict has the tag predictions."""
    found = predict_operation(published(client)).get("tags") or []
    tags = [str(tag) for tag in found] if isinstance(found, list) else []
    assert "".join(tags) != "predictions" or len(tags) == 1, expected(
        "one tag, predictions",
        came_back=f"200; the docs show {len(tags)} tags, one for each letter",
        next_step='Write a list: tags=["predictions"]. A string is taken apart letter by letter.',
    )
    assert "predictions" in tags, expected(
        "the tag predictions on POST /predict",
        came_back=f"200; the docs show {', '.join(tags) or 'no tag'}",
        next_step='Add tags=["predictions"] to the decorator, in lower case. openapi_tags describes a tag and '
        "puts it on nothing.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(6): look at the first lines of the function predict.",
        "The docstring, a string that is the first statement of the function, is the operation's description.",
        'def predict(…) -> PredictionResponse:\n    """What it does, in a sentence or two."""',
    ],
)
def test_predict_says_what_it_does(client):
    """POST /predict says what it does."""
    operation = predict_operation(published(client))
    assert is_text(operation.get("summary")), expected(
        "a summary of POST /predict",
        came_back="200; the docs have none",
        next_step='Write a few words into summary="…" in the decorator, or take it out: FastAPI then makes one of '
        "the function's name.",
    )
    assert is_text(operation.get("description")), expected(
        "a description of POST /predict",
        came_back="200; the docs have none",
        next_step="Write a docstring: a string in triple quotes as the first statement of the function. A "
        "comment does not reach the docs.",
    )


@task(
    "POST /predict",
    hints=[
        "Look for operation_id and generate_unique_id_function, and for a function that is registered more than "
        "once.",
        "FastAPI makes an id from the function's name, the path and the method. One function for two methods "
        "gets the same id twice.",
        "No operation_id and no generate_unique_id_function in the code, and one decorator such as @app.post for "
        "each function",
    ],
    guard="FastAPI makes a new id for each function; the check fails when an id is given twice.",
)
def test_operation_ids_are_unique(client):
    """Each operation has an id of its own."""
    owners: dict[object, list[str]] = {}
    for path, item in published(client)["paths"].items():
        for method in METHODS:
            if method in item:
                owners.setdefault(item[method].get("operationId"), []).append(f"{method.upper()} {path}")
    assert None not in owners, expected(
        "an operation id for each operation",
        came_back=f"200; {', '.join(owners.get(None, []))} has none",
        next_step="Leave the ids to FastAPI: it makes one for each function.",
    )
    twice = {name: operations for name, operations in owners.items() if len(operations) > 1}
    assert not twice, expected(
        "an id of its own for each operation",
        came_back="200; "
        + "; ".join(f"`{name}` stands for {' and '.join(operations)}" for name, operations in twice.items()),
        next_step="Let FastAPI make the ids: take operation_id and generate_unique_id_function out, and write one "
        "function for each operation. api_route gives all its methods the same id.",
    )


# What the checks above find things with. A schema may stand behind a `$ref`, or be put together from parts.


def published(client) -> dict:
    """The document at /openapi.json."""
    reply = client.get("/openapi.json")
    assert reply.status_code == 200, expected(
        "status 200 and the OpenAPI document of your API",
        next_step="Take openapi_url out of FastAPI(…): the document belongs at /openapi.json, and /docs and "
        "/redoc are made from it.",
    )
    schema = json_body(reply)
    assert isinstance(schema, dict) and isinstance(schema.get("paths"), dict), expected(
        "an OpenAPI document with `paths`", next_step="Leave the path /openapi.json to FastAPI."
    )
    return schema


def published_or_empty(client) -> dict:
    """The document at /openapi.json for a check of something else, which fails for its own reasons alone."""
    schema = as_dict(json_body(client.get("/openapi.json")))
    return schema if isinstance(schema.get("paths"), dict) else {"paths": {}}


def would_be_documented(app) -> bool:
    """Whether the app's functions would put POST /predict into a document that is made now."""
    fresh = get_openapi(title=app.title, version=app.version, routes=app.routes)
    return bool(predict_operation(fresh))


def predict_operation(schema: dict) -> dict:
    return as_dict(as_dict(schema["paths"].get("/predict")).get("post"))


def body_media(schema: dict) -> dict:
    """The JSON body of POST /predict: its `schema` and maybe examples; empty when there is none."""
    return json_media(target(schema, predict_operation(schema).get("requestBody")))


def answer_media(schema: dict) -> dict:
    """The JSON answer of POST /predict with status 200; empty when there is none."""
    responses = as_dict(predict_operation(schema).get("responses"))
    return json_media(target(schema, responses.get("200")))


def parameters(schema: dict) -> dict:
    """What POST /predict takes, by the words of the document."""
    operation = predict_operation(schema)
    return {word: operation[word] for word in ("parameters", "requestBody") if word in operation}


def json_media(node: dict) -> dict:
    return as_dict(as_dict(node.get("content")).get("application/json"))


def target(schema: dict, node: object) -> dict:
    """The object itself, or what its `$ref` (`#/components/…`) points at; empty when there is none."""
    found = as_dict(node)
    for _ in range(10):
        reference = found.get("$ref")
        if not isinstance(reference, str):
            break
        place: object = schema
        for part in reference.removeprefix("#/").split("/"):
            place = as_dict(place).get(part.replace("~1", "/").replace("~0", "~"))
        found = as_dict(place)
    return found


def meanings(schema: dict, node: object, depth: int = 10) -> list[dict]:
    """A schema and all that it stands for: behind `$ref`, and the parts of allOf, anyOf and oneOf."""
    found = as_dict(node)
    if not found or depth == 0:
        return []
    parts = [part for kind in ("allOf", "anyOf", "oneOf") for part in found.get(kind, [])]
    if "$ref" in found:
        parts.append(target(schema, found))
    return [found, *(meaning for part in parts for meaning in meanings(schema, part, depth - 1))]


def is_named(node: object) -> bool:
    """Whether a schema is, or has among its alternatives, a `$ref`."""
    found = as_dict(node)
    parts = [part for kind in ("allOf", "anyOf", "oneOf") for part in found.get(kind, [])]
    return "$ref" in found or any(is_named(part) for part in parts)


def fields(schema: dict, node: object) -> dict[str, dict]:
    """The fields of an object's schema, by name."""
    found: dict[str, dict] = {}
    for meaning in meanings(schema, node):
        for name, field in as_dict(meaning.get("properties")).items():
            found.setdefault(name, as_dict(field))
    return found


def undescribed(schema: dict, node: object, names: tuple[str, ...]) -> list[str]:
    """Those of `names` that have no description."""
    shown = fields(schema, node)
    return [
        name
        for name in names
        if not any(is_text(meaning.get("description")) for meaning in meanings(schema, shown.get(name)))
    ]


def limits_of(schema: dict, field: object) -> dict[str, float]:
    """A field's limits, by keyword. For whole numbers, above 0 is at least 1 and below 4097 at most 4096."""
    parts = meanings(schema, field)
    whole = any(part.get("type") == "integer" for part in parts)
    found: dict[str, float] = {}
    for part in parts:
        for keyword in ARGUMENTS:
            if not isinstance(part.get(keyword), int | float):
                continue
            word, value = keyword, part[keyword]
            if whole and keyword.startswith("exclusive"):
                word = keyword.removeprefix("exclusive").lower()
                value += 1 if word == "minimum" else -1
            tightest = max if "min" in word.lower() else min
            found[word] = tightest(found.get(word, value), value)
    return found


def to_refuse(client, otherwise: str) -> str:
    """The next step for a request that was not refused with 422."""
    last = client.exchanges[-1]
    if (last.crash or "").startswith("ValidationError"):
        return "Let FastAPI fill the model: take the body as request: PredictionRequest, not as a dict or a Request."
    if last.status not in (200, 422) and '"loc"' in last.answer:
        return f"The fault is found, and answered with {last.status}: take out what turns FastAPI's 422 into that."
    return otherwise


def to_be_found(app) -> str:
    """The next step for GET /internal/metrics that nothing answers, by the paths that the app has."""
    paths = [path for route in app.routes if isinstance(path := getattr(route, "path", None), str)]
    near = get_close_matches("/internal/metrics", paths, n=1, cutoff=0.6)
    if near and near[0] != "/internal/metrics":
        return f'Is "{near[0]}" meant to be "/internal/metrics"? Your app has the first, and not the second.'
    return 'Write a function under @app.get("/internal/metrics", include_in_schema=False).'


def first_argument(schema: dict, *names: str) -> str:
    """The next step where a description became a default; empty where none did. Without names: of any field."""
    for media in (body_media(schema), answer_media(schema)):
        for name, field in fields(schema, media.get("schema")).items():
            said, parts = field.get("default"), meanings(schema, field)
            if not isinstance(said, str) or (names and name not in names):
                continue
            is_words = not any(part.get("type") == "string" for part in parts) or len(said.split()) > 2
            if is_words and not any(is_text(part.get("description")) for part in parts):
                lost = {
                    "max_tokens": ", and default=512 beside them",
                    "temperature": ", and default=0.7 beside them",
                }
                return (
                    f'The first argument of Field is the default: `{name}` has the default "{said}" now. Write '
                    f"description= in front of these words{lost.get(name, '')}."
                )
    return ""


def misspelt(schema: dict, *names: str) -> str:
    """The next step where a field's schema has a word that is nearly `description`; empty where none has."""
    for media in (body_media(schema), answer_media(schema)):
        for name, field in fields(schema, media.get("schema")).items():
            near = get_close_matches(
                "description", [word for word in field if word != "description"], n=1, cutoff=0.8
            )
            if near and name in names:
                return f"Write description for {near[0]} in the Field(…) of `{name}`."
    return ""


def unknown_settings(main) -> list[str]:
    """What stands in a model_config of the learner's models and is no setting of Pydantic's."""
    models = [one for one in vars(main).values() if isinstance(one, type) and issubclass(one, BaseModel)]
    found = [word for one in models for word in one.model_config if word not in ConfigDict.__annotations__]
    return list(dict.fromkeys(found))


def stray_words(schema: dict) -> list[str]:
    """The words in the schema of the body's model that neither Pydantic nor OpenAPI has a use for."""
    model = target(schema, body_media(schema).get("schema"))
    return [word for word in model if word not in ITSELF | OTHERS and not word.startswith(("x-", "$"))]


def shown_call(call) -> str:
    """A call of the model, as it is written in Python."""
    return f"run_model({call.text!r}, {call.max_tokens!r}, {call.temperature!r})"


def to_show(schema: dict, shown: dict[str, dict], name: str, keyword: str, limit: float) -> str:
    """The next step for a limit that the docs show with another value, or not at all."""
    right = f"{ARGUMENTS[keyword]}={limit}"
    exclusive = f"exclusive{keyword.capitalize()}"
    for part in meanings(schema, shown.get(name)):
        if keyword in part:
            wrong = f"{ARGUMENTS[keyword]}={plain(part[keyword])}"
            return f"The limit is there, with another value: write {right} for `{name}`, in place of {wrong}."
        if exclusive in part:
            wrong = f"{ARGUMENTS[exclusive]}={plain(part[exclusive])}"
            return (
                f"Write {right} for `{name}`, in place of {wrong}: ge and le let the end itself through, gt and "
                "lt do not."
            )
    return (
        f"Write {right} into the Field(…) of `{name}`. A limit in a validator or in the endpoint holds as well, "
        "and no reader of the docs sees it."
    )


def whole_examples(schema: dict) -> list:
    """Every example of the whole body: on its model, beside the `$ref`, or beside the schema."""
    media = body_media(schema)
    found = []
    for meaning in meanings(schema, media.get("schema")):
        found += meaning["examples"] if isinstance(meaning.get("examples"), list) else []
        found += [meaning["example"]] if "example" in meaning else []
    found += [one["value"] for one in named_examples(schema).values() if "value" in one]
    found += [media["example"]] if "example" in media else []
    return found


def named_examples(schema: dict) -> dict[str, dict]:
    """The examples beside the body's schema, which openapi_examples writes: each with a `value`, by name."""
    named = as_dict(body_media(schema).get("examples"))
    return {name: target(schema, one) for name, one in named.items()}


def is_wrapped(example: dict) -> bool:
    """Whether an example is an object of openapi_examples, with the request one level down."""
    return "value" in example and example.keys() <= {"summary", "description", "value"}


def has_example(schema: dict, field: object) -> bool:
    return any("examples" in part or "example" in part for part in meanings(schema, field))


def seen(place: str, value: object) -> str:
    """What a check found at a place of the document, for the line "Came back"."""
    return f"200; {place}: {cut(value) if value else 'none'}"


def cut(value: object) -> str:
    """A value as JSON, cut where it gets long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def plain(number: object) -> str:
    """2 for 2.0: a limit as one writes it."""
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def as_dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}
