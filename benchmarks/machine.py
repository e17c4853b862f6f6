"""What every stored result says of where it came from, and how the memory is set while times are taken."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

# In the process that takes times, glibc keeps what was freed. Else some calls fetch their large maps anew from the system, a fifth of their time
# and more, and whose calls do so depends on what else lies in memory. glibc reads these when a process starts.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}


def processor(device: str = "cpu") -> str:
    """The device in words."""
    if device == "cpu":
        return f"cpu, {platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    import torch

    return torch.cuda.get_device_name()


def versions(*more: str) -> dict[str, str]:
    return {name: version(name) for name in ("torch", "torchvision", *more, "cnx-tutorial")}


def commit() -> str:
    """The commit that measured, with "-dirty" where anything but results and pictures differed from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], capture_output=True, text=True, cwd=Path(__file__).parents[1]
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results", ":!docs")
    return git("describe", "--always") + ("-dirty" if changed else "")
