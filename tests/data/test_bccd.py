"""BCCD from a real copy, from a local server that is sound or not, onto disks that are full or read-only, and interrupted."""

import hashlib
import http.server
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnx_tutorial.data import bccd
from cnx_tutorial.data.audit import audit
from cnx_tutorial.data.bccd import prepare
from cnx_tutorial.data.voc import voc_to_yolo
from cnx_tutorial.paths import DATASETS

SPLITS = {"train": ["a", "b"], "val": ["c"], "test": ["d"]}
XML = """<annotation><size><width>64</width><height>48</height></size><object><name>RBC</name><bndbox>
<xmin>8</xmin><ymin>8</ymin><xmax>40</xmax><ymax>32</ymax></bndbox></object></annotation>"""


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A tiny repository in upstream's layout: path -> content."""
    rng, made = np.random.default_rng(0), {"LICENSE": b"MIT"}
    for split, names in SPLITS.items():
        made[f"BCCD/ImageSets/Main/{split}.txt"] = "\n".join(names).encode()
        for name in names:
            picture = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(picture, "JPEG")
            made[f"BCCD/JPEGImages/{name}.jpg"] = picture.getvalue()
            made[f"BCCD/Annotations/{name}.xml"] = XML.encode()
    return made


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as writer:
        for name, content in files.items():
            writer.writestr(f"BCCD_Dataset-{bccd.COMMIT}/{name}", content)
    return packed.getvalue()


@pytest.fixture
def digests(files, tmp_path) -> Path:
    file = tmp_path / "sums.sha256"
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items() if name != "LICENSE")
    file.write_text("".join(sums), encoding="utf-8")
    return file


@pytest.fixture
def place(tmp_path) -> Path:
    """An empty folder for the set and whatever is left beside it."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@contextmanager
def server(content: bytes, sent: int | None = None, broken: int = 1_000, seconds_per_kb: float = 0.0):
    """Serve `content` on this machine; the first `broken` answers end after `sent` bytes of it, if that is given. Yields URL and requests."""
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            end = sent if sent is not None and len(requests) <= broken else len(content)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(0, end, 1024):
                self.wfile.write(content[start : min(start + 1024, end)])
                time.sleep(seconds_per_kb)

        def log_message(self, *args):
            pass

        def handle(self):
            try:
                super().handle()
            except ConnectionError:  # the client went away
                pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/BCCD.zip", requests
    finally:
        httpd.shutdown()
        httpd.server_close()


def listing(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_real_set_is_converted_and_passes_the_audit(bccd_source, place):
    report = prepare(place / "bccd", bccd_source)
    made, repository = place / "bccd", bccd_source / "BCCD_Dataset" / "BCCD"
    assert {s: report.images[s] for s in ("train", "val")} == {"train": 205, "val": 87}
    assert [name for name, _ in report.dropped] == ["BloodImage_00343", "BloodImage_00338"]
    assert "dropped from BloodImage_00338: RBC box without area, corners 504, 337, 504, 337" in str(report)
    for file in sorted((made / "images").rglob("*.jpg")):
        assert file.read_bytes() == (repository / "JPEGImages" / file.name).read_bytes()
        lines, _ = voc_to_yolo(repository / "Annotations" / f"{file.stem}.xml", bccd.NAMES)
        labels = made / "labels" / file.parent.name / f"{file.stem}.txt"
        assert labels.read_text(encoding="utf-8").splitlines() == lines
    shutil.copy(DATASETS / "bccd.yaml", place)
    check = audit(place / "bccd.yaml")
    assert not check.problems, check
    assert check.boxes["train"] == {0: 209, 1: 2381, 2: 214} and check.boxes["val"] == {0: 83, 1: 967, 2: 87}
    if set(report.images) == {"train", "val"}:  # a copy without upstream's test images
        assert report.boxes == {"Platelets": 292, "RBC": 3348, "WBC": 301}


def test_the_download_of_an_archive_like_upstreams(files, digests, place):
    with server(archive(files)) as (url, requests):
        report = prepare(place / "bccd", url=url, digests=digests, progress=False)
    assert requests == ["/BCCD.zip"]
    assert report.images == {"train": 2, "val": 1, "test": 1} and report.boxes == {"RBC": 4}
    made = listing(place)
    images = {f"bccd/images/{split}/{name}.jpg" for split, names in SPLITS.items() for name in names}
    assert set(made) == images | {f.replace("images", "labels").replace(".jpg", ".txt") for f in images}
    assert made["bccd/images/train/a.jpg"] == files["BCCD/JPEGImages/a.jpg"]
    assert made["bccd/labels/train/a.txt"] == b"1 0.375000 0.416667 0.500000 0.500000\n"
    assert [p.name for p in place.iterdir()] == ["bccd"]


def test_the_right_known_hash_is_accepted(files, digests, place):
    content = archive(files)
    with server(content) as (url, _):
        known = f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert prepare(place / "bccd", url=url, known_hash=known, digests=digests, progress=False).images["train"] == 2


def test_a_transfer_that_breaks_off_once_is_tried_again(files, digests, place):
    content = archive(files)
    with server(content, sent=len(content) // 2, broken=1) as (url, requests):
        assert prepare(place / "bccd", url=url, digests=digests, progress=False).images["train"] == 2
    assert len(requests) == 2


def test_the_progress_bar_counts_the_bytes(files, digests, place, capfd):
    content = archive(files)
    with server(content) as (url, _):
        prepare(place / "bccd", url=url, digests=digests)
    assert "100%" in capfd.readouterr().err


def unlike(files, name, content):
    return archive({**files, name: content})


BAD_DOWNLOADS = {  # name: what the server holds, what it sends of it, known_hash, exception, what is said
    "breaks off": (lambda f: archive(f), 1500, None, ConnectionError, "could not be fetched"),
    "no zip": (lambda f: b"<html>log in to this network</html>", None, None, ValueError, "not a whole zip archive"),
    "cut zip": (lambda f: archive(f)[:-2000], None, None, ValueError, "not a whole zip archive"),
    "another repository": (lambda f: archive({"LICENSE": b"MIT"}), None, None, ValueError, "no BCCD/Annotations"),
    "changed image": (
        lambda f: unlike(f, "BCCD/JPEGImages/c.jpg", f["BCCD/JPEGImages/a.jpg"]),
        None,
        None,
        ValueError,
        r"BCCD/JPEGImages/c\.jpg of .* was changed or is damaged",
    ),
    "missing image": (
        lambda f: archive({k: v for k, v in f.items() if not k.endswith("c.jpg")}),
        None,
        None,
        ValueError,
        r"BCCD/JPEGImages/c\.jpg is missing",
    ),
    "wrong known_hash": (lambda f: archive(f), None, "sha256:" + "0" * 64, ValueError, "not the archive that was expected"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DOWNLOADS)
def test_a_bad_download_is_refused_and_leaves_nothing(name, files, digests, place):
    make, sent, known_hash, exception, said = BAD_DOWNLOADS[name]
    with server(make(files), sent) as (url, _), pytest.raises(exception, match=said) as caught:
        prepare(place / "bccd", url=url, known_hash=known_hash, digests=digests, progress=False)
    assert url in str(caught.value)
    assert list(place.iterdir()) == []


def test_without_network_the_way_by_hand_is_told(place):
    with server(b"") as (url, _):
        pass  # closed again: the connection is refused
    with pytest.raises(ConnectionError, match=r"could not be fetched.*cnx data bccd --from THE_ZIP"):
        prepare(place / "new" / "folder" / "bccd", url=url, progress=False)
    assert list(place.iterdir()) == []


def unpacked(files, folder: Path) -> Path:
    for name, content in files.items():
        file = folder / "BCCD_Dataset" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder / "BCCD_Dataset"


@pytest.mark.parametrize("given", ["the folder above", "the repository", "its BCCD folder", "the zip"])
def test_a_local_copy_is_taken_however_it_is_given(given, files, digests, place, tmp_path):
    repository = unpacked(files, tmp_path / "copy")
    (tmp_path / "downloaded.zip").write_bytes(archive(files))
    source = {
        "the folder above": repository.parent,
        "the repository": repository,
        "its BCCD folder": repository / "BCCD",
        "the zip": tmp_path / "downloaded.zip",
    }[given]
    assert prepare(place / "bccd", source, digests=digests).images == {"train": 2, "val": 1, "test": 1}


def test_line_ends_that_git_on_windows_made_are_accepted(files, digests, place, tmp_path):
    windows = {name: v if name.endswith(".jpg") else v.replace(b"\n", b"\r\n") for name, v in files.items()}
    assert prepare(place / "bccd", unpacked(windows, tmp_path / "copy"), digests=digests).images["train"] == 2


def test_a_copy_without_test_images_makes_train_and_val(files, digests, place, tmp_path):
    repository = unpacked(files, tmp_path / "copy")
    (repository / "BCCD" / "JPEGImages" / "d.jpg").unlink()
    known = [line for line in digests.read_text(encoding="utf-8").splitlines() if "/d." not in line]
    digests.write_text("\n".join(known), encoding="utf-8")
    assert prepare(place / "bccd", repository, digests=digests).images == {"train": 2, "val": 1}


def test_a_source_that_is_not_there_is_named_even_beside_a_copy(files, digests, place, tmp_path):
    repository = unpacked(files, tmp_path / "copy")
    with pytest.raises(FileNotFoundError, match=r"typo\.zip is not there"):
        prepare(place / "bccd", repository / "typo.zip", digests=digests)
    with pytest.raises(ValueError, match="is no copy of the BCCD_Dataset repository"):
        prepare(place / "bccd", place, digests=digests)
    assert list(place.iterdir()) == []


def test_names_in_the_zip_cannot_lead_out_of_it(files, digests, place, tmp_path):
    source = tmp_path / "evil.zip"
    with zipfile.ZipFile(source, "w") as writer:
        writer.writestr("../../../escaped.txt", b"x")
        writer.writestr("/escaped.txt", b"x")
        for name, content in files.items():
            writer.writestr(f"BCCD_Dataset/{name}", content)
    prepare(place / "bccd", source, digests=digests)
    assert not list(tmp_path.rglob("escaped.txt")) and not Path("/escaped.txt").exists()


def test_what_is_there_stays_unless_overwrite_is_asked_for(files, digests, place, tmp_path):
    (place / "bccd" / "images").mkdir(parents=True)
    (place / "bccd" / "images" / "mine.txt").write_text("mine", encoding="utf-8")
    source = unpacked(files, tmp_path / "copy")
    with pytest.raises(FileExistsError, match=r"--out.*--overwrite"):
        prepare(place / "bccd", source, digests=digests)
    (source / "BCCD" / "JPEGImages" / "b.jpg").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"b\.jpg"):
        prepare(place / "bccd", source, digests=digests, overwrite=True)
    assert listing(place) == {"bccd/images/mine.txt": b"mine"}
    (source / "BCCD" / "JPEGImages" / "b.jpg").write_bytes(files["BCCD/JPEGImages/b.jpg"])
    assert prepare(place / "bccd", source, digests=digests, overwrite=True).images["train"] == 2
    assert "bccd/images/mine.txt" not in listing(place) and [p.name for p in place.iterdir()] == ["bccd"]


@contextmanager
def small_disk(folder: Path, options: str):
    """A disk in memory at `folder`; only root may mount one."""
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("needs a small disk of its own: mounting one is refused here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("way", ["download", "folder"])
def test_a_full_disk_keeps_the_old_set_and_says_what_to_do(way, files, digests, place, tmp_path):
    source = None if way == "download" else unpacked(files, tmp_path / "copy")
    with small_disk(place, "size=32k"), server(archive(files) + bytes(64_000)) as (url, _):
        (place / "bccd" / "images").mkdir(parents=True)
        (place / "bccd" / "images" / "mine.txt").write_text("mine", encoding="utf-8")
        (place / "filler").write_bytes(bytes(20_480))
        with pytest.raises(OSError, match=r"No space left on device while writing.*--out"):
            prepare(place / "bccd", source, url=url, digests=digests, overwrite=True, progress=False)
        assert listing(place) == {"bccd/images/mine.txt": b"mine", "filler": bytes(20_480)}
        assert sorted(p.name for p in place.iterdir()) == ["bccd", "filler"]


def test_a_read_only_disk_is_told_before_anything_is_fetched(files, digests, place):
    with small_disk(place, "size=1m,ro"), server(archive(files)) as (url, requests):
        with pytest.raises(OSError, match=r"cannot write into .*Read-only file system.*--out"):
            prepare(place / "bccd", url=url, digests=digests, progress=False)
    assert not requests


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one child process")
def test_ctrl_c_during_the_download_keeps_the_old_set(files, digests, place):
    (place / "bccd" / "images").mkdir(parents=True)
    (place / "bccd" / "images" / "mine.txt").write_text("mine", encoding="utf-8")
    code = (
        "import signal, sys; from pathlib import Path; from cnx_tutorial.data.bccd import prepare\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background without it\n"
        "prepare(Path(sys.argv[1]), url=sys.argv[2], digests=Path(sys.argv[3]), overwrite=True, progress=False)"
    )
    with server(archive(files) + bytes(1_000_000), seconds_per_kb=0.05) as (url, requests):
        command = [sys.executable, "-c", code, str(place / "bccd"), url, str(digests)]
        child = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        deadline = time.monotonic() + 60
        while not any(p.stat().st_size for p in place.glob(".bccd-*/*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        half_way = len(list(place.iterdir()))
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert requests and half_way == 2, said
    assert "KeyboardInterrupt" in said and child.returncode not in (0, None)
    assert listing(place) == {"bccd/images/mine.txt": b"mine"} and [p.name for p in place.iterdir()] == ["bccd"]


def test_an_interruption_while_the_new_set_takes_its_place_brings_the_old_one_back(tmp_path):
    out, made = tmp_path / "bccd", tmp_path / "made"
    (out / "images").mkdir(parents=True)
    (out / "images" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileNotFoundError):  # there is no new set to put in the place
        bccd.replace(out, made, tmp_path / "old")
    assert listing(tmp_path) == {"bccd/images/mine.txt": b"mine"}


def test_the_yaml_leads_to_the_set_from_any_folder(bccd_source, tmp_path, monkeypatch):
    from ultralytics.data.utils import check_det_dataset

    (tmp_path / "elsewhere").mkdir()
    prepare(tmp_path / "bccd", bccd_source)
    shutil.copy(DATASETS / "bccd.yaml", tmp_path)
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = check_det_dataset("../bccd.yaml", autodownload=False)
    assert Path(found["train"]) == (tmp_path / "bccd" / "images" / "train").resolve()
    assert list(found["names"].values()) == list(bccd.NAMES)
