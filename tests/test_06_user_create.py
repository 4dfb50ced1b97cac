"""Lesson 6: a model that holds the rules.

Most checks send a user to POST /users/validate with FastAPI's TestClient. `main` is your module: some
checks make a `UserCreate` in plain Python. `deprecations` tells what Pydantic called deprecated while
your code ran, and `optimized` sends requests to your app as it is under `python -O`.
"""

from pydantic import ValidationError

from lessonkit import error_locations, expected, json_body, task

HENRY = {"username": "henry", "email": "henry@example.com", "age": 30}


def user(**changes):
    """A good user as JSON, with no tags, and some fields changed."""
    return HENRY | {"tags": []} | changes


def made(main, data):
    """What UserCreate makes of data in plain Python: an instance, or what it raised."""
    model = getattr(main, "UserCreate", None)
    assert model is not None, expected(
        "a model called `UserCreate` in main.py; there is none",
        next_step="Call the model UserCreate, or import it under that name.",
    )
    try:
        return model(**data)
    except Exception as error:
        return error


def takes_any_object(main):
    """Whether the endpoint's body is declared as a dict: a JSON object with no fields of its own."""
    try:
        operation = main.app.openapi()["paths"]["/users/validate"]["post"]
        body = operation["requestBody"]["content"]["application/json"]["schema"]
    except Exception:
        return False
    return body.get("type") == "object" and "properties" not in body


def fields_of(main):
    """The fields of UserCreate by name; none where there is no such model."""
    return getattr(getattr(main, "UserCreate", None), "__pydantic_fields__", {})


def judged_fields(main):
    """The fields that the validators of UserCreate name."""
    decorators = getattr(getattr(main, "UserCreate", None), "__pydantic_decorators__", None)
    validators = getattr(decorators, "field_validators", {}).values()
    return sorted({name for one in validators for name in one.info.fields})


def has_locations(reply):
    """Whether a refusal has FastAPI's own shape: errors in `detail`, each with a `loc`."""
    body = json_body(reply)
    errors = body.get("detail") if isinstance(body, dict) else None
    return isinstance(errors, list) and all(isinstance(one, dict) and "loc" in one for one in errors)


def told(result):
    """An instance or an exception in one line."""
    return " ".join(f"{type(result).__name__}: {result}".split())


@task(
    "POST /users/validate",
    hints=[
        "TODO(1): look at the parameter of your endpoint.",
        "One parameter whose type is a Pydantic model is read from the JSON body, whole.",
        "def validate_user(user: UserCreate) -> UserCreate, under @app.post(…), and in it: return user",
    ],
)
def test_endpoint_takes_one_user(client, main):
    """The endpoint takes one user: a JSON object."""
    reply = client.post("/users/validate", json=[])
    assert reply.status_code == 422 or not 400 <= reply.status_code < 500, expected(
        "status 422 for a list, which FastAPI sends by itself",
        next_step="Take out what sends another status, an exception handler for RequestValidationError for example.",
    )
    assert reply.status_code == 422, expected(
        "status 422 for a list, for one user is one JSON object",
        next_step="Let the endpoint take one parameter whose type is UserCreate.",
    )
    missing = error_locations(client.post("/users/validate", json={}))
    reply = client.post("/users/validate", json=user(tags=["staff"]))
    places = error_locations(reply)
    assert not any(place.startswith("query.") for place in places), expected(
        "the fields to be read from the JSON body, and not from the query",
        next_step="Let the endpoint take one parameter whose type is the model: user: UserCreate.",
    )
    by_hand = {f"body.{name}" for name in HENRY} <= set(missing)  # a model looks at the dict all the same
    assert by_hand or not takes_any_object(main), expected(
        "a parameter whose type is UserCreate",
        came_back="a parameter that takes any JSON object, as a dict does",
        next_step="Let the endpoint's parameter be of type UserCreate: user: UserCreate. No model looks at a dict.",
    )
    asked = {place.split(".")[1] for place in places if place.startswith("body.")}
    strange = sorted(asked - {"username", "email", "age", "tags"})
    assert not strange, expected(
        f"username, email, age and tags themselves in the body; your app asks for {', '.join(strange)}",
        next_step="Spell the fields as the contract does, and let the model be the only body parameter, "
        "without Body(embed=True).",
    )
    assert not 200 < reply.status_code < 300, expected(
        "status 200", next_step="Take status_code= out of the decorator; 200 is the default."
    )
    assert reply.status_code == 200, expected(
        "status 200 for a user that keeps every rule",
        next_step="Read what came back: it names the field, or the line, that stands in the way.",
    )
    assert isinstance(json_body(reply), dict), expected(
        "the user as a JSON object", next_step="Return the user that the endpoint was given."
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(2): look at the names of the fields, and at what stands after them.",
        "A field with no default is required. `| None` does not make it optional; an equals sign does.",
        "username: …, email: EmailStr and age: … with no `=` after them",
    ],
)
def test_three_fields_are_required(client, main):
    """username, email and age are required."""
    reply = client.post("/users/validate", json={})
    assert reply.status_code < 500, expected(
        "status 422, which FastAPI sends by itself when it makes the model",
        next_step="Let the endpoint take a parameter whose type is UserCreate; a model that is made by hand "
        "raises in the middle of your code.",
    )
    declared = all(name in fields_of(main) and fields_of(main)[name].is_required() for name in HENRY)
    assert reply.status_code == 422 or not declared, expected(
        "status 422: three fields are missing",
        next_step="The fields are declared, so leave the refusal to FastAPI: user: UserCreate as the parameter, no "
        "model_construct(), and neither `except` nor an exception handler with another status.",
    )
    assert reply.status_code == 422, expected(
        "status 422: three fields are missing",
        next_step="Declare username, email and age in UserCreate, with no default.",
    )
    assert has_locations(reply), expected(
        "the errors in FastAPI's own shape: a list in `detail`, and a `loc` in each of them",
        next_step="Take out what writes the refusal in another shape, an exception handler for "
        "RequestValidationError for example.",
    )
    missing = {"body.username", "body.email", "body.age"} - set(error_locations(reply))
    assert not missing, expected(
        f"an error for each of username, email and age; there is none at {', '.join(sorted(missing))}",
        next_step="Declare all three in UserCreate, spelled like that, with no default.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(1): look at what your endpoint returns.",
        "An endpoint may return the very object that it was given; FastAPI writes the JSON.",
        "def validate_user(user: UserCreate) -> UserCreate: return user",
    ],
)
def test_user_comes_back(client, main):
    """The validated user comes back, and nothing else."""
    held = made(main, user())
    assert not isinstance(held, Exception), expected(
        "UserCreate to take a good user in plain Python",
        came_back=told(held),
        next_step="Declare the fields in UserCreate, and let it hold the rules that the contract names.",
    )
    answer = json_body(client.post("/users/validate", json=user()))
    assert isinstance(answer, dict), expected(
        "the user as a JSON object", next_step="Return the user that the endpoint was given."
    )
    missing = [name for name in HENRY if name not in answer]
    assert not missing or len(missing) == len(HENRY), expected(
        f"every field of the user in the answer; missing: {', '.join(missing)}",
        next_step="The return type, or response_model=, decides which fields are sent: let it be UserCreate, or a "
        "model with the same fields.",
    )
    assert not missing, expected(
        f"the user's own fields at the top of the answer; missing: {', '.join(missing)}",
        next_step="Return the user itself, and not a message about it or a dict around it.",
    )
    extra = sorted(answer.keys() - HENRY.keys() - {"tags"})
    assert not extra, expected(
        f"only username, email, age and tags; there is also {', '.join(extra)}",
        next_step="Return the user that the endpoint was given, and nothing else.",
    )
    # A username that is no string is the validator's doing: a check of its own tells of it.
    told_here = {name: answer[name] for name in HENRY if name != "username" or isinstance(answer[name], str)}
    assert told_here == {name: HENRY[name] for name in told_here}, expected(
        'the values as they were sent: "henry", "henry@example.com" and 30',
        next_step="Let neither the endpoint nor a validator change a value that is good already.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(2): look at the limits of `username`.",
        "Field(min_length=…, max_length=…) limits a string; both ends are legal.",
        "username: Annotated[str, Field(min_length=3, max_length=50)]",
    ],
)
def test_username_has_3_to_50_characters(client):
    """A username has 3 to 50 characters."""
    for length in (3, 50):
        reply = client.post("/users/validate", json=user(username="a" * length))
        assert reply.status_code == 200, expected(
            f"status 200: {length} characters are legal",
            next_step="Both ends belong to the range: min_length=3, max_length=50.",
        )
    for length in (0, 2):
        reply = client.post("/users/validate", json=user(username="a" * length))
        assert reply.status_code < 500, expected(
            f"status 422 at body.username: {length} characters are too few",
            next_step="Mend the line that came back. Where it reads info.data: a refused field is not in info.data.",
        )
        assert "body.username" in error_locations(reply), expected(
            f"status 422 at body.username: {length} characters are too few", next_step="Set min_length=3."
        )
    reply = client.post("/users/validate", json=user(username="a" * 51))
    assert "body.username" in error_locations(reply), expected(
        "status 422 at body.username: 51 characters are too many", next_step="Set max_length=50."
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(2): look at the type of `email`.",
        "Pydantic has a type for e-mail addresses. A string with an @ in it need not be one.",
        "email: EmailStr",
    ],
)
def test_email_is_an_address(client):
    """An email has to be a valid address."""
    for address in ("henry@example.com", "henry.smith+news@mail.example.com"):
        reply = client.post("/users/validate", json=user(email=address))
        assert reply.status_code == 200, expected(
            f"status 200: {address} is a valid address",
            next_step="Use the type EmailStr; a pattern of one's own refuses good addresses.",
        )
    for address in ("not-an-email", "henry@", "@example.com", "hen ry@example.com", "henry@example..com"):
        reply = client.post("/users/validate", json=user(email=address))
        assert "body.email" in error_locations(reply), expected(
            f"status 422 at body.email: {address} is not a valid address",
            next_step="Use the type EmailStr; it knows the rules of addresses.",
        )
    reply = client.post("/users/validate", json=user(email=None))
    assert "body.email" in error_locations(reply), expected(
        "status 422 at body.email: null is not an address",
        next_step="Let `email` be an EmailStr, without `| None`, and let no validator put an address in place of null.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(2): look at the limits of `age`.",
        "ge means greater or equal, gt means greater. le and lt likewise.",
        "age: Annotated[int, Field(ge=18, le=120)]",
    ],
)
def test_age_is_18_to_120(client):
    """An age is a whole number from 18 to 120."""
    for age in (18, 120):
        reply = client.post("/users/validate", json=user(age=age))
        assert reply.status_code == 200, expected(
            f"status 200: an age of {age} is legal",
            next_step="Both ends belong to the range: ge=18, le=120, and not gt or lt.",
        )
    for age in (17, 121):
        reply = client.post("/users/validate", json=user(age=age))
        assert "body.age" in error_locations(reply), expected(
            f"status 422 at body.age: {age} is outside the range 18 to 120",
            next_step="Limit the field: ge=18, le=120.",
        )
    reply = client.post("/users/validate", json=user(age=30.5))
    assert "body.age" in error_locations(reply), expected(
        "status 422 at body.age: 30.5 is not a whole number", next_step="Let `age` be an int."
    )
    reply = client.post("/users/validate", json=user(age=None))
    assert "body.age" in error_locations(reply), expected(
        "status 422 at body.age: null is not a number",
        next_step="Let `age` be an int, without `| None`, and let no validator put a number in place of null.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(3): look at what stands after the equals sign of `tags`.",
        "A default makes a field optional. It is the value that the field has when nothing was sent.",
        "tags: list[str] = []",
    ],
)
def test_tags_are_empty_when_left_out(client, main):
    """Left out, tags are an empty list."""
    reply = client.post("/users/validate", json=HENRY)
    factory = getattr(fields_of(main).get("tags"), "default_factory", None)
    assert factory is None or callable(factory), expected(
        "status 200: `tags` may be left out",
        next_step="default_factory takes a function, which Pydantic calls for each user: "
        f"default_factory=list, not {factory!r}.",
    )
    assert "body.tags" not in error_locations(reply), expected(
        "status 200: `tags` may be left out", next_step="Give `tags` a default after an equals sign."
    )
    assert reply.status_code == 200, expected(
        "status 200: `tags` may be left out", next_step="Read what came back, and mend that first."
    )
    answer = json_body(reply)
    left_out = "tags" in fields_of(main) and isinstance(answer, dict) and "tags" not in answer
    assert not left_out, expected(
        '`"tags": []` in the answer; there is no `tags`, though the model has the field',
        next_step="Send every field: no response_model_exclude_unset or _defaults in the decorator, no exclude in "
        "model_dump(), and `tags` in the return type.",
    )
    assert isinstance(answer, dict) and "tags" in answer, expected(
        '`"tags": []` in the answer; there is no `tags`',
        next_step="Declare the field `tags` in UserCreate, with a default, and return the user.",
    )
    assert answer["tags"] == [], expected(
        '`"tags": []` in the answer',
        next_step="Let the default of `tags` be an empty list: not None, and nothing in it.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(3): look at the type of `tags`.",
        "list takes items of any type; the type in brackets says what the items are.",
        "tags: list[str] = []",
    ],
)
def test_tags_are_a_list_of_strings(client):
    """tags are a list of strings, in the order that was sent."""
    answer = json_body(client.post("/users/validate", json=user(tags=["staff", "admin", "staff"])))
    assert isinstance(answer, dict) and answer.get("tags") == ["staff", "admin", "staff"], expected(
        'the tags as they were sent: ["staff", "admin", "staff"]',
        next_step="Declare `tags` as a list of strings; a set loses order and repetition.",
    )
    answer = json_body(client.post("/users/validate", json=user(tags=["Staff "])))
    assert isinstance(answer, dict) and answer.get("tags") == ["Staff "], expected(
        'the tag as it was sent: "Staff ", with its capital letter and its space',
        next_step="Change nothing in a tag: no strip() and no lower(), and neither str_strip_whitespace nor "
        "str_to_lower in model_config, for these hold for every string of the model.",
    )
    reply = client.post("/users/validate", json=user(tags=None))
    answer = json_body(reply)
    repaired = reply.status_code == 200 and isinstance(answer, dict) and answer.get("tags") == []
    assert not repaired, expected(
        "status 422 at body.tags: null is not a list, and is not turned into one",
        next_step="Take out the validator that makes an empty list of null; the default holds only where `tags` is "
        "left out.",
    )
    assert any(place.startswith("body.tags") for place in error_locations(reply)), expected(
        "status 422 at body.tags: null is not a list",
        next_step="Take `| None` or `Optional` out of the type; the default alone makes the field optional.",
    )
    reply = client.post("/users/validate", json=user(tags=[None]))
    assert any(place.startswith("body.tags") for place in error_locations(reply)), expected(
        "status 422 at body.tags: null in the list is not a string",
        next_step="Say what the list holds, list[str], with no `| None` inside the brackets.",
    )
    for tags in ("staff", [1]):
        reply = client.post("/users/validate", json=user(tags=tags))
        assert any(place.startswith("body.tags") for place in error_locations(reply)), expected(
            f"status 422 at body.tags: {tags!r} is not a list of strings",
            next_step="Say what the list holds, list[str], and convert nothing.",
        )


@task(
    "POST /users/validate",
    hints=[
        "TODO(3): look at where the empty list comes from.",
        "Pydantic copies a default for every instance. It does not copy what a default_factory returns.",
        "tags: list[str] = [] is safe; so is Field(default_factory=list)",
    ],
)
def test_tags_are_never_shared(main):
    """Two users never share one list of tags."""
    first = made(main, HENRY)
    assert hasattr(first, "tags"), expected(
        "a user that was made without tags to have an attribute `tags` all the same",
        came_back=told(first),
        next_step="Declare `tags` in UserCreate, with an empty list as its default.",
    )
    if hasattr(first.tags, "append"):
        first.tags.append("admin")
    second = made(main, HENRY)
    assert not isinstance(second, Exception) and not second.tags, expected(
        "a second user to have no tags after the first one was given the tag admin",
        came_back=told(second),
        next_step="Make a new list for each user: = [] or default_factory=list.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(4): look at the rule for the characters of a username.",
        "A method under @field_validator looks at one field: it raises ValueError, or returns the value.",
        '@field_validator("username"), under it @classmethod, and in it: if not value.isalnum(): raise ValueError(…)',
    ],
)
def test_username_is_letters_and_digits(client, main):
    """A username is made of letters and digits."""
    for name in ("abc", "henry123", "007"):
        reply = client.post("/users/validate", json=user(username=name))
        assert reply.status_code == 200, expected(
            f"status 200: {name} is made of letters and digits",
            next_step="Refuse what holds another character, and nothing else; isalnum() asks exactly that.",
        )
    some = "body.username" in error_locations(client.post("/users/validate", json=user(username="!!!")))
    named = judged_fields(main)
    for name in ("bad!name", "under_score", "two-parts", "dot.dot"):
        reply = client.post("/users/validate", json=user(username=name))
        outside = [
            each for each, value in vars(main).items() if type(value).__name__ == "PydanticDescriptorProxy"
        ]
        assert reply.status_code != 200 or not outside, expected(
            f"status 422: {name} holds a character that is neither a letter nor a digit",
            next_step=f"Move {', '.join(outside)} into the class UserCreate, indented like its fields: a function "
            "outside the class is never called.",
        )
        assert reply.status_code != 200 or name != "bad!name" or not some, expected(
            "status 422: bad!name holds a character that is neither a letter nor a digit",
            next_step="Look at every character; `!!!` is refused, so one letter is enough for your rule. isalnum() "
            "and all() ask every one, any() does not; a pattern needs re.fullmatch(), or ^ and $ in Field.",
        )
        assert reply.status_code != 200 or not named or {"username", "*"} & set(named), expected(
            f"status 422: {name} holds a character that is neither a letter nor a digit",
            next_step=f"The decorator names {', '.join(named)}; write the field that the rule is for: "
            '@field_validator("username").',
        )
        assert reply.status_code != 200 or name != "bad!name", expected(
            "status 422: bad!name holds a character that is neither a letter nor a digit",
            next_step="Let a method of UserCreate raise ValueError unless every character is a letter or a digit. "
            '@field_validator("username") stands above @classmethod; in the other order Pydantic never calls it.',
        )
        assert reply.status_code != 200, expected(
            f"status 422: {name} holds a character that is neither a letter nor a digit",
            next_step="Ask every character: value.isalnum(), or re.fullmatch with [A-Za-z0-9]+. "
            "In a pattern, \\w takes the underscore too.",
        )
        assert reply.status_code == 422, expected(
            f"status 422 for {name}, which Pydantic makes of a ValueError",
            next_step="Write raise ValueError(…) in the validator. Pydantic lets other exceptions through, and what "
            "is returned becomes the value.",
        )
        assert "body.username" in error_locations(reply), expected(
            'an error whose `loc` is ["body", "username"]',
            next_step="Put the rule into a validator of the field `username`, and raise ValueError there.",
        )


@task(
    "POST /users/validate",
    hints=[
        "TODO(4): look at what your validator does before it decides.",
        "A space is neither a letter nor a digit, wherever it stands. Taking it out is not refusing it.",
        "if not value.isalnum(): with no strip() before it",
    ],
)
def test_spaces_are_refused(client):
    """White space in a username is refused, not taken out."""
    for name, where in (("two words", "inside"), (" henry", "at the start"), ("henry ", "at the end")):
        reply = client.post("/users/validate", json=user(username=name))
        assert "body.username" in error_locations(reply), expected(
            f"status 422 at body.username: there is a space {where}",
            next_step="Judge the value as it came: no strip(), no replace(), no setting that strips white space.",
        )
    reply = client.post("/users/validate", json=user(username="henry\n"))
    assert "body.username" in error_locations(reply), expected(
        "status 422 at body.username: there is a line break at the end",
        next_step="Judge the value as it came, and with a pattern use re.fullmatch(): `$` also fits before a "
        "last line break.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(4): look at what your validator returns.",
        "What a validator returns becomes the field's value. Without return that is None.",
        "return value.lower()",
    ],
)
def test_username_is_kept_in_lower_case(client):
    """Henry123 becomes henry123."""
    reply = client.post("/users/validate", json=user(username="Henry123"))
    assert reply.status_code != 422, expected(
        "status 200: a capital letter is a letter",
        next_step="Let the rule accept capital letters, and change them after it; a pattern is asked before to_lower.",
    )
    answer = json_body(reply)
    name = answer.get("username", "") if isinstance(answer, dict) else ""
    assert name is not None, expected(
        '`"username": "henry123"` for Henry123',
        next_step="TODO(4): let the validator return the name. A method with no return gives None.",
    )
    assert not isinstance(name, bool), expected(
        '`"username": "henry123"` for Henry123',
        next_step=f"The validator returned {name}; return the value itself. isalnum() only answers a question: use it "
        "in an `if`.",
    )
    assert name == "henry123", expected(
        '`"username": "henry123"` for Henry123', next_step="Return value.lower() from the validator."
    )
    answer = json_body(client.post("/users/validate", json=user()))
    assert isinstance(answer, dict) and answer.get("username") == "henry", expected(
        '`"username": "henry"` for henry, which is in lower case already',
        next_step="Return value.lower() on every way through the validator, and not only inside an `if`.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(4): look at where the rule stands: in the model, or in the endpoint.",
        "A model is used in many places; a rule in one endpoint holds in that endpoint alone.",
        "Move the check and lower() into a @field_validator of UserCreate",
    ],
)
def test_model_holds_the_rule_itself(main):
    """UserCreate keeps the rule in plain Python too."""
    good = made(main, user(username="Henry123"))
    assert getattr(good, "username", None) == "henry123", expected(
        'UserCreate(username="Henry123", …).username to be "henry123"',
        came_back=told(good),
        next_step="Return value.lower() from a validator in UserCreate; the endpoint needs none.",
    )
    bad = made(main, user(username="bad!name"))
    assert isinstance(bad, Exception), expected(
        'UserCreate(username="bad!name", …) to raise ValidationError',
        came_back=told(bad),
        next_step="Put the rule into a validator of UserCreate; the endpoint needs none.",
    )
    assert isinstance(bad, ValidationError), expected(
        'UserCreate(username="bad!name", …) to raise ValidationError and nothing else',
        came_back=told(bad),
        next_step="Raise ValueError in the validator: Pydantic makes a ValidationError of it.",
    )
    places = [error["loc"] for error in bad.errors()]
    assert places == [("username",)], expected(
        "one error, at ('username',)",
        came_back=f"errors at {places}",
        next_step="Let the validator belong to the field `username`, and judge that field alone.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(2) and TODO(3): look at where the limits stand: in the model, or in the endpoint.",
        "A limit at the field holds wherever the model is made; one in the endpoint holds for requests alone.",
        "Field(min_length=3, max_length=50), EmailStr, Field(ge=18, le=120) and list[str], all in UserCreate",
    ],
)
def test_model_holds_every_limit_itself(main):
    """UserCreate keeps the limits in plain Python too."""
    for field, value, shown in (
        ("username", "ab", '"ab"'),
        ("username", "a" * 51, '"a" * 51'),
        ("email", "not-an-email", '"not-an-email"'),
        ("age", 17, "17"),
        ("age", 121, "121"),
        ("tags", [1], "[1]"),
    ):
        bad = made(main, user(**{field: value}))
        places = [error["loc"][:1] for error in bad.errors()] if isinstance(bad, ValidationError) else []
        assert (field,) in places, expected(
            f"UserCreate({field}={shown}, …) to raise ValidationError, with an error at ('{field}',)",
            came_back=told(bad),
            next_step=f"Put the rule for `{field}` into UserCreate, into its type or its limits; the endpoint needs none.",
        )


@task(
    "POST /users/validate",
    hints=[
        "TODO(2) and TODO(4): look at what happens to one field when another is wrong.",
        "Pydantic collects the errors of all fields. An exception other than ValueError ends that at once.",
        "Leave each field's refusal to its type, its limits and its own validator",
    ],
)
def test_every_fault_is_told_at_once(client):
    """Three faults give three errors at once."""
    reply = client.post("/users/validate", json=user(username="h!", email="not-an-email", age=15))
    assert reply.status_code == 422, expected(
        "status 422: username, email and age all break a rule",
        next_step="Leave every refusal to the model.",
    )
    places = sorted(error_locations(reply))
    assert places == ["body.age", "body.email", "body.username"], expected(
        "three errors, one each at body.username, body.email and body.age",
        came_back=f"errors at {', '.join(places) or 'no field'}",
        next_step="Let each field have its own rule in the model, so that Pydantic reports all of them.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(4): look at what your validator does with a value that is not a string.",
        'A validator with mode="before" gets whatever was sent. The usual one runs after the type was checked.',
        '@field_validator("username") with no mode=, on a field of type str',
    ],
)
def test_other_types_are_refused(client):
    """A username that is not a string is refused with 422."""
    for name, shown in ((123, "123"), (None, "null"), (["henry"], "a list"), ({}, "an object")):
        reply = client.post("/users/validate", json=user(username=name))
        assert reply.status_code < 500 or name is None, expected(
            f"status 422: {shown} is not a string",
            next_step='Let `username` be a plain str, and take mode="before" out: it runs the validator ahead of the '
            f"type check, so the validator is given {shown} where it counts on a string.",
        )
        assert reply.status_code < 500, expected(
            "status 422: null is not a string",
            next_step="Let `username` be a plain str, without `| None`, and its validator run after the type check, "
            'without mode="before".',
        )
        assert "body.username" in error_locations(reply), expected(
            f"status 422 at body.username: {shown} is not a string",
            next_step="Let `username` be a str, and let the type refuse the rest; no str(value).",
        )


@task(
    "POST /users/validate",
    hints=[
        "TODO(4): look at the names that you import from Pydantic, and at the methods that you call.",
        "Pydantic 2 gave many things a new name and lets the old one work, with a warning, until version 3.",
        "@validator is now @field_validator, .dict() is now .model_dump(), class Config is now model_config",
    ],
)
def test_nothing_deprecated_is_used(client, main, deprecations):
    """The code uses nothing that Pydantic calls deprecated."""
    refused = client.post("/users/validate", json=user(username="bad!name"))
    client.post("/users/validate", json=user())
    assert not isinstance(made(main, user()), Exception) and refused.status_code == 422, expected(
        "a UserCreate that takes a good user and refuses bad!name; before that there is nothing to judge here",
        next_step="Let the checks above pass first, then look at this one again.",
    )
    old = [one for one in deprecations() if one.library == "pydantic"]
    found = "; ".join(f"{one.file} line {one.line}: {one.says}" for one in old)
    assert not old, expected(
        "code that Pydantic has nothing to say about",
        came_back=f"a warning: {found}",
        next_step="Use the name that Pydantic gives there instead.",
    )
    decorators = getattr(main.UserCreate, "__pydantic_decorators__", None)
    silenced = [*getattr(decorators, "validators", ()), *getattr(decorators, "root_validators", ())]
    assert not silenced, expected(
        "no validator in the style of Pydantic 1",
        came_back=f"one in {', '.join(silenced)}, and its warning is silenced",
        next_step="Use @field_validator, and take the line out that silences warnings.",
    )


@task(
    "POST /users/validate",
    hints=[
        "TODO(4): look at how your validator refuses.",
        "`assert` is for your own tests: `python -O` leaves it out. A rule has to raise by itself.",
        "if not value.isalnum(): raise ValueError(…)",
    ],
)
def test_rule_holds_under_optimization(client, optimized):
    """Every rule holds under python -O."""
    reply = client.post("/users/validate", json=user(username="bad!name"))
    assert "body.username" in error_locations(reply), expected(
        "bad!name to be refused at body.username; before that there is no rule to look at under `python -O`",
        next_step="Let the checks above pass first, then look at this one again.",
    )
    reply = optimized.post("/users/validate", json=user(username="bad!name"))
    assert "body.username" in error_locations(reply), expected(
        "status 422 for bad!name under `python -O` too; without -O your app refuses it",
        next_step="Write `if …: raise ValueError(…)` in place of `assert`, which `python -O` leaves out.",
    )
    for changes in (
        {"email": "not-an-email", "age": 15},
        {"username": "ab"},
        {"username": "a" * 51},
        {"username": 123},
        {"tags": [1]},
    ):
        here = error_locations(client.post("/users/validate", json=user(**changes)))
        lost = set(here) - set(error_locations(optimized.post("/users/validate", json=user(**changes))))
        assert not lost, expected(
            f"the other rules to hold under `python -O` too; there is no longer an error at {', '.join(sorted(lost))}",
            next_step="Leave types and limits to the fields themselves, str, list[str], EmailStr and Field(…); an "
            "`assert` is left out.",
        )
    answer = json_body(optimized.post("/users/validate", json=user(username="Henry123")))
    assert isinstance(answer, dict) and answer.get("username") == "henry123", expected(
        '`"username": "henry123"` under `python -O` as without',
        next_step="Take the work out of `assert` and `if __debug__:`, which `python -O` leaves out.",
    )
