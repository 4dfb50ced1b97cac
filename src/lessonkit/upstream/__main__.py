"""`python -m lessonkit.upstream`: the stand-in in a terminal, until Ctrl-C."""

import time
from typing import Annotated

import typer

from lessonkit.upstream.server import Upstream

PORT = 8765
KEY = "placeholder-key"


def main(
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1; 0 takes any free one.")] = PORT,
    pace: Annotated[float, typer.Option(help="Seconds before each piece of a stream.")] = 0.1,
) -> None:
    """Run a stand-in for the Messages API, which answers with the course's tiny language model."""
    try:
        upstream = Upstream(port, pace)
    except (OSError, OverflowError) as error:
        print(f"Port {port} cannot be used ({error}). Choose another: --port 0 takes any free one.")
        raise typer.Exit(1) from None
    print(
        f"The stand-in listens on {upstream.url}. End it with Ctrl-C.\n\n"
        "In the terminal in which you start your app, set two variables first:\n\n"
        f"  export ANTHROPIC_BASE_URL={upstream.url}\n"
        f"  export ANTHROPIC_API_KEY={KEY}\n\n"
        "In PowerShell:\n\n"
        f'  $env:ANTHROPIC_BASE_URL = "{upstream.url}"\n'
        f'  $env:ANTHROPIC_API_KEY = "{KEY}"\n',
        flush=True,
    )
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        upstream.close()


if __name__ == "__main__":
    typer.run(main)
