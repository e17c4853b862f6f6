"""The bridge to Ultralytics, and the only folder that imports it: YAML rows, model, trainer. Importing it registers our names."""

from cnx_tutorial.yolo.quiet import import_ultralytics

import_ultralytics()

from cnx_tutorial.yolo.model import RTDETR, YOLO  # noqa: E402
from cnx_tutorial.yolo.register import register  # noqa: E402
from cnx_tutorial.yolo.trainer import ConvNeXtTrainer  # noqa: E402

register()

__all__ = ["RTDETR", "YOLO", "ConvNeXtTrainer", "register"]
