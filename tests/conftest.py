"""Tests run as on a machine without network: connections that leave the machine are refused, here and in every child process."""

import os
import tempfile
from pathlib import Path

import pytest
import pytest_socket

ROOT = Path(__file__).parents[1]

# Before ultralytics is imported anywhere: its settings and fonts live in a folder of this run, and child processes reach no network.
os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp(prefix="cnx-settings-")
os.environ["YOLO_OFFLINE"] = "1"
for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
    os.environ[name] = "http://127.0.0.1:9"  # the discard port: nobody answers
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = "127.0.0.1,localhost"


def pytest_runtest_setup():
    pytest_socket.socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def bccd_source() -> Path:
    """A copy of the BCCD_Dataset repository: the folder named by CNX_BCCD_SOURCE, or one that lies beside this checkout."""
    for folder in (Path(os.environ.get("CNX_BCCD_SOURCE", "")), ROOT.parent / "shared" / "data" / "bccd"):
        if (folder / "BCCD_Dataset" / "BCCD" / "JPEGImages").is_dir():
            return folder
    pytest.skip("no copy of BCCD_Dataset here: set CNX_BCCD_SOURCE to the folder that holds it")
