"""`python main.py` as a real process: it starts, it is watched, and nothing of it stays behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lessonkit.processes import Program, serving

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "killpg"), reason="processes of Linux and macOS"),
    pytest.mark.thorough,  # each test starts programs of its own
]


SERVER = """
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b'{"pid": %d, "child": %d}' % (os.getpid(), child.pid)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def soon(ready: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not ready() and time.monotonic() < until:
        time.sleep(0.02)
    return ready()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")  # a zombie, where nobody collects an orphan, is gone as well
    return stat.is_file() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_exit_status_and_output_are_kept() -> None:
    with serving("import sys; print('out'); sys.exit('no key')") as program:
        assert program.wait_for_end() == 1
        assert program.printed == "out\n"
        assert program.complained == "no key\n"
        assert not program.wait_for_answers()


def test_variables_are_set_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONE", "1")
    code = "import os; print(os.environ['KEPT'], 'GONE' in os.environ, 'PYTHONSAFEPATH' in os.environ)"
    with serving(code, KEPT="kept", GONE=None) as program:
        program.wait_for_end()
        assert program.printed == "kept False False\n"


def test_server_answers_and_its_session_ends_with_the_block() -> None:
    with serving(SERVER) as program:
        assert program.wait_for_answers()
        reply = program.get("/")
        assert reply is not None
        assert reply.status == 200
        pids = reply.data
        assert pids["pid"] == program.pid
        assert program.leads(pids["child"])
        assert not program.leads(os.getpid())
        assert program.companions in (1, None)
        assert not program.open_to("127.0.0.2")
    assert soon(lambda: all(gone(pid) for pid in pids.values()))


def test_close_may_be_called_twice_and_ends_what_a_program_left_behind() -> None:
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']).pid)"
    with serving(code) as program:
        assert program.wait_for_end() == 0
        left = int(program.printed)
        assert not gone(left)
        program.close()
        assert soon(lambda: gone(left))


def test_signal_ends_it_and_the_status_says_so() -> None:
    with serving(SERVER) as program:
        assert program.wait_for_answers()
        with program.idle_connection("/") as closed:
            assert not closed()
            program.signal(signal.SIGTERM)
            assert program.wait_until(closed)
        assert program.wait_for_end() == -signal.SIGTERM


def test_nothing_stays_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(SERVER, encoding="utf-8")
    code = f"""
        import time
        from pathlib import Path
        from lessonkit.processes import Program
        program = Program(Path({str(tmp_path / "main.py")!r}))
        program.wait_for_answers("/")
        print(program.get("/").text, flush=True)
        time.sleep(600)
    """
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert starter.stdout is not None
    with starter.stdout:
        pids = eval(starter.stdout.readline())
    os.killpg(starter.pid, signal.SIGKILL)  # as the runner ends a run
    starter.wait()
    assert soon(lambda: all(gone(pid) for pid in pids.values()))


def test_port_is_read_from_the_log_of_uvicorn() -> None:
    with serving("print('INFO: Uvicorn running on http://0.0.0.0:8123 (Press …)'); input()") as program:
        program.wait_until(lambda: program.ended)
        assert program.listens_on == "0.0.0.0:8123"


def test_windows_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lessonkit.processes.program.SYSTEMS", False)
    with pytest.raises(OSError, match="WSL"):
        Program(tmp_path / "main.py")
