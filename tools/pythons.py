"""Can the pinned environment be installed on every Python that we promise? Resolves it for each, and installs nothing.

    python tools/pythons.py [--python 3.11.0 3.11.2 3.12 3.13]

uv does it, in an environment of its own. Prints one line a Python; ends with status 1 where a pin does not fit.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11.0", "3.11.2", "3.12", "3.13")  # 3.11.2 is Debian 12's own


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", nargs="+", default=PYTHONS)
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        scripts = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin")
        subprocess.run([scripts / "python", "-m", "pip", "install", "--quiet", "uv"], check=True)
        for version in args.python:
            words = ["pip", "compile", "--quiet", "--no-header", "--no-annotate", "--extra", "dev"]
            words += ["--constraint", "constraints.txt", "--python-version", version, "pyproject.toml"]
            run = subprocess.run([scripts / "uv", *words], cwd=ROOT, capture_output=True, text=True)
            failed += run.returncode != 0
            packages = [line for line in run.stdout.splitlines() if "==" in line]
            print(
                f"Python {version:7} {f'{len(packages)} packages' if not run.returncode else run.stderr.strip()}",
                flush=True,
            )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
