"""Misconceptions of notebook 07: corners to a label, through the letterbox, a turned image, an auditor of one's own."""

from cnx_tutorial.teaching.checks.engine import Steps, function


# ---------------------------------------------------------------- exercise 1
def corners(rng):
    width, height = (int(side) for side in rng.integers(8, 400, 2))
    x1, y1 = (round(float(rng.uniform(0, side)), 1) for side in (width, height))
    return x1, y1, round(float(rng.uniform(x1, width)), 1), round(float(rng.uniform(y1, height)), 1), width, height


CORNER_FIRST = "those are the upper left corner and the size; a label has the centre"
SIDES_SWAPPED = "x belongs to the width of the image and y to its height"
yolo_box = function(
    "yolo_box",
    "a label's four numbers",
    "centre and size as fractions of the image",
    right=Steps(
        "x1, y1, x2, y2, width, height",
        x=lambda x1, x2: (x1 + x2) / 2,
        y=lambda y1, y2: (y1 + y2) / 2,
        w=lambda x1, x2: x2 - x1,
        h=lambda y1, y2: y2 - y1,
        across=lambda width: width,
        down=lambda height: height,
        label=lambda x, y, w, h, across, down: (x / across, y / down, w / across, h / down),
    ),
    rows=[
        (CORNER_FIRST, {"x": lambda x1: x1, "y": lambda y1: y1}),
        ("those are pixels; a label has fractions of the image: divide by its width and height", {"across": lambda: 1, "down": lambda: 1}),
        (SIDES_SWAPPED, {"across": lambda height: height, "down": lambda width: width}),
        ("everything was divided by the width; y and the height of the box belong to the image's height", {"down": lambda width: width}),
        ("everything was divided by the height; x and the width of the box belong to the image's width", {"across": lambda height: height}),
        ("the last two are a corner; a label ends in the width and height of the box", {"w": lambda x2: x2, "h": lambda y2: y2}),
        ("the size was halved: only the centre is a mean", {"w": lambda x1, x2: (x2 - x1) / 2, "h": lambda y1, y2: (y2 - y1) / 2}),
        ("one pixel too many: corners are positions here, so that the width is x2 - x1", {"w": lambda x1, x2: x2 - x1 + 1, "h": lambda y1, y2: y2 - y1 + 1}),
        ("half the difference is half the size of the box; its centre is half the sum of the corners", {"x": lambda x1, x2: (x2 - x1) / 2, "y": lambda y1, y2: (y2 - y1) / 2}),
        ("the sum of two corners is twice the centre", {"x": lambda x1, x2: x1 + x2, "y": lambda y1, y2: y1 + y2}),
        ("those are the two corners as fractions of the image; a label has a centre and a size", {"x": lambda x1: x1, "y": lambda y1: y1, "w": lambda x2: x2, "h": lambda y2: y2}),
        ("x1 + x2 / 2 halves x2 alone: the sum of the corners needs parentheses", {"x": lambda x1, x2: x1 + x2 / 2, "y": lambda y1, y2: y1 + y2 / 2}),
        ("x2 - x1 / width divides x1 alone: the difference needs parentheses", {"label": lambda x, y, x1, y1, x2, y2, across, down: (x / across, y / down, x2 - x1 / across, y2 - y1 / down)}),
        ("the size may be negative only if the corners are swapped: take the second corner minus the first", {"w": lambda x1, x2: x1 - x2, "h": lambda y1, y2: y1 - y2}),
    ],
    pinned=[(4, 2, 8, 8, 20, 10), (0, 0, 320, 240, 320, 240)],
    draw=corners,
    in_error="it takes x1, y1, x2, y2, width and height, and returns four numbers",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 2
def label(rng):
    x, y, w, h = (round(float(part), 2) for part in (*rng.uniform(0.2, 0.8, 2), *rng.uniform(0.05, 0.3, 2)))
    return x, y, w, h, *(int(side) for side in rng.integers(8, 200, 2)), int(rng.integers(16, 200))


letterbox_box = function(
    "letterbox_box",
    "the corners of a box in the square",
    "corners in the square, for wide and high images, made smaller and larger",
    right=Steps(
        "x, y, w, h, width, height, size",
        scale=lambda width, height, size: (min(size / width, size / height),) * 2,
        border=lambda width, height, size, scale: ((size - width * scale[0]) / 2, (size - height * scale[1]) / 2),
        centre=lambda x, y, width, height, scale: (x * width * scale[0], y * height * scale[1]),
        half=lambda w, h, width, height, scale: (w * width * scale[0] / 2, h * height * scale[1] / 2),
        first=lambda centre, half, border: [c - s + b for c, s, b in zip(centre, half, border, strict=True)],
        second=lambda centre, half, border: [c + s + b for c, s, b in zip(centre, half, border, strict=True)],
        result=lambda first, second: (*first, *second),
    ),
    rows=[
        ("the grey border is missing: half of what the scaled image leaves free lies at the left and above", {"border": lambda: (0, 0)}),
        ("all the grey is on one side; half of it belongs to each", {"border": lambda width, height, size, scale: (size - width * scale[0], size - height * scale[1])}),
        ("the image was stretched: both sides have one scale, the smaller of the two", {"scale": lambda width, height, size: (size / width, size / height)}),
        ("the larger scale was taken, so that the image does not fit into the square: take the smaller", {"scale": lambda width, height, size: (max(size / width, size / height),) * 2}),
        ("the scale is always that of the width; an image that is higher than wide is scaled by its height", {"scale": lambda width, size: (size / width,) * 2}),
        ("the scale is always that of the height; an image that is wider than high is scaled by its width", {"scale": lambda height, size: (size / height,) * 2}),
        ("a small image is made larger: its scale is above 1", {"scale": lambda width, height, size: (min(size / width, size / height, 1.0),) * 2}),
        ("the result is a centre and a size; the exercise asks for the corners", {"result": lambda centre, half, border: (*(c + b for c, b in zip(centre, border, strict=True)), 2 * half[0], 2 * half[1])}),
        ("x and y were read as the upper left corner; they are the centre", {"first": lambda centre, border: [c + b for c, b in zip(centre, border, strict=True)], "second": lambda centre, half, border: [c + 2 * s + b for c, s, b in zip(centre, half, border, strict=True)]}),
        ("the corners are in pixels of the image; multiply by the scale", {"scale": lambda: (1, 1), "border": lambda: (0, 0)}),
        ("the border was added to corners in pixels of the image: these have to be scaled first", {"centre": lambda x, y, width, height: (x * width, y * height), "half": lambda w, h, width, height: (w * width / 2, h * height / 2)}),
        ("the grey border was scaled too: scale first, then shift", {"border": lambda width, height, size, scale: ((size - width * scale[0]) / 2 * scale[0], (size - height * scale[1]) / 2 * scale[1])}),
        ("left and top are swapped: what is left over of the width lies at the left, of the height above", {"border": lambda width, height, size, scale: ((size - height * scale[1]) / 2, (size - width * scale[0]) / 2)}),
        ("the border was added to the first corner alone; it moves both", {"second": lambda centre, half: [c + s for c, s in zip(centre, half, strict=True)]}),
        ("from the centre to an edge it is half the width or height, not the whole", {"half": lambda w, h, width, height, scale: (w * width * scale[0], h * height * scale[1])}),
        ("those are fractions of the square; the exercise asks for its pixels: multiply by size", {"result": lambda first, second, size: [corner / size for corner in (*first, *second)]}),
    ],
    pinned=[(0.5, 0.5, 0.2, 0.4, 80, 60, 40), (0.25, 0.75, 0.1, 0.2, 60, 90, 30), (0.3, 0.4, 0.2, 0.2, 32, 16, 64)],
    draw=label,
    in_error="it takes x, y, w, h, width, height and size, and returns four numbers",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 3
def boxes(rng):
    return ([(int(rng.integers(0, 5)), *(round(float(part), 3) for part in rng.uniform(0.05, 0.95, 4))) for _ in range(rng.integers(0, 5))],)


turned = function(
    "turned",
    "labels after a clockwise quarter turn of the image",
    "a clockwise quarter turn, for lists of boxes of any length",
    right=Steps("boxes", turn=lambda: lambda k, x, y, w, h: (k, 1 - y, x, h, w), all=lambda boxes, turn: [turn(*box) for box in boxes]),
    rows=[
        ("that is a turn to the left: here the left edge becomes the top", {"turn": lambda: lambda k, x, y, w, h: (k, y, 1 - x, h, w)}),
        ("the image was mirrored along its diagonal: after swapping x and y one of them must be 1 minus itself", {"turn": lambda: lambda k, x, y, w, h: (k, y, x, h, w)}),
        ("only the new x is 1 minus something: the left edge (x = 0) becomes the top, where y = 0", {"turn": lambda: lambda k, x, y, w, h: (k, 1 - y, 1 - x, h, w)}),
        ("width and height of the box are swapped by a quarter turn", {"turn": lambda: lambda k, x, y, w, h: (k, 1 - y, x, w, h)}),
        ("the centre moves too: the top edge becomes the right edge", {"turn": lambda: lambda k, x, y, w, h: (k, x, y, h, w)}),
        ("that is half a turn; a quarter turn swaps x and y", {"turn": lambda: lambda k, x, y, w, h: (k, 1 - x, 1 - y, w, h)}),
        ("that is a flip from left to right; a turn swaps x and y", {"turn": lambda: lambda k, x, y, w, h: (k, 1 - x, y, w, h)}),
        ("that is a flip from top to bottom; a turn swaps x and y", {"turn": lambda: lambda k, x, y, w, h: (k, x, 1 - y, w, h)}),
        ("the class of each box stays, in front of its numbers", {"turn": lambda: lambda k, x, y, w, h: (1 - y, x, h, w)}),
        ("the class of each box stays as it is", {"turn": lambda: lambda k, x, y, w, h: (0, 1 - y, x, h, w)}),
    ],
    pinned=[([(1, 0.1, 0.2, 0.05, 0.3), (0, 0.7, 0.45, 0.2, 0.1)],), ([],)],
    draw=boxes,
    in_error="it takes a list of boxes, each with five numbers, and returns such a list",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 4
def find_faults(
    text, classes, *, start=1, empty=False, skip=False, highest=lambda kind, classes: kind >= classes, negative=False, half=False,
    read=float, extra=False, few=False, flat=lambda w, h: min(w, h) <= 0, reach=(0.5, 0.5), edges="left top right bottom", slack=1e-3, every=False,
    order=("class", "area", "outside"), lines=str.splitlines,
):  # fmt: skip
    found = []
    for number, line in enumerate([line for line in lines(text) if line.strip() or not skip], start):
        if not line.strip() and not empty:
            continue
        try:
            cells = line.split()[:5] if extra else line.split()
            kind, x, y, w, h = map(float, cells)
            read(cells[0])
        except ValueError:
            found += [] if few and len(line.split()) < 5 else [(number, "fields")]
            continue
        out = {"left": x - reach[0] * w < -slack, "top": y - reach[0] * h < -slack}
        out |= {"right": x + reach[1] * w > 1 + slack, "bottom": y + reach[1] * h > 1 + slack}
        bad = ["class"] if highest(kind, classes) or (kind < 0 and not negative) or (kind % 1 and not half) else []
        bad += ["area"] * flat(w, h) + ["outside"] * any(out[edge] for edge in edges.split())
        bad.sort(key=order.index)
        found += [(number, fault) for fault in (bad if every else bad[:1])]
    return found


def label_file(rng):
    """Lines with one fault, with two, and with none; faults at their exact limits among them."""

    def line():
        kind = str(rng.choice(["0", "1", "2", "3", "-1", "1.5", "2.0"], p=[0.3, 0.25, 0.15, 0.1, 0.08, 0.07, 0.05]))
        w, h = (float(rng.choice([0.1, 0.3, 0.0, -0.2], p=[0.5, 0.38, 0.06, 0.06])) for _ in range(2))
        places = [0.5, abs(w) / 2, 1 - abs(w) / 2, abs(w) / 2 - 0.0008, 1 - abs(w) / 2 + 0.004, 0.01, 0.99, 1.3]
        x, y = (float(rng.choice(places, p=[0.5, 0.1, 0.1, 0.06, 0.06, 0.06, 0.06, 0.06])) for _ in range(2))
        cells = [kind, *(f"{part:.5f}" for part in (x, y, w, h))]
        form = rng.choice(["whole", "short", "long", "word", "blank"], p=[0.72, 0.07, 0.07, 0.07, 0.07])
        return {"whole": " ".join(cells), "short": " ".join(cells[:4]), "long": " ".join([*cells, "0.5"]), "word": "RBC 0.5 0.5 0.1 0.1", "blank": rng.choice(["", "  "])}[form]  # fmt: skip

    return "\n".join(str(line()) for _ in range(rng.integers(0, 7))), int(rng.integers(1, 4))


CRASH = 'a line can be empty (no fault), hold words, or too few or too many numbers (the fault "fields"); and int() refuses a class such as 0.5, which float() reads'
label_faults = function(
    "label_faults",
    "(line, fault) for each bad line of a label file",
    "every planted fault, on its line, and nothing else",
    right=find_faults,
    rows=[
        ("lines are counted from 1", {"start": 0}),
        ("an empty line is no fault", {"empty": True}),
        ("empty lines count: the number is that of the line in the file", {"skip": True}),
        ("a class equal to the number of classes is out of range: they count from 0", {"highest": lambda kind, classes: kind > classes}),
        ("a class of the number of classes or more is out of range", {"highest": lambda kind, classes: False}),
        ("a negative class is out of range", {"negative": True}),
        ("a class of 0.5 is no class: it is a whole number", {"half": True}),
        ('int("0.5") raises an error, but 0.5 is a number: read it with float, and see then whether it is whole: "class"', {"read": int}),
        ("six numbers are not five: none may be left over", {"extra": True}),
        ("four numbers are not five: a line that is too short is a fault", {"few": True}),
        ("a width or height of exactly 0 leaves no area either", {"flat": lambda w, h: min(w, h) < 0}),
        ("two negative sides have a positive product: look at each side by itself", {"flat": lambda w, h: w * h <= 0}),
        ("a box needs both sides: the height counts as the width does", {"flat": lambda w, h: w <= 0}),
        ("a box needs both sides: the width counts as the height does", {"flat": lambda w, h: h <= 0}),
        ("a line with two faults gets the one that stands first in the list: area comes before outside", {"order": ("class", "outside", "area")}),
        ("a line with two faults gets the one that stands first in the list: class comes first", {"order": ("area", "outside", "class")}),
        ("the centre lies inside, and the box may stick out all the same: look at x - w / 2 and x + w / 2", {"reach": (0, 0)}),
        ("from the centre to an edge it is half the width or height", {"reach": (1, 1)}),
        ("x and y are the centre, not the upper left corner", {"reach": (0, 1)}),
        ("a box may stick out at the left and above too, where x - w / 2 or y - h / 2 is negative", {"edges": "right bottom"}),
        ("a box may stick out at the right and below too, where x + w / 2 or y + h / 2 is above 1", {"edges": "left top"}),
        ("a box may stick out above and below, too: the same for y and h", {"edges": "left right"}),
        ("a box may stick out at the left and at the right, too: the same for x and w", {"edges": "top bottom"}),
        ("a box that sticks out by more than 0.001 is a fault, even if it is only 0.005", {"slack": 0.01}),
        ("labels are rounded: a box may stick out by 0.001", {"slack": 0.0}),
        ("one fault for each line: the first that applies", {"every": True}),
        ("the last line counts, with or without a line break after it", {"lines": lambda text: text.split("\n")[:-1]}),
        ("split at the ends of lines, not at every blank: splitlines()", {"lines": str.split}),
    ],
    pinned=[
        ("0 0.5 0.5 0.2 0.2\n1 0.1 0.2 0.1 0.1\n", 3),
        ("3 0.5 0.5 0.1 0.1\n\n-1 0.5 0.5 0.1 0.1\n0.5 0.5 0.5 0.1 0.1\n", 3),
        ("1 0.5 0.5 0 0.1\n1 0.5 0.5 0.1 -0.2\n\n1 0.98 0.5 0.2 0.1\n1 0.5 0.02 0.1 0.1\n1 0.95 0.5 0.1001 0.1", 2),
        ("1 0.5 0.5\nRBC 0.5 0.5 0.1 0.1\n0 1 2 3 4 5\n7 1.5 0.5 0.0 0.1\n1 0.5 1.2 0.1 0.1", 2),
        ("1 0.95 0.5 0.11 0.1\n1 0.9 0.1 0.15 0.15\n1 0.5 0.5 -0.1 -0.2\n1 1.5 0.5 0.0 0.1", 2),
        ("0\t0.5 0.5  0.2 0.2", 1),
        ("", 1),
    ],
    draw=label_file,
    in_error=CRASH,
)  # fmt: skip
