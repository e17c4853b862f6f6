"""Everything else stands in pyproject.toml. This puts what lies beside the package into the wheel: the smears, the notebooks, the stored results."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
FOLDERS = {"datasets": "datasets", "notebooks": "notebooks", "results": "benchmarks/results"}
NOT = shutil.ignore_patterns("bccd", "bccd_*", ".*", "*.cache", "my_work*", "__pycache__")


class BuildWithFolders(build_py):
    """build_py, which also copies the folders to cnx_tutorial/installed, where paths.py looks when there is no checkout."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # the checkout itself is there
            return
        for name, source in FOLDERS.items():
            target = Path(self.build_lib) / "cnx_tutorial" / "installed" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / source, target, ignore=NOT)


setup(cmdclass={"build_py": BuildWithFolders})
