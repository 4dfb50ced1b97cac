"""The machinery of the course: what notebooks and suites import from here is listed in `__all__`.

Importing this package is cheap on purpose: a notebook's first cell and every `lesson` command pay for
it, so each name is loaded from its module when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lessonkit.figures import timeline as timeline
    from lessonkit.notebook import check as check
    from lessonkit.notebook import diff as diff
    from lessonkit.notebook import hint as hint
    from lessonkit.notebook import predict as predict
    from lessonkit.notebook import serve as serve
    from lessonkit.suite import error_locations as error_locations
    from lessonkit.suite import expected as expected
    from lessonkit.suite import json_body as json_body
    from lessonkit.suite import task as task

_HOMES = {
    "json_body": "lessonkit.suite",
    "check": "lessonkit.notebook",
    "diff": "lessonkit.notebook",
    "error_locations": "lessonkit.suite",
    "expected": "lessonkit.suite",
    "hint": "lessonkit.notebook",
    "predict": "lessonkit.notebook",
    "serve": "lessonkit.notebook",
    "task": "lessonkit.suite",
    "timeline": "lessonkit.figures",
}

__all__ = [
    "check",
    "diff",
    "error_locations",
    "expected",
    "hint",
    "json_body",
    "predict",
    "serve",
    "task",
    "timeline",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lessonkit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
