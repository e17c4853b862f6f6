"""The names that our layers have in a model YAML, and `register()`, which makes Ultralytics read them.

Why: Ultralytics finds a row's layer in the globals of its own module and has no hook for others' layers. `register` puts `parse_model` and
`yaml_model_load` of this folder in front of the stock functions; a YAML without our names goes straight through to those. `fuse()`, which folds
BatchNorm into convolutions before inference, then folds what our blocks can fold, too. A training's files are written whole, its folder is taken
at once, and a checkpoint resumes whichever trainer wrote it.
"""

import os
from pathlib import Path

import torch
from ultralytics.engine import model as engine_model
from ultralytics.engine import trainer as engine_trainer
from ultralytics.nn import tasks
from ultralytics.utils import downloads

from cnx_tutorial import nn

ROWS = {"ConvNeXtStem": nn.ConvNeXtStem, "ConvNeXtDownsample": nn.ConvNeXtDownsample, "ConvNeXtBlock": nn.ConvNeXtBlock}
# The spellings of the article that this tutorial grew from.
ROWS |= {name.replace("ConvNeXt", "ConvNeXt_"): layer for name, layer in ROWS.items()}


stock_fuse = tasks.BaseModel.fuse


def fuse(self: tasks.BaseModel, verbose: bool = True, imgsz: int = 640) -> tasks.BaseModel:
    """Ultralytics' `fuse`, which every prediction, validation and export calls first, for our blocks too."""
    for layer in self.model.modules():
        if isinstance(layer, nn.ConvNeXtBlock):
            layer.fuse()
    return stock_fuse(self, verbose, imgsz)


stock_attempt_download_asset = downloads.attempt_download_asset


def attempt_download_asset(file: str | Path, *args, **kwargs) -> str:
    """Ultralytics' search for a weights file, which takes the apostrophes out of a path and then finds nothing; a file that is there is taken."""
    return str(file) if os.path.isfile(file) else stock_attempt_download_asset(file, *args, **kwargs)  # noqa: PTH113


def register() -> None:
    """Teach `ultralytics.YOLO` in this process our YAML rows, our configurations and our checkpoints. Calling it again changes nothing."""
    from cnx_tutorial.yolo import files, parser, resume

    if tasks.parse_model is parser.parse_model:
        return
    tasks.parse_model = parser.parse_model
    tasks.yaml_model_load = engine_model.yaml_model_load = parser.yaml_model_load
    tasks._initialize_yolo_model = parser.initialize_yolo_model
    tasks.BaseModel.fuse = fuse
    downloads.attempt_download_asset = attempt_download_asset
    engine_trainer.get_save_dir = files.take_save_dir
    engine_trainer.strip_optimizer = files.strip_optimizer
    engine_trainer.BaseTrainer._load_checkpoint_state = resume.load_checkpoint_state
    # What a checkpoint of ours pickles, so that ULTRALYTICS_SAFE_LOAD=1 (torch.load with weights_only=True) accepts it.
    layers = [getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)]
    torch.serialization.add_safe_globals([parser.ConvNeXtLayers, *layers])
