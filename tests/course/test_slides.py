"""A lesson's slides without a kernel: what is refused, what a deck is made of, what no learner is given."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4
from tests.course import miniature
from tests.course.test_command import call

from lessonkit.course import Lesson, LessonError
from lessonkit.slides import make_slides, read_notes
from lessonkit.workspace import given_files

Outputs = dict[str, list[Any]]


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    return miniature.make(tmp_path / "mein Kurs, é")


@pytest.fixture
def deck(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> Callable[[Outputs], str]:
    """`deck(outputs)`: the page of the lesson's slides, had its cells shown these outputs."""

    def made(outputs: Outputs) -> str:
        def executed(lesson: Lesson, target: str, kernel: object) -> Any:
            notebook = nbformat.read(lesson.notebook, as_version=4)  # type: ignore[no-untyped-call]
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs = outputs.get(cell.id, [])
            return notebook

        monkeypatch.setattr("lessonkit.author.notebooks.execute", executed)
        return make_slides(lesson).read_text(encoding="utf-8")

    return made


def shown(**data: str) -> Any:
    kinds = {name.replace("_", "/", 1): value for name, value in data.items()}
    return v4.new_output("display_data", data=kinds)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("9",), "There is no lesson '9'; the lessons are 1."),
        (("1", "--target", "work"), "Lesson 1 is not started yet."),
        (("1", "--target", "nowhere"), "There is no target 'nowhere'."),
        (("1", "--target", "lessons"), "There is no main.py in"),
        (("1", "--target", "mistake:gone"), "There is no mistake 'gone'."),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_sentence(
    lesson: Lesson, words: tuple[str, ...], says: str
) -> None:
    done = call(lesson, "slides", *words, "--no-browser")
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert not (lesson.root / "work" / ".slides").exists()


def test_a_lesson_without_a_notebook(lesson: Lesson) -> None:
    lesson.notebook.unlink()
    with pytest.raises(LessonError, match="has no notebook"):
        make_slides(lesson)


def test_notes_that_are_not_toml(lesson: Lesson) -> None:
    lesson.talk.write_text("[notes", encoding="utf-8")
    with pytest.raises(LessonError, match=r"lessons/01_greeting/talk\.toml is not valid TOML"):
        read_notes(lesson)
    lesson.talk.unlink()
    assert read_notes(lesson) == {}


def test_a_deck_asks_no_other_machine(lesson: Lesson, deck: Callable[[Outputs], str]) -> None:
    page = deck({})
    asked = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert asked
    folder = lesson.root / "work" / ".slides" / lesson.name
    assert [one for one in asked if not one.startswith("data:") and not (folder / one).is_file()] == []
    assert "require(" not in page
    assert "MathJax" not in page


def test_notes_stand_at_their_slides(deck: Callable[[Outputs], str]) -> None:
    page = deck({})
    slide = page.partition('data-cell="check-your-work"')[2].partition("</section>")[0]
    assert '<aside class="notes"><p>Count the green ones aloud.</p></aside>' in slide


def test_a_widget_is_its_plain_text(deck: Callable[[Outputs], str]) -> None:
    widget = v4.new_output(  # type: ignore[no-untyped-call]
        "display_data",
        data={"text/plain": "one?\n  1 / 2", "application/vnd.jupyter.widget-view+json": {"model_id": "x"}},
    )
    page = deck({"guess-a": [widget]})
    assert "one?\n  1 / 2" in page
    assert "widget" not in page


def test_a_running_app_is_told_and_not_framed(deck: Callable[[Outputs], str]) -> None:
    page = deck({"check-your-work": [shown(text_html="<iframe src='http://127.0.0.1:8000/docs'></iframe>")]})
    assert "<iframe" not in page
    assert "uv run lesson serve 1" in page


def test_long_code_is_cut_between_statements(lesson: Lesson, deck: Callable[[Outputs], str]) -> None:
    lines = [f"a{number} = [\\n    {number},\\n]\\n" for number in range(12)]
    miniature.edit(lesson.notebook, '["check()"]', f'["{"".join(lines)}"]')
    page = deck({"check-your-work": [shown(text_plain="the end\n" * 9)]})
    parts = re.findall(r'data-cell="check-your-work(?:__\d)?"(.*?)</section>', page, flags=re.DOTALL)
    assert len(parts) == 3
    assert [part.count("[") == part.count("]") for part in parts] == [True] * 3
    assert ["the end" in part for part in parts] == [False, False, True]


def test_no_learner_is_given_the_talk(lesson: Lesson) -> None:
    assert lesson.talk.is_file()
    assert sorted(given_files(lesson)) == ["01_greeting.ipynb", "README.md", "main.py"]
