"""The instructor's guide, lessons/TEACHING.md, names what is there: nothing in it goes stale unseen."""

import ast
import json
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_group

from lessonkit import command
from lessonkit.checkpoints import steps_of
from lessonkit.command.application import application
from lessonkit.course import Lesson, find_course
from lessonkit.mistakes import Mistake, read_mistakes

COURSE = find_course()
LESSONS = COURSE.lessons()
GUIDE = COURSE.root / "lessons" / "TEACHING.md"
PARTS = ["What goes wrong", "Ask the class", "What the notebook asks"]
BREAK = "–"  # in a plan, the row of no lesson

LESSON_HEADING = re.compile(r"^Lesson (\d+) · (.+)$")
PLAN_HEADING = re.compile(r"^(.+) · (\d+) minutes$")
MINUTES = re.compile(r"^\*\*Minutes\.\*\* Demo (\d+), hands-on (\d+)\.")
GOALS = re.compile(r"^\*\*Goals\.\*\* \S", re.MULTILINE)
MISTAKE = re.compile(r"`mistake:(\w+)`")
CELL = re.compile(r"`cell:([a-z0-9-]+)`")
COMMAND = re.compile(r"`uv run lesson (\w+)([^`]*)`")
OPTION = re.compile(r"--[a-z-]+")
STEP = re.compile(r"\bstep (\d+)")


def sections(level: str, text: str) -> list[tuple[str, str]]:
    """The headings of that level, each with what stands below it, up to the next of the same level."""
    pieces = re.split(rf"^{level} (.+)$", text, flags=re.MULTILINE)[1:]
    return list(zip(pieces[::2], pieces[1::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The tables' rows as lists of cells, without headings and rulers."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    ruled = [number for number, line in enumerate(lines) if set(line) <= set("|-: ")]
    heads = {number - 1 for number in ruled} | set(ruled)
    kept = (line for number, line in enumerate(lines) if number not in heads)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in kept]


GUIDE_TEXT = GUIDE.read_text(encoding="utf-8")
TAUGHT = {
    int(found[1]): (found[2], body)
    for heading, body in sections("##", GUIDE_TEXT)
    if (found := LESSON_HEADING.match(heading))
}
PLANS = {
    found[1]: (int(found[2]), body)
    for heading, body in sections("###", GUIDE_TEXT)
    if (found := PLAN_HEADING.match(heading))
}
every_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
every_plan = pytest.mark.parametrize("plan", PLANS)


@cache
def mistakes(lesson: Lesson) -> dict[str, Mistake]:
    return {one.name: one for one in read_mistakes(lesson) if one.kind == "mistake"}


@cache
def cells(lesson: Lesson) -> dict[str, str]:
    notebook = json.loads(lesson.notebook.read_text(encoding="utf-8"))
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}


@cache
def guesses(lesson: Lesson) -> dict[str, list[str]]:
    """The options of each predict() question, by its cell."""
    found = {}
    for name, source in cells(lesson).items():
        if "= predict(" in source:
            call = next(
                node
                for node in ast.walk(ast.parse(source))
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "predict"
            )
            found[name] = [str(one.value) for one in call.args[1:] if isinstance(one, ast.Constant)]
    return found


def test_every_lesson_has_its_section_and_no_other_has() -> None:
    assert {number: title for number, (title, _) in TAUGHT.items()} == {
        lesson.number: lesson.title for lesson in LESSONS
    }


@every_lesson
def test_a_section_has_the_same_parts_in_the_same_order(lesson: Lesson) -> None:
    _, body = TAUGHT[lesson.number]
    assert GOALS.search(body), f"lesson {lesson.number}: a paragraph begins with **Goals.**"
    assert [heading for heading, _ in sections("###", body)] == PARTS
    for heading, text in sections("###", body):
        assert text.strip(), f"lesson {lesson.number}: {heading} is empty"


@every_lesson
def test_minutes_are_those_of_the_readme(lesson: Lesson) -> None:
    _, body = TAUGHT[lesson.number]
    found = MINUTES.match(body.strip())
    assert found, f"lesson {lesson.number}: begin with **Minutes.** Demo N, hands-on N."
    said = re.search(r"\*\*Time\.\*\* (\d+) to (\d+) minutes", lesson.readme.read_text(encoding="utf-8"))
    if said:
        shortest, longest = map(int, said.groups())
        assert shortest <= sum(map(int, found.groups())) <= longest


@every_lesson
def test_mistakes_exist_and_say_what_the_guide_says(lesson: Lesson) -> None:
    body = dict(sections("###", TAUGHT[lesson.number][1]))["What goes wrong"]
    told = rows(body)
    assert told
    for name, red, says in told:
        found = MISTAKE.search(name)
        assert found, f"lesson {lesson.number}: {name} is no `mistake:NAME`"
        assert found[1] in mistakes(lesson), f"lesson {lesson.number} has no mistake {found[1]}"
        mistake = mistakes(lesson)[found[1]]
        expected = "all" if mistake.caught_by == ("*",) else str(len(mistake.caught_by))
        assert red == expected, f"{found[1]}: {expected} fail, and the guide says {red}"
        assert any(words.replace("|", "\\|") in says for words in mistake.says), (
            f"{found[1]} says {mistake.says}"
        )
    shown = [name for name, *_ in told if "**show**" in name]
    assert shown, f"lesson {lesson.number}: no mistake is marked as worth showing"


@every_lesson
def test_mistakes_and_cells_in_the_text_exist(lesson: Lesson) -> None:
    _, body = TAUGHT[lesson.number]
    assert set(MISTAKE.findall(body)) <= set(mistakes(lesson))
    assert set(CELL.findall(body)) <= set(cells(lesson))


@every_lesson
def test_every_question_of_the_notebook_is_answered(lesson: Lesson) -> None:
    parts = dict(sections("###", TAUGHT[lesson.number][1]))
    answers: dict[str, list[str]] = {}
    for cell, answer, _ in rows(parts["What the notebook asks"]):
        for name in CELL.findall(cell):
            answers.setdefault(name, []).append(answer.strip("*"))
    for cell, options in guesses(lesson).items():
        assert cell in answers, f"lesson {lesson.number}: {cell} asks, and the guide does not answer"
        assert set(answers[cell]) & set(options), f"{cell}: {answers[cell]} is none of {options}"
    attacks = MISTAKE.findall(cells(lesson)["attack"].replace('"', "`"))
    assert attacks
    assert set(attacks) <= set(MISTAKE.findall(parts["What goes wrong"]))


def test_there_are_plans() -> None:
    assert len(PLANS) >= 4


@every_plan
def test_minutes_of_a_plan_add_up(plan: str) -> None:
    promised, body = PLANS[plan]
    assert sum(int(row[0]) for row in rows(body)) == promised


@every_plan
def test_a_plan_names_what_is_there(plan: str) -> None:
    for _, which, *told in rows(PLANS[plan][1]):
        text = " ".join(told)
        if which == BREAK:
            assert not CELL.search(text), text
            assert not MISTAKE.search(text), text
            continue
        lesson = COURSE.lesson(which)
        assert set(CELL.findall(text)) <= set(cells(lesson)), text
        assert set(MISTAKE.findall(text)) <= set(mistakes(lesson)), text
        assert all(1 <= int(step) <= len(steps_of(lesson)) for step in STEP.findall(text)), text


def test_commands_exist_with_their_options() -> None:
    for path in Path(command.__path__[0]).glob("*.py"):
        if "@application.command(" in path.read_text(encoding="utf-8"):
            import_module(f"{command.__name__}.{path.stem}")  # adds its commands
    known = {
        name: {option for parameter in one.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for name, one in get_group(application).commands.items()
    }
    unknown = []
    for name, rest in COMMAND.findall(GUIDE_TEXT):
        if name not in known:
            unknown.append(name)
        elif missing := set(OPTION.findall(rest)) - known[name]:
            unknown.append(f"{name} {' '.join(sorted(missing))}")
    assert not unknown, f"the guide names what `lesson` does not know: {sorted(set(unknown))}"
