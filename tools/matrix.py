"""Run the tests of layers and bridge with the versions at the ends of our ranges, each in an environment of its own, and print the table.

    python tools/matrix.py [--torch 2.13 2.14] [--ultralytics 8.4.190 newest] [--tests tests/nn tests/yolo] [--out docs/versions.md]

Without --torch: the oldest minor version that pyproject.toml allows and the two newest; without --ultralytics: the oldest that it allows and the
newest. An environment takes up to 6 GB and is deleted after its run. The table is also written to --out.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ["tests/nn", "tests/yolo"]
ALONE = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}  # no package from elsewhere
VERSIONS = "from importlib.metadata import version as v; print(*(v(n) for n in ('torch', 'torchvision', 'ultralytics', 'numpy')))"
TABLE = "| torch | torchvision | ultralytics | NumPy | Python, system | result |\n|---|---|---|---|---|---|\n"
HEAD = """# Versions that were tried

Each row is an environment of its own, with the newest of all other packages, in which TESTS ran. Printed and written here by `make matrix`; the
lower ends of the ranges in `pyproject.toml` are the oldest rows.

"""


def versions(package: str) -> list[str]:
    """All published versions, the newest first."""
    words = [sys.executable, "-m", "pip", "index", "versions", package]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    return re.search(r"Available versions: (.*)", run.stdout)[1].split(", ")


def newest_minors(package: str, count: int) -> list[str]:
    return list(dict.fromkeys(".".join(version.split(".")[:2]) for version in versions(package)))[:count]


def oldest_allowed(package: str) -> str:
    return re.search(rf'"{package}>=([\d.]+)', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]


def tried(torch: str, ultralytics: str, tests: list[str]) -> tuple[list[str], str, bool]:
    """(installed versions, what pytest says, whether all passed) for one pair."""
    with tempfile.TemporaryDirectory(prefix="cnx-matrix-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python")

        def ran(*words: str) -> subprocess.CompletedProcess:
            return subprocess.run([python, *words], cwd=ROOT, capture_output=True, text=True, env=ALONE)

        exact = [f"torch=={torch}.*", f"ultralytics=={ultralytics}"]
        install = ran("-m", "pip", "install", "--quiet", "--editable", ".[test]", *exact)
        if install.returncode:
            last = (install.stderr.strip().splitlines() or ["no reason given"])[-1]
            return [torch, "", ultralytics, ""], f"does not install: {last}", False
        run = ran("-m", "pytest", "-q", *tests)
        lines = run.stdout.strip().splitlines() or run.stderr.strip().splitlines() or ["no answer"]
        failures = [line.split(" - ")[0] for line in lines if line.startswith(("FAILED", "ERROR"))]
        said = "; ".join([re.sub(r" in [\d.]+s.*", "", lines[-1]), *failures[:5]])
        return ran("-c", VERSIONS).stdout.split(), said, run.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", nargs="+", help="minor versions")
    parser.add_argument("--ultralytics", nargs="+", help="versions, or the word newest")
    parser.add_argument("--tests", nargs="+", default=TESTS)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "versions.md")
    args = parser.parse_args()
    torches = args.torch or dict.fromkeys([oldest_allowed("torch"), *reversed(newest_minors("torch", 2))])
    newest = versions("ultralytics")[0]
    bridges = [newest if v == "newest" else v for v in args.ultralytics or [oldest_allowed("ultralytics"), "newest"]]
    print(TABLE, end="", flush=True)
    where = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    rows, passed = [], True
    for torch in torches:
        for ultralytics in dict.fromkeys(bridges):
            installed, said, fine = tried(torch, ultralytics, args.tests)
            passed &= fine
            rows.append("| " + " | ".join([*installed, where, said]) + " |")
            print(rows[-1], flush=True)
            head = HEAD.replace("TESTS", ", ".join(f"`{test}`" for test in args.tests))
            args.out.write_text(head + TABLE + "\n".join(rows) + "\n", encoding="utf-8")
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
