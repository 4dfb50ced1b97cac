"""Lesson 7: one shape at every boundary, with a database behind the API.

`client` sends requests. `table` is the users table as another process would see it, through connections
of its own; each check begins with the three old rows: mia (1) and tom (2) with an age of 15 and no tags,
and ada (3). Where two requests race, SQLAlchemy's events hold them just before their INSERT, so that the
database decides who wins, and never the clock.
"""

import asyncio
import os
import re
import sqlite3
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, close_all_sessions

from lessonkit import error_locations, expected, json_body, task

DATABASE = Path(tempfile.gettempdir()) / f"lesson-users-{os.getpid()}.db"
ENVIRONMENT = {"DATABASE_URL": f"sqlite:///{DATABASE.as_posix()}"}
MEETING_SECONDS = 3.0

KEYS = ("id", "username", "email", "age", "tags", "created_at")
HENRY = {"username": "Henry123", "email": "henry@example.com", "age": 30, "tags": ["admin"]}

STORE_FIRST = (
    "Store before you answer: session.commit() in the endpoint, and not in a background task or after a yield, which run "
    "when 201 is said."
)

# What to do about an exception, by words of it.
CAUSES = {
    r"invoked autoflush": "Look the name up before you change the row, or in the same `try` as the commit: a lookup first "
    "sends what was changed so far to the database (autoflush), and there it met the unique column outside your `try`.",
    r"takes 1 positional argument .*User\(|mapping, not UserCreate": "Hand the columns over by name: "
    "User(**user.model_dump()).",
    r"is not mapped": "Add a row to the session, and not the model: row = User(**user.model_dump()), then session.add(row).",
    r"mapping, not User\b|valid dictionary or instance of UserRead": "Return the row itself: return row. "
    "response_model=UserRead reads its fields from it.",
    r"sentinel|MISSING": "Skip the fields that are MISSING: model_dump() leaves them out, so set what "
    "changes.model_dump().items() gives, with setattr(row, name, value).",
    r"does not support item assignment|'User' object has no attribute 'update'": "Set each column with "
    "setattr(row, name, value): a row is an object and no dict.",
    r"response\.\d+\.id: Field required": "Take session.scalars(…) in place of session.execute(…): scalars gives rows "
    "of User, execute gives tuples that hold them.",
    r"response: Input should be a valid list": "Return a list: session.scalars(…).all().",
    r"response\.id: Field required": "Return the row, which has an id; a UserCreate and a UserUpdate have none.",
}


class Table:
    """The users table, seen by another process. A row is a dict of its columns."""

    def __init__(self, given):
        self._given = given

    @property
    def database(self):
        try:
            return self._given("database")
        except ModuleNotFoundError:
            raise AssertionError(
                expected(
                    "the given file database.py beside main.py",
                    next_step="Run uv run lesson start 7: it puts back what is missing and leaves your files alone.",
                )
            ) from None

    def rows(self, **wanted):
        """The rows whose columns have the values in `wanted`, in the order of their ids; else all."""
        user = self.database.User
        with Session(self.database.engine) as session:
            found = session.scalars(select(user).filter_by(**wanted).order_by(user.id))
            return [{column: getattr(row, column) for column in (*KEYS, "notes")} for row in found]

    def change(self, user_id, **values):
        with Session(self.database.engine) as session:
            row = session.get(self.database.User, user_id)
            for column, value in values.items():
                setattr(row, column, value)
            session.commit()

    def remove(self, user_id):
        with Session(self.database.engine) as session:
            session.delete(session.get(self.database.User, user_id))
            session.commit()

    def add(self, *rows):
        """Store rows; returns False, at once, when the database is locked by somebody else."""
        elsewhere = create_engine(self.database.engine.url, connect_args={"timeout": 0})
        try:
            with Session(elsewhere) as session:
                session.add_all(self.database.User(**row) for row in rows)
                session.commit()
        except OperationalError:
            return False
        finally:
            elsewhere.dispose()
        return True


@pytest.fixture(autouse=True)
def table(given):
    """The users table with its three old rows and nothing else."""
    table = Table(given)
    try:
        with suppress(AssertionError):  # without database.py there is no table; the check then says so
            table.database.start_again()
    except OperationalError:
        raise AssertionError(
            expected(
                "a database that is free once a request is over; the check before this one left it locked",
                next_step="Use the session that FastAPI hands over (session: DatabaseSession), which closes by itself.",
            )
        ) from None
    yield table
    close_all_sessions()
    with suppress(AssertionError):
        table.database.engine.dispose()


@pytest.fixture(scope="module", autouse=True)
def database_file():
    """The file of this run, removed in the end with the journal that SQLite may have left beside it."""
    yield
    for path in DATABASE.parent.glob(f"{DATABASE.name}*"):
        with suppress(OSError):
            path.unlink()


@pytest.fixture
def linus(table):
    """A row that is stored before the app starts, for a check that asks for it before it asks for `client`."""
    table.add(HENRY | {"username": "linus", "email": "linus@example.com"})
    return table.rows(username="linus")


@contextmanager
def before_each(verb, act):
    """Call `act` just before such a statement (INSERT, UPDATE) is sent to the database, in the thread that sends it."""

    def listen(connection, cursor, statement, *rest):
        if statement.lstrip().upper().startswith(verb):
            act()

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", listen)


@contextmanager
def full_disk():
    """As long as this lasts, every commit fails."""

    def refuse(connection):
        connection.connection.rollback()
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))

    event.listen(Engine, "commit", refuse)
    try:
        yield
    finally:
        event.remove(Engine, "commit", refuse)


@contextmanager
def broken_disk():
    """As long as this lasts, every statement fails."""

    def refuse(connection, cursor, statement, *rest):
        raise OperationalError(statement, {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(Engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", refuse)


@contextmanager
def refusals():
    """What the database refuses meanwhile: the first word of the statement, and its complaint."""
    found = []

    def listen(context):
        found.append(((context.statement or "").split(" ")[0], str(context.original_exception)))

    event.listen(Engine, "handle_error", listen)
    try:
        yield found
    finally:
        event.remove(Engine, "handle_error", listen)


class Meeting:
    """Where two requests wait for each other, and from where they go on together.

    Nobody waits for ever: not when the other request is answered already (`over`), not where waiting
    would stop the event loop, and never longer than MEETING_SECONDS.
    """

    def __init__(self):
        self._barrier = threading.Barrier(2)

    def wait(self):
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            return
        with suppress(threading.BrokenBarrierError):
            self._barrier.wait(MEETING_SECONDS)
        self.over()

    def over(self):
        self._barrier.abort()


def created(client, **changes):
    """What POST /users answers for a new user; an assertion of its own when it creates none."""
    reply = client.post("/users", json=HENRY | changes)
    answer = json_body(reply) if reply.is_success else None
    assert isinstance(answer, dict) and isinstance(answer.get("id"), int), expected(
        "status 201 and the new user with an id; this check begins with one",
        next_step="Let POST /users create a user first; the checks before this one say how.",
    )
    return answer


def at_once(client, *bodies):
    """The replies to two POST /users that stand before their INSERT at the same moment."""
    meeting = Meeting()

    def create(body):
        try:
            return client.post("/users", json=body)
        finally:
            meeting.over()

    with before_each("INSERT", meeting.wait), ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(create, bodies))


def stored_late(client):
    """Whether an exception came after 201 was said."""
    return any(exchange.crash and exchange.status == 201 for exchange in client.exchanges)


def step(client, reply, otherwise):
    """The next step for the last reply, where the exception or the 422 tells its cause; else `otherwise`."""
    last = client.exchanges[-1]
    for words, told in CAUSES.items():
        if re.search(words, last.crash or ""):
            return told
    strays = [place for place in error_locations(reply) if place.startswith("query.")]
    if strays and last.path.startswith("/users/"):
        name = strays[0].removeprefix("query.")
        return (
            f"Give the parameter the name that stands in the braces of the path. `{name}` stands in none, so it is "
            "looked for after the question mark."
        )
    return otherwise


def step_of_change(client, reply, refused):
    """The next step for a PATCH that failed; `refused` is what the database said meanwhile."""
    crash = client.exchanges[-1].crash or ""
    for statement, complaint in refused:
        if statement == "INSERT":
            return f"Change the row that session.get gave you. User(…) makes a second row: {complaint}."
        if "NOT NULL" in complaint:
            return (
                "Set only what was sent: with MISSING as the default in UserUpdate, model_dump() leaves out the rest. "
                f"The database said: {complaint}. An IntegrityError is not always a name that is taken."
            )
    if re.search(r"response\.\w+: Input should be", crash):
        return "Change the row that session.get gave you, and return it. User(…) makes another one, which is half empty."
    otherwise = (
        "Set only what was sent: setattr(row, name, value) for each of changes.model_dump().items(), where every "
        "field of UserUpdate has MISSING as its default."
    )
    return step(client, reply, otherwise)


def declared_keys(main, operation):
    """The keys of a user that the OpenAPI document promises for an operation; None where it promises none."""
    method, path = operation.split()
    try:
        schema = main.app.openapi()
        answers = schema["paths"][path][method.lower()]["responses"]
        shown = next(answer for status, answer in answers.items() if status.startswith("2"))
        shown = shown["content"]["application/json"]["schema"]
        shown = shown.get("items", shown)
        return set(schema["components"]["schemas"][shown["$ref"].rsplit("/", 1)[1]]["properties"])
    except Exception:  # a schema of another shape says nothing of this
        return None


def step_for_keys(main, operation, answer, otherwise):
    """The next step for a user that is shown with too few keys or too many: where they come from; else `otherwise`."""
    if not isinstance(answer, dict) or not answer:
        return otherwise
    declared = declared_keys(main, operation)
    extra = [key for key in answer if key not in KEYS]
    missing = [key for key in KEYS if key not in answer]
    if extra and declared and declared.issuperset(extra):
        return f"Take {', '.join(extra)} out of UserRead: whatever it names is shown to everybody."
    if missing and declared and declared.issuperset(missing):
        return (
            "Take response_model_exclude_none and its like out of the decorator: a key whose value is null is shown too. "
            f"UserRead declares {', '.join(missing)}, and the answer leaves it out."
        )
    if missing and operation != "POST /users" and declared_keys(main, "POST /users") == set(KEYS):
        return f"Answer with UserRead here as well, as POST does: what you answer with here does not name {', '.join(missing)}."
    if missing and not {"id", "created_at"} <= set(missing):
        return f"Declare {', '.join(missing)} in UserRead."
    return otherwise


def step_for_place(reply, place, otherwise):
    """The next step for a refusal that does not name the field; else `otherwise`."""
    if reply.status_code != 422 or place in error_locations(reply):
        return otherwise
    where, _, name = place.partition(".")
    return (
        f'Let the fault name the field: its `loc` is to begin with ["{where}", "{name}"]. A type, Field or Query at `{name}` '
        "itself does that; a validator of the whole model or an HTTPException of your own does not know the field."
    )


def names(reply, place):
    """Whether a reply is a 422 whose `loc` names a field, or something in it: body.tags, body.tags.1."""
    places = error_locations(reply)
    return reply.status_code == 422 and any(one == place or one.startswith(f"{place}.") for one in places)


def differing(row, wanted):
    """The columns in which a row is not as it should be."""
    return [column for column in wanted if row.get(column) != wanted[column]]


def ids(users):
    """The ids of a list of users, None for each that has none."""
    return [user.get("id") if isinstance(user, dict) else None for user in users]


def is_moment(value):
    """Whether a JSON value is a date and time."""
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def is_same_moment(value, stored):
    """Whether a JSON value is the moment that is stored; without a time zone it counts as UTC, and a fraction may be cut off."""
    if not is_moment(value):
        return False
    moment = datetime.fromisoformat(value)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    cut = (stored.microsecond, stored.microsecond // 1000 * 1000, 0)
    return any(moment == stored.replace(microsecond=part) for part in cut)


@task(
    "POST /users",
    hints=[
        "TODO(2): look at the decorator and the parameters of your function.",
        "A UserCreate comes from the body, a DatabaseSession from FastAPI. User(**user.model_dump()) makes the row.",
        '@app.post("/users", status_code=201, response_model=UserRead), then session.add(row) and session.commit()',
    ],
)
def test_new_user_is_created(client):
    """POST /users answers 201 Created."""
    reply = client.post("/users", json=HENRY)
    assert reply.status_code != 200, expected(
        "status 201: there is a user now who was not there before",
        next_step="Add status_code=201 to the decorator; without it a success is 200.",
    )
    assert reply.status_code != 422, expected(
        "status 201: every rule of UserCreate is kept",
        next_step="Take the body as one parameter, user: UserCreate, and the session as session: DatabaseSession.",
    )
    assert reply.status_code == 201, expected(
        "status 201 and the new user",
        next_step=step(
            client,
            reply,
            "Add the row to the session, commit, and return it; response_model=UserRead does the rest.",
        ),
    )


@task(
    "POST /users",
    hints=[
        "TODO(1) and TODO(2): look at UserRead, and at what the decorator says of the answer.",
        "The row has columns that are nobody's business, and it is no JSON. A response model picks its own fields from it.",
        "UserRead with six fields, and response_model=UserRead in the decorator",
    ],
)
def test_answer_is_the_public_user(client, main):
    """The answer has the six public fields and no more."""
    reply = client.post("/users", json=HENRY)
    assert reply.status_code != 409, expected(
        "status 201: every check begins with a fresh table, and nobody in it is called henry123",
        next_step="Let the database alone know which names are taken. A set or a dict of your own outlives the rows, "
        "and no other process sees it.",
    )
    answer = json_body(reply)
    assert answer != {}, expected(
        f"the keys {', '.join(KEYS)}; the answer is empty",
        next_step="Declare the six fields in UserRead, and add response_model=UserRead to the decorator. After a "
        "commit a row holds nothing until it is asked for a column, and a response model asks.",
    )
    assert isinstance(answer, dict), expected(
        f"a JSON object with the keys {', '.join(KEYS)}",
        next_step="Return the row itself, with response_model=UserRead in the decorator.",
    )
    missing = [key for key in KEYS if key not in answer]
    assert not missing, expected(
        f"the keys {', '.join(KEYS)}; missing: {', '.join(missing)}",
        next_step=step_for_keys(
            main,
            "POST /users",
            answer,
            "Answer with UserRead, which has all six. UserCreate describes what comes in, and knows no id.",
        ),
    )
    extra = sorted(answer.keys() - set(KEYS))
    assert not extra, expected(
        f"only the keys {', '.join(KEYS)}; there is also {', '.join(extra)}",
        next_step=step_for_keys(
            main,
            "POST /users",
            answer,
            "Add response_model=UserRead to the decorator: it lets through what it names and nothing else.",
        ),
    )


@task(
    "POST /users",
    hints=[
        "TODO(2): look at the lines after session.add(row).",
        "A session collects changes. They are in the database, for everybody, after a commit.",
        "row = User(**user.model_dump()), session.add(row), session.commit()",
    ],
)
def test_user_is_stored(client, table):
    """What was sent is in the database afterwards."""
    client.post("/users", json=HENRY)
    rows = table.rows(email="henry@example.com")
    assert rows, expected(
        "one row more in the table, seen from another connection",
        next_step="Call session.commit() after session.add(row): until then the row exists in your session alone.",
    )
    assert rows[0]["username"] == "henry123", expected(
        f"`username` in lower case in the table, henry123; it is {rows[0]['username']}",
        next_step="Take the body as user: UserCreate, with its rules as the starter has them, and store what it gives you.",
    )
    assert (rows[0]["age"], rows[0]["tags"]) == (30, ["admin"]), expected(
        f"age 30 and tags ['admin'] in the table; there are {rows[0]['age']} and {rows[0]['tags']}",
        next_step="Make the row from all of what UserCreate gives you: User(**user.model_dump()).",
    )


@task(
    "POST /users",
    hints=[
        "TODO(2): look at what you return.",
        "The id and the time of creation are made when the row is stored; before that they are None.",
        "session.commit(), and after it: return row",
    ],
)
def test_answer_shows_what_was_stored(client, table):
    """The answer shows the row as it was stored."""
    answer = created(client)
    stored = table.rows(id=answer["id"])
    assert stored, expected(
        "the `id` of the row in the table", next_step="Return the row, and let the database give it its id."
    )
    wanted = {key: stored[0][key] for key in ("id", "username", "email", "age", "tags")}
    got = {key: answer.get(key) for key in wanted}
    assert got == wanted, expected(
        f"{wanted}", next_step="Return the row after the commit, and change nothing in it."
    )
    assert is_moment(answer.get("created_at")), expected(
        "`created_at` to be a date and time, like 2026-11-23T12:00:00Z",
        next_step="Declare created_at: datetime in UserRead, and leave its value to the row.",
    )
    assert is_same_moment(answer["created_at"], stored[0]["created_at"]), expected(
        f"`created_at` as it is stored, {stored[0]['created_at'].isoformat()}; the answer says {answer['created_at']}",
        next_step="Return the row, which knows when it was made, and make no moment of your own.",
    )


@task(
    "POST /users",
    hints=[
        "TODO(2): look at the headers of your answer.",
        "A parameter of type Response is the answer in the making; what you put into its headers is sent along.",
        'response.headers["Location"] = f"/users/{row.id}", after the commit',
    ],
)
def test_location_names_the_new_user(client):
    """The header Location holds the new user's address."""
    reply = client.post("/users", json=HENRY)
    user_id = json_body(reply).get("id") if reply.is_success and isinstance(json_body(reply), dict) else None
    location = reply.headers.get("location")
    assert location is not None, expected(
        "a header Location: /users/ and the id",
        next_step='Add a parameter response: Response, and set response.headers["Location"] after the commit.',
    )
    path = urlsplit(location).path
    assert path != f"/users/{user_id}/", expected(
        f"Location: /users/{user_id}; it is {location}, with a slash at its end, and that is another address",
        next_step='Take the slash at the end away: response.headers["Location"] = f"/users/{row.id}".',
    )
    assert user_id is not None and path == f"/users/{user_id}", expected(
        f"Location: /users/{user_id}, the address under which the new user can be read; it is {location}",
        next_step="Build it from row.id after the commit: before that the id is None.",
    )


@task(
    "POST /users",
    hints=[
        "TODO(2): look at the type of the body.",
        "What UserCreate refuses never reaches your function, so nothing can be stored.",
        "def create_user(user: UserCreate, session: DatabaseSession, …)",
    ],
)
def test_refused_user_is_not_stored(client, table):
    """What breaks a rule is refused with 422, and not stored."""
    created(client)
    before = table.rows()
    for field, value in {"age": 15, "username": "bad!name", "email": "not-an-email", "tags": None}.items():
        reply = client.post("/users", json=HENRY | {"username": "grace", field: value})
        assert reply.status_code == 422 and f"body.{field}" in error_locations(reply), expected(
            f"status 422 that names body.{field}: {value!r} breaks a rule",
            next_step=step_for_place(
                reply,
                f"body.{field}",
                "Take the body as user: UserCreate, with its rules as the starter has them.",
            ),
        )
        assert table.rows() == before, expected(
            f"the table as it was before: the request was refused; it has {len(table.rows()) - len(before)} row more",
            next_step="Store nothing before the rules were checked.",
        )


@task(
    "POST /users",
    hints=[
        "TODO(3): look at what commit() raises for a name that is taken.",
        "The column is unique, so the database refuses the second row: SQLAlchemy raises IntegrityError. Turn it into a 409.",
        "try: session.commit() / except IntegrityError: raise HTTPException(status_code=409, detail=…)",
    ],
)
def test_taken_name_is_refused(client, table):
    """A username that is taken is refused with 409."""
    created(client)
    with refusals() as refused:
        reply = client.post("/users", json=HENRY | {"email": "second@example.com"})
    crash = client.exchanges[-1].crash or ""
    returned = crash.startswith("ResponseValidationError") or (
        reply.is_success and "status_code" in reply.text
    )
    assert not (refused and returned), expected(
        "status 409: the name is taken",
        next_step="Raise the HTTPException; do not return it. What is returned is taken for a user.",
    )
    assert not stored_late(client), expected(
        "status 409: the name is taken. The database refused the row, but 201 was said before that",
        next_step=STORE_FIRST,
    )
    assert not (refused and reply.is_success), expected(
        "status 409: the name is taken. The database refused the row, and your function answered as if nothing had happened",
        next_step="Answer the IntegrityError that you catch with raise HTTPException(status_code=409), and with nothing else: "
        "no other name, and nobody else's row.",
    )
    assert not reply.is_success, expected(
        "status 409: the name is taken",
        next_step="Insert a new row for each request with session.add, and let the unique column refuse the second.",
    )
    assert reply.status_code != 500, expected(
        "status 409: the name is taken. That is the caller's conflict, and no fault of the server",
        next_step=step(
            client,
            reply,
            "Catch sqlalchemy.exc.IntegrityError around session.commit(), and raise HTTPException(status_code=409).",
        ),
    )
    assert reply.status_code == 409, expected(
        "status 409 Conflict: the name is taken",
        next_step="Raise HTTPException(status_code=409): the body is well-formed, it is the name that is taken.",
    )
    assert [row["email"] for row in table.rows(username="henry123")] == ["henry@example.com"], expected(
        "the first henry123 as he was, and no other row of that name",
        next_step="Store nothing and change nothing when the name is taken.",
    )
    reply = client.post("/users", json=HENRY | {"username": "grace", "email": "grace@example.com"})
    assert reply.is_success, expected(
        "the next user, grace, to be created as usual: a 409 is over when it is answered",
        next_step="Use the session that FastAPI hands over (session: DatabaseSession): each request has a new one.",
    )
    reply = client.post("/users", json=HENRY | {"username": "mia"})
    assert reply.status_code == 409, expected(
        "status 409: mia is the name of an old row",
        next_step="Let the database say what is taken: it knows rows that this process never made.",
    )


@task(
    "POST /users",
    hints=[
        "TODO(3): look at the name that is stored.",
        "UserCreate turns the name into lower case before you see it. Store that one, and no other spelling.",
        "User(**user.model_dump()), with user: UserCreate as the starter has it",
    ],
)
def test_taken_name_in_other_letters_is_refused(client, table):
    """HENRY123 is taken when henry123 is."""
    created(client)
    reply = client.post("/users", json=HENRY | {"username": "HENRY123"})
    assert reply.status_code == 409, expected(
        "status 409: HENRY123 and henry123 are the same name",
        next_step="Store the name as UserCreate gives it to you, in lower case; then the unique column sees that they are one.",
    )
    assert len(table.rows()) == 4, expected(
        "the three old rows and henry123", next_step="Store nothing when the name is taken."
    )


@task(
    "POST /users",
    hints=[
        "Look for a lookup by email, or for anything else that refuses a user whose name is free.",
        "One column is unique, username. A family may share one email.",
        "No lookup of the email; 409 is for a username that is taken, and for nothing else",
    ],
)
def test_an_email_may_be_shared(client):
    """Two users may have the same email."""
    created(client)
    reply = client.post("/users", json=HENRY | {"username": "grace"})
    assert reply.is_success, expected(
        "status 201: the name grace is free, and two users may share an email",
        next_step="Take the lookup of the email out: 409 is for a username that is taken, and for nothing else.",
    )


@task(
    "POST /users",
    hints=[
        "Look at what your lifespan calls before its `yield`.",
        "create_tables() makes the table where it is missing, and leaves it alone where it is there.",
        "create_tables() in the lifespan, as the starter has it, and start_again() nowhere",
    ],
)
def test_rows_outlive_a_start(linus, client, table):
    """A row from before the app's start is still there after it."""
    created(client)
    assert table.rows(username="linus") == linus, expected(
        "the row of linus, which was stored before the app started; now it is gone or changed",
        next_step="Call create_tables() in the lifespan, and not start_again(), which throws every row away.",
    )


@task(
    "POST /users",
    hints=[
        "TODO(3): two requests look, both find the name free, both insert. Which line of yours meets the second one?",
        "A lookup before the insert is out of date when the insert comes. Only the insert itself can tell.",
        "except IntegrityError: raise HTTPException(status_code=409, …), around the commit",
    ],
)
def test_two_at_once_want_one_name(client, table):
    """Two requests at once want one name: one 201, one 409."""
    replies = at_once(client, HENRY | {"age": 30}, HENRY | {"age": 40})
    statuses = sorted(reply.status_code for reply in replies)
    assert not stored_late(client), expected(
        "201 for one and 409 for the other; one was told 201, and only then the database refused its row",
        next_step=STORE_FIRST,
    )
    assert statuses[0] in (200, 201) and statuses[1] == 409, expected(
        f"201 for one and 409 for the other: both asked at the same moment; they got {statuses[0]} and {statuses[1]}",
        next_step="Let the database decide: catch IntegrityError around session.commit() and answer 409, "
        "in a session of the request's own (session: DatabaseSession).",
    )
    assert len(table.rows(username="henry123")) == 1, expected(
        f"one row with the name; there are {len(table.rows(username='henry123'))}",
        next_step="Insert with the session, and leave the unique column as database.py has it.",
    )


@task(
    "POST /users",
    hints=[
        "TODO(2): look at what two requests share: a session, a counter, an id that you work out yourself.",
        "Requests run at the same time. What one of them reads may be out of date when it writes.",
        "A session of its own for each request (session: DatabaseSession), and an id that the database gives",
    ],
)
def test_two_at_once_want_two_names(client, table):
    """Two requests at once want two names: two 201."""
    replies = at_once(client, HENRY | {"username": "grace"}, HENRY | {"username": "linus"})
    statuses = [reply.status_code for reply in replies]
    assert all(reply.is_success for reply in replies), expected(
        f"201 for both: grace and linus are two names; they got {statuses[0]} and {statuses[1]}",
        next_step="Share nothing between requests: a session for each (session: DatabaseSession), and an id that the "
        "database gives.",
    )
    assert len(table.rows()) == 5, expected(
        "the three old rows, grace and linus",
        next_step="Commit each new row in the session of its own request.",
    )


@task(
    "POST /users",
    hints=[
        "TODO(3): think of a second process with the same app, on the same database.",
        "Another process knows nothing of a lock or a set of names in yours. Both know the database.",
        "except IntegrityError: raise HTTPException(status_code=409, …), around the commit, whatever was looked up before",
    ],
)
def test_name_is_taken_by_another_process(client, table):
    """Another process takes the name just before the insert: 409."""
    came_first = []

    def take_the_name():
        if not came_first:
            came_first.append(False)  # the INSERT below passes here too
            came_first[0] = table.add(HENRY | {"username": "henry123", "email": "first@example.com"})

    with before_each("INSERT", take_the_name):
        reply = client.post("/users", json=HENRY)
    if came_first == [False]:  # the request holds the whole database locked: then the name is its own
        assert reply.is_success, expected("status 201", next_step="Commit what you inserted.")
    else:
        assert reply.status_code == 409, expected(
            "status 409: just before the insert another process stored this name",
            next_step="Catch IntegrityError around session.commit() and answer 409. A lookup before it, or a lock in this "
            "process, cannot see what another process does.",
        )
    assert len(table.rows(username="henry123")) == 1, expected(
        "one row with the name", next_step="Insert with the session, and let the unique column decide."
    )


@task(
    "POST /users",
    hints=[
        "TODO(2) and TODO(3): look at when you commit, and at what you catch.",
        "The answer has to wait for the commit. And not every error of a database is a name that is taken.",
        "session.commit() in your function, before it returns; except IntegrityError and no wider class",
    ],
)
def test_failing_database_is_no_success(client):
    """A commit that fails, with the disk full, is a 5xx."""
    with full_disk():
        reply = client.post("/users", json=HENRY)
    assert not reply.is_success, expected(
        "a 5xx: the disk is full and nothing was stored, so 201 is not true",
        next_step="Call session.commit() in your function, before it returns. What runs after a dependency's yield comes "
        "too late: the answer is already sent.",
    )
    assert reply.status_code >= 500, expected(
        "a 5xx: the disk is full, and the caller can do nothing about it",
        next_step="Catch IntegrityError, which means that a constraint was broken, and no wider class.",
    )


@task(
    "GET /users/{user_id}",
    hints=[
        "TODO(4): look at the path and at session.get.",
        "The part in braces is a parameter of your function. session.get(User, user_id) gives the row with that id.",
        '@app.get("/users/{user_id}", response_model=UserRead)',
    ],
)
def test_user_can_be_read(client, main, table):
    """GET /users/3 answers with ada's public fields."""
    reply = client.get("/users/3")
    assert reply.status_code == 200, expected(
        "status 200 and the user with id 3",
        next_step=step(
            client,
            reply,
            "Return session.get(User, user_id), with response_model=UserRead in the decorator.",
        ),
    )
    answer = json_body(reply)
    assert isinstance(answer, dict) and sorted(answer) == sorted(KEYS), expected(
        f"exactly the keys {', '.join(KEYS)}",
        next_step=step_for_keys(
            main,
            "GET /users/{user_id}",
            answer,
            "Add response_model=UserRead to the decorator: the row has more than callers may see.",
        ),
    )
    wanted = {key: table.rows(id=3)[0][key] for key in ("id", "username", "email", "age", "tags")}
    assert {key: answer[key] for key in wanted} == wanted, expected(
        f"the row with id 3: {wanted}, and when it was made",
        next_step="Return session.get(User, user_id) as it is.",
    )
    made = table.rows(id=3)[0]["created_at"]
    assert is_same_moment(answer["created_at"], made), expected(
        f"`created_at` as it is stored, {made.isoformat()}; the answer says {answer['created_at']}",
        next_step="Return session.get(User, user_id) as it is: the row knows when it was made.",
    )


@task(
    "GET /users/{user_id}",
    hints=[
        "TODO(1): look at the types of UserRead.",
        "UserRead describes what the table holds, and not what is allowed in: the old rows kept no rule.",
        "age: int, with no limits, and tags: list[str] | None",
    ],
)
def test_old_user_can_be_read(client):
    """A row from before the rules is shown like any other."""
    reply = client.get("/users/1")
    assert reply.status_code == 200, expected(
        "status 200 with mia, whose row has an age of 15 and tags that are NULL; POST shows new users alone, and "
        "those keep the rules",
        next_step=step(
            client,
            reply,
            "Let UserRead have types and no rules: age: int, and tags: list[str] | None.",
        ),
    )
    answer = json_body(reply)
    answer = answer if isinstance(answer, dict) else {}
    assert answer.get("age") == 15 and answer.get("tags", "none") in (None, []), expected(
        "`age` to be 15 and `tags` to be null or []",
        next_step="Show what the row holds. Rules are for what comes in.",
    )


@task(
    "GET /users/{user_id}",
    hints=[
        "TODO(4): look at what session.get gives for an id that nobody has.",
        "It gives None. Say so with a 404, which is raised and not returned.",
        'if row is None: raise HTTPException(status_code=404, detail="User not found")',
    ],
)
def test_unknown_user_is_404(client):
    """An id that nobody has is 404."""
    reply = client.get("/users/404404")
    assert reply.status_code == 404, expected(
        "status 404: nobody has this id",
        next_step="Raise HTTPException(status_code=404) when session.get gives None; raise it, do not return it.",
    )


@task(
    "GET /users/{user_id}",
    hints=[
        "TODO(4): look at what lives longer than one request: a session, a dict of users.",
        "A session keeps the rows that it has read. One that lives on shows them as they were.",
        "session: DatabaseSession as a parameter, and no session or row in a module variable",
    ],
)
def test_changes_of_others_are_seen(client, table):
    """What another process changed is seen by the next request."""
    client.get("/users/3")
    table.change(3, email="ada@elsewhere.example.com")
    answer = json_body(client.get("/users/3"))
    assert isinstance(answer, dict) and answer.get("email") == "ada@elsewhere.example.com", expected(
        "the email ada@elsewhere.example.com, which another process stored after this user was read once",
        next_step="Read the row in each request, in a session of its own: session: DatabaseSession. Keep none in a "
        "module variable.",
    )


@task(
    "GET /users/{user_id}",
    hints=[
        "TODO(4): look for an `except` around the read.",
        "404 says that nobody has this id. When the database cannot be read, nobody knows that.",
        "if row is None: raise HTTPException(status_code=404, …), and no except",
    ],
)
def test_failing_read_is_no_404(client):
    """A read that fails is a 5xx, and no 404."""
    reply = client.get("/users/3")
    assert reply.status_code == 200, expected(
        "status 200 and ada, before the database fails", next_step="Let GET /users/{user_id} work first."
    )
    with broken_disk():
        reply = client.get("/users/3")
    assert reply.status_code >= 500, expected(
        "a 5xx: the database cannot be read, and ada may well be there",
        next_step="Take the `except` around the read out: say 404 when the row is None, and let an error of the database pass.",
    )


@task(
    "GET /users",
    hints=[
        "TODO(5): look at the response model of the list, and at UserRead.",
        "One row that does not fit the response model spoils the whole list: the answer is a 500.",
        "response_model=list[UserRead], and session.scalars(select(User).order_by(User.id)…).all()",
    ],
)
def test_list_has_every_row(client, main, table):
    """GET /users shows every row, the old ones too."""
    reply = client.get("/users")
    assert reply.status_code != 422, expected(
        "status 200: offset and limit may both be left out",
        next_step="Give offset a default of 0 and limit a default of 100.",
    )
    assert reply.status_code == 200, expected(
        "status 200 and the three old rows; two have an age of 15 and tags that are NULL",
        next_step=step(
            client,
            reply,
            "Answer with response_model=list[UserRead], where UserRead has types and no rules. UserCreate refuses "
            "what was stored before its rules.",
        ),
    )
    answer = json_body(reply)
    assert isinstance(answer, list), expected(
        "a JSON list of users", next_step="Return the list itself, not an object around it."
    )
    assert sorted(ids(answer), key=str) == [row["id"] for row in table.rows()], expected(
        f"one entry for each row, ids {ids(table.rows())}; the ids are {ids(answer)}",
        next_step="Filter nothing out, however old it is, and pass offset and limit each to its own method.",
    )
    odd = [user for user in answer if sorted(user) != sorted(KEYS)]
    assert not odd, expected(
        f"exactly the keys {', '.join(KEYS)} in each entry",
        next_step=step_for_keys(
            main, "GET /users", odd[0], "Add response_model=list[UserRead] to the decorator."
        ),
    )


@task(
    "GET /users",
    hints=[
        "TODO(5): look for a list, a dict or a cache outside your function.",
        "What was read for an earlier request is out of date: this process and others store users all the time.",
        "session.scalars(select(User)…).all() in the function, in each request",
    ],
)
def test_list_shows_what_others_stored(client, table):
    """A user that another process stored is in the next list."""
    client.get("/users")
    table.add(HENRY | {"username": "linus"})
    answer = json_body(client.get("/users"))
    names_shown = [
        user.get("username") if isinstance(user, dict) else user
        for user in (answer if isinstance(answer, list) else [])
    ]
    assert "linus" in names_shown, expected(
        f"linus in the list: another process stored him after it was read once; the names are {names_shown}",
        next_step="Read the rows in each request, in its own session, and keep no list for later.",
    )


@task(
    "GET /users",
    hints=[
        "TODO(5): look for an `except` around the read.",
        "An empty list says that there are no users. When the database cannot be read, nobody knows that.",
        "return session.scalars(select(User)…).all(), and no except",
    ],
)
def test_failing_list_is_not_empty(client):
    """A list that cannot be read is a 5xx, and not empty."""
    reply = client.get("/users")
    assert reply.status_code == 200, expected(
        "status 200 and the users, before the database fails", next_step="Let GET /users work first."
    )
    with broken_disk():
        reply = client.get("/users")
    assert reply.status_code >= 500, expected(
        "a 5xx: the database cannot be read, and there may well be users in it",
        next_step="Take the `except` around the read out, and let an error of the database pass.",
    )


@task(
    "GET /users",
    hints=[
        "TODO(5): look at the order of the rows, then at offset and limit.",
        "A database owes you no order unless you ask for one. Then skip `offset` rows and take `limit`.",
        "select(User).order_by(User.id).offset(offset).limit(limit)",
    ],
)
def test_pages_follow_the_ids(client, table):
    """offset and limit cut pages in the order of the ids."""
    first = json_body(client.get("/users", params={"limit": 2}))
    assert isinstance(first, list) and len(first) == 2, expected(
        "the first two users for limit=2",
        next_step="Pass the limit on: select(User).order_by(User.id).limit(limit).",
    )
    assert ids(first) == [1, 2], expected(
        f"the ids 1 and 2, in this order; the ids are {ids(first)}",
        next_step="Ask for an order: select(User).order_by(User.id), before offset and limit. Without it any order is right.",
    )
    for offset, wanted in {1: [2, 3], 2: [3], 100: []}.items():
        page = json_body(client.get("/users", params={"offset": offset, "limit": 2}))
        assert isinstance(page, list) and ids(page) == wanted, expected(
            f"the ids {wanted} for offset={offset} and limit=2",
            next_step="Skip as many rows as offset says (rows, not pages): .offset(offset).limit(limit).",
        )
    table.remove(1)
    page = json_body(client.get("/users", params={"offset": 1}))
    assert isinstance(page, list) and ids(page) == [3], expected(
        f"the id 3 for offset=1: mia was deleted, so tom (2) is the first row, and one row is skipped; the ids are {ids(page)}",
        next_step="Skip rows with .offset(offset), and do not compare ids: ids have gaps.",
    )


@task(
    "GET /users",
    hints=[
        "TODO(5): look at the parameters offset and limit.",
        "A limit of -1 means all rows to SQLite, and an error to PostgreSQL. Refuse it before the database sees it.",
        "offset: Annotated[int, Query(ge=0)] = 0 and limit: Annotated[int, Query(ge=1, le=100)] = 100",
    ],
)
def test_pages_have_bounds(client):
    """An offset below 0 and a limit outside 1 to 100 are refused."""
    for params in ({"offset": 0, "limit": 1}, {"limit": 100}):
        assert client.get("/users", params=params).status_code == 200, expected(
            f"status 200 for {params}",
            next_step="Accept both ends: ge=0 for offset, ge=1 and le=100 for limit.",
        )
    for name, value in (("offset", -1), ("limit", 0), ("limit", -1), ("limit", 101)):
        reply = client.get("/users", params={name: value})
        assert reply.status_code == 422 and f"query.{name}" in error_locations(reply), expected(
            f"status 422 that names query.{name}: {name}={value} is out of bounds",
            next_step=step_for_place(
                reply,
                f"query.{name}",
                "Declare the bounds with Query: ge=0 for offset, ge=1 and le=100 for limit.",
            ),
        )


@task(
    "GET /users",
    hints=[
        "TODO(5): look at the default of limit.",
        "A list without a limit grows with the table, until one request reads all of it into memory.",
        "limit: Annotated[int, Query(ge=1, le=100)] = 100",
    ],
)
def test_list_is_bounded_by_default(client, table):
    """Without a limit, GET /users sends the first 100."""
    table.add(*(HENRY | {"username": f"user{number}"} for number in range(120)))
    answer = json_body(client.get("/users"))
    length = len(answer) if isinstance(answer, list) else None
    assert length == 100, expected(
        f"the first 100 of 123 users, stored a moment ago; there are {length} in the answer",
        next_step="Give limit a default of 100.",
    )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(6) and TODO(7): look at what UserUpdate gives you, and at the row.",
        "Every field of UserUpdate may be left out. setattr(row, name, value) sets a column by its name.",
        "MISSING as every default; for name, value in changes.model_dump().items(): setattr(row, name, value); then commit",
    ],
)
def test_change_is_stored(client, table):
    """PATCH changes what was sent, in the answer and in the table."""
    with refusals() as refused:
        reply = client.patch("/users/3", json={"age": 37})
    assert reply.status_code != 422, expected(
        "status 200: a body with one field is enough",
        next_step=step(
            client,
            reply,
            "Take a UserUpdate, in which every field has a default: age: Age | MISSING = MISSING.",
        ),
    )
    assert reply.status_code == 200, expected(
        "status 200 and the user as it is now. Only `age` was sent; a field that was not sent must not reach the row",
        next_step=step_of_change(client, reply, refused),
    )
    answer = json_body(reply)
    assert isinstance(answer, dict) and answer.get("age") == 37 and answer.get("id") == 3, expected(
        "the user with id 3, whose `age` is 37 now",
        next_step="Set the column that `name` stands for: setattr(row, name, value), and return the row. "
        "row.name = value would set an attribute called name.",
    )
    assert table.rows(id=3)[0]["age"] == 37, expected(
        "an age of 37 in the table too, seen from another connection",
        next_step="Call session.commit() after setting the columns.",
    )
    answer = json_body(client.patch("/users/3", json={"tags": []}))
    assert isinstance(answer, dict) and answer.get("tags") == [] and table.rows(id=3)[0]["tags"] == [], (
        expected(
            "an empty list of tags: it was sent, so it counts",
            next_step="Store the list that was sent. Ask whether a field was sent, not whether it is true: an empty list is a value.",
        )
    )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(7): look at the fields that were not sent. What does model_dump() say of them?",
        "A default looks like a value that was sent. MISSING is the one default that model_dump() never holds.",
        "username: Username | MISSING = MISSING, and so on; or, for other defaults, changes.model_dump(exclude_unset=True)",
    ],
)
def test_fields_that_were_not_sent_stay(client, table):
    """PATCH leaves alone what was not sent."""
    before = table.rows(id=3)[0]
    reply = client.patch("/users/3", json={})
    assert reply.status_code == 200, expected(
        "status 200 for {}: nothing was sent, so nothing changes",
        next_step="Let every field of UserUpdate have a default, and set none that was not sent.",
    )
    client.patch("/users/3", json={"username": "lovelace"})
    row = table.rows(id=3)[0]
    strays = differing(row, before | {"username": "lovelace"})
    assert not {"created_at", "notes"}.intersection(strays), expected(
        f"a new username for ada, and all else as it was; not as it should be: {', '.join(strays)}",
        next_step="Set what was sent and nothing more: take out the line that sets "
        f"{' and '.join(column for column in strays if column in ('created_at', 'notes'))}.",
    )
    assert not strays and before["tags"] == ["maths"], expected(
        f"a new username for ada, and all else as it was; not as it should be: {', '.join(strays)}",
        next_step="Let MISSING be the default of every field of UserUpdate, tags too: model_dump() leaves it out. It holds "
        "every other default, as if it had been sent, unless you say exclude_unset=True.",
    )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(6): look at the types in UserUpdate.",
        "A field that is sent has to keep the same rule as in UserCreate. Username and Age carry theirs along.",
        "username: Username | MISSING = MISSING, age: Age | MISSING = MISSING, …",
    ],
)
def test_change_keeps_the_rules(client, table):
    """A change is checked like a new user."""
    answer = json_body(client.patch("/users/3", json={"username": "Lovelace"}))
    assert isinstance(answer, dict) and answer.get("username") == "lovelace", expected(
        "`username` to be lovelace: names are stored in lower case, changed ones too",
        next_step="Give username in UserUpdate the type Username, which carries its rule along.",
    )
    for field, value in (("age", 18), ("age", 120), ("username", "ada"), ("username", "a" * 50)):
        reply = client.patch("/users/3", json={field: value})
        assert reply.status_code == 200, expected(
            f"status 200: {value!r} keeps the rule of {field} in UserCreate, just so",
            next_step=f"Give {field} in UserUpdate the type {field.title()}, which carries the limits of UserCreate along.",
        )
    before = table.rows()
    bad = (
        ("age", 15),
        ("age", 17),
        ("age", 121),
        ("username", "bad!name"),
        ("username", "ad"),
        ("username", "a" * 51),
        ("email", "not-an-email"),
        ("tags", "admin"),
        ("tags", ["maths", 7]),
    )
    for field, value in bad:
        reply = client.patch("/users/3", json={"email": "new@example.com", field: value})
        assert names(reply, f"body.{field}"), expected(
            f"status 422 that names body.{field}: {value!r} breaks a rule of UserCreate",
            next_step=step_for_place(
                reply,
                f"body.{field}",
                f"Give {field} in UserUpdate the same type and rule as in UserCreate.",
            ),
        )
        assert table.rows() == before, expected(
            "the row as it was: the request was refused, so none of it counts",
            next_step="Let UserUpdate check the whole body before anything is set.",
        )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(6): look at how a field of UserUpdate says that it may be left out.",
        "`int | None = None` says two things: may be left out, and may be null. Only the first is meant.",
        "age: Age | MISSING = MISSING",
    ],
)
def test_null_is_refused(client, table):
    """null is no value for a field: 422."""
    before = table.rows()
    for field in ("username", "email", "age", "tags"):
        reply = client.patch("/users/3", json={field: None})
        assert reply.status_code == 422 and f"body.{field}" in error_locations(reply), expected(
            f"status 422 that names body.{field}: a field may be left out, and it may not be null",
            next_step=step_for_place(
                reply,
                f"body.{field}",
                f"Take None out of the type of {field} in UserUpdate; MISSING as its default says that it may be left out.",
            ),
        )
        assert table.rows() == before, expected(
            "the row as it was: the request was refused",
            next_step="Set nothing before UserUpdate has checked it.",
        )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(7): look at the commit of your PATCH.",
        "A change of name can meet the unique column like a new user can.",
        "The same except IntegrityError as in POST; put it into a function that both call",
    ],
)
def test_change_to_a_taken_name_is_refused(client, table):
    """A change to somebody else's name is refused with 409."""
    for name in ("mia", "MIA"):
        reply = client.patch("/users/3", json={"username": name, "age": 50})
        assert reply.status_code == 409, expected(
            f"status 409: {name} is the name of the user with id 1",
            next_step=step(
                client, reply, "Catch IntegrityError around the commit of PATCH too, and answer 409."
            ),
        )
    assert table.rows(id=3)[0]["username"] == "ada" and table.rows(id=3)[0]["age"] == 36, expected(
        "ada's row as it was: the request was refused, so none of it counts",
        next_step="Change all fields in one commit, so that all or none of them are stored.",
    )
    assert client.patch("/users/3", json={"username": "Ada"}).status_code == 200, expected(
        "status 200: ada is her own name, so nobody else has it",
        next_step="Leave the question to the database: a row does not conflict with itself.",
    )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(7): the lookup finds the name free, and then somebody takes it. Which line of yours meets that?",
        "A lookup or a lock sees this process and this moment. Only the database sees every process.",
        "The same except IntegrityError as in POST, around the commit of PATCH, whatever was looked up before",
    ],
)
def test_changed_name_is_taken_by_another_process(client, table):
    """Another process takes the name just before a change: 409."""
    came_first = []

    def take_the_name():
        if not came_first:
            came_first.append(table.add(HENRY | {"username": "lovelace", "email": "first@example.com"}))

    with before_each("UPDATE", take_the_name):
        reply = client.patch("/users/3", json={"username": "lovelace"})
    if came_first == [True]:
        assert reply.status_code == 409, expected(
            "status 409: just before the change was written another process stored this name",
            next_step="Catch IntegrityError around the commit of PATCH too, and answer 409. A lookup before it, or a lock in "
            "this process, cannot see what another process does.",
        )
    else:  # the request holds the whole database locked: then the name is its own
        assert reply.status_code == 200, expected(
            "status 200", next_step="Commit what was changed, in the session of the request."
        )
    assert len(table.rows(username="lovelace")) == 1, expected(
        "one row with the name", next_step="Change the row in the session, and let the unique column decide."
    )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(7): look at what you catch around the read, and around the commit.",
        "404 means that nobody has this id, and 409 that the name is taken. A database that fails means neither.",
        "except IntegrityError around the commit, no wider class, and no except around session.get",
    ],
)
def test_failing_change_is_no_fault_of_the_caller(client, table):
    """A change that the database cannot read or store is a 5xx."""
    assert client.patch("/users/3", json={"age": 37}).status_code == 200, expected(
        "status 200 for a change, before the database fails",
        next_step="Let PATCH change what was sent; the checks before this one say how.",
    )
    with full_disk():
        reply = client.patch("/users/3", json={"age": 38})
    assert reply.status_code >= 500, expected(
        "a 5xx: the disk is full and nothing was stored, and the caller can do nothing about it",
        next_step="Catch IntegrityError around the commit of PATCH, and no wider class; commit before you return.",
    )
    with broken_disk():
        reply = client.patch("/users/3", json={"age": 38})
    assert reply.status_code >= 500, expected(
        "a 5xx: the row cannot be read, and nobody knows whether it is there",
        next_step="Take the `except` around the read out: say 404 when the row is None, and let an error of the database pass.",
    )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(7): look at what you check: what was sent, or the whole row?",
        "mia's age of 15 was stored before the rule. Her new email has nothing to do with it.",
        "Check with UserUpdate alone, and set the columns on the row; make no UserCreate from the row",
    ],
)
def test_old_user_can_be_changed(client, table):
    """mia, who is 15, can get a new email."""
    before = table.rows(id=1)[0]
    reply = client.patch("/users/1", json={"email": "mia@new.example.com"})
    assert reply.status_code == 200, expected(
        "status 200: only the email was sent, and it is a good one",
        next_step="Check what was sent and not the whole row; answer with UserRead, which takes an age of 15.",
    )
    strays = differing(table.rows(id=1)[0], before | {"email": "mia@new.example.com"})
    assert "notes" not in strays, expected(
        f"a new email, and `notes` as before, {before['notes']!r}: our own people wrote that",
        next_step="Set what was sent and nothing more: take out the line that sets notes.",
    )
    assert not strays, expected(
        f"a new email, and an age of 15 and tags of NULL as before; not as it should be: {', '.join(strays)}",
        next_step="Set only what was sent: MISSING as the default of every field of UserUpdate keeps the others out.",
    )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(7): look at what happens before you set anything.",
        "session.get gives None for an id that nobody has, as in GET.",
        "if row is None: raise HTTPException(status_code=404, …)",
    ],
)
def test_change_of_an_unknown_user_is_404(client, table):
    """A change of a user who is not there is 404."""
    reply = client.patch("/users/404404", json={"age": 40})
    assert reply.status_code == 404, expected(
        "status 404: nobody has this id",
        next_step="Raise HTTPException(status_code=404) when session.get gives None, as in GET.",
    )
    assert len(table.rows()) == 3, expected(
        "no new row", next_step="PATCH changes a row and never makes one."
    )


@task(
    "PATCH /users/{user_id}",
    hints=[
        "TODO(6): look at the fields of UserUpdate.",
        "What UserUpdate does not name cannot be changed by a caller.",
        "UserUpdate with username, email, age and tags, and no other field",
    ],
)
def test_id_and_creation_stay(client, table):
    """Nobody changes an id, a creation time or our notes."""
    sent = {"age": 37, "id": 99, "created_at": "2001-01-01T00:00:00Z", "notes": "a very good customer"}
    before = {row["id"]: (row["created_at"], row["notes"]) for row in table.rows()}
    reply = client.patch("/users/3", json={"age": 40})
    assert reply.status_code == 200 and table.rows(id=3)[0]["age"] == 40, expected(
        "status 200 for a change of age alone, and an age of 40 in the table",
        next_step="Let PATCH change what was sent, one field or more.",
    )
    reply = client.patch("/users/3", json=sent)
    assert reply.status_code in (200, 422), expected(
        "status 200 with those keys left alone, or 422",
        next_step="Let UserUpdate name what may change; what it does not name never reaches the row.",
    )
    after = {row["id"]: (row["created_at"], row["notes"]) for row in table.rows()}
    assert after == before, expected(
        "id, created_at and notes as they were",
        next_step="Take the body as changes: UserUpdate with four fields, and set only what it holds.",
    )
