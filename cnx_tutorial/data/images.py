"""Will Ultralytics read this image? Looks, and changes nothing.

Ultralytics opens each image with Pillow first and leaves out an image that does not pass. It rewrites a JPEG without an end mark. In training
it decodes with OpenCV, and stops at an image that OpenCV cannot decode.
Source: `check_image` in ultralytics/data/utils.py and `imread` in ultralytics/utils/patches.py 8.4.190.
"""

import hashlib
import importlib.util
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

SUFFIXES = ("avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp")
THROUGH_PILLOW = (".avif", ".heic", ".heif")  # formats that Ultralytics decodes with Pillow where OpenCV cannot
LARGEST = 2 * 2**30  # bytes
SMALLEST = 10  # pixels of the shorter side


@dataclass
class Look:
    """What was seen of an image file. fault: why it spoils a training; left_out: Ultralytics goes on without it; note: what Ultralytics will do."""

    digest: str
    fault: str = ""
    left_out: bool = False
    note: str = ""


def look_at(file: Path, channels: int = 3) -> Look:
    """Read an image file whole, as Ultralytics will.

    Args:
        file: the image file.
        channels: of the data YAML, 3 unless it says otherwise.
    """
    try:
        if not file.exists():
            raise Refused("is listed but not there; remove the line or restore the image")
        if not file.is_file():
            raise Refused("is not a regular file, so reading it may never end; remove it")
        if (size := file.stat().st_size) > LARGEST:
            raise Refused(f"has {size / 2**30:.0f} GiB, so it is no image that can be trained on; remove it")
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        note = passes_pillow(file)
    except Refused as error:
        return Look(f"broken {file}", str(error), left_out=True)
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError and its own for damaged files
        reason = str(error).replace(str(file), file.name)[:200]
        return Look(f"broken {file}", f"does not decode as an image ({reason}); replace or remove it", left_out=True)
    if not decodes(file, channels):
        return Look(
            digest, "does not decode as an image with OpenCV, so that training would stop at it; save it as PNG or JPEG"
        )
    return Look(digest, note=note)


class Refused(Exception):
    """An image that is whole, but that Ultralytics leaves out."""


def passes_pillow(file: Path) -> str:
    """What Ultralytics will do to the image (mostly nothing: empty); any exception means that it leaves the image out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large images and odd tags
        with open_image(file) as image:
            image.verify()
            size, kind = image.size, (image.format or "").lower()
    if min(size) < SMALLEST:
        raise Refused(
            f"is {size[0]} x {size[1]} pixels, and Ultralytics leaves out images below {SMALLEST} pixels; remove or enlarge it"
        )
    if kind not in SUFFIXES and kind != "jpeg2000":
        raise Refused(
            f"is a {kind.upper()} image whatever its name says, and Ultralytics leaves those out; save it as PNG or JPEG"
        )
    if kind not in ("jpg", "jpeg"):
        return ""
    with file.open("rb") as content:
        content.seek(-2, 2)
        if content.read() == b"\xff\xd9":
            return ""
    with open_image(file) as image:
        image.load()
    return "does not end as a JPEG does; Ultralytics will write it anew when it trains. Save it again yourself to decide how"


def open_image(file: Path) -> Image.Image:
    """Pillow's own `Image.open`. The one that Ultralytics puts in its place may install a package; here it is used only where it is there."""
    patches = sys.modules.get("ultralytics.utils.patches")
    opened = getattr(patches, "_image_open", Image.open)
    try:
        return opened(file)
    except UnidentifiedImageError:
        if importlib.util.find_spec("pi_heif") is None:
            if file.suffix.lower() in (".heic", ".heif"):
                raise Refused("is a HEIC image, which needs one more package: pip install pi-heif") from None
            raise
        from pi_heif import register_heif_opener

        register_heif_opener()
        return opened(file)


def decodes(file: Path, channels: int) -> bool:
    """Whether OpenCV, or Pillow for some formats, makes pixels of the file."""
    flag = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR}.get(channels, cv2.IMREAD_UNCHANGED)
    try:
        if cv2.imdecode(np.fromfile(file, np.uint8), flag) is not None:
            return True
        if file.suffix.lower() not in THROUGH_PILLOW:
            return False
        with open_image(file) as image:
            image.convert("RGB")
        return True
    except Exception:  # OpenCV and Pillow raise their own kinds
        return False
