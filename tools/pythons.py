"""Can the pinned environment be installed on every Python and system that we promise? Resolves it for each, and installs nothing.

    python tools/pythons.py [--python 3.11.0 3.11.2 3.12 3.13] [--system linux windows macos]

uv does it, in an environment of its own. Only wheels count, since a learner has no compiler. Prints one line for each pair, and ends with
status 1 where a pin does not fit.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11.0", "3.11.2", "3.12", "3.13")  # 3.11.2 is Debian 12's own
SYSTEMS = {  # as uv calls them; PyTorch has no wheels for Macs with Intel processors since 2.3
    "linux": "x86_64-manylinux_2_28",
    "windows": "x86_64-pc-windows-msvc",
    "macos": "aarch64-apple-darwin",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", nargs="+", default=PYTHONS)
    parser.add_argument("--system", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        scripts = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin")
        subprocess.run([scripts / "python", "-m", "pip", "install", "--quiet", "uv"], check=True)
        for version in args.python:
            for system in args.system:
                words = ["pip", "compile", "--quiet", "--no-header", "--no-annotate", "--extra", "dev"]
                words += ["--only-binary", ":all:", "--python-platform", SYSTEMS[system]]
                words += ["--constraint", "constraints.txt", "--python-version", version, "pyproject.toml"]
                run = subprocess.run(
                    [scripts / "uv", *words],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"},  # of PyTorch's wheels
                )
                failed += run.returncode != 0
                count = sum("==" in line for line in run.stdout.splitlines())
                said = run.stderr.strip() if run.returncode else f"{count} packages"
                print(f"Python {version:7} {system:8} {said}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
