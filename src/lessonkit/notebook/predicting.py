"""`predict()`: a guess that is taken before a cell is run, and set beside what came out."""

from html import escape
from typing import Any

from lessonkit.notebook.shown import Shown

_asked: dict[str, "Prediction"] = {}


class Prediction:
    """A guess that was taken before a cell is run. `compare(measured)` sets it beside what came out."""

    def __init__(self, question: str, options: tuple[str, ...], guess: str | None) -> None:
        self.question = question
        self.options = options
        self.guess = guess

    def compare(self, measured: object) -> Shown:
        """Show the guess beside the measurement; a wrong guess is where the learning is."""
        found = str(measured)
        if self.guess is None:
            verdict = "no guess this time"
        else:
            verdict = "as you guessed" if self.guess == found else f"you guessed {self.guess}"
        text = f"Measured: {found} ({verdict})"
        return Shown(f"<p><b>Measured: {escape(found)}</b> ({escape(verdict)})</p>", text)

    def __repr__(self) -> str:
        chosen = f"Your guess: {self.guess}" if self.guess else 'Guess by adding guess="…" to the call.'
        return f"{self._asks()}\n{chosen}"

    def _asks(self) -> str:
        return f"{self.question}\n  {' / '.join(self.options)}"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        buttons = self._buttons()
        if buttons is None:
            print(repr(self))
        else:
            shown = buttons._repr_mimebundle_() | {"text/plain": self._asks()}
            display(shown, raw=True)  # type: ignore[no-untyped-call]

    def _buttons(self) -> Any:
        """The question with a button for each option; None where widgets cannot be made."""
        try:
            import ipywidgets  # type: ignore[import-untyped]
        except ImportError:
            return None
        choice = ipywidgets.ToggleButtons(
            options=self.options,
            value=self.guess,
            description="",
            tooltips=[self.question] * len(self.options),
        )
        choice.observe(self._chosen, names="value")
        return ipywidgets.VBox([ipywidgets.HTML(f"<b>{escape(self.question)}</b>"), choice])

    def _chosen(self, change: dict[str, Any]) -> None:
        self.guess = change["new"]


def predict(question: str, *options: object, guess: object = None) -> Prediction:
    """Ask for a guess before the next cell is run: buttons in a notebook, `guess=` everywhere else.

    Keep what it returns and call `compare(measured)` on it after the measurement. A guess survives when
    its cell is run again, which the keyboard does easily.
    """
    asked = Prediction(question, tuple(map(str, options)), None if guess is None else str(guess))
    before = _asked.get(question)
    if asked.guess is None and before is not None and before.guess in asked.options:
        asked.guess = before.guess
    _asked[question] = asked
    return asked
