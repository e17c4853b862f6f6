"""The trained model that comes with the package: small, found from any folder, without a path of its maker's machine, and good."""

import os
import zipfile
from pathlib import Path

from cnx_tutorial import YOLO
from cnx_tutorial.paths import DATASETS, PRETRAINED, find_model
from tests.yolo.test_training import fresh_process

SMEARS = PRETRAINED / "smears.pt"


def test_it_is_small_and_names_no_folder_of_a_machine():
    assert SMEARS.stat().st_size <= 3_000_000
    with zipfile.ZipFile(SMEARS) as archive:
        pickled = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))
    assert (
        b"yolov8n-convnext.yaml" in pickled
    )  # the strings of a pickle are readable, so that their absence says something
    for folder in (b"/home/", b"/root/", b"/tmp/", b"/Users/", b"/work/", os.fsencode(Path(__file__).parents[2])):
        assert folder not in pickled, folder


def test_it_is_found_by_name_and_a_file_of_the_user_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model("smears.pt") == str(SMEARS) and find_model("other.pt") == "other.pt" and find_model(3) == 3
    assert find_model("../pretrained/smears.yaml") == "../pretrained/smears.yaml"
    (tmp_path / "smears.pt").write_bytes(b"mine")
    assert find_model("smears.pt") == "smears.pt"


def test_it_loads_where_only_safe_objects_may_be_loaded(tmp_path):
    code = (
        "from cnx_tutorial import YOLO; yolo = YOLO('smears.pt'); print(yolo.names, yolo.ckpt['train_args']['epochs'])"
    )
    assert "{0: 'Platelets', 1: 'RBC', 2: 'WBC'} 15" in fresh_process(code, ULTRALYTICS_SAFE_LOAD="1")


def test_the_readme_says_how_good_it_is():
    metrics = YOLO("smears.pt").ckpt["train_metrics"]
    said = f"mAP50 {metrics['metrics/mAP50(B)']:.3f} and mAP50-95 {metrics['metrics/mAP50-95(B)']:.3f} on the validation smears"
    assert said in (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_it_finds_the_cells_of_smears_that_it_has_not_learnt(tmp_path):
    metrics = YOLO("smears.pt").val(
        data="smears.yaml", split="test", imgsz=320, workers=0, plots=False, device="cpu", project=str(tmp_path)
    )
    assert metrics.box.map50 > 0.9


def test_the_command_predicts_with_it(tmp_path, monkeypatch, capsys):
    from cnx_tutorial import cli

    monkeypatch.chdir(tmp_path)
    image = DATASETS / "smears/images/val/000.jpg"
    assert not cli.main(["predict", "model=smears.pt", f"source={image}", "device=cpu", f"project={tmp_path}"])
    assert list(tmp_path.rglob("000.jpg"))
