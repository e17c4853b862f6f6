"""Where a stored result came from: the machine, the versions and the commit."""

import subprocess
from importlib.metadata import version

import torch
from ultralytics.utils.cpu import CPUInfo

from cnx_tutorial.cores import own_cores
from cnx_tutorial.paths import IS_CHECKOUT, ROOT


def processor(device: str = "cpu") -> str:
    """The device in words: "cpu", "" (a GPU if there is one), or the number of a GPU."""
    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name(int(device.split(",")[0]) if device.split(",")[0].isdecimal() else None)
    return f"{CPUInfo.name()}, {len(own_cores())} cores"


def versions(*more: str) -> dict[str, str]:
    return {name: version(name) for name in ("torch", "torchvision", "ultralytics", *more, "cnx-tutorial")}


def commit() -> str:
    """The commit of this package, with "-dirty" where anything but results and pictures differs from it; "" outside a clone."""
    if not IS_CHECKOUT:
        return ""

    def git(*arguments: str) -> str:
        try:
            return subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=ROOT).stdout.strip()
        except OSError:  # no git here
            return ""

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results", ":!docs")
    return git("describe", "--always") + ("-dirty" if changed else "")
