"""For tests and notebooks alike: no network, settings of their own, and kernels that start as JupyterLab starts them."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Before ultralytics is imported anywhere: its settings live in a folder of this run, and no child process reaches the network.
os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp(prefix="cnx-settings-")
atexit.register(shutil.rmtree, os.environ["YOLO_CONFIG_DIR"], ignore_errors=True)
os.environ["YOLO_OFFLINE"] = "1"
for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
    os.environ[name] = "http://127.0.0.1:9"  # the discard port: nobody answers
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = "127.0.0.1,localhost"

# Under `pytest -n`, each worker and the kernels that it starts get a core of their own: threads of two notebooks on one core slow each other tenfold.
worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if worker.startswith("gw") and hasattr(os, "sched_setaffinity"):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker[2:]) % len(cores)]})


def pytest_collectstart(collector):
    """Start a notebook's kernel without PYTEST_CURRENT_TEST.

    With that variable ipykernel stops capturing the output of child processes and of C libraries, and Ultralytics moves its runs into its own
    tests folder.
    """
    if not hasattr(collector, "skip_compare"):  # only nbval's notebook files have it
        return
    start_kernel = collector.setup

    def setup():
        if not list(Path(os.environ["YOLO_CONFIG_DIR"]).rglob("settings.json")):
            # The first import of ultralytics on a machine prints a greeting, which no notebook has stored.
            subprocess.run([sys.executable, "-c", "import cnx_tutorial.yolo"], check=True, capture_output=True)
        saved = os.environ.pop("PYTEST_CURRENT_TEST", None)
        try:
            start_kernel()
        finally:
            if saved is not None:
                os.environ["PYTEST_CURRENT_TEST"] = saved

    collector.setup = setup
