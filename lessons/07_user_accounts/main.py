"""User accounts: UserCreate on the way in, a table behind it, UserRead on the way out."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Response
from pydantic import MISSING, AfterValidator, BaseModel, EmailStr, Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from database import DatabaseSession, User, create_tables


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    create_tables()  # runs once, before the first request; lesson 8 says more about it
    yield


app = FastAPI(lifespan=lifespan)


# Lesson 6's rules, each as a type of its own, so that more than one model can use them.
# AfterValidator calls a function with the value once its type is right, as @field_validator does.
def letters_and_digits(value: str) -> str:
    if not (value.isascii() and value.isalnum()):
        raise ValueError("only letters and digits are allowed")
    return value.lower()


Username = Annotated[str, Field(min_length=3, max_length=50), AfterValidator(letters_and_digits)]
Age = Annotated[int, Field(ge=18, le=120)]


class UserCreate(BaseModel):
    username: Username
    email: EmailStr
    age: Age
    tags: list[str] = []


# TODO(1): what a caller gets: id, username, email, age, tags and created_at, and nothing else of the row.
#          Types alone, no rules: the rows of old have an age of 15, and tags that are None.
class UserRead(BaseModel):
    pass


# TODO(2): answer POST /users. Take a UserCreate and a session (session: DatabaseSession), add a
#          User(**user.model_dump()), commit, and return the row with status 201. response_model=UserRead
#          in the decorator turns the row into JSON. Put /users/ and its id into response.headers["Location"].


# TODO(3): a username that is taken is answered with 409, and it is the database that knows: commit()
#          raises IntegrityError. A lookup before the insert is too early to know.


# TODO(4): answer GET /users/{user_id}: session.get(User, user_id) gives the row, or None. Then it is a 404.


# TODO(5): answer GET /users with a list of users in the order of their ids, the old ones too. offset (0 or
#          more, 0 when left out) says how many to skip, limit (1 to 100, 100 when left out) how many to
#          send. select(User) has order_by, offset and limit; session.scalars(…).all() gives the rows.


# TODO(6): what a caller may change: the four fields of UserCreate under the same rules. Each may be
#          left out, and none may be null. `username: Username | MISSING = MISSING` says both.
class UserUpdate(BaseModel):
    pass


# TODO(7): answer PATCH /users/{user_id}: read the row, set what was sent and nothing else, commit, return
#          the row. model_dump() leaves out what is MISSING; setattr(row, name, value) sets a column by its
#          name. Nobody there is 404, a name that somebody else has is 409.
