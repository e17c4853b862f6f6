"""`YOLO`: ultralytics.YOLO that knows our layers, YAMLs, data sets and trainers."""

import contextlib
import difflib
import hashlib
import os
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import ultralytics
from torch import nn
from ultralytics.cfg import get_cfg, smart_value
from ultralytics.engine import trainer as engine_trainer
from ultralytics.engine.model import Model
from ultralytics.nn.tasks import BaseModel
from ultralytics.utils import DEFAULT_CFG_DICT, LOGGER
from ultralytics.utils.checks import check_file

from cnx_tutorial.nn import ConvNeXtStem
from cnx_tutorial.nn.weights import LoadReport, fold_input_normalisation, load_weights
from cnx_tutorial.paths import find_data, find_model
from cnx_tutorial.yolo.published import find_weights, from_checkpoint, is_checkpoint
from cnx_tutorial.yolo.quiet import all_cores
from cnx_tutorial.yolo.trainer import TRAINERS, ConvNeXtRTDETRTrainer

OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop")  # those of Ultralytics


@contextlib.contextmanager
def our_command() -> Iterator[None]:
    """In this block the processes that Ultralytics starts for several trainings know our layers, data sets and trainers."""
    stock = engine_trainer._YOLO_CLI_COMMAND
    engine_trainer._YOLO_CLI_COMMAND = [sys.executable, "-m", "cnx_tutorial.yolo.command"]
    try:
        yield
    finally:
        engine_trainer._YOLO_CLI_COMMAND = stock


def check_arguments(given: dict[str, Any]) -> None:
    """Refuse sizes that make no sense for a training, and an optimizer that Ultralytics would refuse only after it made a folder."""
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


def read_value(text: str) -> object:
    """What stands behind the = of a word, as Ultralytics' `yolo` reads it: a number, True, None, a list, or the text."""
    return smart_value(text)


def check_keys(given: dict[str, Any]) -> None:
    """Refuse an argument that Ultralytics does not know, or whose value it does not take.

    Raises:
        ValueError: names the argument, and the nearest ones.
    """
    try:
        get_cfg(overrides=dict(given))
    except SyntaxError as error:
        known = [key for key in given if key not in DEFAULT_CFG_DICT]
        close = {key: difflib.get_close_matches(key, DEFAULT_CFG_DICT, 3) for key in known}
        said = "; ".join(
            f"{key}= is no argument of Ultralytics" + (f", did you mean {' or '.join(near)}?" if near else "")
            for key, near in close.items()
        )
        raise ValueError(said or str(error)) from None
    except TypeError as error:
        raise ValueError(str(error)) from None


def is_theirs(data: str) -> bool:
    """Whether Ultralytics itself provides a data set: it ships, downloads or converts it."""
    if "://" in data or data.endswith(".ndjson"):
        return True
    if os.path.exists(data):  # noqa: PTH110 (a name that no system takes is False here)
        return False
    names = [data] if data.endswith((".yaml", ".yml")) else [f"{data}.yaml", f"{data}.yml"]
    try:
        return "\0" not in data and any(check_file(name, hard=False) for name in names)
    except OSError:  # a name that no system takes
        return False


def fingerprint(model: nn.Module) -> str:
    """A hash of every parameter and buffer, names included."""
    digest = hashlib.blake2b()
    for name, tensor in model.state_dict().items():
        digest.update(
            name.encode() + tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()


class OurModel:
    """The changes to Ultralytics' model classes that YOLO's docstring describes."""

    fused_by_user, as_built = False, None
    trainers = TRAINERS

    @property
    def task_map(self) -> dict[str, dict[str, Any]]:
        return {
            task: {**parts, "trainer": self.trainers.get(task, parts["trainer"])}
            for task, parts in super().task_map.items()
        }

    def train(
        self,
        trainer: type | None = None,
        weights: str | Path | None = None,
        freeze_backbone: int = 0,
        backbone_lr: float = 1.0,
        **kwargs: Any,
    ):
        """Ultralytics' `train`, and three arguments for a backbone that begins with published weights.

        Args:
            weights: "imagenet", "timm:NAME" or a file: what `load_backbone` takes.
            freeze_backbone: epochs during which the backbone's weights stay as they are.
            backbone_lr: factor on the learning rate of the backbone's weights.

        Raises:
            ValueError: one of them is out of range, or the weights fit nothing; nothing was written then.
        """
        check_arguments(kwargs)
        self.prepare_backbone(weights, freeze_backbone, backbone_lr, bool(kwargs.get("resume")))
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
        with all_cores(), our_command():
            return super().train(trainer, **kwargs)

    def tune(self, *args: Any, **kwargs: Any):
        if "data" in kwargs:
            kwargs["data"] = find_data(kwargs["data"])
        with all_cores(), our_command():
            return super().tune(*args, **kwargs)

    def prepare_backbone(
        self, weights: str | Path | None, freeze_backbone: int, backbone_lr: float, resume: bool
    ) -> None:
        """Put weights in, and note in the model's YAML, which checkpoints and other processes carry along, how its backbone is trained."""
        if type(freeze_backbone) is not int or freeze_backbone < 0:
            raise ValueError(
                f"freeze_backbone={freeze_backbone!r} is a number of epochs: 0 for none, or a whole number"
            )
        if not isinstance(backbone_lr, (int, float)) or isinstance(backbone_lr, bool) or not 0 < backbone_lr < 1e3:
            raise ValueError(
                f"backbone_lr={backbone_lr!r} is a factor on the learning rate of the backbone, such as 0.1"
            )
        given = weights is not None or freeze_backbone or backbone_lr != 1.0
        if resume and given:
            raise ValueError(
                "a training that is resumed goes on with the weights, freeze_backbone and backbone_lr that it began with: leave them out"
            )
        if resume or not isinstance(self.model, BaseModel):
            return
        if weights is not None:
            report = self.load_backbone(weights)
            LOGGER.info(
                f"{len(report.loaded)} tensors loaded from {weights} ({report.source_format} names); {len(report.missing)} start fresh: neck and head"
            )
        if given and not self.ckpt:  # Ultralytics would read the YAML anew, which says nothing of all this
            self.ckpt = {"model": self.model}
        for key, value, none in (("freeze_backbone", freeze_backbone, 0), ("backbone_lr", backbone_lr, 1.0)):
            self.model.yaml.pop(key, None)
            if value != none:
                self.model.yaml[key] = value

    def fuse(self, *args: Any, **kwargs: Any):
        """Fold what can be folded, for faster predictions; a fused model does not train. Arguments and result are Ultralytics'."""
        fused = super().fuse(*args, **kwargs)
        self.fused_by_user = True
        return fused

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
            source: file or state dict with torchvision's, timm's or the authors' names, or a best.pt of ours; "imagenet" for the published weights
                of the ConvNeXt that the rows are, "timm:NAME" for those of one of timm's.

        Returns:
            Names of what was loaded, is missing (neck and head, which the file does not have) and was not expected (the classifier).

        Raises:
            ValueError: the file is no ConvNeXt checkpoint or does not fit; the message names the first tensors that differ.
        """
        if isinstance(source, (str, Path)) and is_checkpoint(source):
            return from_checkpoint(self.model, source)
        stem = next((m for m in self.model.modules() if isinstance(m, ConvNeXtStem)), None)
        if stem:
            fold_input_normalisation(
                deepcopy(stem)
            )  # a stem that cannot be folded is refused before anything is loaded
        if isinstance(source, (str, Path)):
            source = find_weights(self.model, source)
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

    What differs: `data="smears.yaml"` and the trained `YOLO("smears.pt")` are found from any folder; weights that were put into the model before
    `train()` are trained on, not thrown away; each task trains by the rules of `ConvNeXtTraining`; on a CPU all cores work; the process's threads,
    print options and environment variables are as before afterwards.

    Raises:
        ValueError: a row of the YAML is wrong; the message names the row and the fix.
    """

    def __init__(
        self, model: str | Path | Model = "yolov8n-convnext.yaml", task: str | None = None, verbose: bool = False
    ):
        with all_cores():
            super().__init__(find_model(model), task, verbose)
        if type(self) is ultralytics.RTDETR:
            self.__class__ = RTDETR
        if isinstance(model, Model):  # an existing model, taken over whole: its weights count as loaded
            self.__dict__.setdefault("as_built", "")
        elif isinstance(self, OurModel):
            self.as_built = fingerprint(self.model) if self.cfg else None
