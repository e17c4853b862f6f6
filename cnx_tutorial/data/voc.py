"""Pascal VOC annotations to YOLO labels: corners in pixels become centre and size in parts of the image."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path


def voc_to_yolo(file: Path, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Convert one annotation.

    Args:
        file: a VOC XML with `size` and `object` elements; xmin, ymin, xmax, ymax in pixels.
        names: class names; a box's class id is its name's place in them.

    Returns:
        Label lines `class x y width height`, and a sentence for each box that was dropped because it has no area. Boxes are cut at the border.

    Raises:
        ValueError: the file is no VOC annotation, or names a class that is not in `names`; the message names the file.
    """
    try:
        root = ElementTree.parse(file).getroot()
        width, height = (float(root.findtext(f"size/{side}")) for side in ("width", "height"))
        found = [
            (o.findtext("name"), *(float(o.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax")))
            for o in root.findall("object")
        ]
        if width <= 0 or height <= 0:
            raise ValueError(f"the image is {width:g} x {height:g}")
    except (ElementTree.ParseError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} is not a Pascal VOC annotation with size, name and bndbox in numbers: {error}"
        ) from error
    lines, dropped = [], []
    for name, *corners in found:
        if name not in names:
            raise ValueError(f"{file} has a box of class {name!r}; expected one of {', '.join(names)}")
        x1, x2 = (min(max(x, 0), width) for x in corners[::2])
        y1, y2 = (min(max(y, 0), height) for y in corners[1::2])
        if x2 <= x1 or y2 <= y1:
            dropped.append(f"{name} box without area, corners {', '.join(f'{c:g}' for c in corners)}")
            continue
        centre_and_size = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        lines.append(" ".join([str(names.index(name)), *(f"{v:.6f}" for v in centre_and_size)]))
    return lines, dropped
