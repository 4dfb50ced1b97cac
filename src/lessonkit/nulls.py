"""Apps that did no work. Whatever a suite passes on one of these, it does not check.

Each answers every method on every path that the suite names, so that a check is judged by what it
asserts and not by the route that is missing; `bare` has no route at all.
"""

from collections.abc import Sequence

NULL_APPS = ("bare", "always_200", "echo", "always_422")

_HEAD = '''"""A null app: {name}."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

app = FastAPI()


async def answer(request: Request) -> Response:
{answer}


for path in {paths!r}:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        app.add_api_route(path, answer, methods=[method])
'''

_ANSWERS = {
    "bare": "    return Response()",
    "always_200": "    return JSONResponse({})",
    "echo": (
        '    sent = await request.body()\n    return Response(sent or b"{}", media_type="application/json")'
    ),
    "always_422": (
        '    missing = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}\n'
        '    return JSONResponse({"detail": [missing]}, status_code=422)'
    ),
}


def null_app(name: str, operations: Sequence[str]) -> str:
    """The text of the null app's main.py, with the path of each of `operations` ("POST /predict")."""
    paths = [] if name == "bare" else sorted({one.split(" ", 1)[1] for one in operations})
    return _HEAD.format(name=name, answer=_ANSWERS[name], paths=paths)
