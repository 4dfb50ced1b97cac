"""A user comes in: one model holds every rule, and one endpoint shows what becomes of the data."""

from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, EmailStr, Field, field_validator

app = FastAPI()


class UserCreate(BaseModel):
    username: Annotated[str, Field(min_length=3, max_length=50)]
    email: EmailStr
    age: Annotated[int, Field(ge=18, le=120)]
    tags: list[str] = []

    @field_validator("username")
    @classmethod
    def letters_and_digits_in_lower_case(cls, value: str) -> str:
        if not (value.isascii() and value.isalnum()):
            raise ValueError("use letters and digits only")
        return value.lower()


# The endpoint: it shows from outside what the model makes of a user.
@app.post("/users/validate")
def validate_user(user: UserCreate) -> UserCreate:
    return user
