"""Each rule of the course catches a small course that breaks it, and leaves the good one alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.course import miniature

from lessonkit.author import truth
from lessonkit.author.layout import lay_out
from lessonkit.author.rules import RULES
from lessonkit.course import Course, Lesson, LessonError
from lessonkit.runner import run

Breaks = Callable[[Lesson], object]


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    return miniature.make(tmp_path)


def broken_rules(lesson: Lesson) -> dict[str, str]:
    return {rule.__name__: "\n".join(found) for rule in RULES if (found := list(rule(lesson)))}


def truth_faults(lesson: Lesson) -> str:
    return "\n".join(
        fault for target in truth.targets(lesson) for fault in truth.faults(lesson, run(lesson, target))
    )


def in_suite(old: str, new: str) -> Breaks:
    return lambda lesson: miniature.edit(lesson.suite, old, new)


def in_starter(old: str, new: str) -> Breaks:
    return lambda lesson: miniature.edit(lesson.starter / "main.py", old, new)


def in_solution(old: str, new: str) -> Breaks:
    return lambda lesson: miniature.edit(lesson.solution / "main.py", old, new)


def in_mistakes(old: str, new: str) -> Breaks:
    return lambda lesson: miniature.edit(lesson.mistakes, old, new)


def in_talk(old: str, new: str) -> Breaks:
    return lambda lesson: miniature.edit(lesson.talk, old, new)


def in_notebook(change: Callable[[dict[str, Any]], object]) -> Breaks:
    def apply(lesson: Lesson) -> None:
        notebook = json.loads(lesson.notebook.read_text(encoding="utf-8"))
        change(notebook)
        lesson.notebook.write_text(json.dumps(notebook), encoding="utf-8")

    return apply


def test_good_course_breaks_no_rule(lesson: Lesson) -> None:
    assert broken_rules(lesson) == {}
    assert truth_faults(lesson) == ""


RULE_BREAKS: dict[str, tuple[Breaks, str, str]] = {
    "no_mistakes": (lambda lesson: lesson.mistakes.unlink(), "every_part_is_there", "is missing"),
    "no_heading": (
        lambda lesson: lesson.readme.write_text("text", encoding="utf-8"),
        "every_part_is_there",
        "no first heading",
    ),
    "left_to_do": (in_suite("Return a dict.", "TO DO"), "nothing_is_left_to_do", "TO DO"),
    "starter_line_not_in_solution": (
        in_starter("app = FastAPI()", "app = FastAPI()\nVERSION = 1"),
        "starter_stands_in_solution",
        "VERSION = 1",
    ),
    "starter_file_without_counterpart": (
        lambda lesson: (lesson.starter / "store.py").write_text("x = 1\n", encoding="utf-8"),
        "starter_stands_in_solution",
        "no counterpart",
    ),
    "given_file_that_differs": (
        lambda lesson: [
            (folder / "store.py").write_text(f"# {folder.parent.name}\nx = 1\n", encoding="utf-8")
            for folder in (lesson.starter, lesson.solution)
        ],
        "given_files_are_the_same",
        "store.py is given",
    ),
    "steps_misnumbered": (in_starter("TODO(1)", "TODO(2)"), "steps_are_numbered", "[2]"),
    "step_without_number": (in_starter("TODO(1)", "TODO"), "steps_are_numbered", "has no number"),
    "check_without_task": (
        in_suite('@task("GET /greeting", hints=["Look at the parameter."])\n', ""),
        "checks_are_complete",
        "has no @task",
    ),
    "check_without_title": (
        in_suite('    """A name is greeted."""\n', ""),
        "checks_are_complete",
        "docstring",
    ),
    "check_without_hints": (
        in_suite('["Look at the parameter."]', "[]"),
        "checks_are_complete",
        "has 0 hints",
    ),
    "four_hints": (
        in_suite('["Look at the parameter."]', '["a", "b", "c", "d"]'),
        "checks_are_complete",
        "has 4 hints",
    ),
    "hint_with_a_line_number": (
        in_suite("Look at the parameter.", "Look at line 9."),
        "checks_are_complete",
        "names a line number",
    ),
    "guard_without_a_reason": (
        in_suite('hints=["Look at the parameter."]', 'hints=["Look."], guard="because"'),
        "checks_are_complete",
        "does not say why",
    ),
    "assert_without_a_message": (
        in_suite(', expected("hello Ada", next_step="Use the name.")', ""),
        "checks_are_complete",
        "has no expected(",
    ),
    "check_that_asserts_nothing": (
        in_suite(
            '    assert json_body(reply) == {"text": "hello Ada"}',
            '    json_body(reply) == {"text": "hello Ada"}',
        ),
        "checks_are_complete",
        "asserts nothing",
    ),
    "suite_imports_learner_code": (
        in_suite("from lessonkit import", "from main import app\nfrom lessonkit import"),
        "suite_leaves_the_code_alone",
        "imports the learner's code",
    ),
    "suite_that_cannot_be_imported": (
        in_suite("from lessonkit", "from lessonkid"),
        "checks_are_complete",
        "cannot be imported",
    ),
    "suite_sleeps": (
        in_suite(
            '    reply = client.get("/greeting")',
            '    import time\n\n    time.sleep(0)\n    reply = client.get("/greeting")',
        ),
        "suite_leaves_the_code_alone",
        "sleeps",
    ),
    "notebook_with_output": (
        in_notebook(lambda notebook: notebook["cells"][-1].update(execution_count=3)),
        "notebook_is_clean",
        "execution count",
    ),
    "notebook_with_a_kernel": (
        in_notebook(lambda notebook: notebook.update({"metadata": {"kernelspec": {}}})),
        "notebook_is_clean",
        "holds metadata",
    ),
    "cell_with_a_random_id": (
        in_notebook(lambda notebook: notebook["cells"][0].update(id="a3f09b12")),
        "notebook_is_clean",
        "not a readable one",
    ),
    "cell_without_a_slide_type": (
        in_notebook(lambda notebook: notebook["cells"][0].update(metadata={})),
        "cells_are_slides",
        "text-0 has no slide type",
    ),
    "cell_with_an_unknown_slide_type": (
        in_notebook(
            lambda notebook: notebook["cells"][0].update(metadata={"slideshow": {"slide_type": "page"}})
        ),
        "cells_are_slides",
        "text-0 has no slide type",
    ),
    "cell_with_more_than_a_slide_type": (
        in_notebook(
            lambda notebook: notebook["cells"][0].update(
                metadata={"slideshow": {"slide_type": "slide", "data": {}}}
            )
        ),
        "cells_are_slides",
        "text-0 has no slide type",
    ),
    "note_for_no_cell": (
        in_talk("text-0", "text-99"),
        "notes_belong_to_slides",
        "text-99 is for no cell",
    ),
    "note_for_a_cell_left_out": (
        in_notebook(
            lambda notebook: notebook["cells"][0].update(metadata={"slideshow": {"slide_type": "skip"}})
        ),
        "notes_belong_to_slides",
        "text-0 is for no cell that the slides show",
    ),
    "note_without_words": (in_talk("Let them vote.", " "), "notes_belong_to_slides", "text-2 is empty"),
    "note_that_is_no_text": (in_talk('"Let them vote."', "3"), "notes_belong_to_slides", "is not a text"),
    "talk_that_is_not_toml": (in_talk("[notes]", "[notes"), "notes_belong_to_slides", "is not valid TOML"),
    "too_few_notes": (
        in_talk('text-0 = "Say good morning, and wait for the answer."\n', ""),
        "notes_belong_to_slides",
        "has 5 notes",
    ),
    "not_a_notebook": (
        lambda lesson: lesson.notebook.write_text("{", encoding="utf-8"),
        "notebook_is_clean",
        "is not a notebook",
    ),
    "too_few_cells": (
        in_notebook(lambda notebook: notebook["cells"].pop(0)),
        "notebook_is_readable",
        "has 19 cells",
    ),
    "a_wall_of_text": (
        in_notebook(lambda notebook: notebook["cells"][0].update(source=["word " * 121])),
        "notebook_is_readable",
        "121 words",
    ),
    "a_wide_drawing": (
        in_notebook(lambda notebook: notebook["cells"][0].update(source=["```\n", "─" * 65, "\n```"])),
        "drawings_fit",
        "65 columns",
    ),
    "no_prediction": (
        in_notebook(lambda notebook: notebook["cells"][-3].update(source=["pass"])),
        "notebook_is_readable",
        "calls predict(",
    ),
    "no_check": (
        in_notebook(lambda notebook: notebook["cells"][-2].update(source=["pass"])),
        "notebook_is_readable",
        "check-your-work",
    ),
}


@pytest.mark.parametrize("name", RULE_BREAKS)
def test_rule_catches_what_breaks_it(name: str, lesson: Lesson) -> None:
    breaks, rule, says = RULE_BREAKS[name]
    breaks(lesson)
    broken = broken_rules(lesson)
    assert rule in broken, f"{rule} does not notice; noticed: {broken}"
    assert says in broken[rule]


def test_every_rule_has_a_course_that_breaks_it() -> None:
    assert {rule.__name__ for rule in RULES} == {rule for _, rule, _ in RULE_BREAKS.values()}


TRUTH_BREAKS: dict[str, tuple[Breaks, str, str]] = {  # how, what is said, and of which target
    "solution_that_fails": (in_solution('"hello {name}"', '"hi {name}"'), "The solution fails", "solution"),
    "solution_that_does_not_load": (
        in_solution("app = FastAPI()", "app = 1"),
        "The solution cannot be checked",
        "solution",
    ),
    "solution_with_something_deprecated": (
        in_solution("app = FastAPI()", "app = FastAPI()\napp.on_event('startup')(lambda: None)"),
        "on_event is deprecated",
        "solution",
    ),
    "starter_that_does_not_load": (
        in_starter("app = FastAPI()", "pass"),
        "The starter does not load",
        "starter",
    ),
    "starter_that_passes": (
        in_starter("# TODO(1)", '@app.get("/greeting")\ndef g(): return {"text": "hello you"}\n# TODO(1)'),
        "test_greeting_is_answered passes on starter",
        "starter",
    ),
    "check_that_cannot_fail": (
        in_suite('json_body(reply) == {"text": "hello Ada"}', "reply is not None"),
        "test_name_is_greeted passes on null:",
        "null:always_200",
    ),
    "check_that_stumbles": (
        in_suite('json_body(reply) == {"text": "hello Ada"}', 'reply.json()["text"] == "hello Ada"'),
        "by accident",
        "null:always_422",
    ),
    "mistake_that_is_not_caught": (
        in_mistakes('new = "hello you"', 'new = "hello {name}"'),
        "must be caught by test_name_is_greeted, and passes it",
        "mistake:name_ignored",
    ),
    "mistake_that_fails_more": (
        in_mistakes('new = "hello you"', 'new = "hello"'),
        "also fails test_greeting_is_answered",
        "mistake:name_ignored",
    ),
    "mistake_with_an_unknown_check": (
        in_mistakes('["test_name_is_greeted"]', '["test_name_is_greeted", "test_gone"]'),
        "there is no such check",
        "mistake:name_ignored",
    ),
    "mistake_with_other_words": (
        in_mistakes('says = "Use the name"', 'says = "Use your head"'),
        "does not say",
        "mistake:name_ignored",
    ),
    "mistake_without_words": (
        in_mistakes('says = "Use the name"\n', ""),
        "has no says",
        "mistake:name_ignored",
    ),
    "mistake_that_no_longer_applies": (
        in_mistakes('old = "hello {name}"', 'old = "gone"'),
        "no longer applies",
        "mistake:name_ignored",
    ),
    "right_answer_that_is_refused": (
        in_mistakes('"hello " + name', '"hello you"'),
        "query_of_another_style also fails test_name_is_greeted",
        "answer:query_of_another_style",
    ),
    "suite_that_cannot_be_run": (
        in_suite("from lessonkit", "from lessonkid"),
        "cannot be checked",
        "solution",
    ),
}


@pytest.mark.parametrize("name", TRUTH_BREAKS)
def test_truth_matrix_catches_what_breaks_it(name: str, lesson: Lesson) -> None:
    breaks, says, target = TRUTH_BREAKS[name]
    breaks(lesson)
    assert says in "\n".join(truth.faults(lesson, run(lesson, target)))


def test_new_lesson_fails_the_rules_until_it_is_filled(lesson: Lesson) -> None:
    course = Course(lesson.root)
    lay_out(course, "02_next")
    new = course.lesson("2")
    assert "TO DO" in broken_rules(new)["nothing_is_left_to_do"]
    assert "passes on starter" not in "\n".join(truth.faults(new, run(new, "starter")))
    assert "The solution fails" in "\n".join(truth.faults(new, run(new, "solution")))


@pytest.mark.parametrize("name", ["next", "2_next", "02-next", "../02_next", "01_again"])
def test_new_lesson_refuses_a_name_that_is_wrong_or_taken(name: str, lesson: Lesson) -> None:
    before = sorted(lesson.root.rglob("*"))
    with pytest.raises(LessonError, match=r"lesson's name|is taken by"):
        lay_out(Course(lesson.root), name)
    assert sorted(lesson.root.rglob("*")) == before
