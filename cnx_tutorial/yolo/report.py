"""What a training run came to: a table, and a picture of val images with true and predicted boxes side by side."""

from copy import deepcopy
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from ultralytics.data.utils import img2label_paths

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
    first = next(model.parameters())
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, imgsz, imgsz, device=first.device))
    return counter.get_total_flops() / 1e9


def summary(yolo) -> dict[str, str]:
    """The run that `yolo.train()` has just finished, as names and printable values."""
    trainer, metrics = yolo.trainer, yolo.metrics
    imgsz = trainer.args.imgsz
    rows = trainer.read_results_csv()
    return {
        "model": Path(str(yolo.trainer.args.model)).name,
        "parameters": f"{sum(p.numel() for p in yolo.model.parameters()):,}",
        "GFLOPs": f"{gflops(yolo.model, imgsz):.2f} at {imgsz} px",
        "epochs": str(len(rows["epoch"])),
        "seconds": f"{rows['time'][-1]:.0f}",
        "mAP50": f"{metrics.box.map50:.3f}",
        "mAP50-95": f"{metrics.box.map:.3f}",
        "ms per image": f"{sum(metrics.speed.values()):.1f} on {trainer.device.type}",
    }


def table(columns: list[dict[str, str]]) -> str:
    """One line a name, one column a run."""
    names = list(columns[0])
    widths = [max(map(len, names))] + [max(len(c[n]) for n in names) for c in columns]
    lines = [[n, *(c[n] for c in columns)] for n in names]
    rule = "  ".join("-" * w for w in widths)
    return "\n".join(
        [rule, *("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in lines), rule]
    )


def true_boxes(image: Path, width: int, height: int) -> list[tuple[int, float, float, float, float]]:
    """The label file's boxes as (class, x1, y1, x2, y2) in pixels; none where there is no label file."""
    file = Path(img2label_paths([str(image)])[0])
    boxes = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        kind, x, y, w, h = map(float, line.split()[:5])
        boxes.append((int(kind), (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height))
    return boxes


def picture(yolo, images: list[Path], file: Path, imgsz: int, conf: float = 0.25) -> Path:
    """Draw each image twice, left with its labels, right with what the model finds, and save the sheet as a PNG.

    Args:
        yolo: a trained model.
        images: image files of a YOLO data set.
        file: where the PNG goes.
        imgsz: side in pixels to which the model scales an image.
        conf: predictions less confident than this are not drawn.
    """
    names = yolo.names
    figure = Figure(figsize=(9, 3.5 * len(images)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(images), 2, squeeze=False)
    for (left, right), result in zip(
        axes, yolo.predict([str(i) for i in images], imgsz=imgsz, conf=conf, verbose=False), strict=True
    ):
        with Image.open(result.path) as photo:
            pixels = photo.convert("RGB")
        truth = true_boxes(Path(result.path), *pixels.size)
        found = [(int(c), *box) for c, box in zip(result.boxes.cls.tolist(), result.boxes.xyxy.tolist(), strict=True)]
        for axis, title, boxes in (
            (left, f"labelled: {len(truth)} cells", truth),
            (right, f"predicted: {len(found)} cells", found),
        ):
            axis.imshow(pixels)
            axis.set_title(title)
            axis.set_axis_off()
            for kind, x1, y1, x2, y2 in boxes:
                style = {"edgecolor": COLOURS[kind % len(COLOURS)], "linestyle": STYLES[kind % len(STYLES)]}
                axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=1.8, **style))
    keys = [
        Rectangle((0, 0), 1, 1, fill=False, edgecolor=COLOURS[k % len(COLOURS)], linestyle=STYLES[k % len(STYLES)])
        for k in names
    ]
    figure.legend(keys, names.values(), loc="outside lower center", ncols=min(len(names), 6))
    figure.savefig(file, dpi=100)
    return file
