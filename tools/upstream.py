# SPDX-License-Identifier: AGPL-3.0-only
"""Ultralytics' own tests with and without us, offline; prints how many passed, failed and were skipped, and each test that differs.

    python tools/upstream.py [tests/test_python.py ...]

The tests come from Ultralytics' source package of the installed version. Weights that they would download are random ones, and its sets of eight
images are drawn; what still needs a download fails alike in all runs. "registered" imports cnx_tutorial before the tests, "in its place"
also puts our YOLO in the place of ultralytics.YOLO.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from importlib.metadata import version
from pathlib import Path

FILES = ["tests/test_python.py", "tests/test_engine.py", "tests/test_cli.py", "tests/test_exports.py"]
WAYS = {
    "without us": "",
    "registered": "import cnx_tutorial.yolo\n",
    "in its place": "import cnx_tutorial.yolo, ultralytics\nultralytics.YOLO = cnx_tutorial.yolo.YOLO\n",
}
PREPARE = """
import shutil
from pathlib import Path
import numpy as np
from PIL import Image
from ultralytics import YOLO
from ultralytics.cfg import TASK2MODEL
from ultralytics.utils import DATASETS_DIR, WEIGHTS_DIR

spaced = WEIGHTS_DIR / "path with spaces"
spaced.mkdir(parents=True, exist_ok=True)
for name in TASK2MODEL.values():
    YOLO(name.replace(".pt", ".yaml")).save(WEIGHTS_DIR / name)
    shutil.copy(WEIGHTS_DIR / name, spaced / name)
rng = np.random.default_rng(0)
for folder, numbers in (("coco8", 0), ("coco8-seg", 4), ("coco8-pose", 51)):
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (DATASETS_DIR / folder / kind / split).mkdir(parents=True, exist_ok=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 255, (96, 128, 3), np.uint8)).save(DATASETS_DIR / folder / "images" / split / f"{i}.jpg")
            box = [0.5, 0.5, 0.4, 0.4]
            row = {0: box, 4: [0.3, 0.3, 0.7, 0.3, 0.7, 0.7], 51: [*box, *([0.5, 0.5, 2] * 17)]}[numbers]
            label = DATASETS_DIR / folder / "labels" / split / f"{i}.txt"
            label.write_text(" ".join(map(str, [0, *row])) + "\\n", encoding="utf-8")
"""


def outcomes(report: Path) -> dict[str, str]:
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found


def main() -> int:
    files = sys.argv[1:] or FILES
    with tempfile.TemporaryDirectory() as place:
        folder, package = Path(place), f"ultralytics=={version('ultralytics')}"
        options = f"--quiet --no-deps --no-binary :all: --no-build-isolation --dest {place}"
        subprocess.run([sys.executable, "-m", "pip", "download", *options.split(), package], check=True)
        with tarfile.open(next(folder.glob("ultralytics-*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        tests = next(path for path in folder.glob("ultralytics-*") if path.is_dir())
        results = {}
        for way, code in WAYS.items():
            home = folder / way.replace(" ", "_")
            home.mkdir()
            (home / "cnx_before_the_tests.py").write_text(code, encoding="utf-8")
            folders = {f"{name}_dir": str(home / name) for name in ("datasets", "weights", "runs")}
            own = {"YOLO_CONFIG_DIR": str(home), "YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "OMP_NUM_THREADS": "1"}
            own["PYTHONPATH"] = os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")])
            said = {"env": os.environ | own, "cwd": home, "stdout": subprocess.DEVNULL}
            settings = f"from ultralytics.utils import SETTINGS; SETTINGS.update({folders!r})"
            for step in (settings, PREPARE):
                subprocess.run([sys.executable, "-c", step], check=True, **said)
            report = home / "report.xml"
            words = ["-q", "-p", "cnx_before_the_tests", "-p", "no:cacheprovider", f"--junitxml={report}", *files]
            run = [sys.executable, "-m", "pytest", *words]
            subprocess.run(run, **said | {"cwd": tests, "stderr": subprocess.DEVNULL})
            results[way] = outcomes(report)
            counted = Counter(results[way].values())
            print(
                f"{way:14} passed {counted['passed']}, failed {counted['failure'] + counted['error']}, skipped {counted['skipped']}",
                flush=True,
            )
    plain, differing = results["without us"], 0
    for way, seen in results.items():
        for name in sorted(plain.keys() | seen.keys()):
            if plain.get(name) != seen.get(name):
                differing += 1
                print(f"differs: {name}: {plain.get(name)} without us, {seen.get(name)} {way}")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
