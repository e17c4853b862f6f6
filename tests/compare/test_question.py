"""Every word that cannot be used is refused before anything is trained, with what was given and what to do."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cnx_tutorial.compare.comparison import checked, compare, job_of, remember, taken
from cnx_tutorial.compare.question import differences, understand

WRONG = {
    "the same model twice": (
        {"model": "yolov8n.yaml", "against": "yolov8n.yaml"},
        ["yolov8n.yaml was given twice", "copy"],
    ),
    "by default too": ({"model": "yolov8n.yaml"}, ["yolov8n.yaml was given twice"]),
    "no multiple of 32": ({"imgsz": 200}, ["imgsz=200", "multiple of 32"]),
    "two sides": ({"imgsz": [320, 256]}, ["imgsz=[320, 256]", "multiple of 32"]),
    "a batch that is chosen": ({"batch": -1}, ["batch=-1", "from 1 up"]),
    "a time": ({"time": 0.5}, ["time", "epochs="]),
    "text in the grid": ({"lr0": "0.01,fast"}, ["lr0=fast", "learning rates such as"]),
    "a rate of zero": ({"lr0": "0"}, ["lr0=0", "above 0"]),
    "nan": ({"lr0": "nan"}, ["lr0=nan"]),
    "a rate twice": ({"lr0": "0.01,0.01"}, ["lr0 says 0.01 twice"]),
    "text for a seed": ({"seeds": "0,one"}, ["seeds=one", "whole numbers"]),
    "no seed": ({"seeds": ","}, ["seeds= has no value"]),
    "a seed twice": ({"seeds": "1,1"}, ["seeds says 1 twice"]),
    "the seed for choosing": ({"seeds": "0,1000"}, ["seeds=1000", "take another"]),
    "an interval of one seed": ({"seeds": "0", "interval": "95"}, ["interval=95", "one seed", "seeds=0,1,2"]),
    "an interval of 100": ({"interval": "100"}, ["interval=100", "below 100"]),
    "a rate that nobody uses": ({"optimizer": "auto", "lr0": "0.01"}, ["optimizer=auto", "lr0=0.01"]),
    "seed": ({"seed": "1"}, ["takes no seed=", "seeds=0,1,2"]),
    "resume": ({"resume": "True"}, ["takes no resume=", "started again"]),
    "weights": ({"weights": "imagenet"}, ["takes no weights=", ".pt file"]),
    "an unknown engine": ({"engine": "slurm"}, ["engine=slurm", "processes", "ray"]),
    "jobs in one process": ({"engine": "here", "jobs": 2}, ["jobs=2", "engine=here", "one model after another"]),
    "an address without Ray": ({"address": "10.0.0.1:6379"}, ["address=10.0.0.1:6379", "engine=ray"]),
    "no number of jobs": ({"jobs": "many"}, ["jobs=many"]),
    "a word that Ultralytics does not know": ({"epoch": 3}, ["epoch= is no argument", "epochs"]),
    "a value that it does not take": ({"epochs": "many"}, ["epochs=many"]),
    "no epochs": ({"epochs": 0}, ["epochs=0"]),
    "a model that is not there": ({"against": "yolov8n-mine.yaml"}, ["yolov8n-mine.yaml", "cannot be built"]),
    "another task": ({"against": "yolov8n-seg.yaml"}, ["different tasks", "segment"]),
    "data that is not there": ({"data": "gone.yaml"}, ["gone.yaml"]),
    "a device that is not there": ({"device": "cuda:77"}, ["device=cuda:77", "expected cpu"]),
    "report and more": ({"report": "folder", "epochs": 3}, ["report= only draws"]),
    "a report of nothing": ({"report": "folder"}, ["folder holds no comparison"]),
}


@pytest.mark.parametrize("words, said", WRONG.values(), ids=WRONG)
def test_wrong_words(words, said, few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {} if "report" in words or "data" in words else {"data": str(few)}
    with pytest.raises(ValueError) as error:
        compare(**data, **words)
    assert not [part for part in said if part not in str(error.value)], str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["few"]  # nothing was written


def test_data_without_val(few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few.write_text("train: images/train\nnames: [Platelets, RBC, WBC]\n", encoding="utf-8")
    with pytest.raises(ValueError, match="val"):
        compare(data=str(few))
    assert [p.name for p in tmp_path.iterdir()] == ["few"]


def test_no_ray(few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(ValueError, match="pip install 'ray"):
        compare(data=str(few), engine="ray")


def test_words_mean_what_they_say():
    question, where = understand({"seeds": "3, 1", "lr0": "[0.04,0.01]", "jobs": "2", "epochs": 7})
    assert question.seeds == (3, 1) and question.grid == (0.01, 0.04) and where == {"jobs": "2"}
    assert list(question.models) == ["yolov8n-convnext.yaml", "yolov8n.yaml"]
    assert question.settings["epochs"] == 7 and question.settings["patience"] == 0
    assert understand({"optimizer": "auto"})[0].grid == (None,)
    assert understand({"model": "yolov8m-convnext.yaml"})[0].models["yolov8m.yaml"] == "yolov8m.yaml"


def test_a_folder_keeps_its_question(few, tmp_path):
    first = checked(understand({"data": str(few), "epochs": 1, "device": "cpu"})[0])
    stored = json.loads(json.dumps(asdict(first)))
    more = checked(understand({"data": str(few), "epochs": 1, "device": "cpu", "seeds": "5,6", "lr0": "0.5",
                               "against": "yolov8n.yaml,yolo11n.yaml"})[0])  # fmt: skip
    assert differences(stored, more) == []  # asked further
    moved = shutil.move(few.parent, tmp_path / "moved")
    few = Path(moved) / few.name
    assert differences(stored, checked(understand({"data": str(few), "epochs": 1, "device": "cpu"})[0])) == []
    few = Path(shutil.move(moved, tmp_path / "few")) / few.name
    (few.parent / "labels" / "train" / "000.txt").write_text("0 0.5 0.5 0.1 0.1\n", encoding="utf-8")
    other = checked(understand({"data": str(few), "epochs": 2, "device": "cpu", "mosaic": 0.5})[0])
    said = " ".join(differences(stored, other))
    assert "epochs=1, now 2" in said and "mosaic=None, now 0.5" in said and "labels of the data have changed" in said
    remember_in = tmp_path / "folder"
    remember_in.mkdir()
    remember(remember_in, first)
    alone = {label: model for label, model in first.models.items() if label != "yolov8n.yaml"}
    remember(
        remember_in, replace(first, models=alone, marks={k: v for k, v in first.marks.items() if k != "yolov8n.yaml"})
    )
    edited = replace(first, marks={**first.marks, "yolov8n.yaml": "another"})
    # Though it was left out meanwhile:
    with pytest.raises(ValueError, match="yolov8n.yaml was yolov8n.yaml, and has changed since"):
        remember(remember_in, edited)
    with pytest.raises(ValueError, match="holds another comparison: .*epochs=1, now 2.*another name="):
        remember(remember_in, other)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("all of it")
    with pytest.raises(ValueError, match="holds no comparison"):
        remember(tmp_path / "full", first)


def test_every_model_has_trainings_of_its_own():
    labels = [
        "a b.yaml",
        "a_b.yaml",
        "a b.yml",
        "a/b.yaml",
        "血.yaml",
        "a_b",
        "a_b.pt",
        "x" * 300 + "1.yaml",
        "y" + "x" * 299 + "1.yaml",
    ]
    question = replace(understand({})[0], models={label: label for label in labels})
    names = [job_of(question, label, 0.02, 0)["name"] for label in labels]
    assert len({name.lower() for name in names}) == len(labels) and max(map(len, names)) < 150
    assert all("/" not in name and " " not in name for name in names)


def test_two_comparisons_in_one_folder(tmp_path):
    code = f"from cnx_tutorial.compare.comparison import taken\nfrom pathlib import Path\nwith taken(Path({str(tmp_path)!r})): print(1)"
    with taken(tmp_path):
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert second.returncode and "another cnx compare is at work" in second.stderr
    with taken(tmp_path):  # free again
        pass
