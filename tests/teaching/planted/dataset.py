"""Right and wrong answers to the exercises of notebook 06."""

import re

from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import dataset as said

CHECKS = said


# ---------------------------------------------------------------- exercise 1: yolo_box
def by_size(x1, y1, x2, y2, width, height):
    w, h = (x2 - x1) / width, (y2 - y1) / height
    return [x1 / width + w / 2, y1 / height + h / 2, w, h]


def yolo(change):
    """A right box, changed before or after."""
    return lambda x1, y1, x2, y2, width, height: change(x1, y1, x2, y2, width, height)


YOLO_RIGHT = {
    "mean of corners": lambda x1, y1, x2, y2, w, h: (
        (x1 + x2) / (2 * w),
        (y1 + y2) / (2 * h),
        (x2 - x1) / w,
        (y2 - y1) / h,
    ),
    "by size": by_size,
}
YOLO_WRONG = {
    "corner": (lambda x1, y1, x2, y2, w, h: (x1 / w, y1 / h, (x2 - x1) / w, (y2 - y1) / h), said.CORNER_FIRST),
    "pixels": (lambda x1, y1, x2, y2, w, h: ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), said.IN_PIXELS),
    "height for width": (lambda x1, y1, x2, y2, w, h: by_size(x1, y1, x2, y2, h, w), said.SIDES_SWAPPED),
    "width for both": (lambda x1, y1, x2, y2, w, h: by_size(x1, y1, x2, y2, w, w), said.ONE_SIDE),
    "second corner": (lambda x1, y1, x2, y2, w, h: (*by_size(x1, y1, x2, y2, w, h)[:2], x2 / w, y2 / h), said.NO_SIZE),
    "half the size": (
        lambda x1, y1, x2, y2, w, h: [v / d for v, d in zip(by_size(x1, y1, x2, y2, w, h), (1, 1, 2, 2), strict=True)],
        said.HALF_SIZE,
    ),
    "pixels counted": (
        lambda x1, y1, x2, y2, w, h: (*by_size(x1, y1, x2, y2, w, h)[:2], (x2 - x1 + 1) / w, (y2 - y1 + 1) / h),
        said.PLUS_ONE,
    ),
    "half the difference": (
        lambda x1, y1, x2, y2, w, h: ((x2 - x1) / 2 / w, (y2 - y1) / 2 / h, (x2 - x1) / w, (y2 - y1) / h),
        said.HALF_DIFFERENCE,
    ),
    "not halved": (
        lambda x1, y1, x2, y2, w, h: ((x1 + x2) / w, (y1 + y2) / h, *by_size(x1, y1, x2, y2, w, h)[2:]),
        said.NOT_HALVED,
    ),
    "corners as parts": (lambda x1, y1, x2, y2, w, h: (x1 / w, y1 / h, x2 / w, y2 / h), said.CORNERS_KEPT),
    "sum without parentheses": (
        lambda x1, y1, x2, y2, w, h: ((x1 + x2 / 2) / w, (y1 + y2 / 2) / h, *by_size(x1, y1, x2, y2, w, h)[2:]),
        said.SUM_UNCLOSED,
    ),
    "difference without parentheses": (
        lambda x1, y1, x2, y2, w, h: (*by_size(x1, y1, x2, y2, w, h)[:2], x2 - x1 / w, y2 - y1 / h),
        said.DIFFERENCE_UNCLOSED,
    ),
    "the corners": (lambda x1, y1, x2, y2, w, h: (x1, y1, x2, y2), said.YOLO_BOX),
    "five arguments": (lambda x1, y1, x2, y2, w: (x1, y1, x2, y2), said.YOLO_BOX_CALL),
}


# ---------------------------------------------------------------- exercise 2: letterbox_box
def boxed(x, y, w, h, width, height, size, *, pick=min, border=(0.5, 0.5), stretch=False, scaled=True, shrink=False):
    factor = pick(size / width, size / height)
    fx, fy = (size / width, size / height) if stretch else (factor, factor)
    left, top = (size - width * fx) * border[0], (size - height * fy) * border[1]
    if shrink:
        left, top = left * factor, top * factor
    if not scaled:
        fx = fy = 1
    x, y, w, h = x * width * fx, y * height * fy, w * width * fx, h * height * fy
    return x - w / 2 + left, y - h / 2 + top, x + w / 2 + left, y + h / 2 + top


def through_pixels(x, y, w, h, width, height, size):
    corners = [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
    factor = size / max(width, height)
    shift = ((size - width * factor) / 2, (size - height * factor) / 2) * 2
    return [corner * factor + s for corner, s in zip(corners, shift, strict=True)]


def as_centre(*label):
    x1, y1, x2, y2 = boxed(*label)
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def shifted(corners, left, top):
    x1, y1, x2, y2 = corners
    return x1 + left, y1 + top, x2 + left, y2 + top


def grey(width, height, size):
    """Border at the left and above."""
    across, down = size * width / max(width, height), size * height / max(width, height)
    return (size - across) / 2, (size - down) / 2


def not_larger(x, y, w, h, width, height, size):
    factor = min(size / max(width, height), 1)
    x, y, w, h = x * width * factor, y * height * factor, w * width * factor, h * height * factor
    border = (size - width * factor) / 2, (size - height * factor) / 2
    return shifted((x - w / 2, y - h / 2, x + w / 2, y + h / 2), *border)


BOXED_RIGHT = {"centre first": boxed, "through pixels": through_pixels}
BOXED_WRONG = {
    "no border": (lambda *a: boxed(*a, border=(0, 0)), said.NO_GREY),
    "border at one side": (lambda *a: boxed(*a, border=(1, 1)), said.ALL_GREY),
    "stretched": (lambda *a: boxed(*a, stretch=True), said.STRETCHED),
    "larger scale": (lambda *a: boxed(*a, pick=max), said.LARGER_SCALE),
    "centre and size": (as_centre, said.CENTRE_LEFT),
    "corner read": (lambda x, y, w, h, *a: boxed(x + w / 2, y + h / 2, w, h, *a), said.CORNER_READ),
    "not scaled": (lambda *a: boxed(*a, scaled=False, border=(0, 0)), said.NOT_SCALED),
    "border scaled": (lambda *a: boxed(*a, shrink=True), said.GREY_SCALED),
    "border on pixels of the image": (
        lambda *a: shifted(boxed(*a, scaled=False, border=(0, 0)), *grey(*a[4:])),
        said.NOT_SCALED_SHIFTED,
    ),
    "left and top": (lambda *a: shifted(boxed(*a, border=(0, 0)), *reversed(grey(*a[4:]))), said.GREY_SWAPPED),
    "not larger": (not_larger, said.NOT_LARGER),
    "by width": (lambda *a: boxed(*a, pick=lambda across, down: across), said.BY_WIDTH),
    "one corner": (lambda *a: (*boxed(*a)[:2], *boxed(*a, border=(0, 0))[2:]), said.ONE_CORNER),
    "whole width": (
        lambda x, y, w, h, *a: [*boxed(x - w / 2, y - h / 2, w, h, *a)[:2], *boxed(x + w / 2, y + h / 2, w, h, *a)[2:]],
        said.WHOLE_WIDTH,
    ),
    "parts of the square": (lambda *a: [v / a[-1] for v in boxed(*a)], said.IN_PARTS),
    "the label": (lambda x, y, w, h, width, height, size: (x, y, w, h), said.LETTERBOX),
    "one box": (lambda box, width, height, size: box, said.LETTERBOX_CALL),
}


# ---------------------------------------------------------------- exercise 3: turned
def of_each(change):
    return lambda boxes: [change(*box) for box in boxes]


def by_corners(boxes):
    result = []
    for kind, x, y, w, h in boxes:
        left, top, right, bottom = x - w / 2, y - h / 2, x + w / 2, y + h / 2
        left, top, right, bottom = 1 - bottom, left, 1 - top, right
        result.append([kind, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top])
    return result


def in_place(boxes):
    for i, (kind, x, y, w, h) in enumerate(boxes):
        boxes[i] = (kind, 1 - y, x, h, w)
    return boxes


TURNED_RIGHT = {"centres": of_each(lambda k, x, y, w, h: (k, 1 - y, x, h, w)), "corners": by_corners}
TURNED_WRONG = {
    "to the left": (of_each(lambda k, x, y, w, h: (k, y, 1 - x, h, w)), said.OTHER_WAY),
    "diagonal": (of_each(lambda k, x, y, w, h: (k, y, x, h, w)), said.MIRRORED),
    "other diagonal": (of_each(lambda k, x, y, w, h: (k, 1 - y, 1 - x, h, w)), said.OTHER_DIAGONAL),
    "size kept": (of_each(lambda k, x, y, w, h: (k, 1 - y, x, w, h)), said.SIZE_KEPT),
    "size only": (of_each(lambda k, x, y, w, h: (k, x, y, h, w)), said.ONLY_SIZE),
    "half a turn": (of_each(lambda k, x, y, w, h: (k, 1 - x, 1 - y, w, h)), said.HALF_TURN),
    "flipped": (of_each(lambda k, x, y, w, h: (k, 1 - x, y, w, h)), said.FLIPPED),
    "without class": (of_each(lambda k, x, y, w, h: (1 - y, x, h, w)), said.CLASS_LOST),
    "as it was": (lambda boxes: list(boxes), said.TURNED),
    "in place": (in_place, "an operation that changes its input"),
    "one box": (lambda boxes: boxes[0][4] + boxes[1], said.TURNED_CALL),
}
SENTENCES = {"an operation that changes its input"}


# ---------------------------------------------------------------- exercise 4: label_faults
def kind_of(
    cells,
    classes,
    *,
    whole=lambda k, n: k == int(k) and 0 <= k < n,
    flat=lambda s: s <= 0,
    area=None,
    slack=0.001,
    edges="both",
    number=float,
    at_most=5,
    order=("class", "area", "outside"),
):
    try:
        numbers = [float(cell) for cell in cells]
        number(*cells[:1])
    except ValueError:
        return ["fields"]
    if not 5 <= len(numbers) <= at_most:
        return ["fields"]
    kind, x, y, w, h = numbers[:5]
    low, high = min(x - w / 2, y - h / 2), max(x + w / 2, y + h / 2)
    if edges == "centre":
        low, high = min(x, y), max(x, y)
    if edges == "across":
        low, high = x - w / 2, x + w / 2
    if edges == "whole":
        low, high = min(x - w, y - h), max(x + w, y + h)
    if edges == "corner":
        low, high = min(x, y), max(x + w, y + h)
    out = (edges != "left" and high > 1 + slack) or (edges != "right" and low < -slack)
    said_of = {"class": not whole(kind, classes), "area": area(w, h) if area else flat(w) or flat(h), "outside": out}
    return [fault for fault in order if said_of[fault]]


def auditor(*, first=1, blank=False, keep=True, all_of=False, **options):
    def label_faults(text, classes):
        found = []
        lines = text.split("\n") if keep else [line for line in text.split("\n") if line.strip()]
        for number, line in enumerate(lines, first):
            if line.strip() or (blank and number < len(lines)):
                faults = kind_of(line.split(), classes, **options)
                found += [(number, fault) for fault in (faults if all_of else faults[:1])]
        return found

    return label_faults


def by_pattern(text, classes):
    number = r"[-+]?\d*\.?\d+(?:e-?\d+)?"
    found = []
    for i, line in enumerate(text.splitlines()):
        cells = line.split()
        if cells:
            good = len(cells) == 5 and all(re.fullmatch(number, cell) for cell in cells)
            faults = kind_of(cells, classes) if good else ["fields"]
            found += [[i + 1, faults[0]]] if faults else []
    return found


FAULTS_RIGHT = {"try": auditor(), "by pattern": by_pattern}
FAULTS_WRONG = {
    "from zero": (auditor(first=0), said.FROM_ZERO),
    "empty lines": (auditor(blank=True), said.EMPTY_FAULT),
    "empty lines skipped": (auditor(keep=False), said.EMPTY_SKIPPED),
    "class up to classes": (auditor(whole=lambda k, n: k == int(k) and 0 <= k <= n), said.CLASS_CEILING),
    "class below zero": (auditor(whole=lambda k, n: k == int(k) and k < n), said.CLASS_NEGATIVE),
    "half a class": (auditor(whole=lambda k, n: 0 <= k < n), said.HALF_CLASS),
    "zero area": (auditor(flat=lambda side: side < 0), said.NO_AREA_ZERO),
    "int": (auditor(number=int), said.INT_CLASS),
    "first five of six": (auditor(at_most=6), said.EXTRA_NUMBERS),
    "width times height": (auditor(area=lambda w, h: w * h <= 0), said.AREA_PRODUCT),
    "outside first": (auditor(order=("class", "outside", "area")), said.AREA_LAST),
    "across only": (auditor(edges="across"), said.ACROSS_ONLY),
    "one hundredth": (auditor(slack=0.01), said.MUCH_TOLERANCE),
    "int without try": (lambda text, classes: [(int(cell), "class") for cell in text.split()], said.TEXT_CRASH),
    "centre only": (auditor(edges="centre"), said.CENTRE_ONLY),
    "right only": (auditor(edges="right"), said.RIGHT_ONLY),
    "left only": (auditor(edges="left"), said.LEFT_ONLY),
    "whole size": (auditor(edges="whole"), said.WHOLE_SIZE),
    "corner and size": (auditor(edges="corner"), said.CORNER_AND_SIZE),
    "no tolerance": (auditor(slack=0.0), said.NO_TOLERANCE),
    "all faults": (auditor(all_of=True), said.ALL_FAULTS),
    "nothing": (lambda text, classes: [], said.FAULTS),
    "words crash": (lambda text, classes: [float(cell) for cell in text.split()], said.TEXT_CRASH),
}

RIGHT = {
    check.yolo_box: YOLO_RIGHT,
    check.letterbox_box: BOXED_RIGHT,
    check.turned: TURNED_RIGHT,
    check.label_faults: FAULTS_RIGHT,
}
WRONG = {
    check.yolo_box: YOLO_WRONG,
    check.letterbox_box: BOXED_WRONG,
    check.turned: TURNED_WRONG,
    check.label_faults: FAULTS_WRONG,
}
