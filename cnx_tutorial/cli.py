"""`cnx`: Ultralytics' `yolo` command that knows ConvNeXt, and a few commands of its own.

    cnx train [model=yolov8n-convnext.yaml] [data=smears.yaml] [any Ultralytics key=value]
    cnx val | predict | export | ...           as `yolo`, key=value
    cnx compare [model=A.yaml] [against=B.yaml] [key=value]  the same work with two models, side by side; B: stock YOLOv8 of A's letter
    cnx data bccd [--from DIR_OR_ZIP] [--out DIR] [--overwrite]
    cnx data smears [--out DIR] [--seed N] [--overwrite]
    cnx data audit YAML                        what in a data set would hurt training; smears.yaml and bccd.yaml are found by name
    cnx doctor                                 what is installed, which device, what to fix
    cnx lab                                    JupyterLab on the notebooks

Bare `cnx train` is the main job of the tutorial: a ConvNeXt-YOLOv8 on the drawn blood smears that come with it.
"""

import argparse
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

MODEL, DATA = "yolov8n-convnext.yaml", "smears.yaml"
# For sets of a few hundred small images. Ultralytics' defaults are for COCO: batches are gathered up to 64 images before a step (nbs), and an
# optimizer named by hand starts its biases at a rate of 0.1. MuSGD finds more than AdamW here
# (benchmarks/NOTES.md). Where you name a value, yours counts.
RECIPE = {
    "imgsz": 320,
    "epochs": 25,
    "batch": 16,
    "nbs": 16,
    "optimizer": "MuSGD",
    "lr0": 0.02,
    "momentum": 0.9,
    "warmup_bias_lr": 0.0,
}


def with_recipe(words: list[str]) -> list[str]:
    """The words of a `train` command, before them what the recipe adds where the user said nothing."""
    given = {word.partition("=")[0].lstrip("-").strip() for word in words}
    if given & {"resume", "cfg"}:
        return words
    data = next((word.partition("=")[2] for word in words if word.startswith("data=")), DATA)
    added = {"model": MODEL, "data": DATA, "project": str(Path.cwd() / "runs"), "name": Path(data).stem}
    if "optimizer" in given:
        added |= {key: RECIPE[key] for key in ("imgsz", "epochs", "batch", "nbs")}
    else:
        added |= RECIPE
    return [f"{key}={value}" for key, value in added.items() if key not in given] + words


@contextmanager
def ultralytics_command(yolo: type, words: list[str]):
    """Ultralytics' own command line for this block, with our model class in the place of its own."""
    import ultralytics
    from ultralytics import cfg
    from ultralytics.engine import model

    given = [
        "yolo",
        *words,
    ]  # by the first word Ultralytics knows its command, and `predict` that its pictures are to be saved
    with (
        patch.object(ultralytics, "YOLO", yolo, create=True),
        patch.object(cfg, "ARGV", given),
        patch.object(model, "ARGV", given),
    ):
        yield cfg.entrypoint


def run_ultralytics(words: list[str]) -> list:
    """Run `yolo WORDS` with our layers; returns the models that it trained."""
    from ultralytics.utils.checks import check_yaml

    from cnx_tutorial.data.audit import audit
    from cnx_tutorial.yolo.model import YOLO, find_data

    trained = []

    class CommandYOLO(YOLO):
        def train(self, **kwargs):
            if kwargs.get("resume") is True and not (self.ckpt or {}).get("optimizer"):
                # Ultralytics would start a new training here, on a set that it downloads.
                raise ValueError(
                    f"{kwargs['model']} has nothing to resume: that training is finished, or never began. "
                    f"To train on from its weights: cnx train model={kwargs['model']} data=..."
                )
            data = find_data(kwargs.get("data"))
            # Sets that Ultralytics ships or fetches are its own business.
            theirs = isinstance(data, str) and not Path(data).exists() and (":" in data or check_yaml(data, hard=False))
            if self.task == "detect" and isinstance(data, str) and not theirs:
                check = audit(data)
                print(check)
                check.raise_if_errors()
            results = super().train(**kwargs)
            trained.append(self)
            return results

    with ultralytics_command(CommandYOLO, words) as entrypoint:
        entrypoint()
    return trained


def val_images(trainer, count: int = 4) -> list[Path]:
    """A few val images, evenly spread over the set."""
    files = trainer.validator.dataloader.dataset.im_files
    return [Path(files[i * len(files) // count]) for i in range(min(count, len(files)))]


def train(words: list[str]) -> None:
    from cnx_tutorial.yolo import report

    for yolo in run_ultralytics(["train", *with_recipe(words)]):
        if yolo.task != "detect" or not hasattr(yolo.metrics, "box"):
            continue
        trainer = yolo.trainer
        file = report.picture(
            yolo, val_images(trainer), trainer.save_dir / "truth_and_predictions.png", trainer.args.imgsz
        )
        print(f"\n{report.table([report.summary(yolo)])}")
        print(f"weights  {trainer.best}\npicture  {file}")


def compare(words: list[str]) -> None:
    """Train two models with the same settings and print both columns; both are built first, so that a mistake costs no training."""
    from cnx_tutorial.yolo import report
    from cnx_tutorial.yolo.model import YOLO

    given = dict(word.split("=", 1) for word in words if "=" in word)
    ours = given.get("model", MODEL)
    against = given.get("against", f"yolov8{YOLO(ours).model.yaml.get('scale') or 'n'}.yaml")
    YOLO(against)
    if Path(ours).name == Path(against).name:
        raise ValueError(
            f"compare was given {ours} twice: name the other model with against=yolov8n-convnext.yaml, or any other YAML"
        )
    rest = [word for word in words if not word.startswith(("model=", "against="))]
    runs = [
        run_ultralytics(["train", *with_recipe([f"model={model}", f"name={Path(model).stem}", *rest])])[0]
        for model in (ours, against)
    ]
    print(f"\n{report.table([report.summary(yolo) for yolo in runs])}")
    print("One run each: a difference smaller than that between two seeds says nothing.")


def data(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="cnx data", description="Make, fetch or check a data set.")
    commands = parser.add_subparsers(dest="command", required=True)
    bccd = commands.add_parser("bccd", help="the real blood-cell images, 364, MIT licence")
    bccd.add_argument(
        "--from", dest="source", type=Path, help="folder or zip of the BCCD_Dataset repository, instead of the download"
    )
    smears = commands.add_parser("smears", help="the drawn blood smears")
    smears.add_argument("--seed", type=int, default=0, help="another seed draws another set")
    smears.add_argument("--train", type=int, default=160, help="number of train images")
    smears.add_argument("--val", type=int, default=40, help="number of val images")
    for command in (bccd, smears):
        command.add_argument("--out", type=Path, help="folder to write; default: datasets/ of the tutorial")
        command.add_argument("--overwrite", action="store_true", help="replace what is there")
    check = commands.add_parser("audit", help="report what would hurt training")
    check.add_argument("path", type=Path, help="data YAML")
    args = parser.parse_args(words)
    if args.command == "bccd":
        from cnx_tutorial.data.bccd import prepare

        print(prepare(args.out, args.source, overwrite=args.overwrite))
        print(next_step(args.out or DATASETS / "bccd", "bccd"))
    elif args.command == "smears":
        from cnx_tutorial.data.smears import draw

        out = draw(args.out or DATASETS / "smears", args.seed, args.train, args.val, args.overwrite)
        print(out)
        print(next_step(out, "smears"))
    else:
        from cnx_tutorial.data.audit import audit
        from cnx_tutorial.yolo.model import find_data

        report = audit(find_data(args.path))
        print(report)
        report.raise_if_errors()


def next_step(folder: Path, kind: str) -> str:
    """How to train on a set that was just made; where it has a folder of its own, it gets a data YAML beside it, which says where it lies."""
    ours, file = DATASETS / f"{kind}.yaml", folder.with_name(f"{folder.name}.yaml")
    if folder.resolve() == (DATASETS / kind).resolve():
        return f"to train on it: cnx train data={ours.name}"
    if file.exists():
        return f"{file} was there already and is as it was; to train on it: cnx train data={file}"
    file.write_text(ours.read_text(encoding="utf-8").replace(f" {kind}/", f" {folder.name}/"), encoding="utf-8")
    return f"to train on it: cnx train data={file}"


def own_copies(notebooks: Path) -> Path:
    """The folder my_work in `notebooks`, with a copy of each exercise notebook to solve; a copy that is there is left as it is."""
    folder = notebooks / "my_work"
    folder.mkdir(exist_ok=True)
    for exercise in sorted((notebooks / "exercises").glob("*.ipynb")):
        if not (folder / exercise.name).exists():
            shutil.copy(exercise, folder)
    return folder


def lab(words: list[str]) -> int:
    notebooks = Path(__file__).parents[1] / "notebooks"
    named = any(Path(word).exists() for word in words)  # a notebook or folder of one's own to open
    folder = [str(notebooks)] if notebooks.is_dir() and not named else []
    if folder:
        print(f"Your own copies of the notebooks, to solve the exercises in: {own_copies(notebooks)}")
    return subprocess.run([sys.executable, "-m", "jupyterlab", *folder, *words]).returncode


def how_to_resume(begun: float) -> str:
    """What goes on after an interruption: the newest last.pt of this folder's runs, if this command wrote one."""
    written = [file for file in (Path.cwd() / "runs").glob("*/weights/last.pt") if file.stat().st_mtime >= begun]
    if not written:
        return "Nothing was finished in ./runs. With a project= of your own, look there for weights/last.pt; else start again."
    newest = max(written, key=lambda file: file.stat().st_mtime).relative_to(Path.cwd()).as_posix()
    return f"The training goes on from its last finished epoch with: cnx train resume=True model={newest}"


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit status. A mistake in what was given is one message and status 1, without a traceback."""
    words = sys.argv[1:] if words is None else words
    command, rest = (words[0], words[1:]) if words else ("help", [])
    begun = time.time()
    try:
        if command in HELP or (HELP & set(rest) and command not in ("data", "lab")):  # those two have more to say
            print(__doc__)
        elif command == "doctor":
            from cnx_tutorial.doctor import examine

            return examine()
        elif command in OWN:
            return OWN[command](rest) or 0
        else:
            run_ultralytics(words)
    except KeyboardInterrupt:
        print(
            f"\ncnx: interrupted. {how_to_resume(begun)}",
            file=sys.stderr,
        )
        return 130
    except (ValueError, OSError, TypeError, SyntaxError, KeyError, RuntimeError) as error:
        print(f"cnx: {error}", file=sys.stderr)
        return 1
    return 0


DATASETS = Path(__file__).parents[1] / "datasets"
HELP = {"help", "-h", "--help"}
OWN = {"train": train, "compare": compare, "data": data, "lab": lab}

if __name__ == "__main__":
    sys.exit(main())
