"""What a notebook's functions return: HTML in a notebook, text everywhere else."""

import re
from html import escape

# Mixed with the colour of the text around it, a colour reads on a light page and on a dark one, in any frontend.
GOOD = "color-mix(in srgb,#2e7d32 60%,currentcolor)"
BAD = "color-mix(in srgb,#c62828 60%,currentcolor)"


class Shown:
    """Something with two faces: HTML in a notebook, text everywhere else."""

    def __init__(self, html: str, text: str) -> None:
        self._html = html
        self._text = text

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


def sentence(text: str) -> Shown:
    """A sentence or a few, each line on its own; what stands in backticks is code."""
    lines = "<br>".join(re.sub("`([^`]+)`", r"<code>\1</code>", escape(line)) for line in text.splitlines())
    return Shown(f'<p style="max-width:60em">{lines}</p>', text)
