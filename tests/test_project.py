"""The frame: what the files around the package say is true and agrees."""

import ast
import graphlib
import importlib.util
import itertools
import json
import re
import socket
import statistics
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import nbformat
import pytest
import pytest_socket
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


MEASURED = "docs/benchmarks.md"
PLANTED = {"test_project.py", "test_notebook_rules.py"}  # these two hold examples of what is searched for


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def requirements() -> list[Requirement]:
    return [Requirement(r) for r in [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]]


def test_environment_yml_takes_everything_from_pip_and_no_version_of_its_own():
    environment = yaml.safe_load(text("environment.yml"))
    python, pip, from_pip = environment["dependencies"]
    assert environment["name"] == "cnx-tutorial" and environment["channels"] == ["conda-forge"]
    assert python == "python=3.11" and pip == "pip" and from_pip == {"pip": ["-e .[dev]"]}


def test_the_packages_of_the_mission_are_required():
    names = {r.name for r in requirements()}
    assert {"torch", "ultralytics", "jupyterlab", "torchinfo", "matplotlib", "nbval"} <= names


def test_every_range_has_an_upper_end_and_holds_the_recorded_version():
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", text("constraints.txt"), re.MULTILINE))
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    for r in requirements():
        if r.name == "cnx-tutorial":
            continue
        assert any(s.operator in ("<", "==") for s in r.specifier), f"{r} has no upper end"
        assert r.specifier.contains(Version(pinned[r.name])), f"{r} against {pinned[r.name]}"


def test_constraints_are_versions_only():
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    assert lines == sorted(lines, key=str.lower)
    assert not [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)]


def test_the_licence_is_declared_everywhere():
    assert PROJECT["license"] == "AGPL-3.0-only"
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in text("LICENSE") and "AGPL-3.0-only" in text("README.md")
    for file in [*(ROOT / "datasets").glob("*.yaml"), *(ROOT / "cnx_tutorial/yolo/configs").glob("*.yaml")]:
        assert "SPDX-License-Identifier: AGPL-3.0-only" in file.read_text(encoding="utf-8").splitlines()[0], file


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "datasets/README.md", "docs/benchmarks.md", "docs/teaching/README.md"]
)
def test_local_links_and_pictures_resolve(name):
    for target in re.findall(r"\]\(([^)#]+)\)", text(name)):
        if "://" not in target:
            assert ((ROOT / name).parent / target).exists(), target


def test_commands_of_the_readme_exist():
    targets = re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE)
    assert {"train", "test", "lab", "lint", "notebooks"} <= set(targets)
    named = re.findall(r"(?:^|`)make ([a-z]+)", text("README.md") + text("CONTRIBUTING.md"), re.MULTILINE)
    assert {"train", "pythons", "matrix", "help"} <= set(named) <= set(targets)


def test_the_readmes_cpu_figures_are_the_stored_ones():
    ratio = json.loads(text("benchmarks/results/busy.json"))["ratio"]
    assert f"| {ratio['busy']['ours']:.2f} of it" in text(MEASURED) and ratio["busy"]["ours"] <= 1.1
    assert f"{ratio['alone']['ours']:.2f} of it | the same run |" in text(MEASURED) and ratio["alone"]["ours"] <= 1


def test_the_readmes_table_is_the_stored_one():
    stored = json.loads(text("benchmarks/results/main_job_smears.json"))
    for name, value in stored["table"].items():
        assert f"| {name} | {value} |" in text("README.md")
    assert float(stored["table"]["mAP50"]) >= 0.80


@pytest.mark.parametrize(("job", "least", "minutes"), [("smears", 0.80, 4), ("bccd", 0.75, 15)])
def test_the_readmes_results_of_the_main_job_are_the_stored_ones(job, least, minutes):
    stored = json.loads(text(f"benchmarks/results/main_job_{job}.json"))
    taken = stored["wall_seconds"] / 60
    assert f"| {stored['table']['mAP50']} in {taken:.1f} minutes, 2 cores |" in text(MEASURED)
    assert float(stored["table"]["mAP50"]) >= least and taken <= minutes


def imports(file: Path) -> set[str]:
    """The modules that a file names in its imports, wherever they stand in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


BELOW = {  # the parts that each part may import
    "nn": {"nn"},
    "paths.py": set(),
    "cores.py": set(),
    "data": {"paths", "data"},
    "yolo": {"paths", "cores", "nn", "data", "yolo"},
    "compare": {"paths", "cores", "recipe", "data", "yolo", "compare"},
    "teaching": {"paths", "nn", "data", "yolo", "compare", "teaching"},
    "classroom": {"paths", "cores", "data", "teaching", "classroom"},
}


def test_layers_run_one_way():
    """paths, nn and data stand below yolo, yolo below compare, compare below teaching, and only yolo and the command import ultralytics."""
    for file in (ROOT / "cnx_tutorial").rglob("*.py"):
        part, named = file.relative_to(ROOT / "cnx_tutorial").parts[0], imports(file)
        ours = {name.split(".")[1] for name in named if name.startswith("cnx_tutorial.")} & {
            path.stem for path in (ROOT / "cnx_tutorial").iterdir()
        }
        assert ours <= BELOW.get(part, ours), (file, ours)
        if part not in ("yolo", "cli.py"):
            assert not any(name.split(".")[0] == "ultralytics" for name in named), file


def test_no_module_imports_itself_by_a_detour():
    home = ROOT / "cnx_tutorial"
    name_of = {
        file: ".".join(("cnx_tutorial", *file.relative_to(home).with_suffix("").parts)) for file in home.rglob("*.py")
    }
    modules = {name: imports(file) for file, name in name_of.items() if not name.endswith("__init__")}
    graph = {name: {other for other in named if other in modules} for name, named in modules.items()}
    tuple(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_no_address_of_a_registry_and_no_path_of_a_machine_is_committed():
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if files.returncode:
        pytest.skip("not a git checkout")
    wrong = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/\w|pypi\.org|pythonhosted|registry\.npmjs")
    for name in filter(None, files.stdout.split("\0")):
        file = ROOT / name
        if file.suffix in (".jpg", ".png", ".pt") or file.name in PLANTED or not file.is_file():
            continue
        assert not wrong.search(file.read_text(encoding="utf-8")), name


def test_connections_that_leave_the_machine_are_refused_here_and_in_children():
    with pytest.raises(pytest_socket.SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)  # an address reserved for documentation
    code = "import requests; requests.get('http://192.0.2.1/', timeout=20)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode and "ProxyError" in run.stderr


def test_readme_shows_the_comparison_that_was_measured():
    from cnx_tutorial.teaching import results

    measured = results.headline("bccd")
    assert results.table(measured) in text(MEASURED)
    shown = nbformat.read(ROOT / "notebooks" / "09_evaluation.ipynb", as_version=4)
    outputs = "".join(output.get("text", "") for cell in shown.cells for output in cell.get("outputs", []))
    assert results.table(measured) in outputs
    assert results.by_class(measured) in text(MEASURED) and results.by_class(measured) in outputs
    said = {
        (a, b): results.verdict(*results.paired(results.scores(measured, a), results.scores(measured, b)))
        for a, b in itertools.combinations(reversed(results.NAMES), 2)
    }
    assert said[results.ARTICLE, results.STOCK] == "lower"  # what the README says in words
    assert said[results.OURS, results.STOCK] == said[results.CONTROL, results.STOCK] == "higher"
    assert said[results.OURS, results.CONTROL] == "no detectable difference"


def test_readme_says_of_the_opponents_and_the_steps_what_was_measured():
    from cnx_tutorial.teaching import results

    measured, readme = results.headline("opponents"), text("README.md")
    assert results.opponents_table(measured) in readme
    assert results.steps_table(measured) in text(MEASURED)
    verdicts = {model: one["verdict"] for model, one in measured["comparisons"]["val"].items()}
    assert verdicts["yolov8n-p2.yaml"] == "lower"  # what the README says in words
    assert {verdicts[model] for model in (results.STOCK, "yolo11n.yaml", "yolo26n.yaml")} == {"higher"}
    costs = results.ratios(measured, results.OURS, "yolov8n-p2.yaml")
    assert costs["parameters"] < 0.5 and 0.4 < costs["one image"] < 0.6  # "less than half", "about half of its time"
    steps = [one["verdict"] for one in measured["steps"]]
    assert steps == ["higher", "lower", *["no detectable difference"] * 3]
    unknown = [one for one in measured["steps"][2:]]
    assert all(-0.025 < one["low"] and one["high"] < 0.025 for one in unknown)  # "a loss and a gain of 0.01 to 0.02"


def test_readme_says_of_the_next_size_and_of_the_layers_what_was_measured():
    from cnx_tutorial.teaching import results

    readme = re.sub(r"\s+", " ", text(MEASURED))
    small, medium = results.headline("bccd"), results.headline("bccd_s")
    names = "yolov8s-convnext.yaml", "yolov8s.yaml"
    assert results.in_words(results.ratios(small, results.OURS, results.STOCK)) in readme
    assert results.in_words(results.ratios(small, results.ARTICLE, results.STOCK)) in readme
    assert results.in_words(results.ratios(small, results.CONTROL, results.STOCK)) in readme
    smears = results.headline("smears")
    assert results.in_words(results.ratios(smears, results.OURS, results.STOCK)) in readme
    for measured in (small, smears):
        for a, b in ((results.OURS, results.STOCK), (results.OURS, results.CONTROL)):
            mean, half = results.paired(results.scores(measured, a), results.scores(measured, b))
            assert f"{mean:+.3f} ± {half:.3f}" in readme
    assert results.in_words(results.ratios(medium, *names)) in readme
    mean, half = results.paired(*(results.scores(medium, name) for name in names))
    assert f"({mean:+.3f} ± {half:.3f}, {results.verdict(mean, half)})" in readme
    layers = json.loads(text("benchmarks/results/layers_cpu_float32.json"))
    assert results.layers_table(layers) in text(MEASURED)
    curve = [row["ratio"][1] for points in layers["curves"].values() for row in points.values()]
    assert f"ahead at every size there ({min(curve):.2f} to {max(curve):.2f})" in readme and max(curve) < 1
    nets = [kinds["inference"]["ratio"][1] for name, kinds in layers["cases"].items() if "LayerNorm" not in name]
    assert f"predict {100 - 100 * max(nets):.0f} to {100 - 100 * min(nets):.0f} % faster" in readme
    for name, kinds in layers["cases"].items():  # "nobody is ahead": the middle half of the rounds holds 1
        low, _, high = kinds["training"]["ratio"]
        assert low <= 1 <= high, name
    compiled = json.loads(text("benchmarks/results/layers_cpu_float32_compiled.json"))
    middles = {name: [row["ratio"][1] for row in kinds.values()] for name, kinds in compiled["cases"].items()}
    every = [middle for pair in middles.values() for middle in pair]
    assert f"take {min(every):.2f} to {max(every):.2f} of the fastest peer's time" in readme
    assert all(abs(m - 1) < 0.015 for name, pair in middles.items() if "LayerNorm" not in name for m in pair)
    times = [
        value
        for measured in (small, smears)
        for name, value in results.ratios(measured, results.OURS, results.CONTROL).items()
        if name != "parameters"
    ]
    assert f"its times are {min(times):.2f} to {max(times):.2f} of the control's" in readme


def test_readme_says_of_muon_what_was_measured():
    seconds = json.loads(text("benchmarks/results/muon.json"))["seconds"]["yolov8n.yaml"]
    ratio = statistics.median(seconds["float32"]) / statistics.median(seconds["bfloat16"])
    row = next(line for line in text(MEASURED).splitlines() if "benchmarks/muon.py" in line)
    assert f"{ratio:.2f} of it for YOLOv8n" in row


def test_a_model_held_against_itself_is_told_from_itself_in_at_most_one_of_twenty():
    stored = json.loads(text("benchmarks/results/itself.json"))
    row = next(line for line in text(MEASURED).splitlines() if "benchmarks/itself.py" in line)
    for verdicts in stored["verdicts"].values():
        told = sum(count for verdict, count in verdicts.items() if verdict != "no detectable difference")
        assert sum(verdicts.values()) == 20 and told <= 1
        assert f"{told} of 20 for" in row
    settings = stored["settings"]
    assert f"--imgsz {settings['imgsz']} --epochs {settings['epochs']}" in row
    assert stored["claim"].removeprefix("Claim: ").rstrip(".") in row


def test_readme_says_of_the_gpu_what_was_measured():
    from cnx_tutorial.teaching import results

    measured, readme = results.headline("bccd_cuda"), text(MEASURED)
    rows = {
        "YOLOv8n": results.STOCK,
        "YOLOv8n-p2 (Ultralytics)": "yolov8n-p2.yaml",
        "with our neck": results.CONTROL,
        "ours": results.OURS,
    }
    for shown, model in rows.items():
        scores = ", ".join(f"{score:.3f}" for score in results.scores(measured, model))
        latency = statistics.median(measured["speed"]["latency_ms"]["1"][model])
        parameters = f"{measured['models'][model]['parameters']:,}"
        row = next(line for line in readme.splitlines() if line.startswith(f"| {shown} ") and scores in line)
        assert [cell.strip() for cell in row.split("|")[1:-1]] == [shown, scores, parameters, f"{latency:.1f}"]
    below = [
        stock - ours
        for stock, ours in zip(
            results.scores(measured, results.STOCK), results.scores(measured, results.OURS), strict=True
        )
    ]
    assert f"by {below[0]:.3f} and {below[1]:.3f}" in readme and min(below) > 0
    longer = results.headline("bccd_cuda_100")
    scores = {
        model: dict(zip(longer["models"][model]["seeds"], results.scores(longer, model), strict=True))
        for model in (results.STOCK, results.OURS)
    }
    seeds = sorted(scores[results.STOCK].keys() & scores[results.OURS].keys())
    mean, half = results.paired(*([scores[model][seed] for seed in seeds] for model in (results.OURS, results.STOCK)))
    assert seeds == [0, 1, 2, 3, 4] and longer["question"]["settings"]["epochs"] == 100
    assert all(scores[results.OURS][seed] < scores[results.STOCK][seed] for seed in seeds)
    assert f"{mean:+.3f} ± {half:.3f} ({results.verdict(mean, half)})" in readme
    assert f"lower than YOLOv8n, by {-mean:.3f} ± {half:.3f} with five seeds" in text("README.md")


def test_the_teachers_page_is_what_notebooks_and_checkers_say():
    spec = importlib.util.spec_from_file_location("teaching_page", ROOT / "tools" / "teaching_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.page() == module.PAGE.read_text(encoding="utf-8"), "run python tools/teaching_page.py"


def test_every_pin_installs_on_every_python_that_we_promise():
    """By what the installed packages say of themselves; `make pythons` resolves the whole."""
    promised = SpecifierSet(PROJECT["requires-python"])
    pythons = [v for v in ("3.11.0", "3.11.2", "3.12.0", "3.13.0", "3.14.0") if promised.contains(v)]
    assert pythons == ["3.11.0", "3.11.2", "3.12.0", "3.13.0"]
    pins = dict(line.split("==") for line in text("constraints.txt").splitlines() if "==" in line and line[0] != "#")
    looked, refused = 0, []
    for name, pin in pins.items():
        try:
            about = metadata(name)
        except PackageNotFoundError:  # only on another system
            continue
        if about["Version"] == pin:
            looked += 1
            wanted = SpecifierSet(about["Requires-Python"] or "")
            refused += [f"{name} {pin} wants Python {wanted}, so not {v}" for v in pythons if not wanted.contains(v)]
    if looked < len(pins) / 2:
        pytest.skip("another environment than the pinned one is installed")
    assert not refused
