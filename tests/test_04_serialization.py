"""Lesson 4: a response is a promise.

`store` is the given module beside main.py, emptied before and after each check. Checks put records into
it, and look at what reaches a caller.
"""

import json
import re
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from lessonkit import expected, json_body, task

ALONE = (
    "Return the record alone: `record, 201` is a tuple, and a tuple, a list or a text is no prediction. The status "
    "belongs in the decorator, as in status_code=201."
)
PUBLIC = {"id", "result", "model", "tokens_used"}
INTERNAL = ("cost_usd", "prompt_hash", "owner_email", "reviewer_email", "review_note")
RECORD = {
    "id": 4711,
    "result": "the door is open",
    "model": "my-model-v0",
    "tokens_used": 9,
    "cost_usd": 0.0125,
    "prompt_hash": "b5c1d7e9",
    "owner_email": "grace@example.com",
}
REVIEW = {"reviewer_email": "ruth@example.com", "review_note": "too cheap"}
ANY_DICT = "dict"  # among the promised models: a dict in a union, beside a model
DICT_IN_UNION = (
    "Let the response model be {wanted} alone: now it is a union, and the dict in it lets everything through, "
    "unfiltered and unchecked."
)
BAD = "lemon drizzle"  # stands where a number should
SECRETS = (
    "0.0125",
    "b5c1d7e9",
    "grace@example.com",
    "the door is open",
    "my-model-v0",
    BAD,
    "Traceback",
    *INTERNAL,
)


@pytest.fixture
def store(client, given):
    """The given store, empty before the check and after it."""
    try:
        module = given("store")
    except ModuleNotFoundError:
        raise AssertionError(
            expected(
                "the given file store.py beside main.py",
                next_step="Run uv run lesson start 4: it puts back what is missing and leaves your files alone.",
            )
        ) from None
    module.clear()
    yield module
    module.clear()


def differing(answer, wanted):
    """The public keys whose value is not the one that is wanted, in words."""
    wrong = [f"`{key}` to be {wanted[key]!r}" for key in wanted if answer.get(key) != wanted[key]]
    return " and ".join(wrong)


def as_text(answer, wanted):
    """The number that an answer holds as text, such as "4711"; None when it holds none."""
    return next((key for key in wanted if answer.get(key) == str(wanted[key]) != wanted[key]), None)


def numbers_as_text(answer, wanted, otherwise):
    """The next step where a number came as text; `otherwise` where none did."""
    key = as_text(answer, wanted) if isinstance(answer, dict) else None
    return (
        otherwise if key is None else f"Declare {key}: int in Prediction: it is a number, and text was sent."
    )


def takes_any_dict(schema):
    """Whether a schema is a union in which one member lets every object through."""
    if isinstance(schema, list):
        return any(takes_any_dict(one) for one in schema)
    if not isinstance(schema, dict):
        return False
    members = schema.get("anyOf", [])
    return any(
        "$ref" not in one and one.get("type", "object") == "object" for one in members
    ) or takes_any_dict(list(schema.values()))


def promised(client, method, path):
    """The models that the docs promise for a good answer, each with its fields; empty when they promise nothing.

    `path` is a pattern, because a path's parameter may have any name.
    """
    docs = json_body(client.get("/openapi.json"))
    operations = [
        item.get(method, {}) for one, item in docs.get("paths", {}).items() if re.fullmatch(path, one)
    ]
    answers = [operation.get("responses", {}) for operation in operations]
    good = [answer for one in answers for status, answer in one.items() if status.startswith("2")]
    models = re.findall(r"#/components/schemas/([^\"]+)", json.dumps(good))
    found = {model: set(docs["components"]["schemas"][model].get("properties", {})) for model in models}
    return found | {ANY_DICT: set()} if found and takes_any_dict(good) else found


def of_the_store(models):
    """Whether one of the models is the store's own Record, or its ReviewedRecord."""
    return any(re.search(r"(^|__)(Reviewed)?Record$", name) for name in models)


def declared(models, fields):
    """The first model that declares one of the fields, and those that it declares; None when none does."""
    for name, own in models.items():
        if own & set(fields):
            return name, ", ".join(field for field in fields if field in own)
    return None


def way_out(models, fields, wanted="Prediction"):
    """How fields got out that are not public, given what the docs promise."""
    if not models:
        return (
            f"Add response_model={wanted} to this decorator: without a model, what you return is sent whole."
        )
    if of_the_store(models):
        return (
            f"Add response_model={wanted} to this decorator: now the store's Record is the response model (a "
            "return type is one, when there is no other), and it promises its internal fields."
        )
    if ANY_DICT in models:
        return DICT_IN_UNION.format(wanted=wanted)
    found = declared(models, fields)
    if found:
        return f"Take {found[1]} out of {found[0]}: each field of the response model is sent."
    return (
        "Return the record itself. The docs promise the public keys alone, so the answer went around the response "
        "model: a JSONResponse is sent as it is, and so is any Response that you make."
    )


def left_out(models, missing, otherwise):
    """The next step where a key is missing; `otherwise` where no model declares it."""
    found = declared(models, missing)
    if not found:
        return otherwise
    return (
        f"{found[0]} declares {found[1]}, and it is left out on the way: take response_model_exclude_defaults, "
        "response_model_exclude_unset and the like out of the decorator, and return the record itself."
    )


def unchecked(models, field):
    """Why nothing stopped a broken record, given what the docs promise."""
    if not models:
        return (
            "Add response_model=Prediction to this decorator: without a model nothing checks what you return."
        )
    if of_the_store(models):
        return (
            "Add response_model=Prediction to this decorator: now the store's Record is the response model (a "
            "return type is one, when there is no other), and FastAPI does not check again what is a Record already."
        )
    if ANY_DICT in models:
        return DICT_IN_UNION.format(wanted="Prediction")
    return (
        f"Declare `{field}` in Prediction with its exact type (no None, no Any, no default), and return the record "
        "itself: nothing checks a JSONResponse, a Prediction from model_construct, or a value that you made up."
    )


def after_500(client, right, otherwise):
    """The next step after a 500, from what the exception says; `otherwise` where it tells no cause.

    `right` is what the function ought to return.
    """
    crash = client.exchanges[-1].crash or ""
    fault = re.match(r"ResponseValidationError: response((?:\.\w+)*): (.*)", crash)
    if not crash:
        return f"Return `{right}`; the 500 is one that your own code sends."
    if "the endpoint returned None" in crash:
        return f"Let the function end with: return {right}. A function without a return gives None."
    if crash.startswith("KeyError"):
        return (
            "Ask the store with store.get(prediction_id), where prediction_id is an int: it gives None for an id that "
            "is not there, and raises nothing."
        )
    if "latest() missing" in crash:
        return "Give `limit` to the store: store.latest(limit)."
    if crash.startswith("ValidationError") and "valid dictionary or instance" in crash:
        return f"Return `{right}` as it is: response_model makes the Prediction, from an object's attributes too."
    if "(store.py line" in crash:
        return "Look at what you give the store: text, result and model are strings, tokens_used is a whole number."
    if fault is None:
        return "Mend the line of yours that is named there." if " line " in crash else otherwise
    field = fault[1].rpartition(".")[2]
    if fault[2].startswith("Field required"):
        if field in PUBLIC:
            return (
                f"Return `{right}`: what is returned now has no `{field}`. The class Prediction is no record, nor is "
                "the request."
            )
        return (
            f"The response model asks for `{field}`, which no record has: let it be Prediction, with the fields id, "
            "result, model and tokens_used."
        )
    if field in PUBLIC and re.search("should (have at|be (greater|less)|match)", fault[2]):
        return (
            f"Take the limits of `{field}` out of Prediction: the contract names none, and an empty result of 0 words "
            "is a result."
        )
    if field in PUBLIC:
        return (
            f"Give `{field}` in Prediction the type that the contract names, and return a value of that type."
        )
    return otherwise


def broken(store, field, fault):
    """A record as an older version of the service may have left it."""

    class OldRecord(store.Record):
        def __repr__(self):
            return f"OldRecord({vars(self)})"  # the given one raises where a field is missing

    if fault == "is missing":
        record = object.__new__(OldRecord)
        vars(record).update({key: value for key, value in RECORD.items() if key != field})
        return record
    return store.Record(**RECORD | {field: None if fault == "is None" else BAD})


@task(
    "POST /predictions",
    hints=[
        "First give Prediction its four fields, TODO(1). Then TODO(2): look at the decorator above your function.",
        "A function that returns normally answers 200, unless its decorator names another status.",
        '@app.post("/predictions", status_code=201, response_model=Prediction)',
    ],
)
def test_creating_answers_201(client, store):
    """POST /predictions answers 201 Created."""
    reply = client.post("/predictions", json={"text": "The door is"})
    assert reply.status_code != 200, expected(
        "status 201: something new exists after this request",
        next_step="Add status_code=201 to the decorator; 200 is what it says without.",
    )
    assert reply.status_code != 422, expected(
        "status 201: `text` alone is a whole request",
        next_step="Take one body parameter, request: PredictionRequest, with the model as it was given.",
    )
    assert reply.status_code == 201, expected(
        "status 201 with the new prediction",
        next_step=after_500(client, "record", ALONE)
        if reply.status_code == 500
        else "Write status_code=201 in the decorator, and set no other status.",
    )


@task(
    "POST /predictions",
    hints=[
        "TODO(1) and TODO(2): look at the type that the answer is turned into.",
        "With response_model=Prediction FastAPI takes the fields of Prediction from what you return, and no others.",
        "class Prediction with id: int, result: str, model: str, tokens_used: int; and response_model=Prediction",
    ],
)
def test_created_prediction_has_the_public_keys(client, store):
    """A created prediction has exactly the public keys."""
    models = promised(client, "post", "/predictions")
    answer = json_body(client.post("/predictions", json={"text": "A queue in front"}))
    assert isinstance(answer, dict), expected(
        "a JSON object with the keys id, result, model and tokens_used",
        next_step=ALONE
        if isinstance(answer, list)
        else "Return the record that store.add gave you, with response_model=Prediction.",
    )
    leaked = [key for key in INTERNAL if key in answer]
    assert not leaked, expected(
        f"no internal field in the answer; there is {', '.join(leaked)}",
        next_step=way_out(models, leaked),
    )
    missing = PUBLIC - answer.keys()
    assert not missing, expected(
        f"the keys id, result, model and tokens_used; missing: {', '.join(sorted(missing))}",
        next_step=left_out(models, sorted(missing), "Give Prediction these four fields, and answer with it."),
    )
    extra = answer.keys() - PUBLIC
    assert not extra, expected(
        f"only the keys id, result, model and tokens_used; there is also {', '.join(sorted(extra))}",
        next_step="Take out of Prediction what the contract does not name.",
    )


@task(
    "POST /predictions",
    hints=[
        "TODO(2): look at the call of run_model, and at what becomes of its result.",
        "It is lesson 1 again: three arguments in, and the result with its number of words out.",
        "result = run_model(request.text, request.max_tokens, request.temperature); tokens_used=len(result.split())",
    ],
)
def test_prediction_comes_from_the_model(client, store, model):
    """The prediction is the model's, as in lesson 1."""
    spaced = " two  words\nor  four\n"  # what stands at the ends belongs to the result too
    model.answer_with(spaced)
    body = {"text": "Learn a Framework", "max_tokens": 7, "temperature": 0.25}
    answer = json_body(client.post("/predictions", json=body))
    calls = [(call.text, call.max_tokens, call.temperature) for call in model.calls]
    assert calls == [("Learn a Framework", 7, 0.25)], expected(
        f"one call, run_model('Learn a Framework', 7, 0.25); the calls were {calls}",
        next_step="Call run_model once, with the request's three fields, in this order.",
    )
    wanted = {"result": spaced, "model": "my-model-v1", "tokens_used": 4}
    assert isinstance(answer, dict) and not differing(answer, wanted), expected(
        differing(answer if isinstance(answer, dict) else {}, wanted),
        next_step=numbers_as_text(
            answer, wanted, "Give store.add the result unchanged, MODEL_NAME and len(result.split())."
        ),
    )
    model.answer_with("")
    reply = client.post("/predictions", json=body)
    assert reply.status_code < 300, expected(
        "an answer with status 201 here too: an empty result is a result, of 0 words",
        next_step=after_500(client, "record", ALONE)
        if reply.status_code == 500
        else "Answer with the record that store.add returned, whatever its result is.",
    )
    answer = json_body(reply)
    wanted = {"result": "", "tokens_used": 0}
    assert isinstance(answer, dict) and not differing(answer, wanted), expected(
        differing(answer if isinstance(answer, dict) else {}, wanted),
        next_step="Give store.add the result unchanged and len(result.split()), which is 0 for an empty text.",
    )
    long = " ".join(["long"] * 60)
    model.answer_with(long)
    answer = json_body(client.post("/predictions", json=body))
    result = answer.get("result") if isinstance(answer, dict) else None
    assert result == long, expected(
        f"the whole result, of {len(long)} characters; there are {len(result) if isinstance(result, str) else 'none'}",
        next_step="Give store.add the result as run_model returned it, and cut nothing off.",
    )


@task(
    "POST /predictions",
    hints=[
        "TODO(2): look at store.add in store.py.",
        "It stores a record, with an id of its own, and returns it. Call it once for each request.",
        "record = store.add(text=request.text, result=result, model=MODEL_NAME, tokens_used=len(result.split()))",
    ],
)
def test_prediction_is_stored(client, store):
    """A new prediction is stored, once."""
    answer = json_body(client.post("/predictions", json={"text": "The night train", "max_tokens": 5}))
    records = store.latest(100)
    assert len(records) == 1, expected(
        f"one record in the store after one request; there are {len(records)}",
        next_step="Call store.add in the endpoint, and answer with the record that it returns."
        if not records
        else "Call store.add once: it makes the record, stores it and returns it.",
    )
    record = records[0]
    wanted = {key: getattr(record, key, None) for key in sorted(PUBLIC)}
    assert isinstance(answer, dict) and not differing(answer, wanted), expected(
        f"the answer to show the record that was stored: {differing(answer if isinstance(answer, dict) else {}, wanted)}",
        next_step=numbers_as_text(
            answer, wanted, "Answer with the record that store.add returned, and with its id."
        ),
    )
    assert getattr(record, "prompt_hash", None) == store.hash_of("The night train"), expected(
        "the record's prompt_hash to be that of the request's text",
        next_step="Give request.text to store.add as `text`."
        if re.fullmatch("[0-9a-f]{16}", str(getattr(record, "prompt_hash", None)))
        else "Call store.add, and not store.keep: add makes the record, with its id, its cost and its hash. keep is for "
        "a record that exists already.",
    )
    client.post("/predictions", json={"text": "The morning train", "max_tokens": 5})
    records = store.latest(100)
    assert len(records) == 2 and record in records, expected(
        f"both records in the store after two requests; there are {len(records)}, and the first is "
        f"{'among them' if record in records else 'gone'}",
        next_step="Leave in the store what is there: no store.clear(), and no id of your own. store.add gives the next.",
    )


@task(
    "POST /predictions",
    hints=[
        "TODO(2): look at the headers of the answer.",
        "Besides the body, a parameter `response: Response` lets you set headers on the answer that FastAPI makes.",
        'response.headers["Location"] = f"/predictions/{record.id}"',
    ],
)
def test_location_is_the_new_address(client, store):
    """Location holds the new prediction's address."""
    reply = client.post("/predictions", json={"text": "The first"})
    location = reply.headers.get("location")
    assert location, expected(
        "a header Location with the address of the new prediction",
        next_step='Take a parameter response: Response and set response.headers["Location"] on that one; a Response '
        "that you make and do not return is never sent.",
    )
    answer = json_body(reply)
    number = answer.get("id") if isinstance(answer, dict) else None
    path = urlsplit(urljoin("http://testserver/predictions", location)).path
    assert path == f"/predictions/{number}", expected(
        f"Location to be /predictions/{number}; it is {location}",
        next_step='The f before the quote is missing: f"/predictions/{record.id}".'
        if "{" in unquote(location)
        else "Put the id of the record that store.add returned after /predictions/.",
    )


@task(
    "GET /predictions/{prediction_id}",
    hints=[
        "TODO(3): a name in braces in the path becomes a parameter of your function.",
        "Declare it as an int, ask the store for the record, and return it with response_model=Prediction.",
        '@app.get("/predictions/{prediction_id}", response_model=Prediction) above def read_prediction(prediction_id: int)',
    ],
)
def test_stored_prediction_is_read(client, store):
    """GET by id answers with the record's public values."""
    store.keep(store.Record(**RECORD | {"id": 4709}))
    store.keep(store.Record(**RECORD))
    store.keep(store.Record(**RECORD | {"id": 4712, "result": "another one"}))
    reply = client.get("/predictions/4711")
    assert reply.status_code != 404, expected(
        "status 200: the store holds a record with the id 4711",
        next_step='Declare the parameter as an int: store.get("4711") finds nothing, store.get(4711) does. '
        "Ask the given store, which is where records are.",
    )
    assert reply.status_code != 422, expected(
        "status 200: 4711 is a well-formed id",
        next_step="Give the parameter the name that stands in the path's braces: a parameter of another name is "
        "read from the query.",
    )
    assert reply.status_code == 200, expected(
        "status 200 with the prediction 4711",
        next_step=after_500(client, "record", ALONE)
        if reply.status_code == 500
        else "Return the record that store.get gave you, and let the response model have its four fields.",
    )
    answer = json_body(reply)
    assert not isinstance(answer, list), expected(
        "one JSON object, the prediction 4711",
        next_step=ALONE,
    )
    wanted = {key: RECORD[key] for key in ("id", "result", "model", "tokens_used")}
    assert isinstance(answer, dict) and not differing(answer, wanted), expected(
        differing(answer if isinstance(answer, dict) else {}, wanted),
        next_step=numbers_as_text(
            answer,
            wanted,
            "Take all four values from the record with that id, as they stand there: an older version of the "
            "service may have counted and named otherwise.",
        ),
    )
    store.keep(store.Record(**RECORD | {"id": 4713, "result": "", "tokens_used": 0}))
    reply = client.get("/predictions/4713")
    assert reply.status_code == 200, expected(
        "status 200 for 4713, whose record has an empty result: it is in the store",
        next_step=after_500(client, "record", ALONE)
        if reply.status_code == 500
        else "Answer 404 only when store.get returned None, and do not look at the result for that.",
    )
    for number in range(5000, 5150):
        store.keep(store.Record(**RECORD | {"id": number}))
    assert client.get("/predictions/4709").status_code == 200, expected(
        "status 200 for 4709 also when 150 newer predictions are in the store",
        next_step="Ask store.get(prediction_id), which finds every record; store.latest gives the newest alone.",
    )


@task(
    "GET /predictions/{prediction_id}",
    hints=[
        "TODO(3): look at what is sent besides the four public keys.",
        "A response model filters what you return. A Response object that you make yourself passes unfiltered.",
        'response_model=Prediction in the decorator, and "return record" in the function',
    ],
)
def test_read_prediction_has_the_public_keys(client, store):
    """A prediction that is read has exactly the public keys."""
    store.keep(store.Record(**RECORD))
    models = promised(client, "get", "/predictions/{.*}")
    answer = json_body(client.get("/predictions/4711"))
    keys = set(answer) if isinstance(answer, dict) else set()
    leaked = [key for key in INTERNAL if key in keys]
    assert not leaked, expected(
        f"no internal field in the answer; there is {', '.join(leaked)}",
        next_step=way_out(models, leaked),
    )
    assert keys == PUBLIC, expected(
        "exactly the keys id, result, model and tokens_used",
        next_step=left_out(
            models,
            sorted(PUBLIC - keys),
            "Answer with a Prediction that has these four fields and no others.",
        ),
    )


@task(
    "GET /predictions/{prediction_id}",
    hints=[
        "TODO(3): look at ReviewedRecord in store.py.",
        "A list of what to leave out misses the field that is added tomorrow. A list of what to send does not.",
        "response_model=Prediction names what is sent; use it in place of response_model_exclude or pop()",
    ],
)
def test_record_with_more_fields_is_filtered(client, store):
    """A record that carries more shows no more."""
    store.keep(store.ReviewedRecord(**RECORD, **REVIEW))
    models = promised(client, "get", "/predictions/{.*}")
    reply = client.get("/predictions/4711")
    assert reply.status_code == 200, expected(
        "status 200: a ReviewedRecord is a Record, with two fields more",
        next_step="Return the record through the response model; no test for its class is needed.",
    )
    answer = json_body(reply)
    keys = set(answer) if isinstance(answer, dict) else set()
    extra = keys - PUBLIC
    assert not extra, expected(
        f"exactly the public keys for a ReviewedRecord too; there is also {', '.join(sorted(extra))}",
        next_step=way_out(models, sorted(extra))
        if declared(models, extra)
        else "Name what is sent, with response_model=Prediction, and not what is left out.",
    )
    assert keys == PUBLIC, expected(
        "exactly the keys id, result, model and tokens_used for a ReviewedRecord",
        next_step="Answer with a Prediction that has these four fields.",
    )


@task(
    "GET /predictions/{prediction_id}",
    hints=[
        "TODO(3): look at what happens when store.get returns None.",
        "An HTTPException ends the request with its status, from wherever it is raised.",
        'if record is None: raise HTTPException(status_code=404, detail="Prediction not found")',
    ],
)
def test_unknown_id_is_404(client, store):
    """An unknown id is answered with 404."""
    reply = client.get("/predictions/999999")
    assert reply.status_code != 200, expected(
        "status 404: the store has no such record",
        next_step="Raise HTTPException(status_code=404, …). What is returned is sent as an answer, status 200: "
        "None, a tuple with 404 in it, even an HTTPException.",
    )
    assert reply.status_code != 500, expected(
        "status 404: the store has no such record, and store.get returned None",
        next_step=after_500(client, "record", "")
        if (client.exchanges[-1].crash or "").startswith("KeyError")
        else 'When it is None, raise HTTPException(status_code=404, detail="Prediction not found"), with the '
        "keyword raise: returned, None, a tuple or an HTTPException is no Prediction.",
    )
    assert reply.status_code == 404, expected(
        "status 404: the id is well formed, and there is no such record",
        next_step="Raise HTTPException with status_code=404 when store.get returns None.",
    )
    assert json_body(reply) == {"detail": "Prediction not found"}, expected(
        'exactly {"detail": "Prediction not found"}',
        next_step='Write detail="Prediction not found", letter by letter; FastAPI puts it under `detail` by itself.',
    )
    store.keep(store.Record(**RECORD))
    reply = client.get("/predictions/-4711")
    assert reply.status_code in (404, 422), expected(
        "status 404 for -4711: the store holds 4711, which is another id",
        next_step="Give store.get the id as it came.",
    )


@task(
    "GET /predictions/{prediction_id}",
    hints=[
        "TODO(3): look at the type of your function's parameter.",
        "FastAPI checks the part of the path against the parameter's type, as it does with a body.",
        "def read_prediction(prediction_id: int)",
    ],
)
def test_id_has_to_be_a_number(client, store):
    """An id that is not a number is refused with 422."""
    store.keep(store.Record(**RECORD))
    good = client.get("/predictions/4711")
    assert good.status_code == 200, expected(
        "status 200 for 4711, which is a number and in the store; abc comes after that",
        next_step="Answer for an id that exists first: prediction_id: int, and the record that store.get returns.",
    )
    reply = client.get("/predictions/abc")
    assert reply.status_code == 422, expected(
        "status 422: abc is no id",
        next_step="Declare the parameter as an int and leave the check to FastAPI: prediction_id: int.",
    )


@task(
    "GET /predictions/{prediction_id}",
    guard="An app that promises nothing yet names no internal field in its docs either.",
    hints=[
        "Look at /openapi.json: it names every field of every response model.",
        "response_model_exclude and response_model_include change what is sent, and not what the docs promise.",
        "Let Prediction, with its four fields, be the response model everywhere; not the store's Record",
    ],
)
def test_docs_name_no_internal_field(client):
    """The docs name no internal field."""
    reply = client.get("/openapi.json")
    named = [key for key in INTERNAL if f'"{key}"' in reply.text]
    docs = json_body(reply)
    schemas = docs.get("components", {}).get("schemas", {}) if isinstance(docs, dict) else {}
    models = {name: set(schema.get("properties", {})) for name, schema in schemas.items()}
    found = None if of_the_store(models) else declared(models, named)
    assert not named, expected(
        f"a schema that names public fields only; it names {', '.join(named)}",
        next_step=f"Take {found[1]} out of {found[0]}: the docs promise each field of a response model."
        if found
        else "Answer with a model of its own, response_model=Prediction. With Record as the response model, or "
        "as the return type and no response_model, the docs promise the internal fields to everyone.",
    )


@task(
    "GET /predictions/{prediction_id}",
    hints=[
        "TODO(1): look at the types in Prediction, and at what checks them.",
        "FastAPI checks a record against the response model. It does not check an object that is a Prediction "
        "already, nor a Response that you made yourself.",
        "result: str and tokens_used: int, response_model=Prediction, and return the record as the store gave it",
    ],
)
def test_broken_record_is_not_sent(client, store):
    """A record that breaks the promise is a 500."""
    models = promised(client, "get", "/predictions/{.*}")
    faults = [("result", "is None"), ("tokens_used", f"is {BAD!r}")]
    faults += [(field, "is missing") for field in ("tokens_used", "result", "model")]
    for field, fault in faults:
        store.keep(broken(store, field, fault))
        reply = client.get("/predictions/4711")
        assert reply.status_code != 200, expected(
            f"status 500: this record's `{field}` {fault}, which is not what was promised",
            next_step=unchecked(models, field),
        )
        assert reply.status_code == 500, expected(
            f"status 500: this record's `{field}` {fault}, and the fault is the server's own",
            next_step="Let the exception of the failed check pass; FastAPI answers 500 for it.",
        )


@task(
    "GET /predictions/{prediction_id}",
    hints=[
        "Look at FastAPI(…) and at what you wrote for exceptions: one of them tells the caller too much.",
        "Without debug and without a handler of your own, FastAPI answers 500 with a fixed text.",
        "app = FastAPI() without debug=True, and no str(error) in any answer",
    ],
)
def test_failure_shows_no_internals(client, store):
    """The 500 shows nothing of the record."""
    store.keep(broken(store, "result", "is None"))
    reply = client.get("/predictions/4711")
    assert reply.status_code == 500, expected(
        "status 500 for a record whose `result` is None",
        next_step="Let the response model check the record, and the exception pass.",
    )
    faults = [("result", "is None"), ("tokens_used", f"is {BAD!r}")]
    faults += [(field, "is missing") for field in ("tokens_used", "result", "model")]
    for field, fault in faults:
        store.keep(broken(store, field, fault))
        reply = client.get("/predictions/4711")
        if reply.status_code != 500:
            continue  # the check before this one is about the status
        shown = [text for text in SECRETS if text in reply.text]
        assert not shown, expected(
            f"a body that shows nothing of the record or the code, also when `{field}` {fault}; it holds "
            f"{', '.join(shown)}",
            next_step="Take debug=True out of FastAPI(…): it sends the traceback to everyone."
            if "Traceback" in shown
            else "Never send an exception or its text, such as str(error): it quotes the record. Let it pass.",
        )


@task(
    "GET /predictions/{prediction_id}",
    hints=[
        "Look for a line that takes something away from a record.",
        "vars(record) and record.__dict__ are the record itself, not a copy: pop() on them changes the store.",
        "Return the record, and let response_model=Prediction choose what is sent",
    ],
)
def test_reading_leaves_the_store_alone(client, store):
    """Reading a prediction takes nothing out of the store."""
    before = store.keep(store.Record(**RECORD))
    answer = json_body(client.get("/predictions/4711"))
    assert isinstance(answer, dict) and answer.get("id") == 4711, expected(
        "status 200 with the prediction 4711",
        next_step="Return the record that store.get gave you, through response_model=Prediction.",
    )
    now = store.get(4711)
    lost = [key for key, value in RECORD.items() if getattr(now, key, None) != value]
    assert now is before and not lost, expected(
        f"the stored record to be what it was; changed or gone: {', '.join(lost) or 'the record itself'}",
        next_step="Take nothing out of the record: vars(record) is no copy. A response model filters what is sent.",
    )


@task(
    "GET /predictions",
    hints=[
        "TODO(4): the path has no id now, and the answer is a list.",
        "The response model of a list is list[Prediction]; each item is filtered.",
        '@app.get("/predictions", response_model=list[Prediction]), and in the function: return store.latest(limit)',
    ],
)
def test_list_shows_public_keys_newest_first(client, store):
    """The list shows public keys only, the newest first."""
    for number in (31, 32, 33):
        store.keep(store.Record(**RECORD | {"id": number}))
    store.keep(store.ReviewedRecord(**RECORD | {"id": 34}, **REVIEW))
    models = promised(client, "get", "/predictions")
    reply = client.get("/predictions")
    assert reply.status_code != 422, expected(
        "status 200: `limit` may be left out",
        next_step="Give `limit` its default after an equals sign, = 20, outside of Annotated[…].",
    )
    assert reply.status_code == 200, expected(
        "status 200 with a list of four predictions",
        next_step=after_500(
            client,
            "store.latest(limit)",
            "Promise a list, response_model=list[Prediction], and return what store.latest gave you, alone.",
        )
        if reply.status_code == 500
        else "Answer with response_model=list[Prediction] and what store.latest gave you.",
    )
    answer = json_body(reply)
    assert isinstance(answer, list) and all(isinstance(item, dict) for item in answer), expected(
        "a JSON list of predictions, with nothing around it",
        next_step="Return what store.latest gave you, as the list that it is.",
    )
    extra = sorted({key for item in answer for key in item} - PUBLIC)
    assert not extra, expected(
        f"only the public keys in each item; there is also {', '.join(extra)}",
        next_step=way_out(models, extra, "list[Prediction]"),
    )
    missing = sorted({key for item in answer for key in PUBLIC - item.keys()})
    assert not missing, expected(
        f"all four public keys in each item; missing: {', '.join(missing)}",
        next_step=left_out(
            models, missing, "Answer with list[Prediction], where Prediction has the four public fields."
        ),
    )
    ids = [item["id"] for item in answer]
    assert ids == [34, 33, 32, 31], expected(
        f"the ids 34, 33, 32, 31 in this order, the newest first; they are {ids}",
        next_step="Keep the order and the number of what store.latest gives you.",
    )


@task(
    "GET /predictions",
    hints=[
        "TODO(4): look at what becomes of `limit`.",
        "A parameter of type int that is not in the path is read from the query. Its default stands after the equals sign.",
        "limit: Annotated[int, Query(ge=1, le=100)] = 20, and store.latest(limit)",
    ],
)
def test_list_is_no_longer_than_limit(client, store):
    """The list is at most `limit` long, and 20 by default."""
    for number in range(1, 76):
        store.keep(store.Record(**RECORD | {"id": number}))
    for path, wanted in (("/predictions?limit=3", 3), ("/predictions", 20), ("/predictions?limit=50", 50)):
        reply = client.get(path)
        assert reply.status_code == 200, expected(
            f"status 200 with a list of {wanted} predictions",
            next_step="Read `limit` from the query, with the default 20: limit: Annotated[int, Query(…)] = 20.",
        )
        answer = json_body(reply)
        ids = (
            [item.get("id") for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []
        )
        assert len(ids) == wanted, expected(
            f"a list of {wanted} of the 75 predictions in the store; it has {len(ids)}",
            next_step="Name the parameter `limit`, let its default be 20, and give it to store.latest.",
        )
        assert ids[0] == 75, expected(
            f"the newest prediction, 75, to be the first of {wanted}; the first is {ids[0]}",
            next_step="Give `limit` to store.latest, which begins with the newest.",
        )


@task(
    "GET /predictions",
    hints=[
        "TODO(4): look at the ends of `limit`.",
        "Query(…) takes the same limits as Field(…): ge is at least, le is at most.",
        "limit: Annotated[int, Query(ge=1, le=100)] = 20",
    ],
)
def test_limit_has_bounds(client, store):
    """`limit` is 1 to 100; one step outside is refused."""
    for number in (1, 2):
        store.keep(store.Record(**RECORD | {"id": number}))
    for value, wanted in ((1, 1), (100, 2)):
        reply = client.get(f"/predictions?limit={value}")
        answer = json_body(reply) if reply.status_code == 200 else None
        assert isinstance(answer, list) and len(answer) == wanted, expected(
            f"status 200 for limit={value}, which is just allowed, and a list of {wanted} (the store holds 2)",
            next_step="Use ge=1 and le=100, which include both ends; gt and lt do not.",
        )
    for value in (0, 101, -1):
        reply = client.get(f"/predictions?limit={value}")
        assert reply.status_code == 422, expected(
            f"status 422 for limit={value}: it is outside 1 to 100",
            next_step="Put both bounds into the parameter, Annotated[int, Query(ge=1, le=100)]: FastAPI refuses the "
            "rest. Cutting the number down in silence answers a question that nobody asked.",
        )


@task(
    "GET /predictions",
    hints=[
        "TODO(4): look at what you do when there is nothing.",
        "A list of nothing is a list. 404 is for one thing that was asked for by name and is not there.",
        "return store.latest(limit), with no test for an empty list",
    ],
)
def test_empty_store_is_an_empty_list(client, store):
    """With nothing stored, the list is empty."""
    reply = client.get("/predictions")
    assert reply.status_code == 200 and json_body(reply) == [], expected(
        "status 200 and an empty list, []",
        next_step="Return the store's list as it is, also when it is empty.",
    )
