"""Lesson 2: you wrote no validation code.

Each limit is probed at its two ends and one step outside. `model` shows what reached `run_model`: a
request that is refused must never get that far. The checks that are green from the start come first.
"""

import json
import re
import unicodedata

from pydantic import ConfigDict

from lessonkit import error_locations, expected, json_body, task

INSIDE = {"text": "  The FIRST  door \n", "max_tokens": 37, "temperature": 0.25}
# U+212B is one character, and every Unicode normalisation makes another of it.
ENDS = (
    {"text": "\u212b", "max_tokens": 1, "temperature": 0},
    {"text": "The last door", "max_tokens": 4096, "temperature": 2},
    {"text": "The last door. " * 666},
)
KINDS = {
    "text": "Let `text` be a str of 1 to 10000 characters, and refuse and change nothing else in it.",
    "max_tokens": "Keep the type int for `max_tokens`, with ge=1 and le=4096 and no other limit: every whole number between is allowed.",
    "temperature": "Let `temperature` be a float with ge=0 and le=2 and no other limit: every number between is allowed.",
}
OWN_ANSWER = (
    "The fault is found, and its `loc` is lost on the way: take out your own exception handler or try/except. "
    "FastAPI's 422 has a list of errors under `detail`."
)


def names(reply, field):
    """Whether the list of errors of a 422 reply names `field`, at any depth of a `loc`."""
    return any(field in place.split(".") for place in error_locations(reply))


def location(field):
    """What a 422 has to hold."""
    return f'an error under `detail` whose `loc` names `{field}`, as ["body", "{field}"] does'


def shown(value):
    """A value as Python writes it in plain ASCII, unless that is long."""
    long = isinstance(value, str) and len(value) > 60
    return f"another text, of {len(value)} characters" if long else ascii(value)


def to_accept(client, reply, otherwise=None):
    """The next step for a request that keeps the contract and got no 200; what came back tells the cause."""
    last = client.exchanges[-1]
    crash, sent, places = last.crash or "", json.loads(last.body), error_locations(reply)
    if "FieldInfo(" in crash:
        return "Take away the comma at the end of the field: `Field(…),` is a tuple with a Field in it."
    if wrong_kind := re.search(r"Unable to apply constraint '(\w+)'", crash):
        if wrong_kind[1].endswith("_length"):
            return f"{wrong_kind[1]} is for strings, and stands in the Field of a number: a number's limits are ge and le."
        return f"{wrong_kind[1]} is for numbers, and stands in the Field of `text`: a string's length is min_length and max_length."
    for field in KINDS:
        if f"run_model takes {field} as" not in crash:
            continue
        if "got None" in crash and field in sent:
            return f"Let your validator of `{field}` return the value: without `return` it makes None of it."
        return KINDS[field]
    if crash:
        return "Mend what raised the exception: what came back names it, and the line where there is one."
    if 200 < reply.status_code < 300:
        return "Take status_code=… out of the decorator: FastAPI then answers 200."
    if any(place.startswith("query.") for place in places):
        return "Take the body as one model, request: PredictionRequest. Parameters of plain types are read from the query."
    for field in KINDS:
        if "extra_forbidden" in last.answer and f"body.{field}" in places:
            return f"The key is named `{field}`: give the field that name, and take its alias out."
    strange = [place for place in places if place.startswith("body.") and place.split(".")[1] not in KINDS]
    if strange:
        return (
            f"The three keys stand in the body themselves, and none is named `{strange[0].split('.')[1]}`: "
            "take out Body(embed=True), a second body parameter, or an alias."
        )
    refused = [field for field in KINDS if field in sent and names(reply, field)]
    return otherwise or (
        KINDS[refused[0]] if refused else "Look at what came back: it says what was refused."
    )


def to_pass_on(field, sent, reached):
    """The next step for a value that reached run_model as another one."""
    if field == "text":
        if unicodedata.normalize("NFKC", reached) == unicodedata.normalize("NFKC", sent):
            return "Take out unicodedata.normalize: it puts another character, which looks alike, in the place of yours."
        if reached.strip() == sent.strip():
            return "Take out what strips the text: strip(), or str_strip_whitespace in the model's configuration."
        if reached.split() == sent.split():
            return "Take out what rewrites the white space in the text, such as split() with join()."
        if reached.casefold() == sent.casefold():
            return "Take out what changes the text's case: lower(), upper(), or str_to_lower in the model's configuration."
        if sent.startswith(reached):
            return "Take out what cuts the text off: up to 10000 characters are allowed."
        return "Pass request.text on as it is: take out what changes it."
    if sent == 0 and reached == 0.7:
        return f"Pass request.{field} on without `or`: 0 counts as false."
    if reached == {"max_tokens": 512, "temperature": 0.7}[field]:
        return (
            f"Pass request.{field} to run_model: the default came in its place. Where you pass it already, "
            "take the field's alias out."
        )
    return f"Pass request.{field} on as it is: take out what changes it, such as int(), round(), min() or a validator."


def to_limit(main, field, otherwise):
    """`otherwise`, with the name in the field's Field that Pydantic does not know, where there is one."""
    for thing in list(vars(main).values()):
        fields = getattr(thing, "model_fields", None) if isinstance(thing, type) else None
        known = fields.get(field) if isinstance(fields, dict) else None
        extra = getattr(known, "json_schema_extra", None)
        names = (
            [name for name in extra if name not in ("example", "examples")] if isinstance(extra, dict) else []
        )
        if names:
            return (
                f"`{names[0]}` in the Field of `{field}` goes into the docs and limits nothing. {otherwise}"
            )
    return otherwise


def to_forbid(main):
    """The next step for a model that takes unknown keys; the configurations in the learner's module tell the cause."""
    things = [thing for thing in vars(main).values() if isinstance(thing, type)]
    found = {}
    for config in (getattr(thing, "model_config", None) for thing in things):
        found |= config if isinstance(config, dict) else {}
    unknown = [key for key in found if key not in ConfigDict.__annotations__]
    if unknown:
        return f"The key is named `extra`: a model's configuration knows no `{unknown[0]}`, and takes no notice of it."
    if found.get("extra") == "forbid":
        return (
            'extra="forbid" stands in a model: let it be in the model that the endpoint takes, and look for what '
            "removes the key before it."
        )
    if "extra" in found:
        return f'extra="{found["extra"]}" lets unknown keys through: choose the value that forbids them.'
    return "Let the configuration of PredictionRequest, model_config, forbid every key that is not a field."


def to_refuse(client, model, otherwise, field=None, main=None):
    """The next step for a request that was not refused with 422; what came back tells the cause."""
    last = client.exchanges[-1]
    crash = last.crash or ""
    if crash.startswith("ValidationError"):
        return "Let FastAPI fill the model: the endpoint's parameter is request: PredictionRequest, and not a dict."
    if crash.startswith("AssertionError"):
        return f"A failed assert in the endpoint is your server's error, and answers 500: take it out. {otherwise}"
    if crash.startswith(("TypeError: int()", "TypeError: float()")):
        return "Take out the int() or float() that runs before the field: it raises for null, which the field itself refuses."
    if "not JSON compliant" in crash:
        return (
            "Take out the validator that makes a float of the value before the field sees it: the field refuses the "
            "number nan, and the 422 repeats what it refused, but nan cannot be written as JSON."
        )
    if crash.startswith("ValueError") and "run_model takes" not in crash:
        return f"An exception of your own in the endpoint is your server's error, and answers 500: take it out. {otherwise}"
    if last.status != 422 and '"loc"' in last.answer:
        return f"The fault is found, and then answered with {last.status}: take out what turns FastAPI's 422 into that."
    if last.status == 400:
        return f"{otherwise} FastAPI then answers 422 by itself; take out your own check that answers 400."
    if last.status == 200 and field and model.calls:
        sent, reached = json.loads(last.body)[field], getattr(model.calls[-1], field)
        if reached != sent:
            return f"Do not replace a value, refuse it: `{field}` reached run_model as {shown(reached)}. {otherwise}"
    if last.status == 200 and "field_validator" in vars(main or object):
        return f"{otherwise} A validator of your own has to raise ValueError, and runs only with @field_validator above @classmethod."
    return otherwise


def to_name(reply, limit=None):
    """The next step for a 422 that does not name the field; `limit` is what to write where a limit may be missing."""
    if not error_locations(reply):
        if '"loc"' in reply.text:
            return "Put the list of errors under `detail`, or take out your own exception handler: FastAPI puts it there."
        if limit is None:
            return OWN_ANSWER
        return f"{limit} FastAPI then writes the 422, and its `loc` names the field; the one that you raise names none."
    first = "" if limit is None else f"{limit} "
    return f"{first}A check of the model as a whole does not say which field is at fault."


@task(
    "POST /predict",
    guard="lesson 1's endpoint passes the values on already, and limits must not change them",
    hints=[
        "Look at the way of a value, from the field to the call of run_model.",
        "A limit lets a value through or refuses it. Anything that makes another value of it is too much.",
        "run_model(request.text, request.max_tokens, request.temperature)",
    ],
)
def test_allowed_values_reach_the_model(client, model):
    """What is allowed reaches the model as it was sent."""
    for sent in (INSIDE, *ENDS):
        model.forget()
        reply = client.post("/predict", json=sent)
        if reply.status_code != 200 and sent in ENDS:
            continue  # whether the ends are allowed is what other checks ask
        assert reply.status_code == 200, expected(
            "status 200: all three values lie inside the limits", next_step=to_accept(client, reply)
        )
        assert model.calls, expected(
            "the given run_model to be called for this request",
            next_step="Let the endpoint call run_model, as in lesson 1.",
        )
        for field, value in sent.items():
            reached = getattr(model.calls[-1], field)
            assert reached == value, expected(
                f"`{field}` to reach run_model as it was sent: {shown(value)}",
                came_back=f"{reply.status_code}; `{field}` reached run_model as {shown(reached)}",
                next_step=to_pass_on(field, value, reached),
            )


@task(
    "POST /predict",
    guard="lesson 1's endpoint is where you start, and limits must not change it",
    hints=[
        "Look at what you did to the defaults while you added the limits.",
        "A limit does not make a field required, and a default does not replace a limit: a field may have both.",
        "max_tokens: int = Field(default=512, …) and temperature: float = Field(default=0.7, …)",
    ],
)
def test_text_alone_is_still_enough(client, model):
    """Text alone is enough; the defaults are 512 and 0.7."""
    reply = client.post("/predict", json={"text": "The door is"})
    assert reply.status_code == 200, expected(
        "status 200: only `text` is required",
        next_step=to_accept(
            client,
            reply,
            "Keep the defaults beside the limits: Field(default=512, …) and Field(default=0.7, …).",
        ),
    )
    assert model.calls, expected(
        "run_model('The door is', 512, 0.7), but the model was not called",
        next_step="Let the endpoint call run_model, as in lesson 1.",
    )
    call = model.calls[-1]
    assert (call.text, call.max_tokens, call.temperature) == ("The door is", 512, 0.7), expected(
        f"run_model('The door is', 512, 0.7); the call was "
        f"run_model({call.text!r}, {call.max_tokens!r}, {call.temperature!r})",
        next_step="Keep the defaults: 512 for max_tokens and 0.7 for temperature.",
    )


@task(
    "POST /predict",
    guard="lesson 1's answer is right already, and limits must not change it",
    hints=[
        "Look at PredictionResponse, and at what fills it.",
        "This lesson changes what is accepted; what is answered stays as it was.",
        "PredictionResponse(result=result, model=MODEL_NAME, tokens_used=len(result.split()))",
    ],
)
def test_answer_keeps_its_shape(client, model):
    """The answer is still that of lesson 1."""
    told = "One  door, two Doors "
    model.answer_with(told)
    wanted = {"result": told, "model": "my-model-v1", "tokens_used": 4}
    reply = client.post("/predict", json={"text": "How many doors"})
    assert reply.status_code == 200, expected(
        "status 200: only `text` is required",
        next_step=to_accept(client, reply, "Mend what the checks above tell."),
    )
    answer = json_body(reply)
    assert isinstance(answer, dict) and answer.keys() == wanted.keys(), expected(
        "an object with exactly the keys result, model and tokens_used",
        next_step="Let PredictionResponse have these three fields and no other, and return one.",
    )
    for field, how in {
        "result": "what run_model returned, unchanged",
        "model": "MODEL_NAME",
        "tokens_used": "the number of words, len(result.split())",
    }.items():
        assert answer[field] == wanted[field], expected(
            f"`{field}` to be {wanted[field]!r}", next_step=f"Fill `{field}` as in lesson 1: {how}."
        )


@task(
    "POST /predict",
    guard="lesson 1's field without a default refuses this already",
    hints=[
        "Look at the field `text`: is there a default now?",
        "A Field without default= is required. Field(default=None, …) and Field(default='', …) are not.",
        "text: str = Field(min_length=1, max_length=10000)",
    ],
)
def test_missing_text_is_refused(client, model):
    """A body without text is refused."""
    reply = client.post("/predict", json={})
    assert reply.status_code == 422, expected(
        "status 422: `text` is required",
        next_step=to_refuse(client, model, "Give `text` no default: neither default= nor a value after `=`."),
    )
    assert names(reply, "text"), expected(
        location("text"),
        next_step=to_name(reply),
    )


@task(
    "POST /predict",
    guard="lesson 1's type str refuses numbers and lists already",
    hints=[
        "Look at the type of text, and at the model's configuration.",
        "A str field makes no text of a number or a list, unless something tells it to.",
        "text: str = Field(min_length=1, max_length=10000)",
    ],
)
def test_text_is_a_string(client, model):
    """A number or a list is no text."""
    for value, what in ((123, "a number"), (["The", "tide"], "a list")):
        reply = client.post("/predict", json={"text": value})
        assert reply.status_code == 422, expected(
            f"status 422: {what} is not a string",
            next_step=to_refuse(
                client,
                model,
                "Let the type of `text` be str alone, no union, and take coerce_numbers_to_str out of the model's configuration.",
                "text",
            ),
        )
        assert names(reply, "text"), expected(location("text"), next_step=to_name(reply))


@task(
    "POST /predict",
    guard="lesson 1's types refuse words where a number belongs already",
    hints=[
        "Look at the types of max_tokens and temperature.",
        "A limit comes on top of the type and does not replace it.",
        "max_tokens: int = Field(…) and temperature: float = Field(…)",
    ],
)
def test_words_are_not_numbers(client, model):
    """A word where a number belongs is refused."""
    for field, word, kind in (("temperature", "hot", "float"), ("max_tokens", "many", "int")):
        reply = client.post("/predict", json={"text": "The sea", field: word})
        assert reply.status_code == 422, expected(
            f"status 422: {word} is not a number",
            next_step=to_refuse(
                client,
                model,
                f"Keep the type {kind} in front of the limits, and let no validator put a number in the place of a word.",
                field,
            ),
        )
        assert names(reply, field), expected(location(field), next_step=to_name(reply))


@task(
    "POST /predict",
    guard="lesson 1's type int refuses fractions already",
    hints=[
        "Look at the type of max_tokens.",
        "An int field accepts whole numbers and refuses 12.5 rather than round it.",
        "max_tokens: int = Field(default=512, …)",
    ],
)
def test_max_tokens_is_a_whole_number(client, model):
    """A max_tokens of 12.5 is refused."""
    reply = client.post("/predict", json={"text": "The kitchen", "max_tokens": 12.5})
    assert reply.status_code == 422, expected(
        "status 422: 12.5 is not a whole number",
        next_step=to_refuse(
            client,
            model,
            "An int field refuses 12.5 by itself: keep that type, and take out int() and round(), in a validator too.",
            "max_tokens",
        ),
    )
    assert names(reply, "max_tokens"), expected(location("max_tokens"), next_step=to_name(reply))


@task(
    "POST /predict",
    guard="lesson 1's types refuse null already, and limits must keep it so",
    hints=[
        "Look at the types: does one of them allow None, which is null in JSON?",
        "int | None says that null is a value like any other, and limits are not asked about null.",
        "max_tokens: int = Field(default=512, …), and the same for temperature with float",
    ],
)
def test_null_is_refused(client, model):
    """null is refused in every field."""
    for field, kind, what in [
        ("max_tokens", "int", "a number"),
        ("temperature", "float", "a number"),
        ("text", "str", "a text"),
    ]:
        reply = client.post("/predict", json={"text": "The boats"} | {field: None})
        assert reply.status_code == 422, expected(
            f"status 422: null is not {what}",
            next_step=to_refuse(
                client,
                model,
                f"Let the type of `{field}` be {kind} alone, not Optional[{kind}] or {kind} | None: then null stops "
                "at the door. A caller who wants the default leaves the key out.",
                field,
            ),
        )
        assert names(reply, field), expected(location(field), next_step=to_name(reply))


@task(
    "POST /predict",
    guard="lesson 1's types take a number in quotes already",
    hints=[
        "Look for a strict setting, and at the type of temperature.",
        "By default a field reads a number out of a string. A strict model does not.",
        "ConfigDict(extra=…) without strict=True, and temperature: float",
    ],
)
def test_number_in_quotes_is_a_temperature(client, model):
    """A temperature of "0.5", in quotes, is accepted."""
    reply = client.post("/predict", json={"text": "The day train", "temperature": 0.5})
    assert reply.status_code == 200, expected(
        "status 200: 0.5 lies between 0 and 2",
        next_step=to_accept(client, reply),
    )
    model.forget()
    reply = client.post("/predict", json={"text": "The night train", "temperature": "0.5"})
    assert reply.status_code == 200, expected(
        'status 200: "0.5" reads as the number 0.5',
        next_step="Take strict=True out: a strict field refuses a number in quotes, which this contract accepts.",
    )
    assert model.calls and model.calls[-1].temperature == 0.5, expected(
        "run_model to get the number 0.5",
        next_step="Pass request.temperature on; the field has made a number of it.",
    )


@task(
    "POST /predict",
    hints=[
        "TODO(1): a model ignores unknown keys unless its model_config says otherwise. Which of the two models is meant?",
        "model_config is a ConfigDict, and the setting is called extra; one of its values forbids.",
        'In PredictionRequest: model_config = ConfigDict(extra="forbid")',
    ],
)
def test_unknown_keys_are_refused(client, model, main):
    """A key that is not in the contract is refused."""
    reply = client.post("/predict", json={"text": "A queue"})
    assert reply.status_code == 200, expected(
        "status 200: `text` is a key of the contract",
        next_step="Keep the field `text`, and read it from the body.",
    )
    reply = client.post("/predict", json={"text": "A queue", "max_token": 5})
    assert reply.status_code == 422, expected(
        "status 422: `max_token` is not a field, and whoever misspells a key wants to know",
        next_step=to_refuse(
            client,
            model,
            to_forbid(main),
        ),
    )


@task(
    "POST /predict",
    hints=[
        "TODO(2): the Field of `text` takes limits. In the notebook, the name of a booking has two.",
        "A string's least length is called min_length. Write it as a keyword: name=number.",
        "text: str = Field(min_length=1, …)",
    ],
)
def test_text_has_at_least_1_character(client, model, main):
    """text has at least 1 character."""
    reply = client.post("/predict", json={"text": "a"})
    assert reply.status_code == 200, expected(
        "status 200: one character is enough",
        next_step=to_accept(client, reply, "Lower the least length: a text of 1 character is long enough."),
    )
    reply = client.post("/predict", json={"text": " "})
    assert reply.status_code == 200, expected(
        "status 200: a space is a character too",
        next_step=to_accept(
            client,
            reply,
            "Count the characters as they come, and strip nothing: a limit in the Field does that.",
        ),
    )
    reply = client.post("/predict", json={"text": ""})
    assert reply.status_code == 422, expected(
        "status 422: an empty text gives the model nothing to continue",
        next_step=to_refuse(
            client,
            model,
            to_limit(
                main,
                "text",
                "Give `text` a least length of 1 character, in its Field in the model that the endpoint takes.",
            ),
            "text",
            main,
        ),
    )
    assert names(reply, "text"), expected(
        location("text"),
        next_step=to_name(
            reply,
            "Give `text` a least length of 1 character, in its Field in the model that the endpoint takes.",
        ),
    )


@task(
    "POST /predict",
    hints=[
        "TODO(2): the Field of `text` takes limits. In the notebook, the name of a booking has two.",
        "A string's greatest length is called max_length. It counts characters, not bytes or words.",
        "text: str = Field(…, max_length=10000)",
    ],
)
def test_text_has_at_most_10000_characters(client, model, main):
    """text has at most 10000 characters."""
    reply = client.post("/predict", json={"text": "a" * 10_000})
    assert reply.status_code == 200, expected(
        "status 200: 10000 characters are allowed",
        next_step=to_accept(
            client, reply, "Raise the greatest length: a text of exactly 10000 characters is allowed."
        ),
    )
    reply = client.post("/predict", json={"text": "é" * 10_000})
    assert reply.status_code == 200, expected(
        "status 200: these are 10000 characters, of two bytes each",
        next_step=to_accept(
            client, reply, "Count characters, as a limit in the Field does; encode() counts bytes."
        ),
    )
    reply = client.post("/predict", json={"text": "a" * 10_001})
    assert reply.status_code == 422, expected(
        "status 422: 10001 characters are one too many",
        next_step=to_refuse(
            client,
            model,
            to_limit(
                main,
                "text",
                "Give `text` a greatest length of 10000 characters, in its Field in the model that the endpoint takes.",
            ),
            "text",
            main,
        ),
    )
    assert names(reply, "text"), expected(
        location("text"),
        next_step=to_name(
            reply,
            "Give `text` a greatest length of 10000 characters, in its Field in the model that the endpoint takes.",
        ),
    )


@task(
    "POST /predict",
    hints=[
        "TODO(3): the Field of `max_tokens` takes limits beside its default, as the seats of a booking do.",
        "ge is short for greater or equal, gt for greater than. A name that Field does not know, such as min, limits nothing.",
        "max_tokens: int = Field(default=512, ge=1, …)",
    ],
)
def test_max_tokens_is_at_least_1(client, model, main):
    """max_tokens is at least 1."""
    reply = client.post("/predict", json={"text": "The weather", "max_tokens": 100})
    assert reply.status_code == 200, expected(
        "status 200: 100 lies between the two ends",
        next_step=to_accept(client, reply),
    )
    reply = client.post("/predict", json={"text": "The weather", "max_tokens": 1})
    assert reply.status_code == 200, expected(
        "status 200: 1 itself is allowed",
        next_step=to_accept(client, reply, "Let the lower end itself in: ge lets 1 through and gt does not."),
    )
    reply = client.post("/predict", json={"text": "The weather", "max_tokens": 0})
    assert reply.status_code == 422, expected(
        "status 422: 0 is one below the lower end",
        next_step=to_refuse(
            client,
            model,
            to_limit(
                main,
                "max_tokens",
                "Give `max_tokens` a lower limit of 1, in its Field in the model that the endpoint takes.",
            ),
            "max_tokens",
            main,
        ),
    )
    assert names(reply, "max_tokens"), expected(
        location("max_tokens"),
        next_step=to_name(
            reply, "Give `max_tokens` a lower limit of 1, in its Field in the model that the endpoint takes."
        ),
    )


@task(
    "POST /predict",
    hints=[
        "TODO(3): the Field of `max_tokens` takes limits beside its default, as the seats of a booking do.",
        "le is short for less or equal, lt for less than. A name that Field does not know, such as max, limits nothing.",
        "max_tokens: int = Field(default=512, …, le=4096)",
    ],
)
def test_max_tokens_is_at_most_4096(client, model, main):
    """max_tokens is at most 4096."""
    reply = client.post("/predict", json={"text": "The weather", "max_tokens": 4096})
    assert reply.status_code == 200, expected(
        "status 200: 4096 itself is allowed",
        next_step=to_accept(
            client, reply, "Let the upper end itself in: le lets 4096 through and lt does not."
        ),
    )
    reply = client.post("/predict", json={"text": "The weather", "max_tokens": 4097})
    assert reply.status_code == 422, expected(
        "status 422: 4097 is one above the upper end",
        next_step=to_refuse(
            client,
            model,
            to_limit(
                main,
                "max_tokens",
                "Give `max_tokens` an upper limit of 4096, in its Field in the model that the endpoint takes.",
            ),
            "max_tokens",
            main,
        ),
    )
    assert names(reply, "max_tokens"), expected(
        location("max_tokens"),
        next_step=to_name(
            reply,
            "Give `max_tokens` an upper limit of 4096, in its Field in the model that the endpoint takes.",
        ),
    )


@task(
    "POST /predict",
    hints=[
        "TODO(4): limits work on a float as on an int. Which one lets the lower end itself in?",
        "ge is greater or equal. A temperature of 0 is allowed: the model then takes the same words each time.",
        "temperature: float = Field(default=0.7, ge=0, …)",
    ],
)
def test_temperature_is_at_least_0(client, model, main):
    """temperature is at least 0."""
    reply = client.post("/predict", json={"text": "A lighthouse", "temperature": 0})
    assert reply.status_code == 200, expected(
        "status 200: 0 itself is allowed",
        next_step=to_accept(client, reply, "Let the lower end itself in: ge lets 0 through, gt does not."),
    )
    reply = client.post("/predict", json={"text": "A lighthouse", "temperature": -0.001})
    assert reply.status_code == 422, expected(
        "status 422: -0.001 is just below the lower end",
        next_step=to_refuse(
            client,
            model,
            to_limit(
                main,
                "temperature",
                "Give `temperature` a lower limit of 0, in its Field in the model that the endpoint takes.",
            ),
            "temperature",
            main,
        ),
    )
    assert names(reply, "temperature"), expected(
        location("temperature"),
        next_step=to_name(
            reply, "Give `temperature` a lower limit of 0, in its Field in the model that the endpoint takes."
        ),
    )


@task(
    "POST /predict",
    hints=[
        "TODO(4): limits work on a float as on an int. Which one lets the upper end itself in?",
        "le is less or equal: 2 is allowed, and nothing above it, however near.",
        "temperature: float = Field(default=0.7, …, le=2)",
    ],
)
def test_temperature_is_at_most_2(client, model, main):
    """temperature is at most 2."""
    reply = client.post("/predict", json={"text": "A lighthouse", "temperature": 2})
    assert reply.status_code == 200, expected(
        "status 200: 2 itself is allowed",
        next_step=to_accept(client, reply, "Let the upper end itself in: le lets 2 through, lt does not."),
    )
    reply = client.post("/predict", json={"text": "A lighthouse", "temperature": 2.001})
    assert reply.status_code == 422, expected(
        "status 422: 2.001 is just above the upper end",
        next_step=to_refuse(
            client,
            model,
            to_limit(
                main,
                "temperature",
                "Give `temperature` an upper limit of 2, in its Field in the model that the endpoint takes.",
            ),
            "temperature",
            main,
        ),
    )
    assert names(reply, "temperature"), expected(
        location("temperature"),
        next_step=to_name(
            reply,
            "Give `temperature` an upper limit of 2, in its Field in the model that the endpoint takes.",
        ),
    )


@task(
    "POST /predict",
    hints=[
        "TODO(4): Python reads the words nan and inf as floats. What does your limit say to them?",
        "nan is neither below 0 nor above 2: each comparison with it is false. So ask whether a value is inside, "
        "not whether it is outside.",
        "temperature: float = Field(default=0.7, ge=0, le=2), with no comparison of your own",
    ],
)
def test_temperature_is_a_finite_number(client, model):
    """The words nan and inf are not temperatures."""
    reply = client.post("/predict", json={"text": "The wind", "temperature": 0.25})
    assert reply.status_code == 200, expected(
        "status 200: 0.25 lies between 0 and 2",
        next_step=to_accept(client, reply),
    )
    for word in ("nan", "inf"):
        reply = client.post("/predict", json={"text": "The wind", "temperature": word})
        assert reply.status_code == 422 and names(reply, "temperature"), expected(
            f'status 422 with a `loc` of ["body", "temperature"]: float("{word}") is a float, but no temperature',
            next_step=to_refuse(
                client,
                model,
                "Keep the type float, and give it both limits, in its Field. A comparison of your own such as "
                "`value < 0 or value > 2` is false for nan.",
            ),
        )


@task(
    "POST /predict",
    guard="what the types refuse never starts the endpoint's function, and limits must keep it so",
    hints=[
        "Look at where a request is refused: before the endpoint's function runs, or in it?",
        "What the fields refuse never reaches the function. What the function refuses after its call of run_model "
        "has cost a call.",
        "All limits in PredictionRequest, and no check below run_model(…)",
    ],
)
def test_refused_requests_never_reach_the_model(client, model):
    """A refused request never reaches the model."""
    reply = client.post("/predict", json={"text": "The people", "max_tokens": 5})
    assert reply.status_code == 200 and model.calls, expected(
        "status 200 and a call of run_model, for a request that keeps the contract",
        next_step="Mend what the checks above tell, and call run_model with the request's three fields.",
    )
    refused = 0
    for change in [
        {"max_tokens": "many"},
        {"temperature": "hot"},
        {"text": ""},
        {"text": "a" * 10_001},
        {"max_tokens": 0},
        {"max_tokens": 4097},
        {"temperature": -1},
        {"temperature": 3},
        {"max_token": 5},
    ]:
        model.forget()
        reply = client.post("/predict", json={"text": "The people"} | change)
        if 400 <= reply.status_code < 500:  # which of them must be refused is what the other checks ask
            refused += 1
            assert not model.calls, expected(
                "a refusal before run_model is called; it was called all the same",
                next_step="Refuse the value in PredictionRequest: then the endpoint's function does not even start.",
            )
    assert refused, expected(
        "a word for a number, and values outside the limits, to be refused before run_model is called",
        next_step=to_refuse(client, model, "Write types and limits into PredictionRequest."),
    )
