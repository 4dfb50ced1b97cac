"""Loads a module of fixtures when a suite first asks for one of its names: most suites need few of them.

Importing them all, with what they are for (a server, Redis, spans), would slow every check down.
"""

import inspect
from typing import Any

import pytest

HOMES = {
    "lessonkit.anew": ("anew",),
    "lessonkit.clock": ("clock",),
    "lessonkit.comparisons": ("comparisons",),
    "lessonkit.concurrency": ("at_once", "blocking_model", "event_loop", "slow_model"),
    "lessonkit.contract": ("contract",),
    "lessonkit.extra_route": ("extra_route",),
    "lessonkit.logs": ("logs",),
    "lessonkit.optimized": ("optimized",),
    "lessonkit.planted": ("planted",),
    "lessonkit.processes.fixture": ("programs",),
    "lessonkit.redis_server": ("redis_url",),
    "lessonkit.spans": ("spans",),
    "lessonkit.upstream.fixture": ("sdk_clients", "shut_down", "upstream", "wait_for_calls"),
    "lessonkit.uploads": ("upload",),
}
_HOME_OF = {name: module for module, names in HOMES.items() for name in names}


class WantedFixtures:
    """Looks at each test module before its tests are collected, and registers what they ask for."""

    def __init__(self) -> None:
        self._seen: set[object] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Module | pytest.Class) -> None:
        module = collector.getparent(pytest.Module)
        if module is None or module in self._seen:
            return
        self._seen.add(module)
        for name, thing in vars(module.obj).items():
            if name.startswith("test") and inspect.isfunction(thing):
                for wanted in _parameters(thing):
                    if wanted in _HOME_OF:
                        collector.config.pluginmanager.import_plugin(_HOME_OF[wanted])


def _parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)
