"""What a training run came to: a table, and a picture of val images with true and predicted boxes side by side."""

import io
import warnings
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from ultralytics.data import build_yolo_dataset
from ultralytics.utils.patches import imread

from cnx_tutorial.data.labels import is_file, label_file, read_labels
from cnx_tutorial.yolo.files import WholePath

# Okabe and Ito's colours, which a colour-blind reader can tell apart
COLOURS = ("#E69F00", "#0072B2", "#CC79A7", "#009E73", "#D55E00", "#56B4E9", "#F0E442", "#000000")
STYLES = ("-", "--", ":", "-.")
FLAGS = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR}  # as in Ultralytics; with any other number all channels are read


def in_channels(model: nn.Module) -> int:
    """How many channels an image has for this model: what its YAML says, else what its first convolution takes."""
    said = getattr(model, "yaml", None) or {}
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    return said.get("channels") or first.in_channels


@torch.no_grad()
def gflops(model: nn.Module, imgsz: int) -> float:
    """Billions of floating-point operations for one image of imgsz x imgsz pixels, a multiply-add counted as two.

    Counted by PyTorch's own FlopCounterMode on a copy: every convolution and matrix product that really runs. Normalisation, activation
    and additions are not counted; published tables do not count them either.
    """
    model = deepcopy(model).float().eval()
    image = torch.zeros(1, in_channels(model), imgsz, imgsz, device=next(model.parameters()).device)
    with FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops() / 1e9


def summary(yolo) -> dict[str, str]:
    """The run that `yolo.train()` has just finished, as names and printable values."""
    trainer, metrics = yolo.trainer, yolo.metrics
    imgsz = trainer.args.imgsz
    rows = trainer.read_results_csv()
    if isinstance(metrics, dict):  # after a training on several GPUs, whose processes are gone
        map50, map95, speed = (metrics.get(key) for key in ("metrics/mAP50(B)", "metrics/mAP50-95(B)", "speed"))
    else:
        map50, map95, speed = metrics.box.map50, metrics.box.map, sum(metrics.speed.values())
    return {
        "model": Path(str(yolo.trainer.args.model)).name,
        "parameters": f"{sum(p.numel() for p in yolo.model.parameters()):,}",
        "GFLOPs": f"{gflops(yolo.model, imgsz):.2f} at {imgsz} px",
        "epochs": str(len(rows.get("epoch", []))),
        "seconds": shown(rows["time"][-1] if rows.get("time") else None, ".0f"),
        "mAP50": shown(map50, ".3f"),
        "mAP50-95": shown(map95, ".3f"),
        "ms per image": f"{shown(speed, '.1f')} on {trainer.device.type}",
    }


def shown(value: float | None, form: str) -> str:
    return "not known" if value is None else format(value, form)


def table(columns: list[dict[str, str]]) -> str:
    """One line a name, one column a run."""
    names = list(columns[0])
    widths = [max(map(len, names))] + [max(len(c[n]) for n in names) for c in columns]
    lines = [[n, *(c[n] for c in columns)] for n in names]
    rule = "  ".join("-" * w for w in widths)
    return "\n".join(
        [rule, *("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in lines), rule]
    )


Box = tuple[int, float, float, float, float]  # class, x1, y1, x2, y2 in pixels


def examples(trainer, count: int = 4) -> tuple[list[Path], list[np.ndarray]]:
    """A few val images, evenly spread over the set, and for each the rows (class, x, y, width, height) that Ultralytics holds a model against."""
    if trainer.validator:
        dataset = trainer.validator.dataloader.dataset
    else:  # after a training on several GPUs, whose processes are gone
        dataset = build_yolo_dataset(trainer.args, trainer.data["val"], 1, trainer.data, mode="val")
    count = min(count, len(dataset.labels))
    chosen = [dataset.labels[i * len(dataset.labels) // count] for i in range(count)]
    rows = [np.concatenate([label["cls"], label["bboxes"]], 1) for label in chosen]
    return [Path(label["im_file"]) for label in chosen], rows


def true_boxes(image: Path, width: int, height: int) -> list[Box]:
    """The label file's boxes (of polygons, the boxes around them); none where there is no label file, or Ultralytics cannot read it."""
    file = label_file(image)
    return in_pixels(read_labels(file, classes=10**6).rows, width, height) if is_file(file) else []


def in_pixels(rows: np.ndarray, width: int, height: int) -> list[Box]:
    return [
        (int(kind), (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        for kind, x, y, w, h in rows.tolist()
    ]


def read_image(file: Path, channels: int) -> np.ndarray:
    """An image as Ultralytics trains on it: (height, width, channels), three of them in OpenCV's order, blue first.

    Raises:
        OSError: the file cannot be read as an image.
    """
    stored = file.with_suffix(".npy")  # `cache=disk` writes it, and it is read instead where it is not older
    if is_file(stored) and stored.stat().st_mtime >= file.stat().st_mtime:
        pixels = np.atleast_3d(np.load(stored))
        if pixels.shape[2] == channels:
            return pixels
    pixels = imread(file, FLAGS.get(channels, cv2.IMREAD_UNCHANGED))
    if pixels is None:
        raise OSError(f"{file} cannot be read as an image")
    return pixels


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """What `read_image` returns, as (height, width, 3) to look at: of many channels the first three, of one or two the first in gray."""
    pixels = np.atleast_3d(pixels)
    if pixels.dtype != np.uint8:
        pixels = (255.0 * (pixels - pixels.min()) / max(float(np.ptp(pixels)), 1e-9)).astype(np.uint8)
    return pixels[..., 2::-1] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)


def look(kind: int) -> dict[str, str]:
    """Colour and line of a class."""
    return {"edgecolor": COLOURS[kind % len(COLOURS)], "linestyle": STYLES[kind % len(STYLES)]}


def picture(
    yolo, images: list[Path], file: Path, imgsz: int, conf: float = 0.25, truth: list[np.ndarray] | None = None
) -> Path:
    """Draw each image twice, left with its labels, right with what the model finds, and save the sheet as a PNG.

    Args:
        yolo: a trained model.
        images: image files of a YOLO data set.
        file: where the PNG goes; it appears when it is complete.
        imgsz: side in pixels to which the model scales an image.
        conf: predictions less confident than this are not drawn.
        truth: for each image the rows of `examples`; None: what the label files beside the images say.
    """
    figure = Figure(figsize=(9, 3.5 * len(images)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(images), 2, squeeze=False)
    # Arrays, not paths: of a list of paths Ultralytics reads the first page alone of a TIFF that holds ten channels.
    pixels = [read_image(Path(image), in_channels(yolo.model)) for image in images]
    results = yolo.predict(pixels, imgsz=imgsz, conf=conf, verbose=False)
    kinds = set()
    for i, ((left, right), result) in enumerate(zip(axes, results, strict=True)):
        height, width = result.orig_shape
        labelled = in_pixels(truth[i], width, height) if truth else true_boxes(Path(images[i]), width, height)
        found = [(int(c), *box) for c, box in zip(result.boxes.cls.tolist(), result.boxes.xyxy.tolist(), strict=True)]
        for axis, title, boxes in ((left, "labelled", labelled), (right, "predicted", found)):
            draw(axis, result.orig_img, title, boxes)
            kinds.update(box[0] for box in boxes)
    legend(figure, {kind: yolo.names.get(kind, str(kind)) for kind in sorted(kinds)})
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of signs that the font does not have
        figure.savefig(image, dpi=100, format="png")
    WholePath(file).write_bytes(image.getvalue())
    return file


def draw(axis: Axes, pixels: np.ndarray, title: str, boxes: list[Box]) -> None:
    """One image with boxes."""
    axis.imshow(as_rgb(pixels))
    axis.set_title(f"{title}: {len(boxes)} object{'s' * (len(boxes) != 1)}")
    axis.set_axis_off()
    for kind, x1, y1, x2, y2 in boxes:
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=1.8, **look(kind)))


def legend(figure: Figure, names: dict[int, str], most: int = 24, longest: int = 30) -> None:
    """Below the images, the classes that are on the sheet; where they are too many, the first of them."""
    keys = [Rectangle((0, 0), 1, 1, fill=False, **look(kind)) for kind in names][:most]
    # matplotlib leaves out a name that begins with _, hence the blank
    words = [" " + " ".join(str(name).split())[:longest] for name in names.values()][:most]
    if len(names) > most:
        keys.append(Rectangle((0, 0), 1, 1, fill=False, linewidth=0))
        words.append(f"and {len(names) - most} more classes")
    columns = max(1, min(len(keys), 90 // (max(map(len, words), default=0) + 8)))
    if keys:
        for text in figure.legend(keys, words, loc="outside lower center", ncols=columns).get_texts():
            text.set_parse_math(False)  # a $ in a name is no formula
