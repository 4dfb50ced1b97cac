"""Which deprecated things the learner's code uses: the warnings are kept, wherever they are raised."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydantic

PYDANTIC = Path(pydantic.__file__).parent


@dataclass(frozen=True)
class Deprecation:
    """One use of something deprecated.

    `library` is the package that announced it ("pydantic"; "builtins" for a plain DeprecationWarning),
    `says` its words on the matter, `file` and `line` the place of the use.
    """

    library: str
    says: str
    file: str
    line: int


@contextmanager
def heard(folder: Path) -> Iterator[Callable[[], list[Deprecation]]]:
    """While it lasts, keep the deprecation warnings that code in `folder` gives rise to.

    Yields a function that returns them so far, oldest first; one for each line and sentence. It hears
    every thread, so requests to an app count too. Afterwards every warning is passed on.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield lambda: list(dict.fromkeys(_read(one) for one in caught if _concerns(one, folder)))
    for one in caught:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, source=one.source)


def _concerns(warning: warnings.WarningMessage, folder: Path) -> bool:
    """Starlette's and FastAPI's own deprecations are UserWarnings, so their name has to tell."""
    category = warning.category
    deprecates = issubclass(category, DeprecationWarning) or "Deprecat" in category.__name__
    file = Path(warning.filename)
    return deprecates and (
        file.is_relative_to(folder) or (_library(category) == "pydantic" and file.is_relative_to(PYDANTIC))
    )


def _read(warning: warnings.WarningMessage) -> Deprecation:
    own_words = getattr(warning.message, "message", None)  # Pydantic adds versions and an address to them
    says = " ".join(str(own_words or warning.message).split()).rstrip(".")
    return Deprecation(_library(warning.category), says, Path(warning.filename).name, warning.lineno)


def _library(category: type[Warning]) -> str:
    return category.__module__.partition(".")[0]
