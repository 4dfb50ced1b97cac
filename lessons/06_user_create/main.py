"""A user comes in: one model holds every rule, and one endpoint shows what becomes of the data."""

from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, EmailStr, Field, field_validator

app = FastAPI()

# TODO(1): start below the last line of this file, where the endpoint goes:
#          answer POST /users/validate. Take one UserCreate, and return it.


class UserCreate(BaseModel):
    pass

    # TODO(2): three fields that are always needed: username (a string of 3 to 50
    #          characters), email (an EmailStr) and age (a whole number from 18
    #          to 120, both included). Delete `pass`: it only kept the place.

    # TODO(3): one field that may be left out: tags (a list of strings, empty
    #          when it is left out).

    # TODO(4): the rule that no type knows: a username holds letters and
    #          digits and nothing else, and is kept in lower case. Write a
    #          validator for the field, here inside the class: raise ValueError,
    #          or return the value.


# The endpoint: it shows from outside what the model makes of a user.
