"""Lesson 3: the docs write themselves.

Each check reads what the app publishes at /openapi.json, the one document behind /docs, /redoc and every
client generator. The functions at the end find things in it.
"""

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
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@task(
    "GET /docs",
    hints=[
        "Look at the arguments of FastAPI(…).",
        "FastAPI serves /openapi.json, /docs and /redoc by itself, unless an argument switches them off or "
        "moves them.",
        "No openapi_url, docs_url, redoc_url and openapi_version in the code, and no include_in_schema=False "
        "on /predict",
    ],
    guard="FastAPI serves these pages from the first line on; the check fails when they are switched off.",
    in_schema=False,
)
def test_docs_are_served(client):
    """/openapi.json, /docs and /redoc are there."""
    schema = published(client)
    assert str(schema.get("openapi")).startswith("3.1"), expected(
        f"a document of OpenAPI 3.1; yours says {schema.get('openapi')}",
        next_step="Leave the version of OpenAPI to FastAPI: take openapi_version out.",
    )
    assert "/predict" in schema["paths"] and "post" in schema["paths"]["/predict"], expected(
        f"POST /predict in the docs, which show {', '.join(schema['paths']) or 'no path at all'}",
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
        f'the title "Prediction API"; the docs say "{info.get("title")}"',
        next_step='Write title="Prediction API" into FastAPI(…).',
    )
    assert info.get("version") == "1.0.0", expected(
        f'the version "1.0.0"; the docs say "{info.get("version")}"',
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
        "a description of the whole API; the docs have none",
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
def test_metrics_work_and_stay_out_of_the_docs(client):
    """GET /internal/metrics works and is not in the docs."""
    # Stands before every check that predicts: the first request here finds no prediction made yet.
    reply = client.get("/internal/metrics", follow_redirects=False)
    assert reply.status_code != 404, expected(
        "status 200: the path is hidden from the docs, and still there",
        next_step='Write a function under @app.get("/internal/metrics", include_in_schema=False).',
    )
    assert reply.status_code != 405, expected(
        "status 200 for a GET",
        next_step="Register the path with @app.get: who looks at numbers sends no body.",
    )
    assert not reply.is_redirect, expected(
        "status 200 at exactly this path, and no redirect to another",
        next_step="Leave out the slash at the end of the path.",
    )
    assert reply.status_code == 200, expected(
        "status 200 for a plain GET, also before the first prediction",
        next_step="Let it need no parameter, no header and no earlier prediction.",
    )
    shown = [path for path in published(client)["paths"] if path.rstrip("/") == "/internal/metrics"]
    assert not shown, expected(
        "no /internal/metrics in the docs; it works, and they show it",
        next_step="Add include_in_schema=False to its decorator.",
    )
    client.post("/predict", json={"text": "A door", "max_tokens": 3})
    reply = client.get("/internal/metrics", follow_redirects=False)
    assert reply.status_code == 200, expected(
        "status 200 after a prediction, as before it",
        next_step="Look at what a prediction changes in the numbers that this path returns.",
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
        "a JSON body under POST /predict; the docs show none",
        next_step="Take the body as a parameter whose type is the model, request: PredictionRequest. What the "
        "function reads from a Request by itself, from the query or from a form, is no JSON body in the docs.",
    )
    body = body_media(schema).get("schema")
    shown = fields(schema, body)
    assert set(REQUEST_FIELDS) <= shown.keys(), expected(
        f"a body with the fields text, max_tokens and temperature; the docs show {', '.join(shown) or 'none'}",
        next_step="Let the one body parameter be of the type PredictionRequest, without embed: a dict has no "
        "fields that FastAPI could know.",
    )
    assert is_named(body), expected(
        "the body's schema under the model's name (a `$ref`); here it is written out on the spot",
        next_step="Let FastAPI take it from the parameter's type, and not from openapi_extra.",
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
        found = limits_of(schema, shown.get(name))
        listed = ", ".join(f"{word} {value:g}" for word, value in found.items()) or "no limit"
        assert found.get(keyword) == limit, expected(
            f"`{name}` with {keyword} {limit}; the docs show {listed}",
            next_step="Write the limit into Field(…), ge and le for numbers. A limit in a validator or in the "
            "endpoint holds as well, and no reader of the docs sees it.",
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
    ends = {"text": ("x", "x" * 10000), "max_tokens": (1, 4096), "temperature": (0, 2)}
    beyond = {"text": ("", "x" * 10001), "max_tokens": (0, 4097), "temperature": (2.1, -0.1)}
    for name, values in beyond.items():
        for value in values:
            reply = client.post("/predict", json={"text": "A door", name: value})
            assert reply.status_code == 422, expected(
                f"status 422: this `{name}` is outside the limits that the docs are to show",
                next_step="Write the limit into Field(…), which refuses and documents at once.",
            )
    for name, values in ends.items():
        for value in values:
            reply = client.post("/predict", json={"text": "A door", name: value})
            assert reply.status_code < 400, expected(
                f"status 200: this `{name}` is within the limits that the docs are to show",
                next_step="Let Field(…) alone set the limits, both ends included, and check nothing else.",
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
def test_published_examples_are_accepted(client):
    """The docs show a whole request, and the app accepts it."""
    schema = published(client)
    body = body_media(schema).get("schema")
    examples = whole_examples(schema)
    parts = [name for name, field in fields(schema, body).items() if has_example(schema, field)]
    assert examples or not parts, expected(
        f"an example of the whole request; the docs have one for single fields alone ({', '.join(parts)})",
        next_step="Put one object with all of it on the model: model_config = ConfigDict(…, "
        'json_schema_extra={"examples": [{…}]}).',
    )
    assert examples, expected(
        "at least one example of the whole request; the docs show none",
        next_step='Add json_schema_extra={"examples": [{…}]} to the model_config of PredictionRequest, with a '
        "request that a reader can copy. An example on PredictionResponse is one of the answer.",
    )
    for example in examples:
        assert isinstance(example, dict), expected(
            f"each example to be an object; the docs show {example!r}",
            next_step="Write the example as a dict, {…}, and not as a text that holds JSON.",
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
        f"a description of each field of the request; the docs have none for {', '.join(silent)}",
        next_step='Add description="…" to the Field(…) of each. A comment, a title, or a string below the '
        "field is not one.",
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
    answer = answer_media(schema).get("schema")
    shown = fields(schema, answer)
    assert set(RESPONSE_FIELDS) <= shown.keys(), expected(
        "an answer with status 200 and the fields result, model and tokens_used; the docs show "
        f"{', '.join(shown) or 'none'}",
        next_step="Write the model after the arrow: def predict(…) -> PredictionResponse. With no return type, "
        "with dict or with a Response, the docs of the answer are empty.",
    )
    assert is_named(answer), expected(
        "the answer's schema under the model's name (a `$ref`); here it is written out on the spot",
        next_step="Let FastAPI take it from the return type, and not from openapi_extra or responses.",
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
        f"a description of each field of the answer; the docs have none for {', '.join(silent)}",
        next_step='Add description="…" to the Field(…) of each. A comment, a title, or a string below the '
        "field is not one.",
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
        f"one tag, predictions; the docs show {len(tags)}, one for each letter",
        next_step='Write a list: tags=["predictions"]. A string is taken apart letter by letter.',
    )
    assert "predictions" in tags, expected(
        f"the tag predictions on POST /predict; the docs show {', '.join(tags) or 'no tag'}",
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
def test_predict_has_summary_and_description(client):
    """POST /predict has a summary and a description."""
    operation = predict_operation(published(client))
    assert is_text(operation.get("summary")), expected(
        "a summary of POST /predict", next_step='Add summary="…" to the decorator: a few words.'
    )
    assert is_text(operation.get("description")), expected(
        "a description of POST /predict; the docs have none",
        next_step="Write a docstring: a string in triple quotes as the first statement of the function. A "
        "comment does not reach the docs.",
    )


@task(
    "POST /predict",
    hints=[
        "Look for operation_id, and for a function that is registered more than once.",
        "FastAPI makes an id from the function's name, the path and the method. One function for two methods "
        "gets the same id twice.",
        "No operation_id in the code, and one decorator such as @app.post for each function",
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
        f"an operation id for {', '.join(owners.get(None, []))}",
        next_step="Leave the ids to FastAPI: it makes one for each function.",
    )
    twice = {name: operations for name, operations in owners.items() if len(operations) > 1}
    assert not twice, expected(
        "an id of its own for each operation; "
        + "; ".join(f"`{name}` stands for {' and '.join(operations)}" for name, operations in twice.items()),
        next_step="Let FastAPI make the ids (no operation_id), from one function for each operation: api_route "
        "gives all its methods the same id. Generated clients make a function's name of it.",
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


def predict_operation(schema: dict) -> dict:
    return as_dict(as_dict(schema["paths"].get("/predict")).get("post"))


def body_media(schema: dict) -> dict:
    """The JSON body of POST /predict: its `schema` and maybe examples; empty when there is none."""
    return json_media(target(schema, predict_operation(schema).get("requestBody")))


def answer_media(schema: dict) -> dict:
    """The JSON answer of POST /predict with status 200; empty when there is none."""
    responses = as_dict(predict_operation(schema).get("responses"))
    return json_media(target(schema, responses.get("200")))


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
        for keyword in (
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
        ):
            if keyword not in part:
                continue
            word, value = keyword, part[keyword]
            if whole and keyword.startswith("exclusive"):
                word = keyword.removeprefix("exclusive").lower()
                value += 1 if word == "minimum" else -1
            tightest = max if "min" in word.lower() else min
            found[word] = tightest(found.get(word, value), value)
    return found


def whole_examples(schema: dict) -> list:
    """Every example of the whole body: on its model, beside the `$ref`, or beside the schema."""
    media = body_media(schema)
    found = []
    for meaning in meanings(schema, media.get("schema")):
        found += meaning["examples"] if isinstance(meaning.get("examples"), list) else []
        found += [meaning["example"]] if "example" in meaning else []
    named = [target(schema, one) for one in as_dict(media.get("examples")).values()]
    found += [one["value"] for one in named if "value" in one]
    found += [media["example"]] if "example" in media else []
    return found


def has_example(schema: dict, field: object) -> bool:
    return any("examples" in part or "example" in part for part in meanings(schema, field))


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def as_dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}
