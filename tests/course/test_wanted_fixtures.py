"""A suite finds every fixture of the kit by its name, and loads no module that it does not ask for."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from _pytest.fixtures import FixtureFunctionDefinition

from lessonkit.wanted_fixtures import HOMES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", HOMES)
def test_names_are_those_of_the_module(module: str) -> None:
    found = {
        thing._fixture_function_marker.name or name
        for name, thing in vars(import_module(module)).items()
        if isinstance(thing, FixtureFunctionDefinition) and not thing._fixture_function_marker.autouse
    }
    assert found == set(HOMES[module])


def test_a_suite_loads_what_it_asks_for_alone() -> None:
    program = (
        "import sys, pytest\n"
        "pytest.main(['-q', '--collect-only', 'tests/test_06_user_create.py'])\n"
        f"print(sorted(set({list(HOMES)!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "['lessonkit.optimized']"
