"""What a training run came to: a table, and a picture of val images with true and predicted boxes side by side."""

import io
import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnx_tutorial.data.labels import is_file, label_file, read_labels
from cnx_tutorial.yolo.files import WholePath

COLOURS = (
    "#E69F00",
    "#0072B2",
    "#CC79A7",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#F0E442",
    "#000000",
)  # Okabe and Ito: colour-blind safe
STYLES = ("-", "--", ":", "-.")


@torch.no_grad()
def gflops(model: nn.Module, imgsz: int) -> float:
    """Billions of floating-point operations for one image of imgsz x imgsz pixels, a multiply-add counted as two.

    Counted by PyTorch's own FlopCounterMode on a copy: every convolution and matrix product that really runs. Normalisation, activation
    and additions are not counted, by it or by anybody's table.
    """
    model = deepcopy(model).float().eval()
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d)).weight
    channels = (
        model.yaml["channels"]
        if isinstance(getattr(model, "yaml", None), dict) and "channels" in model.yaml
        else first.shape[1]
    )
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, channels, imgsz, imgsz, device=first.device))
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


def labels_of(dataset) -> dict[str, np.ndarray]:
    """What Ultralytics holds a model against: for each image file of its data set, rows (class, x, y, width, height) in parts of the image."""
    return {label["im_file"]: np.concatenate([label["cls"], label["bboxes"]], 1) for label in dataset.labels}


def true_boxes(image: Path, width: int, height: int) -> list[Box]:
    """The label file's boxes (of polygons, the boxes around them); none where there is no label file, or Ultralytics cannot read it."""
    file = label_file(image)
    return in_pixels(read_labels(file, classes=10**6).rows, width, height) if is_file(file) else []


def in_pixels(rows: np.ndarray, width: int, height: int) -> list[Box]:
    return [
        (int(kind), (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        for kind, x, y, w, h in rows.tolist()
    ]


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """An image as the predictor read it, (height, width, channels) in OpenCV's order, as (height, width, 3) to look at."""
    if pixels.dtype != np.uint8:
        pixels = (255.0 * (pixels - pixels.min()) / max(float(np.ptp(pixels)), 1e-9)).astype(np.uint8)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return pixels[..., 2::-1] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)


def picture(
    yolo, images: list[Path], file: Path, imgsz: int, conf: float = 0.25, truth: dict[str, np.ndarray] | None = None
) -> Path:
    """Draw each image twice, left with its labels, right with what the model finds, and save the sheet as a PNG.

    Args:
        yolo: a trained model.
        images: image files of a YOLO data set.
        file: where the PNG goes; it appears when it is complete.
        imgsz: side in pixels to which the model scales an image.
        conf: predictions less confident than this are not drawn.
        truth: what `labels_of` says of the data set; None: the label files beside the images.
    """
    names = yolo.names
    figure = Figure(figsize=(9, 3.5 * len(images)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(images), 2, squeeze=False)
    for (left, right), result in zip(
        axes, yolo.predict([str(i) for i in images], imgsz=imgsz, conf=conf, verbose=False), strict=True
    ):
        height, width = result.orig_shape
        labelled = true_boxes(Path(result.path), width, height)
        if truth is not None:
            labelled = in_pixels(truth.get(result.path, np.zeros((0, 5))), width, height)
        found = [(int(c), *box) for c, box in zip(result.boxes.cls.tolist(), result.boxes.xyxy.tolist(), strict=True)]
        for axis, title, boxes in (
            (left, f"labelled: {len(labelled)} cells", labelled),
            (right, f"predicted: {len(found)} cells", found),
        ):
            axis.imshow(as_rgb(result.orig_img))
            axis.set_title(title)
            axis.set_axis_off()
            for kind, x1, y1, x2, y2 in boxes:
                style = {"edgecolor": COLOURS[kind % len(COLOURS)], "linestyle": STYLES[kind % len(STYLES)]}
                axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=1.8, **style))
    keys = [
        Rectangle((0, 0), 1, 1, fill=False, edgecolor=COLOURS[k % len(COLOURS)], linestyle=STYLES[k % len(STYLES)])
        for k in names
    ]
    words = [f" {name}" for name in names.values()]  # matplotlib leaves out a name that begins with _
    legend = figure.legend(keys, words, loc="outside lower center", ncols=min(len(names), 6))
    for text in legend.get_texts():
        text.set_parse_math(False)  # a $ in a name is no formula
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of signs that the font does not have
        figure.savefig(image, dpi=100, format="png")
    WholePath(file).write_bytes(image.getvalue())
    return file
