"""`YOLO`: ultralytics.YOLO that knows our layers, YAMLs, data sets and trainers."""

import difflib
import hashlib
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import ultralytics
from torch import nn
from ultralytics.engine.model import Model
from ultralytics.nn.tasks import BaseModel

from cnx_tutorial.nn import ConvNeXtStem
from cnx_tutorial.nn.weights import LoadReport, fold_input_normalisation, load_weights
from cnx_tutorial.yolo.quiet import all_cores
from cnx_tutorial.yolo.trainer import TRAINERS, ConvNeXtRTDETRTrainer

DATASETS = Path(__file__).parents[2] / "datasets"
OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop")  # those of Ultralytics


def find_data(data: Any) -> Any:
    """Where a data YAML is: as given if that is there, else the file of that name, or of that name and .yaml, in this project's `datasets/`."""
    if not isinstance(data, str | Path) or not str(data) or os.path.exists(data):  # noqa: PTH110 (False for an impossible name)
        return data
    for name in (str(data), f"{data}.yaml"):
        if os.path.isfile(DATASETS / name):  # noqa: PTH113
            return str(DATASETS / name)
    return data


def check_arguments(given: dict[str, Any]) -> None:
    """Refuse sizes with which a training means nothing, and an optimizer that Ultralytics refuses only after it wrote a folder."""
    for key, least in (("imgsz", 32), ("epochs", 1), ("batch", -1)):
        value = given.get(key)
        if isinstance(value, int | float) and (value < least or (key == "batch" and value == 0)):
            wanted = "a number of images, or -1 for what fits the GPU" if key == "batch" else f"at least {least}"
            raise ValueError(f"{key}={value} trains nothing; expected {wanted}")
    name = given.get("optimizer", "auto")
    if str(name).lower() not in map(str.lower, OPTIMIZERS):
        close = difflib.get_close_matches(str(name), OPTIMIZERS, 1)
        hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(OPTIMIZERS)}"
        raise ValueError(f"optimizer={name} is unknown; {hint}")


def fingerprint(model: nn.Module) -> str:
    """A hash of every parameter and buffer, names included."""
    digest = hashlib.blake2b()
    for name, tensor in model.state_dict().items():
        digest.update(
            name.encode() + tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()


class OurModel:
    """What Ultralytics' model classes become: what YOLO's docstring says of them."""

    fused_by_user, as_built = False, None
    trainers = TRAINERS

    @property
    def task_map(self) -> dict[str, dict[str, Any]]:
        return {
            task: {**parts, "trainer": self.trainers.get(task, parts["trainer"])}
            for task, parts in super().task_map.items()
        }

    def train(self, trainer: type | None = None, **kwargs: Any):
        check_arguments(kwargs)
        if "data" in kwargs:
            kwargs["data"] = find_data(kwargs["data"])
        if not kwargs.get("resume") and isinstance(self.model, BaseModel) and self.fused_by_user:
            raise ValueError(
                "fuse() has folded BatchNorm and layer scale into this model's weights, so that training cannot go on from them: load it "
                f"again, YOLO({str(self.ckpt_path or self.cfg)!r}), and train that"
            )
        # Stock train() builds a YAML model anew. That is right for an untouched one (`seed` decides its weights), but loses loaded weights.
        if not self.ckpt and self.as_built is not None and fingerprint(self.model) != self.as_built:
            self.ckpt = {"model": self.model}
        with all_cores():
            return super().train(trainer, **kwargs)

    def fuse(self) -> None:
        """Fold what can be folded, for faster predictions; a fused model does not train."""
        super().fuse()
        self.fused_by_user = True

    def val(self, validator: type | None = None, **kwargs: Any):
        if "data" in kwargs:
            kwargs["data"] = find_data(kwargs["data"])
        with all_cores():
            return super().val(validator, **kwargs)

    def predict(self, source: Any = None, stream: bool = False, **kwargs: Any):
        if stream:
            return self._predict_stream(source, **kwargs)
        with all_cores():
            return super().predict(source, **kwargs)

    def _predict_stream(self, source: Any, **kwargs: Any):
        with all_cores():  # until the last result is taken
            yield from super().predict(source, stream=True, **kwargs)

    def export(self, **kwargs: Any) -> str:
        with all_cores():
            return super().export(**kwargs)

    def load_backbone(self, source: str | Path | dict[str, torch.Tensor]) -> LoadReport:
        """Put published ConvNeXt weights into the backbone; training then starts from them.

        Published weights expect images normalised by ImageNet's mean and standard deviation, YOLO feeds 0 to 1: the difference is folded into
        the stem, exactly. Needs a backbone of the published widths and depths: yolov8s-convnext-published.yaml fits femto, its
        m pico, its l tiny.

        Args:
            source: file or state dict with torchvision's, timm's or the authors' names.

        Returns:
            Names of what was loaded, is missing (neck and head, which the file does not have) and was not expected (the classifier).

        Raises:
            ValueError: the file is no ConvNeXt checkpoint or does not fit; the message names the first tensors that differ.
        """
        stem = next((m for m in self.model.modules() if isinstance(m, ConvNeXtStem)), None)
        if stem:
            fold_input_normalisation(
                deepcopy(stem)
            )  # a stem that cannot be folded is refused before anything is loaded
        report = load_weights(self.model, source)
        fold_input_normalisation(stem)
        return report


class RTDETR(OurModel, ultralytics.RTDETR):
    """ultralytics.RTDETR with the same differences as `YOLO`; also what `YOLO` becomes for a checkpoint that ends with RT-DETR's decoder."""

    trainers = {"detect": ConvNeXtRTDETRTrainer}

    def __init__(self, model: str | Path | Model = "rtdetr-l.yaml"):
        with all_cores():
            super().__init__(model)
        self.as_built = fingerprint(self.model) if self.cfg else None


class YOLO(OurModel, ultralytics.YOLO):
    """ultralytics.YOLO for YAMLs with ConvNeXt rows or registered ones; every Ultralytics argument works, and stock models do what they did.

    What differs: `data="smears.yaml"` is found from any folder; weights that were put into the model before `train()` are trained on, not
    thrown away; each task trains by the rules of `ConvNeXtTraining`; on a CPU all cores work; the process's threads, print options and
    environment variables are as before afterwards.

    Raises:
        ValueError: a row of the YAML is wrong; the message names the row and the mend.
    """

    def __init__(
        self, model: str | Path | Model = "yolov8n-convnext.yaml", task: str | None = None, verbose: bool = False
    ):
        with all_cores():
            super().__init__(model, task, verbose)
        if type(self) is ultralytics.RTDETR:
            self.__class__ = RTDETR
        if isinstance(model, Model):  # somebody's model, taken over with all that it has: its weights count as put in
            self.__dict__.setdefault("as_built", "")
        elif isinstance(self, OurModel):
            self.as_built = fingerprint(self.model) if self.cfg else None
