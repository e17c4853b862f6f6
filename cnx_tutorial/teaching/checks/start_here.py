"""Checkers of notebook 00: places of the maps, cells counted by class, a number's place in memory."""

from cnx_tutorial.teaching.checks.asking import ask
from cnx_tutorial.teaching.checks.runner import exercise

ONE_SIDE = "a map has rows and columns: multiply both, each divided by the stride"
SQUARE = "the image need not be square: rows come from the height and columns from the width"
STRIDE_ONCE = "the stride divides both sides, so the area by its square"
NO_HEIGHT = "the height is not used: a map has height / stride rows"
FINEST = "that is the finest map alone; add up all of them"
COARSEST = "that is the coarsest map alone: += adds a map, = replaces what was there"
LISTED = "those are the places of each map; asked is one number, their sum"
ADDED = "rows and columns were added; multiply them"
STRIDES_FIXED = "the strides argument is not used: 8, 16, 32 is only its default"
PLACES = "none of the usual mistakes; 64 x 32 pixels have 8*4 + 4*2 + 2*1 = 42 places"
PLACES_CALL = "it takes height, width and strides, and strides may be left out"

MORE_THAN = "a confidence equal to least is enough: >="
NO_LEAST = "least is not used: count only those that are confident enough"
NO_ZEROS = "a class of which nothing was found has the number 0: every name is in the dictionary"
INDICES = "the keys are names, not numbers: names[kind]"
SUMMED = "confidences were added up; count 1 for each cell"
OTHER_WAY = "the others were counted: those below least"
ALL_CLASSES = "cells of all classes were counted under each name"
COUNTED = "none of the usual mistakes; try an empty list first, then one cell"
NO_DICTIONARY = "the result is a dictionary, with the names as keys"
NAMES_FIXED = "the names argument is not used: another detector has other classes"
COUNTED_CALL = (
    "it takes found, names and least, and found may be empty; a KeyError says that the key is not there yet: "
    "begin with a 0 for every name, and turn the class into its name"
)

LAST_AXES_SWAPPED = "row and column are swapped: columns lie side by side"
CHANNELS_LAST = "that is the order (N, H, W, C), with channels side by side; here columns are"
NO_IMAGE = "the image's number is not used: each image has C * H * W numbers"
NO_CHANNEL = "the channel is not used: each channel has H * W numbers"
FROM_ONE = "positions are counted from 0"
SIDES_SWAPPED = "a row has W numbers and a channel has H rows: H and W are swapped"
CHANNELS_BY_N = "between two images lie C channels, not N"
FIRST_FASTEST = "there the first index moves fastest; in PyTorch it is the last, so that columns lie side by side"
OWN_LENGTH = "each index was multiplied by the length of its own axis; its step is the product of the lengths behind it"
ADDED_INDICES = "the indices were added; each has a step of its own: 1, W, H * W, C * H * W"
OFFSET = "none of the usual mistakes; in (2, 3, 4, 5), the number (1, 2, 3, 4) is the last, at 119"
OFFSET_CALL = "it takes shape and four indices"


# ---------------------------------------------------------------- exercise 1
def _places(height, width, strides=(8, 16, 32)):
    return sum((height // s) * (width // s) for s in strides)


SIZES = ((320, 320), (64, 32), (640, 480), (128, 256, (4, 8)), (96, 96, (32,)))
WRONG_PLACES = {
    ONE_SIDE: lambda h, w, s=(8, 16, 32): sum(h // k for k in s),
    SQUARE: lambda h, w, s=(8, 16, 32): sum((h // k) ** 2 for k in s),
    STRIDE_ONCE: lambda h, w, s=(8, 16, 32): sum(h * w // k for k in s),
    NO_HEIGHT: lambda h, w, s=(8, 16, 32): sum((w // k) ** 2 for k in s),
    FINEST: lambda h, w, s=(8, 16, 32): (h // s[0]) * (w // s[0]),
    COARSEST: lambda h, w, s=(8, 16, 32): (h // s[-1]) * (w // s[-1]),
    LISTED: lambda h, w, s=(8, 16, 32): [(h // k) * (w // k) for k in s],
    ADDED: lambda h, w, s=(8, 16, 32): sum(h // k + w // k for k in s),
    STRIDES_FIXED: lambda h, w, s=(8, 16, 32): _places(h, w),
}


@exercise("the places of all maps, for five images")
def places_of(answer: object) -> None:
    """Check `places_of(height, width, strides=(8, 16, 32))`: places of all maps together."""
    ask(answer, SIZES, _places, WRONG_PLACES, PLACES, arguments=PLACES_CALL)


# ---------------------------------------------------------------- exercise 2
def _counted(
    found,
    names,
    least,
    *,
    enough=lambda c, least: c >= least,
    zeros=True,
    key=lambda names, kind: names[kind],
    add=lambda c: 1,
):
    count = dict.fromkeys(names, 0) if zeros else {}
    for kind, confidence in found:
        if enough(confidence, least):
            name = key(names, kind)
            count[name] = count.get(name, 0) + add(confidence)
    return count


BLOOD = ["Platelets", "RBC", "WBC"]
FINDS = (
    ([(1, 0.9), (1, 0.5), (2, 0.25), (1, 0.1)], BLOOD, 0.5),
    ([], BLOOD, 0.1),
    ([(0, 0.3), (1, 0.8)], ["square", "disc"], 0.25),
)
WRONG_COUNTED = {
    MORE_THAN: lambda f, n, t: _counted(f, n, t, enough=lambda c, least: c > least),
    NO_LEAST: lambda f, n, t: _counted(f, n, t, enough=lambda c, least: True),
    NO_ZEROS: lambda f, n, t: _counted(f, n, t, zeros=False),
    INDICES: lambda f, n, t: _counted(f, range(len(n)), t, key=lambda names, kind: kind),
    SUMMED: lambda f, n, t: _counted(f, n, t, add=lambda c: c),
    OTHER_WAY: lambda f, n, t: _counted(f, n, t, enough=lambda c, least: c < least),
    ALL_CLASSES: lambda f, n, t: dict.fromkeys(n, sum(c >= t for _, c in f)),
    NO_DICTIONARY: lambda f, n, t: list(_counted(f, n, t).values()),
    NAMES_FIXED: lambda f, n, t: _counted(f, BLOOD, t),
}


@exercise("cells by class, for three lists, one of them empty")
def counted(answer: object) -> None:
    """Check `counted(found, names, least)`: cells of each class that are confident enough."""
    ask(answer, FINDS, _counted, WRONG_COUNTED, COUNTED, arguments=COUNTED_CALL)


# ---------------------------------------------------------------- exercise 3
def _offset(shape, n, c, h, w):
    _, channels, height, width = shape
    return ((n * channels + c) * height + h) * width + w


INDEX = (
    ((2, 3, 4, 5), 1, 2, 3, 4),
    ((2, 3, 4, 5), 0, 0, 0, 3),
    ((4, 3, 2, 7), 3, 1, 1, 0),
    ((1, 8, 3, 2), 0, 5, 2, 1),
    ((3, 2, 5, 5), 2, 0, 0, 0),
)
WRONG_OFFSET = {
    LAST_AXES_SWAPPED: lambda s, n, c, h, w: ((n * s[1] + c) * s[3] + w) * s[2] + h,
    CHANNELS_LAST: lambda s, n, c, h, w: ((n * s[2] + h) * s[3] + w) * s[1] + c,
    NO_IMAGE: lambda s, n, c, h, w: _offset(s, 0, c, h, w),
    NO_CHANNEL: lambda s, n, c, h, w: _offset(s, n, 0, h, w),
    FROM_ONE: lambda s, n, c, h, w: _offset(s, n, c, h, w) + 1,
    SIDES_SWAPPED: lambda s, n, c, h, w: ((n * s[1] + c) * s[3] + h) * s[2] + w,
    CHANNELS_BY_N: lambda s, n, c, h, w: ((n * s[0] + c) * s[2] + h) * s[3] + w,
    FIRST_FASTEST: lambda s, n, c, h, w: n + s[0] * (c + s[1] * (h + s[2] * w)),
    OWN_LENGTH: lambda s, n, c, h, w: n * s[0] + c * s[1] + h * s[2] + w * s[3],
    ADDED_INDICES: lambda s, n, c, h, w: n + c + h + w,
}


@exercise("the place in memory that PyTorch uses, for five numbers")
def offset_of(answer: object) -> None:
    """Check `offset_of(shape, n, c, h, w)`: a number's position in a contiguous tensor."""
    ask(answer, INDEX, _offset, WRONG_OFFSET, OFFSET, arguments=OFFSET_CALL, tolerance=0.0)
