"""The `cnx` command as a user runs it: real processes, in an empty folder."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from PIL import Image

from cnx_tutorial.cli import cut_off, next_step, own_copies, with_recipe
from cnx_tutorial.recipe import RECIPE

DATASETS = Path(__file__).parents[1] / "datasets"


def cnx(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cnx_tutorial.cli", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})


def listing(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_train_prints_the_table_and_draws_the_picture(few, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    run = cnx("train", f"data={few}", "epochs=1", "imgsz=64", "batch=4", "plots=False", cwd=work)
    assert run.returncode == 0, run.stderr
    assert "Optimizer stripped from" in run.stdout + run.stderr and ".part" not in run.stdout + run.stderr
    assert "train: 8 images" in run.stdout and "nothing wrong found" in run.stdout
    table = dict(line.split("  ", 1) for line in run.stdout.splitlines() if "  " in line and line[0].isalpha())
    wanted = (
        "model",
        "parameters",
        "GFLOPs",
        "epochs",
        "seconds",
        "mAP50",
        "mAP50-95",
        "ms per image",
        "weights",
        "picture",
    )
    assert not [name for name in wanted if name not in table]
    assert table["model"].split() == ["yolov8n-convnext.yaml"] and table["epochs"].split() == ["1"]
    picture = Path(table["picture"].strip())
    assert picture.is_relative_to(work / "runs" / "few")
    with Image.open(picture) as sheet:
        assert sheet.size[0] == 900 and len(sheet.convert("RGB").getcolors(10**6)) > 1000
    assert Path(table["weights"].strip()).is_file()
    assert listing(work)[0] == "runs" and not [p for p in work.iterdir() if p.name != "runs"]

    result = cnx(
        "predict", f"model={table['weights'].strip()}", f"source={few.parent / 'images' / 'val'}", "imgsz=64", cwd=work
    )
    assert result.returncode == 0 and "4 " in result.stdout, result.stderr
    result = cnx("train", "resume=True", f"model={table['weights'].strip()}", cwd=work)
    assert result.returncode == 1 and "has nothing to resume" in result.stderr
    result = cnx("val", f"model={table['weights'].strip()}", f"data={few}", "imgsz=64", "plots=False", cwd=work)
    assert result.returncode == 0 and "mAP50-95" in result.stdout, result.stderr


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process on Windows")
def test_an_interrupted_training_says_how_to_go_on_and_does(few, tmp_path):
    words = ["train", f"data={few}", "epochs=500", "imgsz=64", "batch=4", "plots=False"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cnx_tutorial.cli", *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may have switched it off
    )
    last = tmp_path / "runs" / "few" / "weights" / "last.pt"
    while not last.exists():
        time.sleep(0.1)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert (
        process.returncode == 130
        and "cnx train resume=True model=runs/few/weights/last.pt" in said
        and "Traceback" not in said
    )
    run = cnx("train", "resume=True", f"model={last}", "epochs=500", "time=0.0001", cwd=tmp_path)
    assert run.returncode == 0 and "Resuming training" in run.stdout, run.stdout[-1500:] + run.stderr


def test_audit_finds_our_sets_by_name(tmp_path):
    run = cnx("data", "audit", "smears.yaml", cwd=tmp_path)
    assert run.returncode == 0 and "train: 200 images" in run.stdout, run.stdout + run.stderr


def test_what_the_user_says_counts_more_than_the_recipe():
    words = with_recipe(["epochs=3", "data=bccd.yaml"])
    assert "epochs=3" in words and f"epochs={RECIPE['epochs']}" not in words
    assert f"lr0={RECIPE['lr0']}" in words and "name=bccd" in words
    assert not [w for w in with_recipe(["optimizer=SGD"]) if w.startswith(("lr0", "warmup_bias_lr"))]
    assert with_recipe(["resume=True", "model=last.pt"]) == ["resume=True", "model=last.pt"]


def break_label(line: str):
    return lambda folder: (folder / "labels/train/000.txt").write_text(f"{line}\n", encoding="utf-8")


def truncate_image(folder: Path) -> None:
    file = folder / "images/train/000.jpg"
    file.write_bytes(file.read_bytes()[:2000])


FAULTS = {
    "class out of range": (break_label("3 0.5 0.5 0.1 0.1"), ["000.txt:1", "class 3", "0 to 2"]),
    "box outside": (break_label("1 0.99 0.5 0.1 0.1"), ["000.txt:1", "sticks out"]),
    "text in a label": (break_label("RBC 0.5 0.5 0.1 0.1"), ["000.txt:1", "five numbers"]),
    "truncated JPEG": (truncate_image, ["000.jpg", "does not decode"]),
    "missing folder": (lambda folder: shutil.rmtree(folder / "images/val"), ["images/val", "is not there"]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_train_refuses_a_faulty_set_before_it_writes_anything(name, few, tmp_path):
    plant, told = FAULTS[name]
    plant(few.parent)
    before = listing(tmp_path)
    run = cnx("train", f"data={few}", "epochs=1", cwd=tmp_path)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert not [part for part in told if part not in run.stderr], run.stderr
    assert listing(tmp_path) == before


WRONG = {
    "no such data": (["train", "data=nowhere.yaml"], ["nowhere.yaml", "looked for"]),
    "no such model": (["train", "model=yolov8n-convnxt.yaml"], ["yolov8n-convnxt.yaml", "-convnext.yaml"]),
    "no such checkpoint": (["predict", "model=gone.pt"], ["gone.pt"]),
    "no such argument": (["train", "epoch=3"], ["epoch"]),
    "no such command": (["trian"], ["trian"]),
    "audit of nothing": (["data", "audit", "gone.yaml"], ["gone.yaml", "looked for"]),
    "bccd from nothing": (["data", "bccd", "--from", "gone", "--out", "b"], ["gone", "BCCD"]),
    "smears without train images": (["data", "smears", "--out", "s", "--train", "0"], ["at least one", "train=0"]),
    "image of no size": (["train", "imgsz=-3"], ["imgsz=-3", "at least 32"]),
    "batch of none": (["train", "batch=0"], ["batch=0", "-1 for what fits"]),
    "optimizer of nobody": (["train", "optimizer=AdmW"], ["optimizer=AdmW", "did you mean AdamW"]),
    "smears over a folder": (["data", "smears", "--out", "."], ["is there already", "--overwrite"]),
}


WRONG |= {
    "compare without a value": (["compare", "model="], ["model= has no value"]),
    "compare with a bare word": (["compare", "cfg"], ["key=value", "'cfg'"]),
    "train without a value": (["train", "data="], ["data= has no value"]),
    "nothing to resume": (["train", "resume=True"], ["nothing to resume", "Start again"]),
    "resume of nothing": (["train", "resume=gone/weights/last.pt"], ["no checkpoint gone/weights/last.pt"]),
    "a name that no system takes": (["train", "data=" + "x" * 5000], ["cannot be read", "5000 characters"]),
    "epochs in letters": (["train", "epochs=many"], ["epochs"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_message_and_nothing_is_written(name, tmp_path):
    words, told = WRONG[name]
    run = cnx(*words, cwd=tmp_path)
    said = run.stdout + run.stderr
    assert run.returncode == 1 and "Traceback" not in said, said
    assert not [part for part in told if part not in said], said
    assert not listing(tmp_path)


def test_a_set_of_ours_is_found_without_its_suffix_and_ascii_terminals_get_no_traceback(tmp_path):
    words = ("train", "data=smears", "fraction=0.05", "epochs=1", "imgsz=32", "batch=8", "plots=False")
    run = cnx(*words, cwd=tmp_path, LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert run.returncode == 0, run.stderr[-2000:]
    assert "audit of" in run.stdout and "smears.yaml" in run.stdout
    assert "Logging error" not in run.stderr and "Traceback" not in run.stderr
    assert (tmp_path / "runs" / "smears" / "truth_and_predictions.png").is_file()


def test_a_traceback_is_shown_to_those_who_ask_for_it(tmp_path):
    run = cnx("train", "data=gone.yaml", cwd=tmp_path, CNX_DEBUG="1")
    assert run.returncode == 1 and "Traceback" in run.stderr and "cnx: gone.yaml has 1 errors" in run.stderr


def test_a_broken_checkpoint_names_the_whole_one_beside_it(few, tmp_path):
    run = cnx("train", f"data={few}", "epochs=1", "imgsz=32", "batch=4", "plots=False", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    last = tmp_path / "runs/few/weights/last.pt"
    last.write_bytes(last.read_bytes()[:1000])
    run = cnx("train", "resume=True", cwd=tmp_path)
    assert (
        run.returncode == 1
        and "is not a whole checkpoint (1000 bytes)" in run.stderr
        and "best.pt is whole" in run.stderr
    )


def test_a_yaml_with_a_wrong_row_is_one_message(few, tmp_path):
    file = tmp_path / "yolov8-wrong.yaml"
    file.write_text("nc: 3\nbackbone: [[-1, 1, ConvNeXtStm, [16]]]\nhead: [[[0], 1, Detect, [nc]]]\n", encoding="utf-8")
    run = cnx("train", f"model={file}", f"data={few}", cwd=tmp_path)
    assert run.returncode == 1 and "row 0" in run.stderr and "did you mean ConvNeXtStem" in run.stderr
    assert not (tmp_path / "runs").exists()


def test_data_smears_and_audit(tmp_path):
    run = cnx(
        "data", "smears", "--out", "mine", "--seed", "5", "--train", "3", "--val", "2", "--test", "0", cwd=tmp_path
    )
    assert run.returncode == 0 and "cnx train data=mine.yaml" in run.stdout
    assert len(list((tmp_path / "mine" / "images" / "train").iterdir())) == 3
    assert cnx("data", "audit", "mine.yaml", cwd=tmp_path).returncode == 0
    (tmp_path / "mine.yaml").write_text("names: {0: my own}", encoding="utf-8")
    words = ("--out", "mine", "--overwrite", "--train", "2", "--val", "1", "--test", "1")
    assert "as it was" in cnx("data", "smears", *words, cwd=tmp_path).stdout
    assert (tmp_path / "mine.yaml").read_text(encoding="utf-8") == "names: {0: my own}"
    run = cnx("data", "audit", str(DATASETS / "smears.yaml"), cwd=tmp_path)
    assert run.returncode == 0 and "nothing wrong found" in run.stdout


def test_doctor_says_what_is_here_and_that_nothing_is_to_be_fixed(tmp_path):
    run = cnx("doctor", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    for part in ("python", "torch ", "ultralytics", "jupyterlab", "device", "smears", "Nothing to fix"):
        assert part in run.stdout
    assert not listing(tmp_path)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """What `pip install` puts into site-packages: a wheel built from this checkout, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "runs", "bccd", "my_work")
    shutil.copytree(DATASETS.parent, folder / "source", ignore=ignored)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        ".",
        "./source",
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = folder.glob("*.whl")
    shutil.unpack_archive(wheel, folder / "site", "zip")
    return folder / "site"


def test_installed_from_a_wheel_everything_is_there_and_work_goes_to_a_folder_of_the_user(site, tmp_path):
    work, mine = tmp_path / "work", tmp_path / "mine"
    work.mkdir()
    before = listing(site)
    environment = {"PYTHONPATH": str(site), "CNX_HOME": str(mine), "PYTHONDONTWRITEBYTECODE": "1"}
    where = "import cnx_tutorial, cnx_tutorial.paths as p; print(cnx_tutorial.__file__, p.IS_CHECKOUT, p.home())"
    run = subprocess.run(
        [sys.executable, "-c", where], cwd=work, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert run.stdout.split() == [str(site / "cnx_tutorial" / "__init__.py"), "False", str(mine)], run.stderr
    run = cnx("doctor", cwd=work, **environment)
    assert run.returncode == 0 and f"own files     {mine}" in run.stdout and "Nothing to fix" in run.stdout, run.stdout
    run = cnx("data", "audit", "smears", cwd=work, **environment)
    assert run.returncode == 0 and "train: 200 images" in run.stdout, run.stdout + run.stderr
    run = cnx("lab", "--version", cwd=work, **environment)
    assert run.returncode == 0, run.stderr
    solved = [path.name for path in sorted((DATASETS.parent / "notebooks").glob("*.ipynb"))]
    assert listing(mine) == sorted(
        ["notebooks", "notebooks/my_work", "notebooks/solved"]
        + [f"notebooks/{folder}/{name}" for folder in ("my_work", "solved") for name in solved]
    )
    run = cnx("data", "smears", "--train", "2", "--val", "1", "--test", "1", cwd=work, **environment)
    assert run.returncode == 0 and (mine / "datasets" / "smears.yaml").is_file(), run.stderr
    run = cnx("data", "audit", "smears", cwd=work, **environment)  # one's own comes first
    assert "train: 2 images" in run.stdout
    assert listing(site) == before and not listing(work)


def test_lab_takes_a_folder_where_the_notebooks_may_not_be_written(tmp_path):
    run = cnx("lab", "--folder", str(tmp_path / "class"), "--version", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert sorted(path.name for path in (tmp_path / "class").iterdir()) == ["my_work", "solved"]
    (tmp_path / "file").write_text("")
    run = cnx("lab", "--folder", str(tmp_path / "file"), "--version", cwd=tmp_path)
    assert run.returncode == 1 and "cnx lab --folder DIR" in run.stderr and "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "name", ["mine", "a: b #c", "'quoted' \"twice\"", "\u8840 \u7403", "x" * 100 + " " + "y" * 100]
)
def test_a_set_in_any_folder_gets_a_data_yaml_that_finds_it(name, tmp_path):
    folder = tmp_path / name
    for split in ("train", "val"):
        (folder / "images" / split).mkdir(parents=True)
    assert next_step(folder).startswith("to train on it: cnx train ")
    said = yaml.safe_load((tmp_path / f"{name}.yaml").read_text(encoding="utf-8"))
    assert said["names"] == {0: "Platelets", 1: "RBC", 2: "WBC"} and "test" not in said
    assert all((tmp_path / said[split]).is_dir() for split in ("train", "val"))
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, f"{name}.yaml"])


def test_lab_copies_the_exercises_once_and_names_a_copy_that_is_cut_off(tmp_path):
    exercises = tmp_path / "exercises"
    exercises.mkdir()
    for name in ("a", "b", "c"):
        (exercises / f"{name}.ipynb").write_text('{"cells": []}', encoding="utf-8")
    folder = own_copies(exercises, tmp_path / "new" / "my_work")
    assert folder == tmp_path / "new" / "my_work" and listing(folder) == ["a.ipynb", "b.ipynb", "c.ipynb"]
    (folder / "a.ipynb").write_text('{"cells": ["mine"]}', encoding="utf-8")
    (folder / "b.ipynb").write_text('{"cells": [', encoding="utf-8")
    (folder / "c.ipynb").write_text("", encoding="utf-8")
    assert own_copies(exercises, folder) == folder and listing(folder) == ["a.ipynb", "b.ipynb", "c.ipynb"]
    assert (folder / "a.ipynb").read_text(encoding="utf-8") == '{"cells": ["mine"]}'
    assert [file.name for file in cut_off(folder)] == ["b.ipynb", "c.ipynb"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_lab_leaves_no_half_of_a_copy_where_a_file_cannot_be_written_whole(tmp_path):
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "a.ipynb").write_text("[" + "0," * 50_000 + "0]", encoding="utf-8")
    code = (
        "import resource, sys; from pathlib import Path; from cnx_tutorial.cli import own_copies\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try: own_copies(Path(sys.argv[1]) / 'exercises', Path(sys.argv[1]) / 'my_work')\n"
        "except OSError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert "a.ipynb could not be written (File too large). Make room" in run.stdout, run.stderr
    assert not listing(tmp_path / "my_work")


def test_doctor_tells_a_package_that_is_too_old_and_how_to_mend_it(monkeypatch, capsys):
    from cnx_tutorial import doctor

    found = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: "8.0.0" if name == "ultralytics" else found(name))
    assert doctor.examine() == 1
    assert "fix: pip install 'ultralytics" in capsys.readouterr().out


def test_help_names_every_command(tmp_path):
    run = cnx(cwd=tmp_path)
    assert run.returncode == 0
    assert not [
        word
        for word in ("train", "val", "predict", "export", "compare", "doctor", "audit", "lab")
        if word not in run.stdout
    ]
