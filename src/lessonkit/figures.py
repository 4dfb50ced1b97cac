"""The figures of the notebooks, drawn with matplotlib in colours that everyone can tell apart.

Each comes with a sentence that says the same in words, as the picture's alternative text.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from lessonkit.at_once import TimedRequest, most_at_once

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WAITING = "#cccccc"  # light grey, hatched
WAITING_EDGE = "#888888"
WORKING = "#0072b2"  # Okabe and Ito's blue
FAILED = "#d55e00"  # and their vermilion, with a mark of its own
PANEL_INCHES = 3.2
HEIGHT_INCHES = 3.0
ROW_INCHES = 0.07
DOTS_PER_INCH = 110


class Picture:
    """A drawn figure: an image with a description in a notebook, the description everywhere else."""

    def __init__(self, figure: "Figure", description: str) -> None:
        self.figure = figure
        self.description = description

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, facecolor="white")
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        alt = escape(self.description, quote=True)
        return f'<img style="max-width:100%" alt="{alt}" src="data:image/png;base64,{data}">'

    def __repr__(self) -> str:
        return self.description


def timeline(
    requests: Sequence[TimedRequest] | Mapping[str, Sequence[TimedRequest]], title: str = ""
) -> Picture:
    """Draw each request as a bar: hatched grey while it waits, blue while a model works on it.

    `requests` is one burst, or several by name, which are drawn side by side on one scale. A burst is
    drawn in the order in which the model began on its requests, from the top. Times are in seconds since
    the first request of a burst was sent.
    """
    from matplotlib.figure import Figure  # without pyplot: no state, no window, no backend to choose

    panels = dict(requests) if isinstance(requests, Mapping) else {"": requests}
    rows = max(len(burst) for burst in panels.values())
    width = max(PANEL_INCHES * len(panels), 6.4)
    figure = Figure(figsize=(width, HEIGHT_INCHES + ROW_INCHES * max(rows - 8, 0)), layout="constrained")
    axes: list[Axes] = list(figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0])
    for area, (name, burst) in zip(axes, panels.items(), strict=True):
        _draw(area, name, burst)
    axes[0].set_ylabel("requests, in the order\nin which the model began")
    axes[0].set_ylim(rows + 0.7, 0.3)
    axes[0].set_xlim(0, 1.03 * max(request.ended for burst in panels.values() for request in burst))
    figure.suptitle(title or "Requests that were sent at once")
    figure.legend(handles=_legend(panels), loc="outside lower center", ncols=3, frameon=False)
    return Picture(figure, _in_words(title, panels))


def _draw(area: "Axes", name: str, burst: Sequence[TimedRequest]) -> None:
    from matplotlib.ticker import MaxNLocator

    area.set_title(name, fontsize=10)
    area.set_xlabel("seconds since sending")
    area.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    area.spines[["top", "right"]].set_visible(False)
    ordered = sorted(burst, key=lambda request: (request.sent + request.waited, request.ended))
    for place, request in enumerate(ordered, start=1):
        area.barh(
            place,
            request.ended - request.sent,
            left=request.sent,
            height=0.7,
            color=WAITING,
            edgecolor=WAITING_EDGE,
            hatch="////",
            linewidth=0.4,
        )
        if request.began is not None and request.done is not None:
            area.barh(place, request.done - request.began, left=request.began, height=0.7, color=WORKING)
        if request.status >= 400:
            area.plot(request.ended, place, marker="X", color=FAILED, markersize=7)


def _legend(panels: Mapping[str, Sequence[TimedRequest]]) -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[object] = [
        Patch(facecolor=WAITING, edgecolor=WAITING_EDGE, hatch="////", label="waits"),
        Patch(facecolor=WORKING, label="in the model"),
    ]
    if any(request.status >= 400 for burst in panels.values() for request in burst):
        handles.append(Line2D([], [], marker="X", color=FAILED, linestyle="", label="failed"))
    return handles


def _in_words(title: str, panels: Mapping[str, Sequence[TimedRequest]]) -> str:
    lines = [title] if title else []
    for name, burst in panels.items():
        lines.append(
            f"{name + ': ' if name else ''}{len(burst)} requests at once, at most {most_at_once(burst)} in the model "
            f"at a time, the last answered after {max(request.ended for request in burst):.2f} s"
        )
    return "\n".join(lines)


def histogram(seconds: Sequence[float], title: str = "", marks: Mapping[str, float] | None = None) -> Picture:
    """Draw how long requests took, in milliseconds; each of `marks` is a line with its name and value.

    `seconds` are the durations; `marks` values are seconds too.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, HEIGHT_INCHES), layout="constrained")
    area: Axes = figure.subplots()
    area.hist([1000 * one for one in seconds], bins=40, color=WORKING)
    area.set_title(title, fontsize=10)
    area.set_xlabel("milliseconds until the answer")
    area.set_ylabel("requests")
    area.spines[["top", "right"]].set_visible(False)
    told = [title] if title else []
    told.append(f"{len(seconds)} requests")
    for place, (name, value) in enumerate((marks or {}).items()):
        text = f"{name}: {1000 * value:.0f} ms"
        area.axvline(1000 * value, color=FAILED, linestyle=("--", ":", "-.")[place % 3], label=text)
        told.append(text)
    if marks:
        area.legend(frameon=False)
    return Picture(figure, ", ".join(told))
