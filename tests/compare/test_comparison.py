"""Whole comparisons, as a user runs them: killed and started again, on a Ray cluster of two nodes, and with a model that fails."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import psutil
import pytest

from cnx_tutorial.compare import results
from cnx_tutorial.compare.comparison import Comparison, checked, compare
from cnx_tutorial.compare.question import CHOOSING, understand
from cnx_tutorial.compare.training import TrainingFailed
from cnx_tutorial.recipe import RECIPE
from tests.few import few_smears

WORDS = [
    "model=yolov8n-convnext.yaml",
    "against=yolov8n.yaml",
    "seeds=0,1",
    "lr0=0.02",
    "epochs=1",
    "imgsz=64",
    "batch=4",
    "workers=0",
    "device=cpu",
    "val=False",
    "conf=1e-7",  # so low that a network after two steps finds something, to tell seeds apart
]
ADDRESS = "127.0.0.1:6391"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "cnx_tutorial.cli", "compare", *words]


def first_seed(killed: Path, engine: str, *more: str) -> list[str]:
    """The command of the comparison in `killed` with its first seed alone, on another engine, in a folder of that name."""
    words = [word for word in WORDS if not word.startswith("seeds")]
    data = killed.parents[2] / "few" / "few.yaml"
    return command(*words, "seeds=0", f"data={data}", f"name={engine}", f"engine={engine}", *more)


def seen(folder: Path) -> dict[str, list[float]]:
    """For each training every confidence that its network was evaluated by."""
    found = {file.parent.name: np.load(file)["confidence"].tolist() for file in folder.glob("trainings/*/val.npz")}
    assert found and all(found.values())
    return found


def finished(folder: Path) -> dict[str, float]:
    """The trainings that are stored, and when."""
    return {file.parent.name: file.stat().st_mtime for file in folder.glob("trainings/*/result.json")}


def children(folder: Path) -> list[int]:
    """Processes of trainings that run for this folder, wherever their parents are."""
    found = [process.info for process in psutil.process_iter(["pid", "cmdline"])]
    return [
        one["pid"]
        for one in found
        if str(folder) in " ".join(one["cmdline"] or []) and "cnx_tutorial.compare.training" in one["cmdline"]
    ]


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """A comparison of four trainings that was killed when the first was stored, and started again with the same words."""
    work = tmp_path_factory.mktemp("killed")
    data, folder = few_smears(work / "few", test=4), work / "runs" / "compare" / "pair"
    words = [*WORDS, f"data={data}", "name=pair"]
    process = subprocess.Popen(command(*words), cwd=work, stdout=subprocess.DEVNULL)
    while not finished(folder) or not children(folder):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while children(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not children(folder)  # the training that ran has ended with it
    before = finished(folder)
    assert 1 <= len(before) < 4
    again = subprocess.run(command(*words), cwd=work, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    after = finished(folder)
    assert {name: after[name] for name in before} == before  # not repeated
    assert f"4 trainings of 1 epochs (2 models, 2 seeds), {len(before)} of them stored: about" in again.stdout
    assert "no detectable difference" in again.stdout or "higher" in again.stdout or "lower" in again.stdout
    return folder


def test_the_report_holds_everything_and_needs_no_network(killed):
    result, page = (
        json.loads((killed / "results.json").read_text()),
        (killed / "report.html").read_text(encoding="utf-8"),
    )
    assert {"val", "test"} == set(result["comparisons"]) and len(result["models"]) == 2
    one = result["models"]["yolov8n-convnext.yaml"]
    assert len(one["scores"]["val"]) == len(one["scores"]["test"]) == 2 and one["parameters"] == 1_252_132
    assert one["lr0"] == 0.02 and len(one["curves"][0]["epoch"]) == 1
    assert {"sizes", "classes", "mAP50-95", "mAP50"} == set(one["scores"]["val"][0])
    assert set(result["speed"]["latency_ms"]["1"]) == set(result["models"])
    assert result["versions"]["torch"] and result["question"]["marks"]["data"]

    class Addresses(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag, attributes):
            self.found += [value for name, value in attributes if name in ("src", "href")]

    reader = Addresses()
    reader.feed(page)
    assert len(reader.found) >= 3 and not [a[:60] for a in reader.found if not a.startswith("data:")]
    assert all(f'alt="{part}' in page for part in ("mAP50-95 of every seed", "Scores on val by class"))


def test_the_report_is_drawn_again_from_the_folder(killed, tmp_path):
    page = (killed / "report.html").read_text(encoding="utf-8")
    (killed / "report.html").unlink()
    run = subprocess.run(command(f"report={killed}"), cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0 and "mAP50-95" in run.stdout, run.stderr
    assert (killed / "report.html").read_text(encoding="utf-8") == page


def test_started_again_when_all_is_done_trains_nothing(killed, tmp_path):
    before = finished(killed)
    data = killed.parents[2] / "few" / "few.yaml"
    words = [*WORDS, f"data={data}", "name=pair", f"project={killed.parent}"]
    run = subprocess.run(command(*words), cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0 and "rehearsal" not in run.stdout and finished(killed) == before, run.stderr
    run = subprocess.run(command(*words, "mosaic=0.5"), cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1 and "mosaic=None, now 0.5" in run.stderr and finished(killed) == before


@pytest.fixture
def cluster(tmp_path):
    """A Ray cluster of two nodes on this machine."""
    pytest.importorskip("ray")
    # Ray makes sockets in a folder whose path must be short.
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_DOCKER_CPU_WARNING": "1"}
    common = ["--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats", "--node-ip-address=127.0.0.1"]
    ray = Path(sys.executable).with_name("ray")
    start = [str(ray), "start", *common]
    subprocess.run(
        [*start, "--head", f"--port={ADDRESS[10:]}", "--include-dashboard=false"],
        check=True,
        env=environment,
        capture_output=True,
    )
    subprocess.run([*start, f"--address={ADDRESS}"], check=True, env=environment, capture_output=True)
    yield ADDRESS
    subprocess.run([str(ray), "stop", "--force"], env=environment, capture_output=True)


class Formula:
    """Stands in for an engine: the score of a training is a function of its learning rate, and the files are copies of a real training's."""

    width = 1

    def __init__(self, real: Path, best: dict[str, float]):
        self.real, self.best, self.jobs = real, best, []

    def run(self, jobs, folder):
        for job in jobs:
            self.jobs.append((job["label"], job["lr0"], job["seed"], job["settings"]["epochs"]))
            shutil.copytree(self.real, folder / job["name"])
            answer = json.loads((self.real / "result.json").read_text())
            answer = {key: value for key, value in answer.items() if key not in ("label", "lr0", "seed")}
            answer["scores"]["val"]["mAP50-95"] = 1 - abs(math.log(job["lr0"] / self.best[job["label"]])) / 10
            yield job, answer


def test_each_model_has_its_own_rate_and_the_grid_grows_once_at_its_edge(killed, few, tmp_path, monkeypatch):
    question = checked(
        understand({"data": str(few), "lr0": "0.01,0.02,0.04", "seeds": "0,1", "device": "cpu", "imgsz": 64})[0]
    )
    ours, stock = question.models
    place = Formula(next(killed.glob("trainings/*")), {ours: 0.019, stock: 0.09})
    lines: list[str] = []
    folder = tmp_path / "folder"
    folder.mkdir()
    Comparison(question, folder, place, lines.append).run()
    tried = [job for job in place.jobs if job[2] == CHOOSING and job[3] > 1]
    assert sorted(tried) == sorted(
        [(label, lr0, CHOOSING, RECIPE["epochs"]) for label in (ours, stock) for lr0 in (0.01, 0.02, 0.04)]
        + [(stock, 0.08, CHOOSING, RECIPE["epochs"])]
    )
    assert [job for job in place.jobs if job[2] != CHOOSING] == [
        (label, lr0, seed, RECIPE["epochs"]) for seed in (0, 1) for label, lr0 in ((ours, 0.02), (stock, 0.08))
    ]
    result = results.collect(folder, question)
    assert result["models"][stock]["beyond_the_grid"] == [0.08] and result["models"][stock]["at_the_edge"]
    assert "0.08 was tried too; the best is still at the edge" in " ".join(results.remarks(result))
    assert not result["models"][ours]["beyond_the_grid"] and result["models"][ours]["lr0"] == 0.02
    place.jobs.clear()
    Comparison(question, folder, place, lines.append).run()
    assert not place.jobs


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process on Windows")
def test_an_interrupted_comparison_ends_its_trainings(few, tmp_path):
    process = subprocess.Popen(
        command(*WORDS, f"data={few}", "name=cut", "epochs=500"),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may have switched it off
    )
    folder = tmp_path / "runs" / "compare" / "cut"
    while not children(folder):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Nothing that was finished is lost" in said and "Traceback" not in said
    assert not children(folder)


def test_a_full_disk_ends_it_and_says_what_to_do(few, tmp_path):
    question = checked(understand({"data": str(few), "lr0": "0.02", "device": "cpu"})[0])

    class Full:
        width = 1

        def run(self, jobs, folder):
            for job in jobs:
                yield job, TrainingFailed("[Errno 28] No space left on device", disk_full=True)

    with pytest.raises(OSError, match="No space left on device.*Make room.*the same command goes on"):
        Comparison(question, tmp_path, Full(), print).run()


def test_trainings_in_this_process_give_the_same_scores(killed, tmp_path):
    """In a process of its own, with one thread, as the others had theirs."""
    done = subprocess.run(
        first_seed(killed, "here"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "compare" / "here"
    expected = seen(killed)
    assert len(seen(folder)) == 2 and seen(folder) == {name: expected[name] for name in seen(folder)}
    assert "one training after another, in this process" in done.stdout and "Epoch" not in done.stdout
    assert "Epoch" in (folder / "trainings" / "yolov8n-lr0.02-seed0" / "log.txt").read_text()


@pytest.mark.skipif(os.name == "nt", reason="Ray clusters on Windows are not supported by Ray")
def test_a_ray_cluster_gives_the_same_scores_though_a_worker_is_killed(killed, cluster, tmp_path):
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    output = tmp_path / "output.txt"
    with output.open("w") as file:
        process = subprocess.Popen(
            first_seed(killed, "ray", f"address={cluster}"),
            cwd=tmp_path,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    folder = tmp_path / "runs" / "compare" / "ray"
    while "2 trainings of 1 epochs" not in output.read_text():  # the rehearsal is over
        assert process.poll() is None, output.read_text()
        time.sleep(0.1)
    while not (
        workers := [p for p in psutil.process_iter(["cmdline"]) if "ray::on_node" in " ".join(p.info["cmdline"] or [])]
    ):
        assert process.poll() is None, output.read_text()
    workers[0].kill()
    assert process.wait(timeout=400) == 0, output.read_text()
    said = output.read_text()
    assert "2 trainings side by side on a Ray cluster" in said and "is left out" not in said
    expected = seen(killed)
    assert len(seen(folder)) == 2 and seen(folder) == {name: expected[name] for name in seen(folder)}


def test_a_model_that_fails_is_reported_and_the_others_finish(few, tmp_path, monkeypatch):
    """A layer that breaks in the first training step, not when it is built."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "breaks.py").write_text(
        "from torch import nn\nclass Breaks(nn.Conv2d):\n    def __init__(self, c1, c2, k, s):\n        super().__init__(c1, c2, k, s)\n"
        "    def forward(self, x):\n        if self.training and x.shape[0] == 4:\n            raise RuntimeError('this layer broke')\n"
        "        return super().forward(x)\n"
    )
    stock = (Path(__file__).parents[2] / "cnx_tutorial/yolo/configs/yolov8-convnext.yaml").read_text(encoding="utf-8")
    text = "layers: breaks.py\n" + stock.replace("ConvNeXtDownsample", "Breaks", 1)
    assert text != stock and "Breaks" in text
    (tmp_path / "yolov8n-breaks.yaml").write_text(text, encoding="utf-8")
    lines: list[str] = []
    result = compare(lines.append, model="yolov8n-convnext.yaml", against="yolov8n-breaks.yaml", data=str(few), seeds="0", lr0="0.02", epochs=1,
                     imgsz=64, batch=4, device="cpu", workers=0)  # fmt: skip
    assert "this layer broke" in result["failed"]["yolov8n-breaks.yaml"] and list(result["models"]) == [
        "yolov8n-convnext.yaml"
    ]
    assert "yolov8n-breaks.yaml is not in the table: this layer broke" in "\n".join(lines)
    log = next((Path(result["folder"]) / "failed").glob("*/log.txt")).read_text()
    assert "this layer broke" in log
    assert not list((Path(result["folder"]) / "running").glob("*"))
