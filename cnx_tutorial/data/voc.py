"""Pascal VOC annotations to YOLO labels: corners in pixels become centre and size in parts of the image."""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from cnx_tutorial.data.labels import format_box

LARGEST = 10**6  # pixels of a side


def voc_to_yolo(file: Path, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Convert one annotation.

    Args:
        file: a VOC XML with `size` and `object` elements; xmin, ymin, xmax, ymax in pixels.
        names: class names; a box's class id is its name's place in them.

    Returns:
        Label lines `class x y width height`, and a sentence for each box that was dropped because it has no area. Boxes are cut at the border;
        corners in the wrong order are exchanged, blanks around names taken off.

    Raises:
        ValueError: the file is no VOC annotation, holds a number that is not finite or a size that no image has, or names a class that is not
            in `names`; the message names the file.
    """
    try:
        root = ElementTree.parse(file).getroot()
        width, height = (number(root.findtext(f"size/{side}")) for side in ("width", "height"))
        if not (0 < width <= LARGEST and 0 < height <= LARGEST):
            raise ValueError(f"the image is {width:g} x {height:g}")
        found = [
            (
                (o.findtext("name") or "").strip(),
                *(number(o.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax")),
            )
            for o in root.findall("object")
        ]
    except (ElementTree.ParseError, TypeError, ValueError, LookupError) as error:
        raise ValueError(
            f"{file} is not a Pascal VOC annotation with size, name and bndbox in numbers: {error}"
        ) from error
    lines, dropped = [], []
    for name, *corners in found:
        if name not in names:
            raise ValueError(f"{file} has a box of class {name!r}; expected one of {', '.join(names)}")
        x1, x2 = sorted(min(max(x, 0), width) for x in corners[::2])
        y1, y2 = sorted(min(max(y, 0), height) for y in corners[1::2])
        if round((x2 - x1) / width, 6) <= 0 or round((y2 - y1) / height, 6) <= 0:  # the digits of a label line
            dropped.append(f"{name} box without area, corners {', '.join(f'{c:g}' for c in corners)}")
            continue
        lines.append(format_box(names.index(name), x1, y1, x2, y2, width, height))
    return lines, dropped


def number(text: str | None) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text.strip()} is no place in an image")
    return value
