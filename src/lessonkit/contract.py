"""The fixture `contract`: a given openapi.json, and requests that Schemathesis makes from it.

For each operation it tries every edge that the document names (each limit, one beyond, each wrong type, what
is missing), then, where there is a body, a few at random, which are the same in every run. The learner's own schema plays
no part: what counts is what the app answers. Left open is how a number is written: JSON Schema takes 5.0 for an
integer and refuses "5" and true, Pydantic does the opposite or, told to be strict, refuses all three.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lessonkit.client import RecordingClient
from lessonkit.plugin import CHECKS, EXCHANGES

if TYPE_CHECKING:
    from schemathesis.schemas import APIOperation

EXAMPLES = 10  # at random, of those that the contract allows and as many of those that it forbids
SHOWN_CHARACTERS = 300
UNKNOWN = "nobody"


class Broken(Exception):
    """An answer that the contract does not allow; the text says in what way."""


class Contract:
    """One openapi.json, as it was given to the learner."""

    def __init__(self, document: dict[str, Any], keep: Callable[[RecordingClient], None]) -> None:
        self.document = document
        self._keep = keep

    def first_breach(
        self, client: RecordingClient, operation: str, headers: dict[str, str] | None = None
    ) -> str | None:
        """What is wrong with the first answer that breaks the contract of `operation` ("POST /jobs"); None if none does.

        The request that led there is the last of the client's exchanges, as small as it could be made.
        `headers`, which hold the key, go with every request but the first two where the document lists a 401: one
        has none of them, and one an unknown key.
        """
        with _byte_code_kept():
            import hypothesis
            import schemathesis
            import schemathesis.specs.openapi.checks
            from schemathesis.generation import GenerationMode

        schema = schemathesis.openapi.from_dict(self.document)
        schema.config.generation.with_security_parameters = False
        method, path = operation.split(" ", 1)
        wanted: APIOperation[Any, Any, Any, Any] = schema[path][method]
        numbers = _numbers(self.document, path, method)
        unknown: list[dict[str, str]] = []
        if headers and "401" in self.document["paths"][path][method.lower()]["responses"]:
            unknown += [{}, dict.fromkeys(headers, UNKNOWN)]
        quiet = hypothesis.settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
            suppress_health_check=list(hypothesis.HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
        )
        try:
            for case in schema.iter_coverage_cases(
                wanted, generation_modes=list(GenerationMode), generation_config=schema.config.generation
            ):
                if case.method.upper() != method:
                    continue
                for strange in unknown:
                    _try(case, client, strange, numbers, known=False)
                unknown.clear()
                _try(case, client, headers or {}, numbers)
            for mode in GenerationMode if wanted.body else ():  # without a body, the edges are all there is

                @quiet
                @hypothesis.given(wanted.as_strategy(mode))
                def at_random(case: Any) -> None:
                    _try(case, client, headers or {}, numbers)

                at_random()
        except Broken as breach:
            return str(breach)
        finally:
            del client.exchanges[:-1]  # hundreds, of which the last is the telling one
            self._keep(client)
        return None


@pytest.fixture
def contract(request: pytest.FixtureRequest) -> Contract:
    """The openapi.json that the lesson gives, whatever became of the learner's copy."""
    session = request.config.stash[CHECKS].session(request.node)
    document = json.loads((session.lesson.starter / "openapi.json").read_text(encoding="utf-8"))

    def keep(client: RecordingClient) -> None:
        request.node.stash[EXCHANGES] = client.exchanges

    return Contract(document, keep)


@contextmanager
def _byte_code_kept() -> Iterator[None]:
    """Let imports write their byte-code files: a run keeps none for learners' files, and these are 500 of others."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _try(
    case: Any, client: RecordingClient, headers: dict[str, str], numbers: set[str], *, known: bool = True
) -> None:
    """Send one request and raise Broken when the contract does not allow the answer."""
    from schemathesis import checks
    from schemathesis.core.failures import FailureGroup
    from schemathesis.specs.openapi import checks as of_openapi

    wanted = [
        checks.not_a_server_error,
        of_openapi.status_code_conformance,
        of_openapi.negative_data_rejection,
        of_openapi.positive_data_acceptance,
        of_openapi.content_type_conformance,
        of_openapi.response_headers_conformance,
        of_openapi.response_schema_conformance,
    ]
    if not known or _oddly_written(case.body, numbers):
        wanted = [one for one in wanted if "data" not in one.__name__]
    told = case.as_transport_kwargs(base_url=str(client.base_url), headers=headers)
    parts = ("method", "url", "headers", "params", "json", "data", "files")
    request = {name: told[name] for name in parts if told.get(name) is not None}
    if isinstance(request.get("data"), str | bytes):
        request["content"] = request.pop("data")
    reply = client.request(**request)
    try:
        case.validate_response(reply, checks=wanted)
    except FailureGroup as group:
        raise Broken(_in_words(group.exceptions, wanted=reply.status_code, case=case)) from None


def _numbers(document: dict[str, Any], path: str, method: str) -> set[str]:
    """The fields of an operation's JSON body that are numbers."""
    body = document["paths"][path][method.lower()].get("requestBody", {})
    schema = body.get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    fields = schema.get("properties", {})
    return {name for name, field in fields.items() if field.get("type") in ("integer", "number")}


def _oddly_written(body: Any, numbers: set[str]) -> bool:
    """Whether a number stands there as a text, a truth value, or a whole one with a point."""
    values = [value for name, value in body.items() if name in numbers] if isinstance(body, dict) else []
    return any(
        isinstance(value, str | bool) or (isinstance(value, float) and value.is_integer()) for value in values
    )


def _in_words(failures: Any, *, wanted: int, case: Any) -> str:
    """The first failure in one line: "Undocumented status code: …"."""
    order = ("server error", "undocumented", "accepted", "rejected")
    ranked = sorted(
        failures,
        key=lambda one: next((n for n, word in enumerate(order) if word in one.title.lower()), len(order)),
    )
    first = ranked[0]
    told = re.sub(r"^Expected: .*$", "", first.message, flags=re.MULTILINE)
    details = " ".join(re.split(r"Validated against|Schema at|Schema:", told)[0].split())
    details = details.replace(" Invalid component:", ". What is wrong in the request:")
    text = f"{wanted}. {first.title}" + (f": {details}" if details else "")
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
