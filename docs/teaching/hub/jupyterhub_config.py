# SPDX-License-Identifier: AGPL-3.0-only
"""JupyterHub for a class on one Linux server: `jupyterhub -f jupyterhub_config.py`, as root. README.md in this folder says what to install first.

Each learner is a user of the system, and so cannot read or change another one's files. The package is installed once and belongs to root.
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821  JupyterHub defines it

LEARNERS = 30
MEMORY_GB = 2  # for one learner: a kernel needs 0.6 at rest and 1.1 in a training
cores = len(os.sched_getaffinity(0))

c.JupyterHub.bind_url = os.environ.get("HUB_URL", "http://:8000")
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.JupyterHub.active_server_limit = LEARNERS
c.JupyterHub.concurrent_spawn_limit = max(2, cores)  # a server takes some seconds of a core to start

c.Spawner.cmd = [str(Path(sys.executable).with_name("jupyterhub-singleuser"))]
c.Spawner.notebook_dir = "~/cnx"
c.Spawner.default_url = "/lab/tree/my_work/00_start_here.ipynb"
c.Spawner.http_timeout = c.Spawner.start_timeout = 120
c.Spawner.mem_limit = f"{MEMORY_GB}G"  # JupyterLab shows it; systemdspawner also enforces it
c.Spawner.environment = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "OMP_NUM_THREADS": str(max(1, cores // LEARNERS)),  # otherwise thirty trainings take each other's cores
    "YOLO_OFFLINE": "1",
}


def own_copies(spawner) -> None:
    """As the learner: ~/cnx/my_work with a copy of every notebook, and ~/cnx/solved; a copy that is there stays as it is."""
    import pwd
    import subprocess

    user = pwd.getpwnam(spawner.user.name)
    code = (
        "from pathlib import Path; from cnx_tutorial.cli import learners_folder; learners_folder(Path.home() / 'cnx')"
    )
    environment = {**c.Spawner.environment, "HOME": user.pw_dir, "USER": user.pw_name}
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=user.pw_dir,
        env=environment,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
    )


c.Spawner.pre_spawn_hook = own_copies

# A server that was not used for an hour ends; what was saved stays.
c.JupyterHub.services = [
    {"name": "idle-culler", "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"]}
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
