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
    name = None if "422" in wanted else _query_parameter(last)
    if name is None or "Depends" in step or name in step:
        return ""
    return (
        f"FastAPI takes `{name}` for a query parameter that every request must have: declare it with "
        "Depends(…), or as the header that it is."
    )


def _query_parameter(last: Exchange) -> str | None:
    """The parameter that a 422 misses in the query, where nobody promised one."""
    if last.status != 422:
        return None
    try:
        found = [one["loc"] for one in json.loads(last.answer)["detail"] if one["type"] == "missing"]
    except (ValueError, LookupError, TypeError):
        return None
    return next((str(loc[1]) for loc in found if len(loc) > 1 and loc[0] == "query"), None)
