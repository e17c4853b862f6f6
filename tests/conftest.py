"""Connections that leave the machine are refused; the root conftest.py does the same for child processes."""

import os
from pathlib import Path

import pytest
import pytest_socket

from tests.few import few_smears

ROOT = Path(__file__).parents[1]


def pytest_runtest_setup():
    pytest_socket.socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


@pytest.fixture
def few(tmp_path) -> Path:
    return few_smears(tmp_path / "few")


@pytest.fixture(scope="session")
def bccd_source() -> Path:
    """A copy of the BCCD_Dataset repository: the folder named by CNX_BCCD_SOURCE, or one that lies beside this checkout."""
    for folder in (Path(os.environ.get("CNX_BCCD_SOURCE", "")), ROOT.parent / "shared" / "data" / "bccd"):
        if (folder / "BCCD_Dataset" / "BCCD" / "JPEGImages").is_dir():
            return folder
    pytest.skip("no copy of BCCD_Dataset here: set CNX_BCCD_SOURCE to the folder that holds it")
