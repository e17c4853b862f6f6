"""Fetch and convert BCCD: 364 real microscope images of blood, with red cells, white cells and platelets boxed.

Why this set: real, small enough for a laptop, and MIT licensed ((c) 2017 shenggan). Upstream's split is kept. Two boxes without area are dropped:
Ultralytics would count them as cells that no detector can find.
Source: github.com/Shenggan/BCCD_Dataset at the commit below.
"""

import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pooch

from cnx_tutorial.data.archive import unpack
from cnx_tutorial.data.smears import NAMES
from cnx_tutorial.data.staging import may_write, replace, staging_beside
from cnx_tutorial.data.voc import voc_to_yolo
from cnx_tutorial.paths import data_home

COMMIT = "d272fb14cdff6e473fafeeeba32aba5f560e9e43"
URL = f"https://github.com/Shenggan/BCCD_Dataset/archive/{COMMIT}.zip"
# GitHub packs such archives anew now and then, so their bytes change; what is in them is checked instead, file by file.
DIGESTS = Path(__file__).with_name("bccd.sha256")
BY_HAND = "Or download it with a browser and run: cnx data bccd --from THE_ZIP"


@dataclass
class BccdReport:
    """What `prepare` wrote: images per split, boxes per class, dropped boxes as `(file, sentence)`."""

    out: Path
    images: dict[str, int] = field(default_factory=dict)
    boxes: Counter = field(default_factory=Counter)
    dropped: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"BCCD is in {self.out}"]
        lines.append("  images: " + ", ".join(f"{split} {count}" for split, count in self.images.items()))
        lines.append("  boxes: " + ", ".join(f"{name} {self.boxes[name]}" for name in NAMES))
        lines += [f"  dropped from {file}: {sentence}" for file, sentence in self.dropped]
        return "\n".join(lines)


def prepare(
    out: Path | None = None,
    source: Path | str | None = None,
    *,
    overwrite: bool = False,
    url: str = URL,
    known_hash: str | None = None,
    digests: Path = DIGESTS,
    progress: bool = True,
) -> BccdReport:
    """Make a YOLO data set of BCCD: images/{train,val,test}/*.jpg and labels/{train,val,test}/*.txt below `out`.

    Args:
        out: folder to write; None: datasets/bccd of this project. It appears when everything is converted.
        source: folder or zip of the BCCD_Dataset repository; None: download it.
        overwrite: replace `out` if it is there.
        url, known_hash, digests: archive, its hash ("sha256:...") if known, and the file of its contents' SHA-256 sums.
        progress: show a bar while downloading.

    Raises:
        FileExistsError: `out` is there and overwrite is False, or it holds more than images and labels.
        ConnectionError: the archive could not be fetched whole.
        ValueError: what was fetched or given is not the expected BCCD; the message names the first file that differs.
        OSError: `out` cannot be written (disk full, no permission). Nothing is left behind then, and an old set stays.
    """
    out = Path(out) if out else data_home() / "bccd"
    may_write(out, overwrite)
    report = BccdReport(out)
    with staging_beside(out) as staging:
        given = source or url
        repository = find_repository(
            Path(source) if source else download(url, known_hash, staging, progress), staging, given
        )
        verify(repository, digests, given)
        made = staging / "made"
        for split in ("train", "val", "test"):
            convert(repository / "BCCD", made, split, report)
        replace(out, made, staging / "old", overwrite)
    return report


def download(url: str, known_hash: str | None, folder: Path, progress: bool) -> Path:
    """Fetch the archive with pooch, which tries twice and keeps nothing of a broken transfer."""
    name = "bccd.zip"
    store = pooch.create(folder, base_url="", registry={name: known_hash}, urls={name: url}, retry_if_failed=1)
    try:
        return Path(store.fetch(name, downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30)))
    except ValueError as error:
        raise ValueError(f"{url} is not the archive that was expected: {error} Try again later. {BY_HAND}") from error
    except OSError as error:  # requests' errors are OSErrors without an errno; a full disk has one
        if error.errno is not None and not type(error).__module__.startswith(("requests", "urllib3")):
            raise
        raise ConnectionError(
            f"{url} could not be fetched ({type(error).__name__}: {error}). Is there a network? {BY_HAND}"
        ) from error


def find_repository(source: Path, staging: Path, given: Path | str) -> Path:
    """The folder that holds BCCD/: `source` itself, a folder in it, or in the zip that it is; `given` is what an error calls it."""
    if not source.exists():
        raise FileNotFoundError(
            f"{given} is not there (looked for {source.absolute()}); give the folder or zip of BCCD_Dataset"
        )
    if source.is_file():
        try:
            unpack(source, staging / "unpacked")
        except ValueError as error:
            reason = str(error).replace(str(source), str(given))
            raise ValueError(f"{reason}. {BY_HAND}") from error
        source = staging / "unpacked"
    for folder in (source, *sorted(p for p in source.glob("*") if p.is_dir()), source.parent):
        if (folder / "BCCD" / "Annotations").is_dir():
            return folder
    raise ValueError(
        f"{given} is no copy of the BCCD_Dataset repository: no BCCD/Annotations in it. Give the repository's folder or zip"
    )


def verify(repository: Path, digests: Path, given: Path | str) -> None:
    """Compare every file that we know with its SHA-256 sum."""
    expected_is = f"expected BCCD at commit {COMMIT[:7]}; fetch it again"
    for line in digests.read_text(encoding="utf-8").splitlines():
        expected, name = line.split(maxsplit=1)
        file = repository / name
        if not file.is_file():
            raise ValueError(f"{name} is missing from {given}: {expected_is}")
        content = file.read_bytes()
        if file.suffix != ".jpg":
            content = content.replace(b"\r\n", b"\n")  # git on Windows writes text files so
        if hashlib.sha256(content).hexdigest() != expected:
            raise ValueError(f"{name} of {given} was changed or is damaged (its SHA-256 differs): {expected_is}")


def convert(bccd: Path, out: Path, split: str, report: BccdReport) -> None:
    """Copy the images of one split byte for byte and write their labels; a split without list or images is left out."""
    listed = bccd / "ImageSets" / "Main" / f"{split}.txt"
    names = listed.read_text(encoding="utf-8").split() if listed.is_file() else []
    if not names or (split == "test" and not all((bccd / "JPEGImages" / f"{name}.jpg").is_file() for name in names)):
        return
    for kind in ("images", "labels"):
        (out / kind / split).mkdir(parents=True)
    for name in names:
        lines, dropped = voc_to_yolo(bccd / "Annotations" / f"{name}.xml", NAMES)
        shutil.copyfile(bccd / "JPEGImages" / f"{name}.jpg", out / "images" / split / f"{name}.jpg")
        text = "".join(f"{line}\n" for line in lines)
        (out / "labels" / split / f"{name}.txt").write_text(text, encoding="utf-8", newline="\n")
        report.boxes.update(NAMES[int(line[0])] for line in lines)
        report.dropped += [(name, sentence) for sentence in dropped]
    report.images[split] = len(names)
