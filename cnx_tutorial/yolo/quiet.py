"""Import ultralytics as a quiet neighbour: afterwards the process is as it was.

Why: importing ultralytics sets environment variables (OMP_NUM_THREADS=1 among them), changes how NumPy and PyTorch print numbers, switches
OpenCV's threads off, and asks the network whether a newer version exists. A notebook would print other digits below that line than above it.
Training, validation and prediction set thread counts and environment variables too; `restored` puts those back.
Source: ultralytics/__init__.py and ultralytics/utils/__init__.py, 8.4.190.
"""

import contextlib
import importlib
import logging
import os
from collections.abc import Iterator

import cv2
import numpy as np
import torch

# Asked of ultralytics only while it is imported, and only where the user said nothing.
AT_IMPORT = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0"}


def cpu_count() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Put back thread counts, print options and environment variables at the end of the block, whatever happened in it."""
    environment = dict(os.environ)
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    numpy_options, torch_options = np.get_printoptions(), vars(torch._tensor_str.PRINT_OPTS).copy()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
        np.set_printoptions(**numpy_options)
        torch.set_printoptions(**torch_options)


def import_ultralytics() -> None:
    """Import ultralytics without its side effects, and without its greeting on a machine where it runs for the first time."""
    logger = logging.getLogger("ultralytics")
    logger.addFilter(only_warnings)
    with restored():
        for name, value in AT_IMPORT.items():
            os.environ.setdefault(name, value)
        importlib.import_module("ultralytics.models")  # the package itself imports these later, on first use
        importlib.import_module("torchvision")  # sets TORCHINDUCTOR_CACHE_DIR
    logger.removeFilter(only_warnings)


def only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


@contextlib.contextmanager
def all_cores() -> Iterator[None]:
    """Let ultralytics use every CPU core in this block, and restore the process after it.

    `select_device` sets the number of CPU threads to `NUM_THREADS`, one less than the cores (so one of two), at every start.
    """
    from ultralytics.utils import torch_utils

    stock = torch_utils.NUM_THREADS
    with restored():
        torch_utils.NUM_THREADS = cpu_count()
        try:
            yield
        finally:
            torch_utils.NUM_THREADS = stock
