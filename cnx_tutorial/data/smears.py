"""Draw blood smears: pictures of red cells, white cells and platelets whose boxes are known exactly, because we drew them.

Why: a detection set that needs no download, trains in minutes on a CPU, and looks enough like BCCD (same classes, relative sizes and colours)
that what is learnt on it means something there. Each picture has its own seed, so one can be drawn again alone.
Sizes and counts after Shenggan/BCCD_Dataset, at half its resolution; all drawing is ours.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from tqdm import tqdm

from cnx_tutorial.data.labels import format_box
from cnx_tutorial.data.staging import may_write, replace, staging_beside

NAMES = ("Platelets", "RBC", "WBC")  # ids 0 1 2, as in BCCD
WIDTH, HEIGHT = 320, 240
SPLITS = ("train", "val")

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
    image = Image.fromarray(np.clip(picture + rng.normal(0, rng.uniform(1, 4), picture.shape), 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9))), [
        box_of(cell, width, height) for cell in cells
    ]


def place_cells(rng: np.random.Generator, width: int, height: int) -> list[tuple]:
    """Find room for (class, x, y, a, b, angle): ellipses with half-axes a and b that overlap a little at most, none nearly outside."""
    crowd = width * height / (WIDTH * HEIGHT)
    wanted = [2] * rng.binomial(2, 0.5) + [0] * rng.integers(1, 4) + [1] * int(rng.integers(8, 17) * crowd)
    cells: list[tuple] = []
    for kind in wanted:
        radius = {0: rng.uniform(6.5, 10), 1: rng.uniform(21, 27), 2: rng.uniform(36, 46)}[kind]
        shape = (radius, radius * rng.uniform(0.84, 1), rng.uniform(0, np.pi))
        for _ in range(60):
            x, y = rng.uniform(0.25 * radius, width - 0.25 * radius), rng.uniform(0.25 * radius, height - 0.25 * radius)
            # Red cells may touch and overlap by a sixth; nothing lies on a white cell or a platelet.
            if all(
                np.hypot(x - o[1], y - o[2]) > (0.84 if kind == o[0] == 1 else 1.02) * (radius + o[3]) for o in cells
            ):
                cells.append((kind, x, y, *shape))
                break
    return cells


def box_of(cell: tuple, width: int, height: int) -> Box:
    """The upright rectangle around a turned ellipse, cut at the border, to a tenth of a pixel."""
    kind, x, y, a, b, angle = cell
    dx, dy = np.hypot(a * np.cos(angle), b * np.sin(angle)), np.hypot(a * np.sin(angle), b * np.cos(angle))
    left, top, right, bottom = max(x - dx, 0), max(y - dy, 0), min(x + dx, width), min(y + dy, height)
    return (kind, *(round(float(v), 1) for v in (left, top, right, bottom)))


def background(rng: np.random.Generator, width: int, height: int, stain: float) -> np.ndarray:
    """(H, W, 3) plasma: pale, lit unevenly."""
    colour = np.array([214, 212, 208]) + stain * np.array([6, -8, -6]) + rng.uniform(-12, 8)
    y, x = np.mgrid[0:height, 0:width] / max(width, height) - 0.5
    light = 1 + rng.uniform(-0.12, 0.12) * x + rng.uniform(-0.12, 0.12) * y - rng.uniform(0, 0.25) * (x**2 + y**2)
    return light[..., None] * colour


def paint(picture: np.ndarray, colour: np.ndarray, opacity: np.ndarray) -> None:
    """Mix `colour` into the picture where `opacity` (H, W) says so, in place."""
    picture += opacity[..., None] * (colour - picture)


def distance(picture: np.ndarray, x: float, y: float, a: float, b: float, angle: float) -> np.ndarray:
    """(H, W) distance from the centre in units of the ellipse: 1 on its rim."""
    v, u = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]] + 0.5
    u, v = u - x, v - y
    along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    return np.hypot(along / a, across / b)


def inside(d: np.ndarray, radius: float, softness: float = 1.5) -> np.ndarray:
    """1 inside the rim, 0 outside, over about `softness` pixels."""
    return np.clip((1 - d) * radius / softness + 0.5, 0, 1)


def red_cell(picture, rng, stain, x, y, a, b, angle) -> None:
    """A disc with a pale centre: red cells are thinner in the middle."""
    d = distance(picture, x, y, a, b, angle)
    colour = np.array([184, 134, 138]) + stain * np.array([8, -8, -6]) + rng.uniform(-12, 12)
    paleness = rng.uniform(0.25, 0.6) * np.exp(-((d / rng.uniform(0.35, 0.5)) ** 2))
    rim = 0.12 * np.exp(-(((d - 0.93) / 0.07) ** 2))
    paint(picture, colour, inside(d, a) * (0.82 - paleness))
    paint(picture, 0.75 * colour, inside(d, a) * rim)


def white_cell(picture, rng, stain, x, y, a, b, angle) -> None:
    """Pale cytoplasm around a dark, lobed nucleus."""
    cytoplasm = np.array([190, 164, 208]) + stain * np.array([4, -6, -2]) + rng.uniform(-8, 8)
    paint(picture, cytoplasm, 0.85 * inside(distance(picture, x, y, a, b, angle), a, 2.5))
    nucleus = np.array([112, 72, 182]) + stain * np.array([8, -4, 0]) + rng.uniform(-14, 14)
    lobes, turn = int(rng.integers(2, 5)), rng.uniform(0, 2 * np.pi)
    opacity = np.zeros(picture.shape[:2])
    for i in range(lobes):
        way, far, size = turn + 2 * np.pi * i / lobes, 0.36 * b, rng.uniform(0.36, 0.5) * b
        d = distance(picture, x + far * np.cos(way), y + far * np.sin(way), size, 0.85 * size, way)
        opacity = np.maximum(opacity, inside(d, size, 3))
    paint(picture, nucleus, 0.92 * opacity)


def platelet(picture, rng, stain, x, y, a, b, angle) -> None:
    """A small purple grain, darker in the middle."""
    d = distance(picture, x, y, a, b, angle)
    colour = np.array([134, 104, 192]) + stain * np.array([6, -4, 0]) + rng.uniform(-14, 14)
    paint(picture, colour, inside(d, a) * (0.65 + 0.3 * np.exp(-((d / 0.6) ** 2))))


def draw(
    out: Path, seed: int = 0, train: int = 160, val: int = 40, overwrite: bool = False, progress: bool = True
) -> Path:
    """Draw a whole set in YOLO's layout: images/{train,val}/000.jpg and labels/{train,val}/000.txt below `out`.

    Args:
        out: folder to write. It appears when everything is drawn; an interrupt leaves nothing, or the old set.
        seed: the same seed gives the same labels, byte for byte.
        train, val: number of pictures.
        overwrite: replace a folder that is there.
        progress: show a bar.

    Raises:
        FileExistsError: `out` is there and overwrite is False, or it holds more than images and labels.
        ValueError: a split would be empty.
    """
    if min(train, val) < 1:
        raise ValueError(f"train and val need at least one picture each; given train={train}, val={val}")
    out = Path(out)
    may_write(out, overwrite)
    with staging_beside(out) as staging:
        todo = [(s, i) for s, count in enumerate((train, val)) for i in range(count)]
        for split, i in tqdm(todo, desc=f"drawing {out.name}", unit="image", disable=not progress):
            image, boxes = draw_smear(np.random.Generator(np.random.PCG64([seed, split, i])))
            write(staging / "made", SPLITS[split], f"{i:03d}", image, boxes)
        replace(out, staging / "made", staging / "old", overwrite)
    return out


def write(folder: Path, split: str, name: str, image: Image.Image, boxes: list[Box]) -> None:
    """One JPEG and its label file: a line `class x y width height` per cell, in parts of the picture."""
    for kind in ("images", "labels"):
        (folder / kind / split).mkdir(parents=True, exist_ok=True)
    image.save(folder / "images" / split / f"{name}.jpg", quality=85)
    lines = [f"{format_box(*box, *image.size)}\n" for box in boxes]
    (folder / "labels" / split / f"{name}.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
