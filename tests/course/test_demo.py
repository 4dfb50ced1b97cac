"""A lesson in front of a class: every step is what it says it is, and the presenter is never stuck."""

import sys
from pathlib import Path

import pexpect
import pytest
from tests.course import miniature
from tests.course.test_command import call, terminal_with

from lessonkit.checkpoints import checkpoint, homeless, steps_of, with_mistake
from lessonkit.course import Lesson, LessonError, find_course
from lessonkit.rehearsal import faults
from lessonkit.runner import preload
from lessonkit.suite import checks_of
from lessonkit.workspace import backups

LESSONS = find_course().lessons()
QUICKEST = (
    1,
    2,
    5,
)  # of those that a class of one hour sees; the others are an author's to run, or a rehearsal's
STEPS = """
[[step]]
title = "A greeting for everybody"
minutes = 2
say = "One function, one path."
green = ["test_greeting_is_answered", "test_name_is_greeted"]
mistake = "name_ignored"
"""


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    lesson = miniature.make(tmp_path / "a course, é")
    lesson.talk.write_text(f"{lesson.talk.read_text(encoding='utf-8')}{STEPS}", encoding="utf-8")
    return lesson


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_steps_lead_from_the_starter_to_the_solution(lesson: Lesson) -> None:
    steps = steps_of(lesson)
    assert homeless(lesson) == []
    assert checkpoint(lesson, 0)["main.py"] == (lesson.starter / "main.py").read_text(encoding="utf-8")
    for name, text in checkpoint(lesson, len(steps)).items():
        assert text == (lesson.solution / name).read_text(encoding="utf-8")
    for step in steps:
        compile(checkpoint(lesson, step.number)["main.py"], "main.py", "exec")
        if step.mistake:
            assert with_mistake(lesson, step.number) != checkpoint(lesson, step.number)
        assert step.title
        assert step.say
        assert step.minutes > 0
    named = [name for step in steps for name in step.green]
    guards = [check.name for check in checks_of(lesson) if check.task.guard]
    assert sorted({*named, *guards}) == sorted({check.name for check in checks_of(lesson)})


@pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(
            lesson,
            id=lesson.name,
            marks=pytest.mark.thorough if lesson.number in QUICKEST else pytest.mark.exhaustive,
        )
        for lesson in LESSONS
    ],
)
def test_after_each_step_exactly_the_checks_that_it_names_are_green(lesson: Lesson) -> None:
    preload([lesson])
    assert list(faults(lesson)) == []


BROKEN = {
    "check_left_out": ('"test_greeting_is_answered", ', "", "green, and not named"),
    "check_too_many": (
        '"test_name_is_greeted"]',
        '"test_name_is_greeted", "test_gone"]',
        "test_gone is not green",
    ),
    "piece_of_nobody": ("minutes = 2", "minutes = 2\ntodos = []", "no step brings greeting"),
    "piece_that_is_gone": ("minutes = 2", 'minutes = 2\nbrings = ["farewell"]', "no step brings farewell"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_step_that_is_not_what_it_says_is_noticed(name: str, lesson: Lesson) -> None:
    old, new, says = BROKEN[name]
    miniature.edit(lesson.talk, old, new)
    assert says in "\n".join(faults(lesson))


def test_a_mistake_that_nothing_notices_is_noticed(lesson: Lesson) -> None:
    miniature.edit(lesson.mistakes, 'new = "hello you"', 'new = "hello {name} "[:-1] + f"')
    miniature.edit(lesson.mistakes, 'old = "hello {name}"', 'old = \'{"text": f"hello {name}"}\'')
    miniature.edit(lesson.mistakes, 'new = "hello {name} "[:-1] + f"', 'new = \'{"text": "hello " + name}\'')
    assert "turns nothing red" in "\n".join(faults(lesson))


@pytest.mark.thorough
def test_a_step_is_put_there_and_what_was_there_is_saved(lesson: Lesson) -> None:
    done = call(lesson, "demo", "1", "--step", "1")
    assert done.returncode == 0
    for part in ("A greeting for everybody", "step 1 of 1", "✓ A name is greeted", "2 of 2 checks pass"):
        assert part in done.stdout
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == miniature.SOLUTION
    assert backups(lesson) == [], "a starter that nobody touched needs no backup"
    (lesson.work / "main.py").write_text("mine = 1\n", encoding="utf-8")
    done = call(lesson, "demo", "1", "--step", "0")
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == miniature.STARTER
    [backup] = backups(lesson)
    assert f"uv run lesson reset 1 --to {backup}" in done.stdout
    call(lesson, "reset", "1", "--to", backup)
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == "mine = 1\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("demo",), "Which lesson? uv run lesson demo 1"),
        (("demo", "1", "--step", "2"), "Lesson 1 has 1 steps"),
        (("demo", "nowhere"), "'nowhere'"),
        (("reset",), "reset --all"),
        (("reset", "1", "--all"), "--all stands alone"),
    ],
)
def test_wrong_use_is_one_sentence(lesson: Lesson, words: tuple[str, ...], says: str) -> None:
    done = call(lesson, *words)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_lesson_without_steps_says_so(lesson: Lesson) -> None:
    lesson.talk.unlink()
    with pytest.raises(LessonError, match="has no steps to show"):
        steps_of(lesson)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.thorough
def test_keys_go_on_and_back_and_show_the_mistake(lesson: Lesson) -> None:
    terminal = terminal_with(lesson, "demo", "1")
    terminal.expect("The starter")
    terminal.expect("0 of 2 checks pass")
    terminal.expect(r"http://127.0.0.1:\d+/docs")
    terminal.send("\x1b[C")
    terminal.expect("2 of 2 checks pass")
    terminal.send("m")
    terminal.expect("On purpose: The parameter is declared and forgotten.")
    terminal.expect("1 of 2 checks pass")
    terminal.expect("Use the name")
    terminal.send("u")
    terminal.expect("2 of 2 checks pass")
    (lesson.work / "main.py").write_text("app =", encoding="utf-8")
    terminal.expect("not valid Python")
    terminal.send("\x1b[D")
    terminal.expect("0 of 2 checks pass")
    terminal.send("q")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    [backup] = backups(lesson)
    assert (lesson.work.parent / "backups" / lesson.name / backup / "main.py").read_text() == "app ="


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.thorough
def test_a_small_window_shows_as_many_checks_as_it_holds(lesson: Lesson) -> None:
    suite, talk = lesson.suite.read_text(encoding="utf-8"), lesson.talk.read_text(encoding="utf-8")
    names = [f"test_another_{number}" for number in range(5)]
    more = [
        f'@task("GET /greeting", hints=["-"])\ndef {name}(client):\n    """{name}."""\n' for name in names
    ]
    lesson.suite.write_text("\n\n".join([suite, *more]), encoding="utf-8")
    named = ", ".join(f'"{name}"' for name in names)
    lesson.talk.write_text(talk.replace("green = [", f"green = [{named}, "), encoding="utf-8")
    terminal = terminal_with(lesson, "demo", "1", "--step", "1")
    terminal.setwinsize(24, 80)
    terminal.expect("7 of 7 checks pass")
    assert (terminal.before or "").count("✓") == 4
    assert "… and 3 more" in (terminal.before or "")
    terminal.send("q")
    terminal.expect(pexpect.EOF)


@pytest.mark.thorough
def test_rehearsal_tries_every_step_and_touches_nothing(lesson: Lesson) -> None:
    done = call(lesson, "demo", "--rehearse")
    assert "lesson 1: 1 steps, each with its checks green" in done.stdout
    assert "lesson 1: /docs answers 200" in done.stdout
    assert not lesson.work.exists()
    miniature.edit(lesson.talk, '"test_greeting_is_answered", ', "")
    done = call(lesson, "demo", "--rehearse", "1")
    assert done.returncode == 1
    assert "MEND  Lesson 1: after step 1 test_greeting_is_answered is green, and not named" in done.stdout


def test_a_clean_desk_keeps_everything(lesson: Lesson) -> None:
    call(lesson, "start", "--no-lab")
    (lesson.work / "main.py").write_text("mine = 1\n", encoding="utf-8")
    (lesson.work / "notes.txt").write_text("mine too", encoding="utf-8")
    done = call(lesson, "reset", "--all")
    assert done.returncode == 0
    assert not lesson.work.exists()
    [backup] = backups(lesson)
    assert f"uv run lesson reset 1 --to {backup}" in done.stdout
    call(lesson, "reset", "1", "--to", backup)
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == "mine = 1\n"
    assert (lesson.work / "notes.txt").read_text(encoding="utf-8") == "mine too"
    assert "clean already" not in call(lesson, "reset", "--all").stdout
    assert "clean already" in call(lesson, "reset", "--all").stdout
