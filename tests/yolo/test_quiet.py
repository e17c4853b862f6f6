"""Importing and running us leaves the process as it was. Each test looks at a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from cnx_tutorial import cores

STATE = """
import json, os, sys
import cv2, numpy as np, torch
cv2.setNumThreads(3)
def state():
    return [dict(os.environ), torch.get_num_threads(), cv2.getNumThreads(), repr(np.get_printoptions()), repr(torch._tensor_str.PRINT_OPTS)]
before = state()
{work}
print(json.dumps([before, state()]))
"""


def states(work: str) -> list:
    run = subprocess.run([sys.executable, "-c", STATE.replace("{work}", work)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_importing_changes_nothing():
    before, after = states("import cnx_tutorial; cnx_tutorial.register()")
    assert before == after


def test_the_comparison_changes_nothing():
    """Its trainings and timings run in processes that would inherit it."""
    before, after = states(
        "from cnx_tutorial import cli\nassert cli.main(['compare', 'report=nowhere', 'epochs=1']) == 1"
    )
    assert before == after


def test_building_and_predicting_change_nothing():
    before, after = states(
        "from cnx_tutorial import YOLO\n"
        "image = np.zeros((64, 64, 3), np.uint8)\n"
        "yolo = YOLO('yolov8n-convnext.yaml')\n"
        "yolo.predict(image, imgsz=64, verbose=False)\n"
        "list(yolo.predict(image, imgsz=64, verbose=False, stream=True))"
    )
    assert before == after


def test_ultralytics_alone_does_change_the_process():
    """The control: were this to fail, the tests above would prove nothing."""
    before, after = states("import ultralytics.utils")
    assert before != after


def test_layers_come_without_ultralytics():
    code = "import sys, cnx_tutorial, cnx_tutorial.nn, cnx_tutorial.data; sys.exit('ultralytics' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ultralytics_does_not_ask_the_network_or_install_anything():
    code = (
        "import cnx_tutorial.yolo; from ultralytics import utils\n"
        "with cnx_tutorial.yolo.quiet.all_cores(): print(bool(utils.ONLINE), bool(utils.AUTOINSTALL))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "False False"


def test_streams_that_overlap_leave_no_trace():
    before, after = states(
        "from cnx_tutorial import YOLO\n"
        "torch.set_num_threads(1)\n"
        "before = state()\n"
        "images = [np.zeros((64, 64, 3), np.uint8)] * 3\n"
        "a, b = (YOLO('yolov8n-convnext.yaml').predict(images, imgsz=64, verbose=False, stream=True) for _ in range(2))\n"
        "for pair in zip(a, b): pass\n"
        "a, b = (YOLO('yolov8n-convnext.yaml').predict(images, imgsz=64, verbose=False, stream=True) for _ in range(2))\n"
        "next(a); next(b); assert cv2.getNumThreads() != 3; a.close(); next(b); b.close()"
    )
    assert before == after


def test_what_the_user_changes_meanwhile_stays(monkeypatch):
    monkeypatch.setenv("HOME_OF_NOBODY", "x")
    before, after = states(
        "from cnx_tutorial.yolo.quiet import all_cores\n"
        "with all_cores():\n"
        "    os.environ['MINE'] = '1'; np.set_printoptions(precision=3); cv2.setNumThreads(2)\n"
        "    del os.environ['HOME_OF_NOBODY']"
    )
    assert after[0]["MINE"] == "1" and "HOME_OF_NOBODY" not in after[0] and after[2] == 2
    assert "'precision': 3" in after[3] and "'precision': 3" not in before[3]


def test_the_users_deterministic_mode_and_variables_survive_a_training(discs, tmp_path):
    before, after = states(
        "from cnx_tutorial import YOLO\n"
        "os.environ['PYTHONHASHSEED'] = '7'; torch.use_deterministic_algorithms(True)\n"
        "before = state()\n"
        f"YOLO('yolov8n-convnext.yaml').train(data={str(discs)!r}, epochs=1, imgsz=32, batch=4, workers=0, plots=False, "
        f"verbose=False, project={str(tmp_path)!r})\n"
        "assert torch.are_deterministic_algorithms_enabled()"
    )
    assert before == after


MANY_THREADS = """
import threading, time
from cnx_tutorial import YOLO
import ultralytics.utils.torch_utils as utils
os.environ['MY_PATH'] = os.environ['PATH']
before, number = state(), utils.NUM_THREADS
missing, stop, done = [], threading.Event(), [0]
def watch():
    while not stop.is_set():
        if 'PATH' not in os.environ: missing.append(time.time())
def predict(yolo):
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    while not stop.is_set():
        yolo.predict(image, imgsz=32, verbose=False)
        done[0] += 1
sys.setswitchinterval(1e-4)
threads = [threading.Thread(target=predict, args=(YOLO('yolov8n-convnext.yaml'),)) for _ in range(8)]
ninth = threading.Thread(target=watch)
for thread in (*threads, ninth): thread.start()
time.sleep({seconds})
stop.set()
for thread in (*threads, ninth): thread.join()
fresh = []
last = threading.Thread(target=lambda: fresh.append(torch.get_num_threads())); last.start(); last.join()
assert done[0] >= 8 and not missing, (done, missing)
assert utils.NUM_THREADS == number and fresh == [torch.get_num_threads()], (utils.NUM_THREADS, fresh)
print(done[0], 'predictions', file=sys.stderr)
"""


def test_eight_threads_that_predict_at_once_leave_the_process_as_it_was():
    """For a minute: CNX_SECONDS=60 pytest tests/yolo/test_quiet.py -k eight -s."""
    before, after = states(MANY_THREADS.replace("{seconds}", os.environ.get("CNX_SECONDS", "3")))
    assert before == after


@pytest.mark.parametrize(
    ("files", "groups", "expected"),
    [
        ({"cpu.max": "150000 100000"}, "0::/", 2),
        ({"cpu.max": "max 100000"}, "0::/", None),
        ({"a/cpu.max": "max 100000", "a/b/cpu.max": "50000 100000"}, "0::/a/b", 1),
        ({"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, "0::/a/b", 2),
        ({"cpu/u/cpu.cfs_quota_us": "300000", "cpu/u/cpu.cfs_period_us": "100000"}, "3:cpu,cpuacct:/u\n2:memory:/u", 3),
        ({"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, "3:cpu,cpuacct:/", None),
        ({"cpu.max": "odd"}, "no such line", None),
        ({}, "", None),
    ],
)
def test_a_containers_quota_is_respected(files, groups, expected, tmp_path):
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(text + "\n", encoding="utf-8")
    (tmp_path / "groups").write_text(groups + "\n", encoding="utf-8")
    assert cores.quota(tmp_path / "cgroup", tmp_path / "groups") == expected


@pytest.mark.parametrize(
    ("file", "groups", "limited"),
    [
        ("a/memory.max", "0::/a/b", True),
        ("memory/u/memory.limit_in_bytes", "4:memory:/u", True),
        ("a/memory.max", "0::/c", False),
    ],
)
def test_a_containers_memory_is_respected(file, groups, limited, tmp_path, monkeypatch):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("1048576\n", encoding="utf-8")
    (tmp_path / "groups").write_text(groups + "\n", encoding="utf-8")
    assert (cores.free_memory(tmp_path, tmp_path / "groups") == 2**20) == limited


@pytest.mark.parametrize(("value", "expected"), [("1", 1), ("1,2", 1), ("0", None), ("many", None), ("", None)])
def test_omp_num_threads_is_respected(value, expected, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert cores.user_limit() == expected
    assert cores.cpu_count() <= (expected or cores.MOST)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("pass", True),
        ("import torch", False),
        ("import os; os.environ['OMP_WAIT_POLICY'] = 'ACTIVE'; import torch", True),
    ],
)
def test_threads_wait_briefly_where_that_can_still_be_said(first, expected):
    """Once PyTorch is loaded its threads spin as it was told; then one core stays free, as in Ultralytics, so that no step waits for a lost one."""
    shown = "quiet.WAITS_BRIEFLY, quiet.threads_to_use(), cores.cpu_count(), 'GOMP_SPINCOUNT' in os.environ"
    code = f"{first}\nfrom cnx_tutorial import cores; from cnx_tutorial.yolo import quiet; import os\nprint({shown})"
    env = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    briefly, threads, count, left = run.stdout.split()
    assert briefly == str(expected) and left == "False"
    assert int(threads) == (int(count) if expected else max(1, int(count) - 1))
