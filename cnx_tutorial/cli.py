"""`cnx`: Ultralytics' `yolo` command that knows ConvNeXt, and a few commands of its own.

    cnx train [model=yolov8n-convnext.yaml] [data=smears.yaml] [any Ultralytics key=value]
    cnx val | predict | export | ...           as `yolo`, key=value
    cnx compare [model=A.yaml] [against=B.yaml,C.yaml] [data=...] [seeds=0,1,2] [lr0=0.01,0.02,0.04] [key=value]
                                               what a model buys: the same work for each, and a verdict; B: stock YOLOv8 of A's letter
    cnx compare report=FOLDER                  draw the report of a comparison again
    cnx yaml [backbone=timm:convnext_atto] [neck=yolov8|fine] [task=detect] [family=v8|11|12|26] [weights=True] [out=FILE]
                                               a model YAML for any backbone
    cnx data bccd [--from DIR_OR_ZIP] [--out DIR] [--overwrite]
    cnx data smears [--out DIR] [--seed N] [--overwrite]
    cnx data audit YAML                        what in a data set would hurt training; smears.yaml and bccd.yaml are found by name
    cnx doctor                                 what is installed, which device, what to fix
    cnx course DIR [--notebooks 01 03 08] [--language zh]
                                               for teachers: a complete nbgrader course
    cnx grade FOLDER [--out DIR] [--notebooks 01] [--user NAME]
                                               for teachers: marks for a folder of copies, without nbgrader
    cnx lab [--folder DIR] [--language zh]     JupyterLab on the notebooks, with copies of your own in my_work (in Chinese: my_work_zh)

Bare `cnx train` is the main job of the tutorial: a ConvNeXt-YOLOv8 on the synthetic blood smears that come with it.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnx_tutorial.data.staging import whole
from cnx_tutorial.paths import DATASETS, NOTEBOOKS, data_home, find_data
from cnx_tutorial.paths import home as users_home
from cnx_tutorial.recipe import DATA, MODEL, recipe

SPLITS = ("train", "val", "test")


def with_recipe(words: list[str]) -> list[str]:
    """The words of a `train` command, after those that the recipe adds for what the user left out."""
    given = {word.partition("=")[0].lstrip("-").strip() for word in words}
    if given & {"resume", "cfg"}:
        return words
    data = next((word.partition("=")[2] for word in words if word.startswith("data=")), DATA)
    added = {
        "model": MODEL,
        "data": DATA,
        "project": str(Path.cwd() / "runs"),
        "name": Path(data).stem,
        **recipe(given),
    }
    return [f"{key}={value}" for key, value in added.items() if key not in given] + words


def check_words(words: list[str]) -> None:
    """Refuse a `key=` without a value; the rest of the grammar is Ultralytics'."""
    for word in words:
        key, sign, value = word.partition("=")
        if sign and not value.strip():
            raise ValueError(f"{key}= has no value; write {key}=VALUE, or leave it out")


@contextmanager
def standing_in(*changes: tuple[object, str, object]) -> Iterator[None]:
    """For this block, attributes of modules have other values."""
    nothing = object()
    before = [(home, name, vars(home).get(name, nothing)) for home, name, _ in changes]
    for home, name, value in changes:
        setattr(home, name, value)
    try:
        yield
    finally:
        for home, name, value in before:
            delattr(home, name) if value is nothing else setattr(home, name, value)


def run_ultralytics(words: list[str], **own: object) -> list:
    """Run `yolo WORDS` with our layers; returns the models that it trained. `own`: arguments that only our `train()` has."""
    from cnx_tutorial.yolo.model import YOLO, is_theirs  # first, so that ultralytics is imported quietly

    import ultralytics  # isort: skip
    from ultralytics import cfg
    from ultralytics.engine import model

    from cnx_tutorial.data.audit import TASKS, audit

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
            if self.task in TASKS and isinstance(data, str) and not is_theirs(data):
                meaning = {
                    key: kwargs[key] for key in ("single_cls", "classes", "fraction") if kwargs.get(key) is not None
                }
                check = audit(data, task=self.task, **meaning)
                print(check)
                check.raise_if_errors()
            try:
                results = super().train(**kwargs, **own)
            except KeyboardInterrupt as interrupt:
                raise KeyboardInterrupt(how_to_resume(self.trainer)) from interrupt
            trained.append(self)
            return results

    # Ultralytics recognises its command by the first word, and `predict` then saves its pictures.
    given = ["yolo", *words]
    with standing_in((ultralytics, "YOLO", CommandYOLO), (cfg, "ARGV", given), (model, "ARGV", given)):
        cfg.entrypoint()
    return trained


def train(words: list[str]) -> None:
    from cnx_tutorial.yolo import report

    words, own = without_own(with_checkpoint(words))
    for yolo in run_ultralytics(["train", *with_recipe(words)], **own):
        trainer = yolo.trainer
        if yolo.task != "detect" or trainer is None:
            continue
        print(f"\n{or_warning(lambda yolo=yolo: report.table([report.summary(yolo)]), 'no table')}")
        print(f"weights  {trainer.best}")
        print(f"picture  {or_warning(lambda yolo=yolo: sheet(yolo), 'none')}")


def without_own(words: list[str]) -> tuple[list[str], dict[str, object]]:
    """The words that Ultralytics knows, and the arguments of our `train()` that it does not."""
    own, kinds = {}, {"weights": str, "freeze_backbone": int, "backbone_lr": float}
    for word in list(words):
        key, _, value = word.partition("=")
        if key in kinds:
            words = [other for other in words if other is not word]
            try:
                own[key] = kinds[key](value)
            except ValueError:
                raise ValueError(
                    f"{word}: expected {'a whole number of epochs' if key == 'freeze_backbone' else 'a number such as 0.1'}"
                ) from None
    return words, own


def sheet(yolo) -> Path:
    """The picture of a few val images, in the folder of the training that has just ended."""
    from cnx_tutorial.yolo import report

    trainer = yolo.trainer
    images, truth = report.examples(trainer)
    return report.picture(yolo, images, trainer.save_dir / "truth_and_predictions.png", trainer.args.imgsz, truth=truth)


def or_warning(make, instead: str) -> object:
    """What `make()` returns, or a warning if it fails: the training itself is finished, and its weights are stored."""
    try:
        return make()
    except Exception as error:
        if os.environ.get("CNX_DEBUG"):
            traceback.print_exc()
        return f"{instead} (warning: it could not be made, {one_line(error)}; the training is finished all the same)"


def with_checkpoint(words: list[str]) -> list[str]:
    """`resume=True` without a model means the newest last.pt below the current folder; `resume=FILE` means that one."""
    given = dict(word.split("=", 1) for word in words if "=" in word)
    resume, model = given.get("resume", ""), given.get("model")
    if "resume" in words:  # Ultralytics takes the bare word for True
        resume = "True"
    if not resume or resume.lower() == "false":
        return words
    if resume.lower() != "true":
        model = resume
    if model is None:
        found = [file for file in Path.cwd().glob("**/weights/last.pt") if file.is_file()]
        if not found:
            raise FileNotFoundError(
                f"there is nothing to resume below {Path.cwd()}: no weights/last.pt, which is written after the first epoch. "
                "Start again with cnx train, or name the file: cnx train resume=True model=FOLDER/weights/last.pt"
            )
        model = str(max(found, key=lambda file: file.stat().st_mtime))
    check_checkpoint(Path(model))
    rest = [word for word in words if not word.startswith(("resume=", "model=")) and word != "resume"]
    return ["resume=True", f"model={model}", *rest]


def check_checkpoint(file: Path) -> None:
    """Refuse a checkpoint that is missing or damaged, and name another one that is whole."""
    import zipfile

    others = [
        other
        for name in ("last.pt", "best.pt")
        if (other := file.with_name(name)) != file and zipfile.is_zipfile(other)
    ]
    hint = f"; {others[0]} is whole: cnx train model={others[0]} data=... trains on from its weights" if others else ""
    if not file.is_file():
        started = "; this training ended before its first epoch did, so start it again" if file.parent.is_dir() else ""
        raise FileNotFoundError(f"no checkpoint {file}{hint or started}")
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file} is not a whole checkpoint ({file.stat().st_size} bytes){hint}")


def compare(words: list[str]) -> None:
    """Train all models in the same way, and say which differences are larger than chance."""
    from cnx_tutorial.compare.comparison import compare as ask
    from cnx_tutorial.compare.question import read_words

    ask(**read_words(words))


def write(words: list[str]) -> None:
    """Print a model YAML, or write it to out=FILE."""
    from cnx_tutorial.yolo.write_yaml import write_yaml

    known = ("backbone", "neck", "task", "family", "weights", "out")
    given = dict(word.split("=", 1) if "=" in word else (word, "") for word in words)
    if odd := [key for key in given if key not in known or not given[key]]:
        raise ValueError(f"cnx yaml takes {'=, '.join(known)}=; given {odd[0][:80]!r}")
    out = Path(given.pop("out")) if "out" in given else None
    if out and out.exists():
        raise ValueError(f"{out} is there already: name another file, or remove it first")
    if given.get("weights", "").lower() in ("true", "false"):
        given["weights"] = given["weights"].lower() == "true"
    text = write_yaml(**given, folder=out.parent if out else Path.cwd())
    if out is None:
        print(text, end="")
        return
    with whole(out) as draft:
        draft.write_text(text, encoding="utf-8")
    print(f"{out} is written; to train it: cnx train {quoted(f'model={out}')}")


def data(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="cnx data", description="Make, fetch or check a data set.")
    commands = parser.add_subparsers(dest="command", required=True)
    bccd = commands.add_parser("bccd", help="the real blood-cell images, 364, MIT licence")
    bccd.add_argument(
        "--from", dest="source", type=Path, help="folder or zip of the BCCD_Dataset repository, instead of the download"
    )
    smears = commands.add_parser("smears", help="the synthetic blood smears")
    smears.add_argument("--seed", type=int, default=0, help="another seed draws another set")
    smears.add_argument("--train", type=int, default=200, help="number of train images")
    smears.add_argument("--val", type=int, default=100, help="number of val images")
    smears.add_argument("--test", type=int, default=100, help="number of test images; 0 for none")
    for command in (bccd, smears):
        command.add_argument("--out", type=Path, help="folder to write; default: datasets/ of the tutorial")
        command.add_argument("--overwrite", action="store_true", help="replace what is there")
    check = commands.add_parser("audit", help="report what would hurt training")
    check.add_argument("path", type=Path, help="data YAML")
    args = parser.parse_args(words)
    if args.command == "bccd":
        from cnx_tutorial.data.bccd import prepare

        out = args.out or data_home() / "bccd"
        print(prepare(out, args.source, overwrite=args.overwrite))
        print(next_step(out))
    elif args.command == "smears":
        from cnx_tutorial.data.smears import draw

        out = draw(args.out or data_home() / "smears", args.seed, args.train, args.val, args.test, args.overwrite)
        print(out)
        print(next_step(out))
    else:
        from cnx_tutorial.data.audit import audit

        report = audit(find_data(args.path))
        print(report)
        report.raise_if_errors()


def course(words: list[str]) -> None:
    from cnx_tutorial.classroom.course import make_course

    parser = argparse.ArgumentParser(
        prog="cnx course", description="Write an nbgrader course and release its assignments."
    )
    parser.add_argument("folder", type=Path, help="of the course; made if it is not there")
    parser.add_argument("--notebooks", nargs="+", help="numbers or names; default: all")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="of the text; zh is Chinese")
    args = parser.parse_args(words)
    for name in make_course(args.folder, args.notebooks, args.language):
        print(f"released  {args.folder / 'release' / name}")
    print(
        f"Go on with nbgrader's own commands in {args.folder}: nbgrader collect, autograde, generate_feedback, export."
    )


def grade(words: list[str]) -> None:
    from cnx_tutorial.classroom.grade import grade as mark
    from cnx_tutorial.classroom.grade import marks_folder

    parser = argparse.ArgumentParser(
        prog="cnx grade",
        description="Mark learners' copies, FOLDER/LEARNER/01_layernorm.ipynb. Each answer runs in a process of its own with limits; that contains "
        "accidents and simple attacks, not a determined attacker: it runs other people's code on this machine.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, help="where the marks go; default: FOLDER_marks")
    parser.add_argument("--notebooks", nargs="+", help="numbers or names; default: all of which there are copies")
    parser.add_argument(
        "--user", help="the system's user whose rights the answers get; default: the user nobody, if this runs as root"
    )
    parser.add_argument("--seconds", type=int, default=60, help="time for one answer (60)")
    parser.add_argument("--memory-mb", type=int, default=2048, help="memory for one answer (2048)")
    args = parser.parse_args(words)
    marks = mark(**vars(args))
    out = args.out or marks_folder(args.folder)
    learners = {one.learner for one in marks}
    print(f"{len(marks)} answers of {len(learners)} learners, {sum(one.points > 0 for one in marks)} right")
    for name in ("marks.csv", "overview.html", "learners"):
        print(out / name)


def next_step(folder: Path) -> str:
    """How to train on a set that was just made. A set in a folder of its own gets a data YAML beside it, which says where it is."""
    import yaml

    from cnx_tutorial.data.smears import NAMES

    file = folder.with_name(f"{folder.name}.yaml")
    if folder.resolve().parent == DATASETS.resolve() and file.exists():
        return f"to train on it: cnx train data={file.name}"
    if file.exists():
        return f"{file} was there already and is as it was; to train on it: cnx train {quoted(f'data={file}')}"
    there = {split: f"{folder.name}/images/{split}" for split in SPLITS if (folder / "images" / split).is_dir()}
    said = yaml.safe_dump(
        {**there, "names": dict(enumerate(NAMES))}, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    with whole(file) as draft:
        draft.write_text(f"# Made by `cnx data`. Paths are relative to this file.\n{said}", encoding="utf-8")
    return f"to train on it: cnx train {quoted(f'data={file}')}"


def own_copies(source: Path, folder: Path, language: str = "en") -> Path:
    """`folder`, with a copy of each notebook in `source`, its text in Chinese if the language is zh; an existing copy is left as it is.

    Raises:
        OSError: a copy cannot be written; a copy is whole or not there.
    """
    for notebook in sorted(source.glob("*.ipynb")):
        copy = folder / notebook.name
        if copy.exists():
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with whole(copy) as draft:
                if language == "zh":
                    import nbformat

                    from cnx_tutorial.teaching.translation import in_chinese

                    nbformat.write(in_chinese(nbformat.read(notebook, as_version=4), notebook.name), draft)
                else:
                    shutil.copyfile(notebook, draft)
        except OSError as error:
            raise OSError(
                f"{copy} could not be written ({error.strerror}). Make room, or name a folder of your own: cnx lab --folder DIR"
            ) from error
    return folder


def learners_folder(folder: Path, language: str = "en") -> Path:
    """The learner's own copies, made in a folder; beside them the solved notebooks, if the folder is not that of the notebooks."""
    if folder.resolve() != NOTEBOOKS.resolve():
        own_copies(NOTEBOOKS, folder / "solved")
    return own_copies(
        NOTEBOOKS / "exercises", folder / ("my_work" if language == "en" else f"my_work_{language}"), language
    )


def cut_off(folder: Path) -> list[Path]:
    """The notebooks in a folder that are no whole JSON file, so that JupyterLab cannot open them."""
    found = []
    for notebook in sorted(folder.glob("*.ipynb")):
        try:
            json.loads(notebook.read_text(encoding="utf-8"))
        except ValueError:
            found.append(notebook)
    return found


def lab(words: list[str]) -> int:
    """Start JupyterLab in the folder of the notebooks and my_work: a writable checkout, --folder, or the user's own folder."""
    parser = argparse.ArgumentParser(prog="cnx lab", add_help=False, allow_abbrev=False)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--language", choices=("en", "zh"), default="en")
    args, words = parser.parse_known_args(words)
    if any(Path(word).exists() for word in words):  # a notebook or folder of one's own to open
        return subprocess.run([sys.executable, "-m", "jupyterlab", *words]).returncode
    folder = args.folder or users_home() / "notebooks"
    copies = learners_folder(folder, args.language)
    print(f"Your own copies of the notebooks, to solve the exercises in: {copies}")
    for notebook in cut_off(copies):
        print(f"{notebook} is cut off and cannot be opened: remove or rename it, and cnx lab makes a new copy.")
    checkers = {"CNX_LANGUAGE": args.language} if args.language != "en" else {}
    return subprocess.run(
        [sys.executable, "-m", "jupyterlab", str(folder), *words], env={**os.environ, **checkers}
    ).returncode


def how_to_resume(trainer) -> str:
    """What goes on after an interruption of this training."""
    if trainer is None or not trainer.last.is_file():
        return "No epoch was finished, so there is nothing to resume: start again."
    file = trainer.last.relative_to(Path.cwd()) if trainer.last.is_relative_to(Path.cwd()) else trainer.last
    command = f"cnx train resume=True model={quoted(file.as_posix())}"
    if trainer.epoch + 1 >= trainer.epochs and (trainer.stop or not trainer.last.with_name("best.pt").is_file()):
        return f"All epochs are trained; the final evaluation was cut off. It is made up for with: {command}"
    return f"The training goes on from its last finished epoch with: {command}"


def quoted(word: str) -> str:
    """A word as a shell takes it."""
    return shlex.quote(word)


def one_line(error: BaseException) -> str:
    """An error's text, with its type before it if the text was not written for users."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = text.strip()[:3000] or type(error).__name__
    return text if isinstance(error, ValueError | OSError | SyntaxError) else f"{type(error).__name__}: {text}"


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit status. Any failure is one message and status 1; CNX_DEBUG=1 shows where it arose."""
    if words is None:
        words = sys.argv[1:]
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, ValueError):
                stream.reconfigure(
                    errors="backslashreplace"
                )  # a terminal that knows ASCII alone shows \u8840 and goes on
    try:
        return run(words)
    except KeyboardInterrupt as interrupt:
        said = str(interrupt) or "Nothing that was finished is lost."
        print(f"\ncnx: interrupted. {said}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `cnx ... | head`
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as end:  # argparse has said what is wrong
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except Exception as error:
        if os.environ.get("CNX_DEBUG"):
            traceback.print_exc()
        print(f"cnx: {one_line(error)}", file=sys.stderr)
        if not isinstance(error, ValueError | OSError | SyntaxError | TypeError | RuntimeError | KeyError):
            print("This should not end so. CNX_DEBUG=1 before the command shows where it arose.", file=sys.stderr)
        return 1


def run(words: list[str]) -> int:
    command, rest = (words[0], words[1:]) if words else ("help", [])
    if command in HELP or (HELP & set(rest) and command not in OWN_HELP):
        print(__doc__)
        return 0
    if command == "doctor":
        from cnx_tutorial.doctor import examine

        return examine()
    check_words(rest)
    if command in OWN:
        return OWN[command](rest) or 0
    run_ultralytics(words)
    return 0


HELP = {"help", "-h", "--help"}
OWN_HELP = {"data", "lab", "course", "grade"}  # commands that print a help text of their own
OWN = {
    "train": train,
    "compare": compare,
    "yaml": write,
    "data": data,
    "lab": lab,
    "course": course,
    "grade": grade,
}

if __name__ == "__main__":
    sys.exit(main())
