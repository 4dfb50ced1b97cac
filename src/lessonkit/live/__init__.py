"""A learner's app behind a real server, which follows every save of `main.py`.

`handle` is the side that asks for a server (a notebook, the command), `server` the process that is one: it
listens once and puts each saved app in the place of the one before (`swap`). `offline_docs` lets `/docs` and
`/redoc` show without the internet, whatever the learner's code says.
"""

from lessonkit.live.handle import LiveServer, serve, stop_all

__all__ = ["LiveServer", "serve", "stop_all"]
