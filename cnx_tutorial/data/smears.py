"""Draw blood smears: pictures of red cells, white cells and platelets whose boxes are known exactly, because we drew them.

Why: a detection set that needs no download, trains in minutes on a CPU, and is as hard in kind as a real one. Cells touch, overlap and are cut by
the edge; some red cells are pale; white cells come in five kinds; a picture may be out of focus, badly lit or tinted; and specks of stain and debris
lie about that look like platelets and have no label. Each picture has its own seed, so one can be drawn again alone.
Classes, sizes and counts after Shenggan/BCCD_Dataset, at half its resolution; all drawing is ours.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from tqdm import tqdm

from cnx_tutorial.data.labels import format_box
from cnx_tutorial.data.staging import may_write, replace, staging_beside

NAMES = ("Platelets", "RBC", "WBC")  # ids 0 1 2, as in BCCD
WIDTH, HEIGHT = 320, 240
SPLITS = {"train": 200, "val": 100, "test": 100}  # pictures of the committed set

Box = tuple[int, float, float, float, float]  # class, x1, y1, x2, y2 in pixels


def draw_smear(rng: np.random.Generator, width: int = WIDTH, height: int = HEIGHT) -> tuple[Image.Image, list[Box]]:
    """Draw one smear.

    Args:
        rng: source of all chance in the picture.
        width, height: in pixels; cells keep their size, so a larger picture shows more of them.

    Returns:
        The picture, and one (class, x1, y1, x2, y2) per cell, in pixels, cut at the border.
    """
    cells = place_cells(rng, width, height)
    stain = rng.uniform(-1, 1)  # one picture is pinker, the next greyer
    picture = background(rng, width, height, stain)
    for kind in (1, 2, 0):  # red cells lie lowest
        for cell in (c for c in cells if c[0] == kind):
            (platelet, red_cell, white_cell)[kind](picture, rng, stain, *cell[1:])
    litter(picture, rng, [cell for cell in cells if cell[0] != 1])
    picture *= rng.normal(1, 0.03, 3) * rng.uniform(0.82, 1.06)  # a colour cast, and a darker or brighter lamp
    picture += rng.normal(0, rng.uniform(1, 5), picture.shape)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    defocus = rng.uniform(0.3, 0.9) if rng.random() < 0.7 else rng.uniform(0.9, 2.2)
    return image.filter(ImageFilter.GaussianBlur(defocus)), [box_of(cell, width, height) for cell in cells]


def place_cells(rng: np.random.Generator, width: int, height: int) -> list[tuple]:
    """Find room for the cells: (class, x, y, a, b, angle, bumps), ellipses with half-axes a and b, and what `outline` does with bumps."""
    crowd = width * height / (WIDTH * HEIGHT)
    wanted = (
        [2] * rng.binomial(2, 0.5) + [1] * int(rng.integers(5, 22) * crowd) + [0] * rng.choice([0, 1, 1, 2, 2, 3, 5])
    )
    closest = rng.uniform(0.55, 0.95)  # how far apart the centres of two red cells are at least, in sums of their radii
    cells: list[tuple] = []
    for kind in wanted:
        radius = {0: rng.uniform(6, 12), 1: rng.uniform(18, 28), 2: rng.uniform(29, 58)}[kind]
        slim = {0: 0.75, 1: 0.7, 2: 0.82}[kind]
        shape = (
            radius,
            radius * rng.uniform(slim, 1),
            rng.uniform(0, np.pi),
            irregular(rng, (0.06, 0.022, 0.015)[kind]),
        )
        for _ in range(60):
            x, y = (rng.uniform(-0.3 * radius, side + 0.3 * radius) for side in (width, height))
            same = [o for o in cells if o[0] == kind]
            if same and kind != 2 and rng.random() < 0.4:  # cells come in clumps: beside one of their kind
                _, x, y, beside, *_ = same[rng.integers(len(same))]
                way, far = rng.uniform(0, 2 * np.pi), (closest if kind else 0.9) * (radius + beside)
                x, y = x + far * np.cos(way), y + far * np.sin(way)
                if not (-0.3 * radius < x < width + 0.3 * radius and -0.3 * radius < y < height + 0.3 * radius):
                    continue
            if all(np.hypot(x - o[1], y - o[2]) > apart(kind, o[0], closest) * (radius + o[3]) - 1e-6 for o in cells):
                cells.append((kind, x, y, *shape))
                break
    return cells


def apart(kind: int, other: int, closest: float) -> float:
    """The least distance of two centres in sums of their radii: red cells overlap, platelets may lie on red cells, nothing on a white cell."""
    if kind == other == 1:
        return closest
    if {kind, other} == {0, 1}:
        return 0.3
    return 0.94 if 1 in (kind, other) else 0.9


def irregular(rng: np.random.Generator, size: float) -> tuple:
    """How an outline leaves the ellipse: for three, four and five bumps around it, (height as a part of the radius, turn)."""
    return tuple((abs(rng.normal(0, size)), rng.uniform(0, 2 * np.pi)) for _ in range(3))


def outline(angle: np.ndarray, bumps: tuple) -> np.ndarray:
    """How far out the rim lies in the direction `angle`, in units of the ellipse."""
    return 1 + sum(height * np.cos(count * angle + turn) for count, (height, turn) in enumerate(bumps, 3))


def box_of(cell: tuple, width: int, height: int) -> Box:
    """The upright rectangle around a cell, cut at the border, to a tenth of a pixel."""
    kind, x, y, a, b, angle, *rest = cell
    way = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    rim = outline(way, *rest or [()])
    along, across = a * rim * np.cos(way), b * rim * np.sin(way)
    u, v = along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)
    left, top, right, bottom = (
        max(x + u.min(), 0),
        max(y + v.min(), 0),
        min(x + u.max(), width),
        min(y + v.max(), height),
    )
    return (kind, *(round(float(side), 1) for side in (left, top, right, bottom)))


def background(rng: np.random.Generator, width: int, height: int, stain: float) -> np.ndarray:
    """(H, W, 3) plasma: pale, lit unevenly."""
    colour = np.array([210, 211, 206]) + stain * np.array([6, -6, -4]) + rng.uniform(-12, 12)
    y, x = np.mgrid[0:height, 0:width] / max(width, height) - 0.5
    light = 1 + rng.uniform(-0.25, 0.25) * x + rng.uniform(-0.25, 0.25) * y - rng.uniform(0, 0.5) * (x**2 + y**2)
    return light[..., None] * colour


def around(picture: np.ndarray, x: float, y: float, reach: float) -> tuple[np.ndarray, float, float]:
    """The part of the picture at most `reach` from (x, y), as a view to paint on, and where (x, y) is in it."""
    left, top = max(int(x - reach), 0), max(int(y - reach), 0)
    return picture[top : max(int(y + reach) + 1, 0), left : max(int(x + reach) + 1, 0)], x - left, y - top


def paint(picture: np.ndarray, colour: np.ndarray, opacity: np.ndarray) -> None:
    """Mix `colour` into the picture where `opacity` (H, W) says so, in place."""
    picture += opacity[..., None] * (colour - picture)


def distance(
    picture: np.ndarray, x: float, y: float, a: float, b: float, angle: float, bumps: tuple = ()
) -> np.ndarray:
    """(H, W) distance from the centre in units of the outline: 1 on the rim."""
    v, u = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]] + 0.5
    u, v = u - x, v - y
    along, across = (u * np.cos(angle) + v * np.sin(angle)) / a, (v * np.cos(angle) - u * np.sin(angle)) / b
    return np.hypot(along, across) / outline(np.arctan2(across, along), bumps)


def inside(d: np.ndarray, radius: float, softness: float = 1.5) -> np.ndarray:
    """1 inside the rim, 0 outside, over about `softness` pixels."""
    return np.clip((1 - d) * radius / softness + 0.5, 0, 1)


def red_cell(picture, rng, stain, x, y, a, b, angle, bumps=()) -> None:
    """A disc with a pale centre, since red cells are thinner in the middle; one in eight is a ghost, little more than a rim."""
    picture, x, y = around(picture, x, y, 1.3 * a + 2)
    d = distance(picture, x, y, a, b, angle, bumps)
    colour = np.array([180, 136, 136]) + stain * np.array([8, -8, -6]) + rng.uniform(-14, 14)
    ghost = rng.random() < 0.125
    paleness = rng.uniform(0, 0.85) * np.exp(-((d / rng.uniform(0.35, 0.65)) ** rng.choice([2, 4])))
    rim = 0.14 * np.exp(-(((d - 0.93) / 0.07) ** 2))
    paint(picture, colour, inside(d, a) * ((0.3 if ghost else rng.uniform(0.66, 0.84)) * (1 - paleness)))
    paint(picture, 0.75 * colour, inside(d, a) * rim)
    if rng.random() < 0.15:  # a drop of light in the middle
        drop = distance(picture, x, y, rng.uniform(2, 4), rng.uniform(1.5, 3), angle)
        paint(picture, np.array([240, 226, 226]), 0.8 * inside(drop, 3))


def white_cell(picture, rng, stain, x, y, a, b, angle, bumps=()) -> None:
    """Pale cytoplasm around a dark nucleus: lobed, round and large, like a kidney, of two lobes among orange grains, or burst."""
    picture, x, y = around(picture, x, y, 1.3 * a + 2)
    kind = rng.choice(["lobed", "round", "kidney", "grains", "burst"], p=[0.4, 0.25, 0.15, 0.1, 0.1])
    d = distance(picture, x, y, a, b, angle, bumps)
    cytoplasm = np.array([192, 168, 206]) + stain * np.array([4, -6, -2]) + rng.uniform(-12, 12)
    paint(picture, cytoplasm, rng.uniform(0.5, 0.9) * inside(d, a, 3))
    if kind == "grains":
        grain = rng.random(d.shape) < 0.3
        paint(picture, np.array([206, 140, 130]), 0.6 * grain * inside(d * 1.06, a))
    nucleus = np.array([108, 76, 180]) + stain * np.array([12, -6, 0]) + rng.uniform(-18, 18)
    opacity = np.zeros(picture.shape[:2])
    for away, way, long, short in nuclei(rng, kind):
        spot = distance(picture, x + away * b * np.cos(way), y + away * b * np.sin(way), long * b, short * b, way)
        opacity = np.maximum(opacity, inside(spot, short * b, 8 if kind == "burst" else 3))
    mottle = rng.normal(0, 1, (d.shape[0] // 4 + 1, d.shape[1] // 4 + 1)).repeat(4, 0).repeat(4, 1)
    paint(
        picture, nucleus, (0.88 + 0.05 * mottle[: d.shape[0], : d.shape[1]]).clip(0, 1) * opacity * inside(d * 1.04, a)
    )


def nuclei(rng: np.random.Generator, kind: str) -> list[tuple[float, float, float, float]]:
    """The ellipses of a nucleus: (distance from the centre, direction, half-axes), lengths in units of the cell."""
    turn = rng.uniform(0, 2 * np.pi)
    if kind == "round":
        return [(rng.uniform(0, 0.1), turn, rng.uniform(0.72, 0.86), rng.uniform(0.66, 0.8))]
    if kind == "burst":
        return [(0.1, turn, 0.95, 0.8), (0.3, turn + rng.uniform(1, 5), 0.6, 0.6)]
    if kind == "kidney":
        return [(0.36, turn + way, 0.36, 0.4) for way in np.linspace(-1.3, 1.3, 7)]
    lobes = 2 if kind == "grains" else int(rng.integers(2, 6))
    spread = 2 * np.pi / lobes * rng.uniform(0.75, 1)
    return [
        (rng.uniform(0.3, 0.45), turn + i * spread, rng.uniform(0.3, 0.46), rng.uniform(0.26, 0.4))
        for i in range(lobes)
    ]


def platelet(picture, rng, stain, x, y, a, b, angle, bumps=()) -> None:
    """A small purple grain in a paler coat."""
    picture, x, y = around(picture, x, y, 1.3 * a + 2)
    d = distance(picture, x, y, a, b, angle, bumps)
    colour = np.array([134, 108, 188]) + stain * np.array([6, -4, 0]) + rng.uniform(-16, 16)
    paint(picture, colour, inside(d, a, 2) * (rng.uniform(0.4, 0.65) + 0.35 * np.exp(-((d / 0.55) ** 2))))


def litter(picture: np.ndarray, rng: np.random.Generator, cells: list[tuple]) -> None:
    """What is no cell and has no label: specks of stain, debris, rings of dust. None lies on a cell of `cells`."""
    height, width = picture.shape[:2]
    for _ in range(rng.integers(0, 8)):
        x, y, kind = (
            rng.uniform(0, width),
            rng.uniform(0, height),
            rng.choice(["stain", "debris", "ring"], p=[0.5, 0.3, 0.2]),
        )
        radius = {"stain": rng.uniform(1.5, 5), "debris": rng.uniform(5, 13), "ring": rng.uniform(2, 5)}[kind]
        if any(np.hypot(x - o[1], y - o[2]) < radius + 1.2 * o[3] for o in cells):
            continue
        part, x, y = around(picture, x, y, 2 * radius + 2)
        d = distance(part, x, y, radius, radius * rng.uniform(0.5, 1), rng.uniform(0, np.pi), irregular(rng, 0.12))
        if kind == "stain":  # as dark as a nucleus, with a hard edge and no coat
            paint(part, np.array([84, 66, 138]) + rng.uniform(-24, 24), rng.uniform(0.6, 0.95) * inside(d, radius, 1))
        elif kind == "debris":  # as large as a platelet, grey or brown
            paint(
                part, np.array([150, 140, 132]) + rng.uniform(-24, 24, 3), rng.uniform(0.3, 0.7) * inside(d, radius, 2)
            )
        else:
            paint(part, np.array([110, 110, 112]), 0.7 * np.exp(-(((d - 0.8) / 0.25) ** 2)))


def draw(
    out: Path,
    seed: int = 0,
    train: int = SPLITS["train"],
    val: int = SPLITS["val"],
    test: int = SPLITS["test"],
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Draw a whole set in YOLO's layout: images/{train,val,test}/000.jpg and labels/{train,val,test}/000.txt below `out`.

    Args:
        out: folder to write. It appears when everything is drawn; an interrupt leaves nothing, or the old set.
        seed: the same seed gives the same labels, byte for byte.
        train, val, test: number of pictures; 0 for test draws no test split.
        overwrite: replace a folder that is there.
        progress: show a bar.

    Raises:
        FileExistsError: `out` is there and overwrite is False, or it holds more than images and labels.
        ValueError: train or val would be empty, or test is negative.
    """
    if min(train, val) < 1 or test < 0:
        raise ValueError(
            f"train and val need at least one picture each, test 0 or more; given train={train}, val={val}, test={test}"
        )
    out = Path(out)
    may_write(out, overwrite)
    with staging_beside(out) as staging:
        todo = [(s, i) for s, count in enumerate((train, val, test)) for i in range(count)]
        for split, i in tqdm(todo, desc=f"drawing {out.name}", unit="image", disable=not progress):
            image, boxes = draw_smear(np.random.Generator(np.random.PCG64([seed, split, i])))
            write(staging / "made", list(SPLITS)[split], f"{i:03d}", image, boxes)
        replace(out, staging / "made", staging / "old", overwrite)
    return out


def write(folder: Path, split: str, name: str, image: Image.Image, boxes: list[Box]) -> None:
    """One JPEG and its label file: a line `class x y width height` per cell, in parts of the picture."""
    for kind in ("images", "labels"):
        (folder / kind / split).mkdir(parents=True, exist_ok=True)
    image.save(folder / "images" / split / f"{name}.jpg", quality=85)
    lines = [f"{format_box(*box, *image.size)}\n" for box in boxes]
    (folder / "labels" / split / f"{name}.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
