"""The audit against Ultralytics' own reader, on data sets of many forms: the same images, the same boxes, the same classes, the same refusals.

Each form is built for real in a folder of its own. The audit looks first, and must leave every file as it was. `pytest -s` prints the table.
"""

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnx_tutorial.yolo  # noqa: F401 (ultralytics is imported through it, without its greeting)
from cnx_tutorial.data.audit import audit

BOXES = "0 0.5 0.5 0.3 0.3\n1 0.25 0.25 0.2 0.2\n"
SPLITS = "train: images/train\nval: images/val\n"
YAML = SPLITS + "names: [a, b]\n"


def picture(seed: int, size: tuple[int, int] = (24, 32), mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def make(folder: Path, text: str = YAML, layout: str = "images/{}", suffix: str = ".jpg", mode: str = "RGB") -> Path:
    """Two train and two val images with two boxes each; returns the data YAML."""
    for seed, split in ((0, "train"), (10, "val")):
        images = folder / layout.format(split)
        labels = Path(str(images).replace("images", "labels"))
        for i in range(2):
            images.mkdir(parents=True, exist_ok=True)
            labels.mkdir(parents=True, exist_ok=True)
            picture(seed + i, mode=mode).save(images / f"{i}{suffix}")
            (labels / f"{i}.txt").write_text(BOXES, encoding="utf-8")
    (folder / "data.yaml").write_text(text.replace("ROOT", str(folder)), encoding="utf-8", newline="")
    return folder / "data.yaml"


def with_yaml(text: str) -> Callable[[Path], Path]:
    return lambda folder: make(folder, text)


def with_label(content: str | bytes, text: str = YAML) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        file = make(folder, text)
        (folder / "labels/train/0.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return build


def with_image(name: str, write: Callable[[Path], object]) -> Callable[[Path], Path]:
    """The first train image is replaced by a file of that name."""

    def build(folder: Path) -> Path:
        file = make(folder)
        (folder / "images/train/0.jpg").unlink()
        write(folder / "images/train" / name)
        shutil.move(folder / "labels/train/0.txt", (folder / "labels/train" / name).with_suffix(".txt"))
        return file

    return build


def saved(mode: str = "RGB", size: tuple[int, int] = (24, 32), **options) -> Callable[[Path], object]:
    return lambda file: picture(0, size, mode).save(file, **options)


def cut(share: float, kind: str) -> Callable[[Path], object]:
    def write(file: Path) -> None:
        picture(0, (64, 64)).save(file, kind)
        content = file.read_bytes()
        file.write_bytes(content[: int(share * len(content))])

    return write


def broken_chunk(file: Path) -> None:
    picture(0, (64, 64)).save(file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))


def trailing(file: Path) -> None:
    picture(0).save(file)
    file.write_bytes(file.read_bytes() + b"more")


def turned(file: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    picture(0).save(file, exif=exif)


def sixteen_bits(file: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 65536, (24, 32), dtype=np.uint16)).save(file)


def roboflow(folder: Path) -> Path:
    make(folder, layout="{}/images")
    (folder / "val").rename(folder / "valid")
    text = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: ['a', 'b']\nroboflow:\n  version: 1\n"
    (folder / "data.yaml").write_text(text, encoding="utf-8")
    return folder / "data.yaml"


def linked_folder(folder: Path) -> Path:
    """Only the images are linked: the link is followed, and there are no labels where it leads."""
    file = make(folder)
    shutil.move(folder / "images/train", folder / "photos")
    (folder / "images/train").symlink_to(folder / "photos")
    return file


def linked_whole(folder: Path) -> Path:
    make(folder / "real")
    (folder / "link").symlink_to(folder / "real")
    (folder / "data.yaml").write_text(YAML.replace("images/", "link/images/"), encoding="utf-8")
    return folder / "data.yaml"


def linked_below(folder: Path) -> Path:
    file = make(folder)
    shutil.move(folder / "images/train", folder / "elsewhere")
    (folder / "images/train").mkdir()
    (folder / "images/train/part").symlink_to(folder / "elsewhere")
    shutil.move(folder / "labels/train", folder / "labels/part")
    (folder / "labels/train").mkdir()
    shutil.move(folder / "labels/part", folder / "labels/train/part")
    return file


def linked_image(folder: Path) -> Path:
    file = make(folder)
    shutil.move(folder / "images/train/0.jpg", folder / "somewhere.jpg")
    (folder / "images/train/0.jpg").symlink_to(folder / "somewhere.jpg")
    return file


def hidden(folder: Path) -> Path:
    file = make(folder)
    picture(5).save(folder / "images/train/.hidden.jpg")
    (folder / "images/train/.thumbs").mkdir()
    picture(6).save(folder / "images/train/.thumbs/1.jpg")
    return file


def listed(lines: str, encoding: str = "utf-8") -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        file = make(folder, "train: train.txt\nval: images/val\nnames: [a, b]\n")
        (folder / "train.txt").write_bytes(lines.replace("ROOT", str(folder)).encode(encoding))
        return file

    return build


def moved(name: str) -> Callable[[Path], Path]:
    """The whole set in a folder of that name."""
    return lambda folder: make(folder / name)


def archive(kind: str, top: str = "") -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        make(folder / "packed" / top)
        shutil.make_archive(str(folder / "given"), kind, folder / "packed")
        shutil.rmtree(folder / "packed")
        return next(folder.glob("given.*"))

    return build


def given(path: Callable[[Path], Path], build: Callable[[Path], Path] = make) -> Callable[[Path], Path]:
    """What the user types differs from the file that is built."""
    return lambda folder: path(build(folder))


def renamed_yml(folder: Path) -> Path:
    return make(folder).rename(folder / "data.yml")


def folder_among_many(folder: Path) -> Path:
    file = make(folder / "cells").rename(folder / "cells/cells.yaml")
    shutil.copy(file, folder / "cells/other.yaml")
    return folder / "cells"


POLYGON = "0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n"
POINTS = "0 0.5 0.5 0.3 0.3 0.4 0.4 2 0.6 0.6 2\n"
POSE = YAML + "kpt_shape: [2, 3]\n"
FORMS: dict[str, tuple] = {  # name: (what builds it, further arguments)
    "plain": (make,),
    "Roboflow's ../train/images": (roboflow,),
    "validation: for val:": (with_yaml(YAML.replace("val:", "validation:")),),
    "path: absolute": (with_yaml("path: ROOT\n" + YAML),),
    "path: . (of the current folder)": (with_yaml("path: .\n" + YAML),),
    "path: nowhere": (with_yaml("path: nowhere\n" + YAML),),
    "a list of folders": (with_yaml("train: [images/train, images/val]\nval: [images/val]\nnames: [a, b]\n"),),
    "one folder twice": (with_yaml("train: [images/train, images/train]\nval: images/val\nnames: [a, b]\n"),),
    "backslashes": (with_yaml(YAML.replace("/", "\\")),),
    "nc as text": (with_yaml(SPLITS + "nc: '2'\nnames: [a, b]\n"),),
    "nc as a float": (with_yaml(SPLITS + "nc: 2.0\nnames: [a, b]\n"),),
    "nc 1.9": (with_yaml(SPLITS + "nc: 1.9\nnames: [a, b]\n"),),
    "nc without names": (with_yaml(SPLITS + "nc: 2\n"),),
    "nc that disagrees": (with_yaml(SPLITS + "nc: 3\nnames: [a, b]\n"),),
    "nc: and nothing": (with_yaml(YAML + "nc:\n"),),
    "names: and nothing": (with_yaml(SPLITS + "names:\n"),),
    "names: None as text": (with_yaml(SPLITS + "nc: 2\nnames: None\n"),),
    "names as text": (with_yaml(SPLITS + "names: a\n"),),
    "names yes and no": (with_yaml(SPLITS + "names: [yes, no]\n"),),
    "names that are numbers": (with_yaml(SPLITS + "names: [1, 2]\n"),),
    "names numbered": (with_yaml(SPLITS + "names: {1: b, 0: a}\n"),),
    "names with quoted numbers": (with_yaml(SPLITS + "names: {'0': a, '1': b}\n"),),
    "names with a gap": (with_yaml(SPLITS + "names: {0: a, 2: b}\n"),),
    "names from 1": (with_yaml(SPLITS + "names: {1: a, 2: b}\n"),),
    "names twice the same": (with_yaml(SPLITS + "names: [a, a]\n"),),
    "too few names": (with_yaml(SPLITS + "names: [a]\n"),),
    "a byte-order mark": (with_yaml("\ufeff" + YAML),),
    "Windows line ends": (with_yaml(YAML.replace("\n", "\r\n")),),
    "a control character": (with_yaml(YAML.replace("[a", "[a\x07")),),
    "emoji": (with_yaml(SPLITS + "names: ['a \U0001f534', '血']\n"),),
    "test: and nothing": (with_yaml(YAML + "test:\n"),),
    "test is not there": (with_yaml(YAML + "test: images/test\n"),),
    "train: and nothing": (with_yaml("train:\nval: images/val\nnames: [a, b]\n"),),
    "train is not there": (with_yaml(YAML.replace("images/train", "images/gone")),),
    "a folder": (given(lambda file: file.parent),),
    "a folder with several YAMLs": (folder_among_many,),
    "a name without suffix": (given(lambda file: file.with_suffix("")),),
    "yml": (renamed_yml,),
    "a suffix that is none": (given(lambda file: file.rename(file.with_suffix(".txt"))),),
    "blanks, brackets, # and 血": (moved("odd name [v2] ü 血 #1"),),
    "an apostrophe": (moved("the teacher's"),),
    "two folders called images": (moved("images"),),
    "zip": (archive("zip"),),
    "zip with one folder": (archive("zip", "cells"),),
    "tar.gz": (archive("gztar", "cells"),),
    "a linked image folder": (linked_folder,),
    "a linked set": (linked_whole,),
    "a linked folder below train": (linked_below,),
    "a linked image": (linked_image,),
    "hidden files": (hidden,),
    "a list of images": (listed("./images/train/1.jpg\n./images/train/0.jpg\n"),),
    "a list with absolute names": (listed("ROOT/images/train/0.jpg\nnotes.md\n"),),
    "a list with a byte-order mark": (listed("\ufeff./images/train/0.jpg\r\n"),),
    "a list in Latin-1": (listed("./images/train/0.jpg\n./images/ä.jpg\n", "latin-1"),),
    "an empty list": (listed("\n"),),
    "a list with a missing image": (listed("./images/train/0.jpg\n./images/train/gone.jpg\n"),),
    "upper-case suffix": (with_image("0.JPG", saved(format="JPEG")),),
    "png": (with_image("0.png", saved()),),
    "bmp": (with_image("0.bmp", saved()),),
    "webp": (with_image("0.webp", saved()),),
    "tiff": (with_image("0.tiff", saved()),),
    "avif": (with_image("0.avif", saved()),),
    "jp2": (with_image("0.jp2", saved()),),
    "mpo": (with_image("0.mpo", saved(format="JPEG")),),
    "gif": (with_image("0.gif", saved("P")),),
    "GIF in .jpg": (with_image("0.jpg", saved("P", format="GIF")),),
    "PNG in .jpg": (with_image("0.jpg", saved(format="PNG")),),
    "text in .jpg": (with_image("0.jpg", lambda file: file.write_bytes(b"hello")),),
    "an empty image": (with_image("0.jpg", lambda file: file.write_bytes(b"")),),
    "text in .heic": (with_image("0.heic", lambda file: file.write_bytes(b"hello")),),
    "text in .dng": (with_image("0.dng", lambda file: file.write_bytes(b"hello")),),
    "a folder called .jpg": (with_image("0.jpg", lambda file: file.mkdir()),),
    "9 pixels high": (with_image("0.png", saved(size=(9, 32))),),
    "10 pixels high": (with_image("0.png", saved(size=(10, 32))),),
    "grey": (with_image("0.png", saved("L")),),
    "four channels": (with_image("0.png", saved("RGBA")),),
    "palette": (with_image("0.png", saved("P")),),
    "CMYK": (with_image("0.jpg", saved("CMYK")),),
    "16 bits": (with_image("0.png", sixteen_bits),),
    "turned by EXIF": (with_image("0.jpg", turned),),
    "JPEG cut at half": (with_image("0.jpg", cut(0.5, "JPEG")),),
    "JPEG with bytes behind its end": (with_image("0.jpg", trailing),),
    "PNG with a broken chunk": (with_image("0.png", broken_chunk),),
    "PNG cut at half": (with_image("0.png", cut(0.5, "PNG")),),
    "channels: 1": (with_yaml(YAML + "channels: 1\n"),),
    "labels: tabs, CR, blank lines": (with_label("\n\n0\t0.5 0.5 0.3 0.3\r1 .2 .2 .1 .1\r\n\n"),),
    "labels: byte-order mark": (with_label("\ufeff" + BOXES),),
    "labels: UTF-16": (with_label(BOXES.encode("utf-16")),),
    "labels: Latin-1": (with_label(b"0 .5 .5 .3 .3 \xe9"),),
    "labels: zero byte": (with_label(BOXES + "\0"),),
    "labels: no-break spaces": (with_label("0\u00a00.5\u00a00.5\u00a00.3\u00a00.3\n"),),
    "labels: form feed": (with_label("0 .5 .5 .3 .3\x0c1 .2 .2 .1 .1\n"),),
    "labels: empty": (with_label(""),),
    "labels: a comment": (with_label("# mine\n" + BOXES),),
    "labels: commas": (with_label("0,0.5,0.5,0.3,0.3\n"),),
    "labels: class 0.0": (with_label("0.0 .5 .5 .3 .3\n"),),
    "labels: class 0.5": (with_label("0.5 .5 .5 .3 .3\n"),),
    "labels: class -1": (with_label("-1 .5 .5 .3 .3\n"),),
    "labels: class without a name": (with_label("2 .5 .5 .3 .3\n"),),
    "labels: pixels": (with_label("0 48 48 20 20\n"),),
    "labels: 0.9 % beyond the border": (with_label("0 1.009 .5 1.0 1.0\n"),),
    "labels: 1.1 % beyond the border": (with_label("0 1.011 .5 .3 .3\n"),),
    "labels: 0.9 % below zero": (with_label("0 -.009 .5 .01 .3\n"),),
    "labels: 1.1 % below zero": (with_label("0 -.011 .5 .01 .3\n"),),
    "labels: negative width": (with_label("0 .5 .5 -.005 .3\n"),),
    "labels: no width": (with_label("0 .5 .5 0 .3\n"),),
    "labels: nan": (with_label("0 nan .5 .3 .3\n"),),
    "labels: inf": (with_label("0 .5 .5 inf .3\n"),),
    "labels: lines that stand twice": (with_label("1 .3 .3 .2 .2\n0 .5 .5 .3 .3\n1 .3 .3 .2 .2\n"),),
    "labels: a confidence behind": (with_label("0 .5 .5 .3 .3 .91\n"),),
    "labels: four numbers": (with_label("0 .5 .5 .3\n"),),
    "labels: ragged": (with_label("0 .5 .5 .3 .3\n0 .5 .5 .3\n"),),
    "labels: polygon": (with_label(POLYGON),),
    "labels: polygons that stand twice": (with_label(POLYGON * 2 + POLYGON.replace("0.4 0.4", "0.3 0.4")),),
    "labels: triangle": (with_label("0 .1 .1 .4 .1 .4 .4\n"),),
    "labels: odd polygon": (with_label("0 .1 .1 .4 .1 .4 .4 .2\n"),),
    "labels: polygon and box": (with_label(POLYGON + BOXES),),
    "keypoints for boxes": (with_label(POINTS, POSE),),
    "keypoints without kpt_shape": (with_label(POINTS),),
    "pose": (lambda folder: all_labels(make(folder, POSE), POINTS), {"task": "pose"}),
    "pose, a point at 1.5": (
        lambda f: all_labels(make(f, POSE), POINTS.replace("0.6 0.6", "1.5 0.6")),
        {"task": "pose"},
    ),
    "segment": (lambda folder: all_labels(make(folder), POLYGON), {"task": "segment"}),
    "segment with boxes": (make, {"task": "segment"}),
    "obb": (lambda folder: all_labels(make(folder), POLYGON), {"task": "obb"}),
    "single_cls": (make, {"single_cls": True}),
    "single_cls, class 5": (with_label("5 .5 .5 .3 .3\n"), {"single_cls": True}),
    "classes=[1]": (make, {"classes": [1]}),
    "classes=[0], single_cls": (make, {"classes": [0], "single_cls": True}),
    "fraction=0.5": (make, {"fraction": 0.5}),
    "fraction=1 image": (make, {"fraction": 1}),
    "fraction=[0.5, 1.0]": (make, {"fraction": [0.5, 1.0]}),
    "fraction=[1.0, 0.5]": (make, {"fraction": [1.0, 0.5]}),
}


def all_labels(file: Path, text: str) -> Path:
    for label in (file.parent / "labels").rglob("*.txt"):
        label.write_text(text, encoding="utf-8")
    return file


def theirs(
    data: Path, task: str = "detect", single_cls: bool = False, classes=None, fraction=1.0
) -> tuple[dict, dict] | str:
    """Names, and per split the images and rows that Ultralytics trains on; or why it refuses."""
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset, get_split_fraction

    try:
        content = check_det_dataset(str(data), autodownload=False)
        names = {0: "item"} if single_cls else content["names"]
        found = {}
        for split in ("train", "val"):
            dataset = YOLODataset(
                img_path=content[split], data=content, task=task, imgsz=32, augment=split == "train", hyp=get_cfg(),
                single_cls=single_cls, classes=classes, fraction=get_split_fraction(fraction, split),
            )  # fmt: skip
            found[split] = [
                (label["im_file"], np.concatenate([label["cls"], label["bboxes"]], 1)) for label in dataset.labels
            ]
    except Exception as error:  # a refusal has any type
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    return names, found


def listing(folder: Path) -> dict:
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


SEEN: dict[str, str] = {}


@pytest.mark.parametrize("name", FORMS)
def test_the_audit_reads_what_ultralytics_reads(name, tmp_path, monkeypatch):
    from ultralytics.data import utils

    build, arguments = (*FORMS[name], {})[:2]
    try:
        data = build(tmp_path)
    except (OSError, KeyError, ValueError) as error:  # a Pillow without that format, a system without links
        pytest.skip(f"cannot be built here: {error}")
    (tmp_path / "sets").mkdir()
    monkeypatch.setattr(utils, "DATASETS_DIR", tmp_path / "sets")
    monkeypatch.chdir(tmp_path)
    before = listing(tmp_path)
    report = audit(data, **arguments)
    assert listing(tmp_path) == before, "the audit wrote something"
    expected = theirs(data, **arguments)
    if isinstance(expected, str):
        SEEN[name] = f"both refuse: {expected[:60]}"
        assert report.errors, f"Ultralytics refuses ({expected}), the audit found nothing wrong: {report}"
        return
    names, splits = expected
    assert report.names == names
    for split, pairs in splits.items():
        ours = report.labels[split]
        assert [shown(file) for file, _ in ours] == [shown(file) for file, _ in pairs]
        for (file, rows), (_, theirs_rows) in zip(ours, pairs, strict=True):
            np.testing.assert_array_equal(rows, theirs_rows, err_msg=str(file))
    boxes = sum(len(rows) for pairs in splits.values() for _, rows in pairs)
    found = len(report.errors), len(report.problems) - len(report.errors)
    SEEN[name] = f"{sum(map(len, splits.values()))} images, {boxes} boxes; {found[0]} errors, {found[1]} warnings"
    if not any(len(rows) for _, rows in splits["train"]):
        assert report.errors, "Ultralytics would train on no box, and the audit says nothing"


def shown(file: Path | str) -> tuple[str, ...]:
    """The last parts of a name: of an unpacked archive, the two lie in different folders."""
    return Path(file).parts[-3:]


def test_there_are_enough_forms():
    assert len(FORMS) >= 60
    for name, what in SEEN.items():
        print(f"{name:40} {what}")
    print(f"{len(SEEN)} of {len(FORMS)} forms built here; the audit and Ultralytics agree on each")


def test_special_files_never_hang(tmp_path):
    file = make(tmp_path)
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no FIFOs")
    os.mkfifo(tmp_path / "images/train/pipe.jpg")
    (tmp_path / "images/train/zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "labels/train/1.txt").unlink()
    os.mkfifo(tmp_path / "labels/train/1.txt")
    report = audit(file)
    assert {p.file.name for p in report.errors} == {"pipe.jpg", "zero.jpg"}
    assert any(p.file.name == "1.jpg" and "has no labels" in p.message for p in report.problems)


@pytest.mark.parametrize("kind", ["list", "yaml", "link"])
def test_names_that_no_system_takes_are_a_finding(kind, tmp_path):
    file = make(tmp_path)
    long = "x" * 5000
    if kind == "link":
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
    text = {"list": "train: train.txt\n", "yaml": f"train: {long}\n", "link": "train: loop/images\n"}[kind]
    file.write_text(text + "val: images/val\nnames: [a, b]\n", encoding="utf-8")
    (tmp_path / "train.txt").write_text(f"./{long}.jpg\nimages/a\0b.jpg\n", encoding="utf-8")
    report = audit(file)
    assert report.errors and all(len(str(problem)) < 12_000 for problem in report.problems)


def test_huge_files_and_nested_aliases_are_a_finding_at_once(tmp_path):
    file = make(tmp_path)
    with (tmp_path / "images/train/huge.jpg").open("wb") as huge:
        huge.truncate(2**40)  # takes no room: it is all hole
    report = audit(file)
    assert [p.file.name for p in report.errors] == ["huge.jpg"] and "1024 GiB" in report.errors[0].message
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)
    ]
    file.write_text("\n".join(lines) + f"\n{SPLITS}names: [*a9]\n", encoding="utf-8")
    report = audit(file)
    assert len(report.errors) == 1 and len(str(report)) < 2000


def test_an_archive_is_opened_without_leaving_anything(tmp_path):
    make(tmp_path / "cells")
    with tarfile.open(tmp_path / "cells.tar", "w") as packed:
        packed.add(tmp_path / "cells", "cells")
    shutil.rmtree(tmp_path / "cells")
    report = audit(tmp_path / "cells.tar")
    assert not report.problems and report.images == {"train": 2, "val": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["cells.tar"]
