"""A process that has imported all that a study needs, and forks one for each study: seconds sooner than a fresh one.

Nothing of TensorFlow runs before the fork. A request is a line of JSON. ``{"run": [arguments], ...}`` is answered by
the number of the new process, which leads a process group of its own; ``{"wait": number}`` by its exit code, which
is negative where a signal ended it.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from typing import Any

IMPORTED = """
matplotlib.pyplot sklearn.linear_model tensorflow corpora.loading corpora.duplicates converter.pipeline merger.pipeline
trainer.running trainer.final trainer.export evaluator.evaluation evaluator.plots evaluator.report study
"""
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS


def become_study(request: dict[str, Any]) -> None:
    """In the new process: its streams, its limits, its arguments."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    for number, name in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666), number)
    if "largest_file" in request:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"],) * 2)
    if "read_only" in request:
        make_read_only(request["read_only"])
    sys.argv = ["study.py", *request["run"]]


def make_read_only(folder: str) -> None:
    """Mount a folder read-only for this process and its children alone; needs root, whom permissions do not stop."""
    assert ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS) == 0, os.strerror(ctypes.get_errno())
    for options in (["--make-rprivate", "/"], ["--bind", folder, folder], ["-o", "remount,ro,bind", folder]):
        subprocess.run(["mount", *options], check=True)


def serve() -> bool:
    """Answer requests; True in a new process, which goes on to the study."""
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                become_study(request)
                return True
        print(answer, flush=True)
    return False


if __name__ == "__main__":
    for name in IMPORTED.split():
        importlib.import_module(name)
    print("ready", flush=True)
    if serve():
        importlib.import_module("study").run()
