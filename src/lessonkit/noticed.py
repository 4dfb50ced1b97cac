"""What an answer itself says of its cause, whichever check it failed: the first thing to look at.

A check knows what it asked for, and not what else went wrong on the way; these causes are those of FastAPI and
Starlette, seen by running.
"""

import json
import re
from collections.abc import Mapping

from lessonkit.report import Exchange

# What the exception says, what to do, and a word that says so already where the check's own step has it.
CAUSES = (
    (
        r"^TypeError: 'NoneType' object is not callable$|No response returned",
        "End every middleware with `return response`.",
        "return",
    ),
    (r"'coroutine' object has no attribute", "Write `await` in front of the call that gave it.", "await"),
    (
        r"'HTTPException' object",
        "Write `raise HTTPException(…)`: it is raised, and not returned.",
        "raise",
    ),
    (
        r"^HTTPException",
        "HTTPException is for endpoints and dependencies; in a middleware, return a JSONResponse.",
        "JSONResponse",
    ),
)


def first_step(last: Exchange, wanted: str, step: str, own: Mapping[str, str]) -> str:
    """What the last exchange tells to do first; "" where it tells nothing, or `step` says it already.

    `wanted` is what the check expected. `own` are the causes that a suite adds: what the exception says, as a
    regular expression, and what to do then.
    """
    for pattern, says in own.items():
        if last.crash and re.search(pattern, last.crash):
            return "" if says in step else says
    for pattern, says, word in CAUSES:
        if last.crash and re.search(pattern, last.crash):
            return "" if word in step else says
    if last.status != 422 or "422" in wanted or "Depends" in step:
        return ""
    for part, what in (("query", "a parameter of the query"), ("body", "parts of the body, a key each")):
        names = _missed(last, part)
        if names and not any(name in step for name in names):
            said = " and ".join(f"`{name}`" for name in names)
            return f"FastAPI takes {said} for {what}: declare with Depends(…), or as a header, what is not meant so."
    return ""


def _missed(last: Exchange, part: str) -> list[str]:
    """The parameters that a 422 misses in the query, or in the body: there whole ones, and not fields of a model."""
    try:
        return [
            str(one["loc"][1])
            for one in json.loads(last.answer)["detail"]
            if one["type"] == "missing" and one["loc"][0] == part and len(one["loc"]) == 2
            if part == "query" or one.get("input", "") is None
        ]
    except (ValueError, LookupError, TypeError):
        return []
