"""Stands between a run and the program that it starts; runs as a program of its own, with nothing imported.

`keeper.py OUT ERR COMMAND…` starts the command in a session of its own with its output in the files OUT and ERR,
prints its process id, and its exit status when it ends. When its own standard input closes, it kills all
that is in that session.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress


def main() -> None:
    """Keep the program until nobody wants it any more."""
    out, err, *command = sys.argv[1:]
    with open(out, "wb") as told, open(err, "wb") as faults:
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=told, stderr=faults, start_new_session=True
        )
    print(program.pid, flush=True)
    threading.Thread(target=_tell_status, args=(program.pid,), daemon=True).start()
    try:
        sys.stdin.buffer.read()
    finally:
        with suppress(OSError):
            os.killpg(program.pid, signal.SIGKILL)


def _tell_status(pid: int) -> None:
    # The exit status is read and left where it is, so the number stays this program's until the end.
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if ended is None:
        return
    status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
    with suppress(OSError):
        print(status, flush=True)


if __name__ == "__main__":
    main()
