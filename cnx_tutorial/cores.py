"""What this process may use: cores, threads and memory, within what the user (OMP_NUM_THREADS) and a container's quota allow.

The number of threads stays the same while a training runs, and on a busy machine too. With another number, sums are added in another order, and a
seeded training ends with other weights.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

SYSTEM = Path("/sys/fs/cgroup")  # where Linux says what a control group may use
OWN = Path("/proc/self/cgroup")  # which control group is ours
MOST = 8  # as Ultralytics; small networks gain nothing from more


def cpu_count() -> int:
    """Number of threads that this process may use: its cores, its container's quota, OMP_NUM_THREADS where the user set it, at most 8."""
    limits = [len(own_cores()), MOST, quota(), user_limit()]
    return max(1, min(int(limit) for limit in limits if limit))


def own_cores() -> list[int]:
    """Numbers of the cores on which this process may run."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def free_memory(root: Path = SYSTEM, own: Path = OWN) -> int:
    """Bytes that are free on this machine, or all that a container is given where that is less."""
    import psutil

    names = ("memory.max", "memory.limit_in_bytes")  # version 2, version 1
    given = [read(group / name) for group in groups("memory", root, own) for name in names]
    return min([psutil.virtual_memory().available, *(int(limit) for limit in given if limit.isdecimal())])


def user_limit() -> int | None:
    """OMP_NUM_THREADS, whose first number counts ("4,2"); None where it is not set, or holds no number."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else None


def quota(root: Path = SYSTEM, own: Path = OWN) -> int | None:
    """CPUs that the control group of this process and those around it allow, rounded up; None without a limit.

    Containers and a class's server (JupyterHub with systemd) set it. Version 2 says it in cpu.max, version 1 in cpu.cfs_quota_us.
    """
    found = []
    for group in groups("cpu", root, own):
        limit, _, period = read(group / "cpu.max").partition(" ")
        if not limit:
            limit, period = read(group / "cpu.cfs_quota_us"), read(group / "cpu.cfs_period_us")
        if limit.isdecimal() and period.isdecimal() and int(limit) and int(period):
            found.append(int(limit) / int(period))
    return math.ceil(min(found)) if found else None


def groups(controller: str, root: Path = SYSTEM, own: Path = OWN) -> Iterator[Path]:
    """Folders of the control groups that limit this process, the innermost first: of version 2, and of version 1 where it has the controller."""
    for line in read(own).splitlines() or ["0::/"]:
        number, controllers, name = (line.split(":", 2) + ["", ""])[:3]
        if number != "0" and controller not in controllers.split(","):
            continue
        homes = [root / n for n in (controllers, controller) if (root / n).is_dir()]
        base = root if number == "0" or not homes else homes[0]
        inside = base / name.lstrip("/")
        yield from (group for group in (inside, *inside.parents) if group.is_relative_to(base))


def read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
