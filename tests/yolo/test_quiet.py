"""Importing and running us leaves the process as it was. Each test looks at a process of its own."""

import json
import subprocess
import sys

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
    run = subprocess.run([sys.executable, "-c", STATE.format(work=work)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_importing_changes_nothing():
    before, after = states("import cnx_tutorial; cnx_tutorial.register()")
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
    code = "import cnx_tutorial.yolo; from ultralytics import utils; print(utils.ONLINE, utils.AUTOINSTALL)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "False False"
