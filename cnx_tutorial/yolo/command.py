"""`python -m cnx_tutorial.yolo.command train ...`: Ultralytics' command with our model classes.

`tune()` and `train(data=[...])` start one process for each training. Ultralytics starts its own command, in which our layers, data sets and trainers
would be missing.
"""

from cnx_tutorial.yolo.model import RTDETR, YOLO  # first, so that ultralytics is imported quietly

import ultralytics  # isort: skip
from ultralytics import cfg  # isort: skip

if __name__ == "__main__":
    ultralytics.YOLO, ultralytics.RTDETR = YOLO, RTDETR
    cfg.entrypoint()
