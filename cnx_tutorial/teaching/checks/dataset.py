"""Checkers of notebook 06: corners to a label, through the letterbox, a turned image, an auditor of one's own."""

from cnx_tutorial.teaching.checks.asking import ask
from cnx_tutorial.teaching.checks.runner import exercise

CORNER_FIRST = "those are the upper left corner and the size; a label has the centre"
IN_PIXELS = "those are pixels; a label has parts of the image: divide by its width and height"
SIDES_SWAPPED = "x belongs to the width of the image and y to its height"
ONE_SIDE = "everything was divided by the width; y and the height of the box belong to the image's height"
NO_SIZE = "the last two are a corner; a label ends in the width and height of the box"
HALF_SIZE = "the size was halved: only the centre is a mean"
PLUS_ONE = "one pixel too many: corners are places here, so that the width is x2 - x1"
HALF_DIFFERENCE = "half the difference is half the size of the box; its centre is half the sum of the corners"
NOT_HALVED = "the sum of two corners is twice the centre"
CORNERS_KEPT = "those are the two corners as parts of the image; a label has a centre and a size"
SUM_UNCLOSED = "x1 + x2 / 2 halves x2 alone: the sum of the corners needs parentheses"
DIFFERENCE_UNCLOSED = "x2 - x1 / width divides x1 alone: the difference needs parentheses"
YOLO_BOX = "none of the usual mistakes; (4, 2) to (8, 8) in 20 x 10 pixels is (0.3, 0.5, 0.2, 0.6)"
YOLO_BOX_CALL = "it takes x1, y1, x2, y2, width and height, and returns four numbers"

NO_GREY = "the grey border is missing: half of what the scaled image leaves free lies at the left and above"
ALL_GREY = "all the grey is on one side; half of it belongs to each"
STRETCHED = "the image was stretched: both sides have one scale, the smaller of the two"
LARGER_SCALE = "the larger scale was taken, so that the image does not fit into the square: take the smaller"
CENTRE_LEFT = "the result is a centre and a size; asked are the corners"
CORNER_READ = "x and y were read as the upper left corner; they are the centre"
NOT_SCALED = "the corners are in pixels of the image; multiply by the scale"
GREY_SCALED = "the grey border was scaled too: scale first, then shift"
NOT_SCALED_SHIFTED = "the border was added to corners in pixels of the image: these have to be scaled first"
GREY_SWAPPED = "left and top are swapped: what is left over of the width lies at the left, of the height above"
NOT_LARGER = "a small image is made larger: its scale is above 1"
BY_WIDTH = "the scale is always that of the width; an image that is higher than wide is scaled by its height"
ONE_CORNER = "the border was added to the first corner alone; it moves both"
WHOLE_WIDTH = "from the centre to an edge it is half the width or height, not the whole"
IN_PARTS = "those are parts of the square; asked are its pixels: multiply by size"
LETTERBOX = "none of the usual mistakes; draw the square, the image in it, and the box in the image"
LETTERBOX_CALL = "it takes x, y, w, h, width, height and size, and returns four numbers"

OTHER_WAY = "that is a turn to the left: here the left edge becomes the top"
MIRRORED = "the image was mirrored along its diagonal: after swapping x and y one of them must be 1 minus itself"
OTHER_DIAGONAL = "only the new x is 1 minus something: the left edge (x = 0) becomes the top, where y = 0"
SIZE_KEPT = "width and height of the box are swapped by a quarter turn"
ONLY_SIZE = "the centre moves too: the top edge becomes the right edge"
HALF_TURN = "that is half a turn; a quarter turn swaps x and y"
FLIPPED = "that is a flip from left to right; a turn swaps x and y"
CLASS_LOST = "the class of each box stays, in front of its numbers"
TURNED = "none of the usual mistakes; a box at x = 0.1, y = 0.2 ends at x = 0.8, y = 0.1"
TURNED_CALL = "it takes a list of boxes, each with five numbers, and returns such a list"

FROM_ZERO = "lines are counted from 1"
EMPTY_FAULT = "an empty line is no fault"
EMPTY_SKIPPED = "empty lines count: the number is that of the line in the file"
CLASS_CEILING = "a class equal to the number of classes is out of range: they count from 0"
CLASS_NEGATIVE = "a negative class is out of range"
HALF_CLASS = "a class of 0.5 is no class: it is a whole number"
INT_CLASS = (
    'int("0.5") raises an error, but 0.5 is a number: read it with float, and see then whether it is whole: "class"'
)
EXTRA_NUMBERS = "six numbers are not five: none may be left over"
NO_AREA_ZERO = "a width of exactly 0 has no area either"
AREA_PRODUCT = "two negative sides have a positive product: look at each side by itself"
AREA_LAST = "a line with two faults gets the one that stands first in the list: area comes before outside"
CENTRE_ONLY = "the centre lies inside, and the box may stick out all the same: look at x - w / 2 and x + w / 2"
NO_TOLERANCE = "labels are rounded: a box may stick out by 0.001"
RIGHT_ONLY = "a box may stick out at the left and above too, where x - w / 2 or y - h / 2 is negative"
MUCH_TOLERANCE = "a box that sticks out by more than 0.001 is a fault, even if it is only 0.005"
LEFT_ONLY = "a box may stick out at the right and below too, where x + w / 2 or y + h / 2 is above 1"
WHOLE_SIZE = "from the centre to an edge it is half the width or height"
CORNER_AND_SIZE = "x and y are the centre, not the upper left corner"
ACROSS_ONLY = "a box may stick out above and below, too: the same for y and h"
ALL_FAULTS = "one fault for each line: the first that applies"
TEXT_CRASH = (
    'a line can be empty (no fault), or hold words, or too few or too many numbers (the fault "fields"); '
    "and int() refuses a class such as 0.5, which float() reads"
)
FAULTS = "none of the usual mistakes; try one line at a time, and compare with the list in the exercise"
FAULTS_CALL = TEXT_CRASH


# ---------------------------------------------------------------- exercise 1
def _yolo(x1, y1, x2, y2, width, height):
    return (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height


CORNERS = ((4, 2, 8, 8, 20, 10), (0, 0, 320, 240, 320, 240), (10.5, 20, 30, 50, 64, 128))
WRONG_YOLO = {
    CORNER_FIRST: lambda x1, y1, x2, y2, w, h: (x1 / w, y1 / h, (x2 - x1) / w, (y2 - y1) / h),
    IN_PIXELS: lambda x1, y1, x2, y2, w, h: _yolo(x1, y1, x2, y2, 1, 1),
    SIDES_SWAPPED: lambda x1, y1, x2, y2, w, h: _yolo(x1, y1, x2, y2, h, w),
    ONE_SIDE: lambda x1, y1, x2, y2, w, h: _yolo(x1, y1, x2, y2, w, w),
    NO_SIZE: lambda x1, y1, x2, y2, w, h: ((x1 + x2) / 2 / w, (y1 + y2) / 2 / h, x2 / w, y2 / h),
    HALF_SIZE: lambda x1, y1, x2, y2, w, h: (
        (x1 + x2) / 2 / w,
        (y1 + y2) / 2 / h,
        (x2 - x1) / 2 / w,
        (y2 - y1) / 2 / h,
    ),
    PLUS_ONE: lambda x1, y1, x2, y2, w, h: ((x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1 + 1) / w, (y2 - y1 + 1) / h),
    HALF_DIFFERENCE: lambda x1, y1, x2, y2, w, h: (*_yolo(-x1, -y1, x2, y2, w, h)[:2], (x2 - x1) / w, (y2 - y1) / h),
    NOT_HALVED: lambda x1, y1, x2, y2, w, h: ((x1 + x2) / w, (y1 + y2) / h, (x2 - x1) / w, (y2 - y1) / h),
    CORNERS_KEPT: lambda x1, y1, x2, y2, w, h: (x1 / w, y1 / h, x2 / w, y2 / h),
    SUM_UNCLOSED: lambda x1, y1, x2, y2, w, h: ((x1 + x2 / 2) / w, (y1 + y2 / 2) / h, (x2 - x1) / w, (y2 - y1) / h),
    DIFFERENCE_UNCLOSED: lambda x1, y1, x2, y2, w, h: ((x1 + x2) / 2 / w, (y1 + y2) / 2 / h, x2 - x1 / w, y2 - y1 / h),
}


@exercise("centre and size as parts of the image, for three boxes")
def yolo_box(answer: object) -> None:
    """Check `yolo_box(x1, y1, x2, y2, width, height)`: a label's four numbers."""
    ask(answer, CORNERS, _yolo, WRONG_YOLO, YOLO_BOX, arguments=YOLO_BOX_CALL)


# ---------------------------------------------------------------- exercise 2
def _boxed(x, y, w, h, width, height, size, *, scales=None, grey=0.5, centre=True, corners=True, after=1.0):
    sx, sy = scales or (min(size / width, size / height),) * 2
    left, top = (size - width * sx) * grey * after, (size - height * sy) * grey * after
    dx, dy = (w / 2, h / 2) if centre else (0, 0)
    x1, y1 = (x - dx) * width * sx + left, (y - dy) * height * sy + top
    if not corners:
        return x * width * sx + left, y * height * sy + top, w * width * sx, h * height * sy
    return x1, y1, x1 + w * width * sx, y1 + h * height * sy


def _scale(width, height, size):
    return min(size / width, size / height)


def _moved(corners, across, down):
    return tuple(corner + move for corner, move in zip(corners, (across, down) * 2, strict=True))


def _border(width, height, size):
    scale = _scale(width, height, size)
    return (size - width * scale) / 2, (size - height * scale) / 2


LABELS = ((0.5, 0.5, 0.2, 0.4, 80, 60, 40), (0.25, 0.75, 0.1, 0.2, 60, 90, 30), (0.3, 0.4, 0.2, 0.2, 32, 16, 64))
WRONG_BOXED = {
    NO_GREY: lambda *a: _boxed(*a, grey=0.0),
    ALL_GREY: lambda *a: _boxed(*a, grey=1.0),
    STRETCHED: lambda *a: _boxed(*a, scales=(a[6] / a[4], a[6] / a[5])),
    LARGER_SCALE: lambda *a: _boxed(*a, scales=(max(a[6] / a[4], a[6] / a[5]),) * 2),
    CENTRE_LEFT: lambda *a: _boxed(*a, corners=False),
    CORNER_READ: lambda *a: _boxed(*a, centre=False),
    NOT_SCALED: lambda *a: _boxed(*a, scales=(1.0, 1.0), grey=0.0),
    GREY_SCALED: lambda *a: _boxed(*a, after=_scale(*a[4:])),
    NOT_SCALED_SHIFTED: lambda *a: _moved(_boxed(*a, scales=(1.0, 1.0), grey=0.0), *_border(*a[4:])),
    GREY_SWAPPED: lambda *a: _moved(_boxed(*a, grey=0.0), *_border(*a[4:])[::-1]),
    NOT_LARGER: lambda *a: _boxed(*a, scales=(min(_scale(*a[4:]), 1.0),) * 2),
    BY_WIDTH: lambda *a: _boxed(*a, scales=(a[6] / a[4],) * 2),
    ONE_CORNER: lambda *a: (*_boxed(*a)[:2], *_boxed(*a, grey=0.0)[2:]),
    WHOLE_WIDTH: lambda x, y, w, h, *a: _boxed(x, y, 2 * w, 2 * h, *a),
    IN_PARTS: lambda *a: [corner / a[6] for corner in _boxed(*a)],
}


@exercise("corners in the square, for wide and high images, made smaller and larger")
def letterbox_box(answer: object) -> None:
    """Check `letterbox_box(x, y, w, h, width, height, size)`: corners in the square."""
    ask(answer, LABELS, _boxed, WRONG_BOXED, LETTERBOX, arguments=LETTERBOX_CALL)


# ---------------------------------------------------------------- exercise 3
def _each(change):
    return lambda boxes: [change(*box) for box in boxes]


BOXES = (([(1, 0.1, 0.2, 0.05, 0.3), (0, 0.7, 0.45, 0.2, 0.1)],), ([],), ([(2, 0.5, 0.9, 0.4, 0.15)],))
WRONG_TURNED = {
    OTHER_WAY: _each(lambda k, x, y, w, h: (k, y, 1 - x, h, w)),
    MIRRORED: _each(lambda k, x, y, w, h: (k, y, x, h, w)),
    OTHER_DIAGONAL: _each(lambda k, x, y, w, h: (k, 1 - y, 1 - x, h, w)),
    SIZE_KEPT: _each(lambda k, x, y, w, h: (k, 1 - y, x, w, h)),
    ONLY_SIZE: _each(lambda k, x, y, w, h: (k, x, y, h, w)),
    HALF_TURN: _each(lambda k, x, y, w, h: (k, 1 - x, 1 - y, w, h)),
    FLIPPED: _each(lambda k, x, y, w, h: (k, 1 - x, y, w, h)),
    CLASS_LOST: _each(lambda k, x, y, w, h: (1 - y, x, h, w)),
}


@exercise("a clockwise quarter turn, for three lists of boxes")
def turned(answer: object) -> None:
    """Check `turned(boxes)`: labels after a clockwise quarter turn."""
    ask(answer, BOXES, _each(lambda k, x, y, w, h: (k, 1 - y, x, h, w)), WRONG_TURNED, TURNED, arguments=TURNED_CALL)


# ---------------------------------------------------------------- exercise 4
def _faults(
    text,
    classes,
    *,
    start=1,
    empty=False,
    skip=False,
    ceiling=False,
    negative=False,
    half=False,
    far="both",
    slack=1e-3,
    every=False,
    read=float,
    extra=False,
    flat=lambda w, h: min(w, h) <= 0,
    order=("class", "area", "outside"),
):
    found, lines = [], text.splitlines()
    if skip:
        lines = [line for line in lines if line.strip()]
    for number, line in enumerate(lines, start):
        if not line.strip() and not empty:
            continue
        try:
            cells = line.split()[:5] if extra else line.split()
            kind, x, y, w, h = map(float, cells)
            read(cells[0])
        except ValueError:
            found.append((number, "fields"))
            continue
        bad = []
        if (kind > classes if ceiling else kind >= classes) or (kind < 0 and not negative) or (kind % 1 and not half):
            bad.append("class")
        if flat(w, h):
            bad.append("area")
        before, after = {"centre": (0, 0), "whole": (1, 1), "corner": (0, 1)}.get(far, (0.5, 0.5))
        left, top, right, bottom = x - before * w, y - before * h, x + after * w, y + after * h
        low, high = (left, right) if far == "across" else (min(left, top), max(right, bottom))
        if (low < -slack and far != "right") or (high > 1 + slack and far != "left"):
            bad.append("outside")
        bad.sort(key=order.index)
        found += [(number, fault) for fault in (bad if every else bad[:1])]
    return found


FILES = (
    ("0 0.5 0.5 0.2 0.2\n1 0.1 0.2 0.1 0.1\n", 3),
    ("3 0.5 0.5 0.1 0.1\n\n-1 0.5 0.5 0.1 0.1\n0.5 0.5 0.5 0.1 0.1\n", 3),
    ("1 0.5 0.5 0 0.1\n1 0.5 0.5 0.1 -0.2\n\n1 0.98 0.5 0.2 0.1\n1 0.5 0.02 0.1 0.1\n1 0.95 0.5 0.1001 0.1", 2),
    ("1 0.5 0.5\nRBC 0.5 0.5 0.1 0.1\n0 1 2 3 4 5\n7 1.5 0.5 0.0 0.1\n1 0.5 1.2 0.1 0.1", 2),
    ("1 0.95 0.5 0.11 0.1\n1 0.9 0.1 0.15 0.15\n1 0.5 0.5 -0.1 -0.2\n1 1.5 0.5 0.0 0.1", 2),
    ("", 1),
)
WRONG_FAULTS = {
    FROM_ZERO: lambda t, c: _faults(t, c, start=0),
    EMPTY_FAULT: lambda t, c: _faults(t, c, empty=True),
    EMPTY_SKIPPED: lambda t, c: _faults(t, c, skip=True),
    CLASS_CEILING: lambda t, c: _faults(t, c, ceiling=True),
    CLASS_NEGATIVE: lambda t, c: _faults(t, c, negative=True),
    HALF_CLASS: lambda t, c: _faults(t, c, half=True),
    INT_CLASS: lambda t, c: _faults(t, c, read=int),
    EXTRA_NUMBERS: lambda t, c: _faults(t, c, extra=True),
    NO_AREA_ZERO: lambda t, c: _faults(t, c, flat=lambda w, h: min(w, h) < 0),
    AREA_PRODUCT: lambda t, c: _faults(t, c, flat=lambda w, h: w * h <= 0),
    AREA_LAST: lambda t, c: _faults(t, c, order=("class", "outside", "area")),
    CENTRE_ONLY: lambda t, c: _faults(t, c, far="centre"),
    RIGHT_ONLY: lambda t, c: _faults(t, c, far="right"),
    LEFT_ONLY: lambda t, c: _faults(t, c, far="left"),
    WHOLE_SIZE: lambda t, c: _faults(t, c, far="whole"),
    CORNER_AND_SIZE: lambda t, c: _faults(t, c, far="corner"),
    ACROSS_ONLY: lambda t, c: _faults(t, c, far="across"),
    MUCH_TOLERANCE: lambda t, c: _faults(t, c, slack=0.01),
    NO_TOLERANCE: lambda t, c: _faults(t, c, slack=0.0),
    ALL_FAULTS: lambda t, c: _faults(t, c, every=True),
}


@exercise("every planted fault, on its line, and nothing else, for six files")
def label_faults(answer: object) -> None:
    """Check `label_faults(text, classes)`: (line, fault) for each bad line of a label file."""
    ask(answer, FILES, _faults, WRONG_FAULTS, FAULTS, arguments=FAULTS_CALL)
