"""Run the tests of layers and bridge with the versions at the ends of our ranges, each in an environment of its own, and print the table.

    python tools/matrix.py [--torch 2.13 2.14] [--ultralytics 8.4.190 newest] [--tests tests/nn tests/yolo]

Without --torch: the two newest minor versions; without --ultralytics: the oldest that pyproject.toml allows and the newest. An environment takes 6 GB
and is deleted after its run.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ["tests/nn", "tests/yolo"]


def versions(package: str) -> list[str]:
    """All published versions, the newest first."""
    run = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", package], capture_output=True, text=True, check=True
    )
    return re.search(r"Available versions: (.*)", run.stdout)[1].split(", ")


def newest_minors(package: str, count: int) -> list[str]:
    minors = dict.fromkeys(".".join(version.split(".")[:2]) for version in versions(package))
    return list(minors)[:count]


def oldest_allowed(package: str) -> str:
    return re.search(rf'"{package}>=([\d.]+)', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]


def tried(torch: str, ultralytics: str, tests: list[str]) -> tuple[str, str]:
    """(installed versions, what pytest says) for one pair."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        exact = [f"torch=={torch}.*", f"ultralytics=={ultralytics}"]
        install = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--editable", ".[test]", *exact],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        if install.returncode:
            return (
                f"torch {torch}, ultralytics {ultralytics}",
                "does not install: " + install.stderr.strip().splitlines()[-1],
            )
        code = "from importlib.metadata import version as v; print(*(f'{n} {v(n)}' for n in ('torch', 'torchvision', 'ultralytics')), sep=', ')"
        installed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        run = subprocess.run([python, "-m", "pytest", "-q", *tests], cwd=ROOT, capture_output=True, text=True)
        failures = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
        return installed, "; ".join([run.stdout.strip().splitlines()[-1], *failures[:5]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", nargs="+", help="minor versions")
    parser.add_argument("--ultralytics", nargs="+", help="versions, or the word newest")
    parser.add_argument("--tests", nargs="+", default=TESTS)
    args = parser.parse_args()
    torches = args.torch or newest_minors("torch", 2)
    newest = versions("ultralytics")[0]
    bridges = [newest if v == "newest" else v for v in args.ultralytics or [oldest_allowed("ultralytics"), "newest"]]
    rows = []
    for torch in torches:
        for ultralytics in dict.fromkeys(bridges):
            rows.append(tried(torch, ultralytics, args.tests))
            print(" | ".join(rows[-1]), flush=True)
    print("\n| versions | tests of layers and bridge |\n|---|---|")
    print("\n".join(f"| {installed} | {said} |" for installed, said in rows))
    return int(any("failed" in said or "error" in said or "not install" in said for _, said in rows))


if __name__ == "__main__":
    sys.exit(main())
