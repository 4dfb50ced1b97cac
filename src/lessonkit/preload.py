"""What the fork server imports and runs once, so that every run forked from it starts warm.

A first run of anything is slow (imports, caches, pytest's own plugins), so a tiny suite is run here, in
full; then the collector is told to leave all of it alone, which halves what a run costs at its end.
"""

import gc
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from lessonkit import child

SDK = "anthropic"
KIT_WITH_SDK = ("lessonkit.upstream.fixture", "lessonkit.upstream.server", "lessonkit.upstream.clients")
_COURSE = {
    "lessons/01_warm/main.py": "",
    "solutions/01_warm/main.py": """
from fastapi import FastAPI
from pydantic import BaseModel


class Echo(BaseModel):
    text: str


app = FastAPI()


@app.post("/echo")
async def echo(given: Echo) -> Echo:
    return given
""",
    "tests/test_01_warm.py": '''
from lessonkit import expected, task


@task("POST /echo", hints=["warm"])
def test_echo(client, model):
    """An echo."""
    assert client.post("/echo", json={"text": "a"}).status_code == 200
    assert client.post("/echo", json={}).status_code == 422


@task("POST /echo", hints=["warm"])
def test_failure(client):
    """A failure, so that its message is made once."""
    assert client.post("/echo", json={}).status_code == 200, expected("a", next_step="b")
''',
}


def warm_up(packages: Sequence[str]) -> None:
    """Import `packages`, run a two-check suite in this process, and freeze what all that loaded."""
    sys.dont_write_bytecode = True
    import_module("lessonkit.plugin")  # first, so that the loader knows what it rests on itself
    for name in (*packages, *(KIT_WITH_SDK if SDK in packages else ())):
        with suppress(ImportError):
            import_module(name)
    with tempfile.TemporaryDirectory(prefix="lesson-") as scratch:
        root = Path(scratch).resolve()
        for name, text in _COURSE.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        child.run_pytest(str(root / "tests/test_01_warm.py"), "solution", 1.0, lambda event, value: None)
        sys.path_importer_cache.clear()
    for name in ("main", "test_01_warm"):
        sys.modules.pop(name, None)
    gc.collect()
    gc.freeze()


if os.environ.get("LESSONKIT_PRELOAD"):  # set by the runner for its fork server, and nowhere else
    warm_up(os.environ["LESSONKIT_PRELOAD"].split())
