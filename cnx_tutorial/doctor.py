"""`cnx doctor`: what is installed, which device will train, and what to fix. Changes nothing and asks no network."""

import importlib
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from cnx_tutorial.cores import own_cores
from cnx_tutorial.paths import DATASETS, NOTEBOOKS, data_home


def examine() -> int:
    """Print the findings; returns 0 where everything is fit to train, 1 where something has to be fixed first."""
    fixes = [*packages(), *imports(), *device(), *folders()]
    print(
        "\n" + ("\n".join(f"fix: {fix}" for fix in fixes) if fixes else "Nothing to fix. Next: cnx train, or cnx lab.")
    )
    return 1 if fixes else 0


def line(name: str, value: str) -> None:
    print(f"{name:<14}{value}")


def packages() -> list[str]:
    """Versions of what we require, each against the range that the package declares."""
    line("python", f"{platform.python_version()} at {sys.executable}")
    line("system", platform.platform())
    fixes = []
    for text in requires("cnx-tutorial") or []:
        requirement = Requirement(text)
        extra = "extra" in str(requirement.marker)
        if extra and requirement.name not in {"jupyterlab", "torchinfo", "nbval"}:
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            line(requirement.name, "missing" + (" (only for the notebooks)" if extra else ""))
            fixes += [] if extra else [f"pip install '{requirement.name}{requirement.specifier}'"]
            continue
        fits = requirement.specifier.contains(found, prereleases=True)
        line(requirement.name, found + ("" if fits else f"  outside {requirement.specifier}"))
        fixes += [] if fits else [f"pip install '{requirement.name}{requirement.specifier}'  (found {found})"]
    return fixes


def imports() -> list[str]:
    """Two imports that fail on many machines: OpenCV without its system library, torchvision built for another torch."""
    repairs = {
        "cv2": "OpenCV does not import. On a server without screen: pip install --force-reinstall opencv-python-headless",
        "torchvision.ops": "torchvision does not match torch: pip install --force-reinstall torch torchvision, both from one place",
    }
    fixes = []
    for name, repair in repairs.items():
        # In a second process: a broken binary may end the one that imports it.
        trial = subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, text=True)
        if trial.returncode:
            fixes.append(f"{repair}  ({(trial.stderr.strip().splitlines() or ['crashed'])[-1]})")
    return fixes


def device() -> list[str]:
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        return [f"torch does not import ({error}): pip install --force-reinstall torch torchvision"]
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        line(
            "device",
            f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, bfloat16 {'yes' if torch.cuda.is_bf16_supported() else 'no'}",
        )
        return []
    line(
        "device",
        f"CPU, {len(own_cores())} cores (no CUDA GPU that torch can use; training works, the small data sets take minutes)",
    )
    if shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi"], capture_output=True).returncode == 0:
        return [
            f"there is an NVIDIA GPU but torch {torch.__version__} cannot use it: install the CUDA build, https://pytorch.org/get-started/locally"
        ]
    return []


def folders() -> list[str]:
    fixes = []
    for name in ("smears", "bccd"):
        there = [
            at / name for at in (data_home(), DATASETS) if (at / name).is_dir() and (at / f"{name}.yaml").is_file()
        ]
        line(name, str(there[0]) if there else f"not here; make it with: cnx data {name}")
        if name == "smears" and not there:  # what a bare `cnx train` trains on
            fixes.append("the synthetic smears are missing: cnx data smears")
    there = any(NOTEBOOKS.glob("*.ipynb"))
    line("notebooks", str(NOTEBOOKS) if there else f"missing in {NOTEBOOKS}")
    fixes += [] if there else ["the notebooks are missing: install the package again"]
    line("own files", str(data_home().parent))
    line("runs go to", str(Path.cwd() / "runs"))
    if not os.access(Path.cwd(), os.W_OK):
        fixes.append(f"{Path.cwd()} is read-only: change to a folder of yours, or give project=FOLDER")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    line("disk", f"{free:.0f} GiB free")
    return fixes + ([f"less than 1 GiB free in {Path.cwd()}"] if free < 1 else [])
