"""`register()`: make Ultralytics read our rows, and those of any class of one's own.

Why: Ultralytics finds a row's layer in the globals of its own module and has no hook for others' layers. `register` puts `parse_model` and
`yaml_model_load` of this folder in front of the stock functions; a YAML without registered names goes straight through to those. `fuse()`, which
folds BatchNorm into convolutions before inference, then folds what our blocks can fold, too. A training's files are written whole, its folder is
taken at once, and a checkpoint resumes whichever trainer wrote it.
"""

import os
from collections.abc import Callable
from pathlib import Path

import torch
import ultralytics.nn
from ultralytics.engine import model as engine_model
from ultralytics.engine import trainer as engine_trainer
from ultralytics.engine import validator as engine_validator
from ultralytics.nn import tasks
from ultralytics.utils import downloads

from cnx_tutorial import nn
from cnx_tutorial.yolo import files, parser, resume
from cnx_tutorial.yolo.backbone import Backbone, Map
from cnx_tutorial.yolo.layer_file import RUNNING
from cnx_tutorial.yolo.layers import add, layer_of
from cnx_tutorial.yolo.quiet import without_opencv_threads

stock_fuse = tasks.BaseModel.fuse


def fuse(self: tasks.BaseModel, verbose: bool = True, imgsz: int = 640) -> tasks.BaseModel:
    """Ultralytics' `fuse`, which every prediction, validation and export calls first, for our blocks too."""
    for layer in self.model.modules():
        if isinstance(layer, (nn.ConvNeXtBlock, Backbone)):
            layer.fuse()
    return stock_fuse(self, verbose, imgsz)


stock_attempt_download_asset = downloads.attempt_download_asset


def attempt_download_asset(file: str | Path, *args, **kwargs) -> str:
    """Ultralytics' search for a weights file, which takes the apostrophes out of a path and then finds nothing; a file that is there is taken."""
    return str(file) if os.path.isfile(file) else stock_attempt_download_asset(file, *args, **kwargs)  # noqa: PTH113


def register(*layers: type, channels: str | Callable[..., int] | None = None, override: bool = False):
    """Let the rows of every model YAML in this process name a class; without a class, teach `ultralytics.YOLO` our own rows.

        register(MyBlock)                    # or @register above the class
        @register(channels="none")

    A class whose constructor begins with `c1, c2` changes the channels; one that begins with one number of channels (`dim`, `c`, `channels`,
    `in_channels`) keeps them. Calling it again changes nothing, but for a class that was defined anew: it takes the old one's place.

    Args:
        layers: classes that subclass torch.nn.Module.
        channels: for any other constructor: "change", "keep", "none" (it is told no channels, and keeps them), "maps" (a whole network that returns
            a list of maps, for a Backbone row), or a function of the input's channels and the row's arguments that returns the output's.
        override: take the name of a layer that Ultralytics or this package has.

    Returns:
        The class, so that it can stand above one as @register.

    Raises:
        TypeError: it is given something else than a class of layers.
        ValueError: its constructor does not say what becomes of the channels, or the name is taken; nothing is registered then.
    """
    patch()
    if not layers and (channels is not None or override):
        return lambda layer: register(layer, channels=channels, override=override)
    made = [layer_of(layer, channels) for layer in layers]
    for layer in made:
        if (file := RUNNING.get()) is not None and layer.kind.__module__ == file.module:
            file.add(layer, override)
        else:
            add(layer, override)
    torch.serialization.add_safe_globals([layer.kind for layer in made])
    return layers[0] if len(layers) == 1 else None


def patch() -> None:
    """Put our functions in front of Ultralytics'; once."""
    if tasks.parse_model is parser.parse_model:
        return
    tasks.parse_model = parser.parse_model
    tasks.yaml_model_load = engine_model.yaml_model_load = ultralytics.nn.yaml_model_load = parser.yaml_model_load
    tasks._initialize_yolo_model = parser.initialize_yolo_model
    tasks.BaseModel.fuse = fuse
    downloads.attempt_download_asset = attempt_download_asset
    engine_trainer.get_save_dir = files.take_save_dir
    engine_trainer.strip_optimizer = files.strip_optimizer
    engine_trainer.BaseTrainer.train = without_opencv_threads(engine_trainer.BaseTrainer.train)
    engine_validator.BaseValidator.__call__ = without_opencv_threads(engine_validator.BaseValidator.__call__)
    engine_trainer.BaseTrainer._load_checkpoint_state = resume.load_checkpoint_state
    # What a checkpoint of ours pickles, so that ULTRALYTICS_SAFE_LOAD=1 (torch.load with weights_only=True) accepts it.
    layers = [getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)]
    torch.serialization.add_safe_globals([parser.ConvNeXtLayers, Backbone, Map, *layers])
