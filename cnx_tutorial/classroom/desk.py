"""The process in which `cnx grade` tries answers: it runs the cells that they need once, then each answer in a process of its own, forked from there.

Read as JSON from standard input: the cells to run first, and the tries. Written, as one line of JSON for each try, to the file descriptor that is the
first argument.

What an answer's process may use is limited: seconds, memory, size of files, number of processes, and, where this process may change its user, another
user's rights. When it ends, or its time is up, its whole group is killed, and so is every process that it moved to another group. It can
use the network, read every file that its user may read (also the solved notebooks), and write to folders that are open to all. And since the
checker runs in the same process, code that is written against this program can still cheat: read what looks odd.
"""

import contextlib
import ctypes
import json
import os
import resource
import secrets
import select
import shutil
import signal
import sys
import tempfile
import time

import psutil

BREATH = 0.05  # seconds between two looks at what the processes do
PR_SET_CHILD_SUBREAPER = 36  # Linux: orphans become children of this process, so that they can be found and killed


def main() -> None:
    job, answers = json.load(sys.stdin), os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    room = {"__name__": "__main__"}
    for source in job["cells"]:
        exec(compile(source, "<the notebook>", "exec"), room)
    waiting, running = list(reversed(job["tries"])), {}
    while waiting or running:
        while waiting and len(running) < job["limits"]["jobs"]:
            one = waiting.pop()
            running[start(one, room, job["limits"])] = one
        for child, outcome in ended(running, job["limits"]):
            answers.write(json.dumps({"id": running.pop(child)["id"], **outcome}) + "\n")
            answers.flush()


class Child:
    """A process that tries one answer."""

    def __init__(self, pid: int, said: int, folder: str, token: str):
        self.pid, self.said, self.folder, self.token = pid, said, folder, token
        self.began, self.text = time.monotonic(), b""


def start(one: dict, room: dict, limits: dict) -> Child:
    folder, token = tempfile.mkdtemp(prefix="cnx-grade-"), secrets.token_hex()
    hears, says = os.pipe()
    pid = os.fork()
    if pid:
        os.close(says)
        return Child(pid, hears, folder, token)
    os.closerange(3, says)
    os.closerange(says + 1, 4096)
    try:
        outcome = attempt(one, room, limits, folder)
    except MemoryError:
        outcome = {"passed": False, "message": f"it used more than {limits['memory_mb']} MB of memory and was stopped"}
    except BaseException as error:
        outcome = {"passed": False, "message": f"{type(error).__name__}: {error}"}
    with contextlib.suppress(BaseException):
        os.write(says, json.dumps({**outcome, "message": outcome["message"][:5000], "token": token}).encode())
    os._exit(0)


def attempt(one: dict, room: dict, limits: dict, folder: str) -> dict:
    """In the child: limits, then the answer, then a freshly imported checker."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    if limits["uid"] is not None:
        os.chown(folder, limits["uid"], limits["gid"])
        os.setgroups([])
        os.setgid(limits["gid"])
        os.setuid(limits["uid"])
        resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"], limits["processes"]))
    os.chdir(folder)
    os.environ.update(HOME=folder, TMPDIR=folder)
    tempfile.tempdir = folder
    memory = psutil.Process().memory_info().vms + limits["memory_mb"] * 2**20
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, limits["file_mb"] * 2**20),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    for source in one["sources"]:
        try:
            exec(compile(source, "<answer>", "exec"), room)
        except (MemoryError, KeyboardInterrupt):
            raise
        except BaseException as error:
            return {"passed": False, "message": f"the cell stops with {type(error).__name__}: {error}"}
    for name in [name for name in sys.modules if name.startswith("cnx_tutorial.teaching")]:
        del sys.modules[name]
    from cnx_tutorial.teaching import check

    try:
        exec(one["call"], {**room, "fresh_check": check})
    except check.CheckFailed as failed:
        return {"passed": False, "message": str(failed)}
    except NameError as error:
        return {"passed": False, "message": f"the answer is missing: {error}"}
    return {"passed": True, "message": "right"}


def ended(running: dict[Child, dict], limits: dict) -> list[tuple[Child, dict]]:
    """Those that have said something or broken a limit, with what became of them; waits a moment."""
    readable, _, _ = select.select([child.said for child in running], [], [], BREATH)
    found = []
    for child in list(running):
        more = os.read(child.said, 65536) if child.said in readable else b""
        child.text += more
        seconds = time.monotonic() - child.began
        try:
            family = psutil.Process(child.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        if outcome := whole_answer(child):  # what it started may still hold the pipe open
            pass
        elif child.said in readable and not more:  # the pipe is closed: it has ended
            outcome = {"passed": False, "message": "its process ended before it was checked"}
        elif seconds > limits["seconds"]:
            outcome = {"passed": False, "message": f"it was still running after {limits['seconds']} s and was stopped"}
        elif len(family) > limits["processes"]:
            outcome = {
                "passed": False,
                "message": f"it started more than {limits['processes']} processes and was stopped",
            }
        else:
            continue
        stop(child, {other.pid for other in running} - {child.pid})
        found.append((child, outcome))
    return found


def whole_answer(child: Child) -> dict | None:
    """The child's answer, if our code wrote it."""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        said = json.loads(child.text)
        if said.pop("token") == child.token:
            return said
    return None


def stop(child: Child, others: set[int]) -> None:
    """Kill the child, its group and everything that it left behind; remove its folder. `others`: the processes of the other tries."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(child.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child.pid, 0)
    os.close(child.said)
    for orphan in psutil.Process().children():  # what left its group is a child of this process now
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if orphan.pid not in others:
                orphan.kill()
                os.waitpid(orphan.pid, 0)
    shutil.rmtree(child.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
