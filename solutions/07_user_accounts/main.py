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


class UserRead(BaseModel):
    id: int
    username: str
    email: str
    age: int
    tags: list[str] | None
    created_at: datetime


@app.post("/users", status_code=201, response_model=UserRead)
def create_user(user: UserCreate, session: DatabaseSession, response: Response) -> User:
    row = User(**user.model_dump())
    session.add(row)
    save(session)
    response.headers["Location"] = f"/users/{row.id}"
    return row


def save(session: DatabaseSession) -> None:
    try:
        session.commit()
    except IntegrityError:
        raise HTTPException(status_code=409, detail="This username is taken") from None


@app.get("/users/{user_id}", response_model=UserRead)
def read_user(user_id: int, session: DatabaseSession) -> User:
    row = session.get(User, user_id)
    if row is None:
        raise HTTPException(status_code=404, detail="User not found")
    return row


@app.get("/users", response_model=list[UserRead])
def list_users(
    session: DatabaseSession,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.id).offset(offset).limit(limit)).all()


class UserUpdate(BaseModel):
    username: Username | MISSING = MISSING
    email: EmailStr | MISSING = MISSING
    age: Age | MISSING = MISSING
    tags: list[str] | MISSING = MISSING


@app.patch("/users/{user_id}", response_model=UserRead)
def update_user(user_id: int, changes: UserUpdate, session: DatabaseSession) -> User:
    # An endpoint is an ordinary function as well: called here, it brings its 404 along.
    row = read_user(user_id, session)
    for name, value in changes.model_dump().items():
        setattr(row, name, value)
    save(session)
    return row
