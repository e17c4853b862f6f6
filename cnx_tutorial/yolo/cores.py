"""How many threads may work: the cores that this process has, what the user asked for (OMP_NUM_THREADS), and a container's quota.

The count stays the same while a training runs, and is the same on a busy machine: sums are added in another order by other threads, and a seeded
training would end with other weights.
"""

import math
import os
from pathlib import Path

MOST = 8  # as Ultralytics; small networks gain nothing from more


def cpu_count() -> int:
    """Number of threads that this process may use: its cores, its container's quota, OMP_NUM_THREADS where the user set it, at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [cores, MOST, quota(), user_limit()]
    return max(1, min(int(limit) for limit in limits if limit))


def user_limit() -> int | None:
    """OMP_NUM_THREADS, whose first number counts ("4,2"); None where it is not set, or holds no number."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else None


def quota(root: Path = Path("/sys/fs/cgroup"), groups: Path = Path("/proc/self/cgroup")) -> int | None:
    """CPUs that the control group of this process and those around it allow, rounded up; None without a limit.

    Containers and a class's server (JupyterHub with systemd) set it. Version 2 says it in cpu.max, version 1 in cpu.cfs_quota_us.
    """
    found = []
    for line in read(groups).splitlines() or ["0::/"]:
        number, controllers, name = (line.split(":", 2) + ["", ""])[:3]
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        base = root if number == "0" else next((root / n for n in (controllers, "cpu") if (root / n).is_dir()), root)
        inside = base / name.lstrip("/")
        for group in (inside, *inside.parents):
            if not group.is_relative_to(base):
                break
            limit, _, period = read(group / "cpu.max").partition(" ")
            if not limit:
                limit, period = read(group / "cpu.cfs_quota_us"), read(group / "cpu.cfs_period_us")
            if limit.isdecimal() and period.isdecimal() and int(limit) and int(period):
                found.append(int(limit) / int(period))
    return math.ceil(min(found)) if found else None


def read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
