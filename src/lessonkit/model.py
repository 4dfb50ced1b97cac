"""A real, tiny language model: word n-grams over a corpus that was written for this course.

`run_model` is what lessons 1 to 5 predict with. It is a model in the plain sense: it has counted which
word follows which two in `corpus.txt`, and it continues your text from there. At temperature 0 it takes
the most frequent continuation every time; above 0 it samples.

Every call is kept in `calls`, so that a check can look at what really reached the model.
"""

import random
import zlib
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus.txt")
ORDER = 2
END = ""

Context = tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """One call of `run_model`: what went in, as it came, and what came out (None: it was refused)."""

    text: object
    max_tokens: object
    temperature: object
    result: str | None


calls: list[Call] = []
scripted: deque[str] = deque()
_dice = random.Random()


def run_model(text: str, max_tokens: int = 512, temperature: float = 0.7) -> str:
    """Continue `text` by at most `max_tokens` words and return the continuation alone.

    Temperature 0 is deterministic; higher is more varied. Fewer words come back where a paragraph of
    the corpus ends; none at all for a `max_tokens` of 0 or less.

    Raises TypeError when an argument is of another type, ValueError for a temperature below 0.
    """
    try:
        _refuse_wrong_types(text, max_tokens, temperature)
        result = scripted.popleft() if scripted else _continue(text, max_tokens, temperature)
    except (TypeError, ValueError):
        calls.append(Call(text, max_tokens, temperature, None))
        raise
    calls.append(Call(text, max_tokens, temperature, result))
    return result


def _refuse_wrong_types(text: object, max_tokens: object, temperature: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"run_model takes text as a str, and got {text!r}")
    if not isinstance(max_tokens, int):
        raise TypeError(f"run_model takes max_tokens as an int, and got {max_tokens!r}")
    if not isinstance(temperature, int | float):
        raise TypeError(f"run_model takes temperature as a float, and got {temperature!r}")
    if temperature < 0:
        raise ValueError(f"run_model takes a temperature of 0 or more, and got {temperature!r}")


def _continue(text: str, max_tokens: int, temperature: float) -> str:
    table = _table()
    context = _start(text)
    words: list[str] = []
    seen: set[Context] = set()
    while len(words) < max_tokens:
        if temperature == 0 and context in seen:  # greedy choice from a known context only goes in circles
            break
        seen.add(context)
        word = _choose(table[context], temperature)
        if word == END:
            break
        words.append(word)
        context = (*context[1:], word)
    return " ".join(words)


def _choose(follows: Counter[str], temperature: float) -> str:
    if temperature == 0:
        return max(follows, key=lambda word: follows[word])
    most = max(follows.values())
    weights = [(count / most) ** (1 / temperature) for count in follows.values()]
    return _dice.choices(list(follows), weights)[0]


def _start(text: str) -> Context:
    """The context to continue from: the text's last words if the corpus has them, else one of its openings."""
    table = _table()
    plain = {tuple(_plain(word) for word in context): context for context in table}
    last = tuple(_plain(word) for word in text.split()[-ORDER:])
    if last in plain:
        return plain[last]
    openings = [context for context in table if context[0] == END]
    alike = [context for context in openings if last and _plain(context[-1]) == last[-1]]
    choices = alike or openings
    return choices[zlib.crc32(text.encode("utf-8", errors="replace")) % len(choices)]


def _plain(word: str) -> str:
    return word.lower().strip(".,;:?")


@cache
def _table() -> dict[Context, Counter[str]]:
    """How often each word follows each pair of words; a paragraph opens and ends with END."""
    counts: defaultdict[Context, Counter[str]] = defaultdict(Counter)
    for paragraph in CORPUS.read_text(encoding="utf-8").split("\n\n"):
        words = [END, *paragraph.split(), END]
        for place in range(len(words) - ORDER):
            context = tuple(words[place : place + ORDER])
            counts[context][words[place + ORDER]] += 1
    return dict(counts)
