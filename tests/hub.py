"""A class on a real JupyterHub: `make hub`, as root on Linux, or

    python -m tests.hub [--learners 8] [--notebooks 01 03]

Makes users of the system, starts docs/teaching/hub/jupyterhub_config.py on this machine's own network, and lets all learners at once start their
server, run notebooks from their copies, and train. Ends the hub and removes the users. Printed are: seconds until a server answers, which notebooks
ran without an error, which trainings ended, memory for each learner (PSS, so that shared pages count once), and which files of a learner another
user changed (by hash; there must be none).

Needs `pip install jupyterhub jupyterhub-idle-culler` and `npm install -g configurable-http-proxy`, and an environment that other users may read.
"""

import argparse
import asyncio
import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

CONFIG = Path(__file__).parents[1] / "docs" / "teaching" / "hub" / "jupyterhub_config.py"
LOCAL = """
load_subconfig({config!r})
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.hub_port, c.ConfigurableHTTPProxy.api_url = {hub_port}, "http://127.0.0.1:{proxy_port}"
c.JupyterHub.services.append({{"name": "test", "api_token": {token!r}, "admin": True}})
c.JupyterHub.cookie_secret_file, c.JupyterHub.db_url = {folder!r} + "/secret", "sqlite:///" + {folder!r} + "/hub.sqlite"
"""
RUN = """
import subprocess, sys
done = subprocess.run([sys.executable, "-m", *{words!r}], capture_output=True, text=True)
print("RESULT", done.returncode, done.stderr[-300:])
"""
EXECUTE = ["jupyter", "execute", "--timeout=900"]
TRAIN = "cnx_tutorial.cli train data=smears.yaml epochs=1 imgsz=64 fraction=0.2 val=False".split()
TRESPASS = """
from pathlib import Path
try:
    print("RESULT", list(Path({other!r}).iterdir()))
except PermissionError:
    print("RESULT 0 refused")
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Hub:
    """A running hub; `ask` speaks to its API and to the servers of the learners."""

    def __init__(self, folder: Path):
        self.token, self.url = secrets.token_hex(16), f"http://127.0.0.1:{free_port()}"
        config = folder / "config.py"
        config.write_text(
            LOCAL.format(
                config=str(CONFIG), hub_port=free_port(), proxy_port=free_port(), token=self.token, folder=str(folder)
            ),
            encoding="utf-8",
        )
        self.log = (folder / "hub.log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            cwd=folder,
            env={**os.environ, "HUB_URL": self.url},
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    async def ask(self, method: str, path: str, body: object = None) -> dict | None:
        request = HTTPRequest(
            self.url + path,
            method=method,
            body=None if method in ("GET", "DELETE") else json.dumps(body or {}),
            headers={"Authorization": f"token {self.token}"},
            request_timeout=120,
        )
        answer = await AsyncHTTPClient().fetch(request)
        return json.loads(answer.body) if answer.body else None

    async def ready(self) -> None:
        for _ in range(240):
            try:
                await self.ask("GET", "/hub/api/")
                return
            except (OSError, HTTPClientError):
                if self.process.poll() is not None:
                    break
                await asyncio.sleep(0.5)
        raise RuntimeError(f"the hub did not start; see {self.log.name}")

    async def start(self, name: str) -> float:
        """Start the learner's server; seconds until it answers."""
        begin = time.monotonic()
        await self.ask("POST", f"/hub/api/users/{name}")
        await self.ask("POST", f"/hub/api/users/{name}/server")
        while not ((await self.ask("GET", f"/hub/api/users/{name}"))["servers"].get("") or {}).get("ready"):
            if time.monotonic() - begin > 300:
                raise RuntimeError(f"the server of {name} did not start; see {self.log.name}")
            await asyncio.sleep(0.5)
        return time.monotonic() - begin

    async def kernel(self, name: str) -> str:
        return (await self.ask("POST", f"/user/{name}/api/kernels", {"name": "python3"}))["id"]

    async def execute(self, name: str, kernel: str, code: str) -> str:
        """What the code prints after RESULT, run in the learner's kernel."""
        address = f"{self.url.replace('http', 'ws', 1)}/user/{name}/api/kernels/{kernel}/channels"
        line = await websocket_connect(HTTPRequest(address, headers={"Authorization": f"token {self.token}"}))
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "username": name,
            "session": uuid.uuid4().hex,
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True}
        await line.write_message(
            json.dumps(
                {
                    "header": header,
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                    "channel": "shell",
                    "buffers": [],
                }
            )
        )
        printed = ""
        while text := await line.read_message():
            message = json.loads(text)
            if message["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            if message["msg_type"] == "stream":
                printed += message["content"]["text"]
            if message["msg_type"] == "error":
                printed += f"RESULT 1 {message['content']['ename']}: {message['content']['evalue']}"
            if message["msg_type"] == "execute_reply":
                break
        line.close()
        return printed.partition("RESULT ")[2].strip()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()


def hashes(home: Path) -> dict[str, str]:
    """Every file of a learner's folder that is the learner's work."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((home / "cnx").rglob("*"))
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }


def memory(uid: int) -> float:
    """GB that the processes of a user hold."""
    total = 0
    for process in psutil.process_iter(["uids"]):
        try:
            if process.info["uids"].real == uid:
                total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 2**30


async def lesson(hub: Hub, names: list[str], homes: dict[str, Path], notebooks: list[str]) -> int:
    """All learners at once; the number of things that went wrong."""
    wrong = 0
    await hub.ready()
    seconds = await asyncio.gather(*(hub.start(name) for name in names))
    print(
        f"servers  {len(names)} started at once, the first after {min(seconds):.0f} s, the last after {max(seconds):.0f} s",
        flush=True,
    )
    kernels = dict(zip(names, await asyncio.gather(*(hub.kernel(name) for name in names)), strict=True))
    print(
        f"memory   {max(memory(pwd.getpwnam(name).pw_uid) for name in names):.2f} GB for a learner at rest", flush=True
    )

    async def all_run(what: str, code) -> None:
        nonlocal wrong
        said = await asyncio.gather(*(hub.execute(name, kernels[name], code(name)) for name in names))
        failed = {name: text for name, text in zip(names, said, strict=True) if not text.startswith("0")}
        wrong += len(failed)
        print(f"{what:8} {len(names) - len(failed)} of {len(names)} ended well", *failed.items(), flush=True)

    for number in notebooks:
        (file,) = (homes[names[0]] / "cnx" / "my_work").glob(f"{number}*.ipynb")
        await all_run(
            number,
            lambda name, file=file: RUN.format(words=[*EXECUTE, str(homes[name] / "cnx" / "my_work" / file.name)]),
        )
    before = {name: hashes(homes[name]) for name in names}
    training = asyncio.create_task(
        all_run("training", lambda name: RUN.format(words=[*TRAIN, f"project={homes[name] / 'runs'}"]))
    )
    most = 0.0
    while not training.done():
        most = max([most, *(memory(pwd.getpwnam(name).pw_uid) for name in names)])
        await asyncio.wait([training], timeout=5)
    await training
    print(f"memory   {most:.2f} GB for a learner in a training")
    await all_run(
        "others' files refused to", lambda name: TRESPASS.format(other=str(homes[names[names.index(name) - 1]]))
    )
    changed = [name for name in names if hashes(homes[name]) != before[name]]
    foreign = [path for name in names for path in (homes[name] / "cnx").rglob("*") if path.owner() != name]
    print(
        f"files    {sum(map(len, before.values()))} of {len(names)} learners, changed by others: {len(changed)}, owned by others: {len(foreign)}"
    )
    return wrong + len(changed) + len(foreign)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description=__doc__.splitlines()[0])
    parser.add_argument("--learners", type=int, default=8)
    parser.add_argument("--notebooks", nargs="+", default=["01", "03"])
    args = parser.parse_args()
    if os.getuid() != 0 or not shutil.which("configurable-http-proxy"):
        sys.exit(
            "tests.hub makes users of this system, so it needs root, and configurable-http-proxy on the PATH: npm install -g configurable-http-proxy"
        )
    names = [f"cnxlearner{number}" for number in range(1, args.learners + 1)]
    with tempfile.TemporaryDirectory(prefix="cnx-hub-") as folder:
        Path(folder).chmod(0o755)
        homes = {name: Path(folder) / name for name in names}
        try:
            for name in names:
                subprocess.run(
                    ["useradd", "--create-home", "--home-dir", str(homes[name]), "--shell", "/bin/sh", name], check=True
                )
                homes[name].chmod(0o700)
            (state := Path(folder) / "hub").mkdir(mode=0o700)
            hub = Hub(state)
            try:
                wrong = asyncio.run(lesson(hub, names, homes, args.notebooks))
            except BaseException:
                print((state / "hub.log").read_text()[-3000:], file=sys.stderr)
                raise
            finally:
                hub.stop()
        finally:
            for name in names:
                subprocess.run(["pkill", "-KILL", "-u", name])
                subprocess.run(["userdel", name])
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
