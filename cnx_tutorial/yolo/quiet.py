"""Import and run ultralytics without side effects: afterwards the process is as before, except for what the user changed.

Why: importing ultralytics sets environment variables (OMP_NUM_THREADS=1 among them), changes how NumPy and PyTorch print numbers, switches
OpenCV's threads off, and asks the network whether a newer version exists. A notebook would print other digits below that line than above it.
Training and prediction set thread counts and a few variables too. Only those are put back, one by one, by the last who leaves.
Source: ultralytics/__init__.py, utils/__init__.py and utils/torch_utils.py, 8.4.190.
"""

import contextlib
import functools
import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from cnx_tutorial.cores import cpu_count

# Set only while ultralytics is imported, and only if the user has not set them.
AT_IMPORT = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0"}
# Variables that ultralytics writes or deletes while it trains, predicts or exports.
WRITTEN = (
    "CUBLAS_WORKSPACE_CONFIG",
    "PYTHONHASHSEED",
    "TORCH_NCCL_BLOCKING_WAIT",
    "NO_ALBUMENTATIONS_UPDATE",
    "_RJEM_MALLOC_CONF",  # by polars, which it imports
    "RAY_CLIENT_MODE",  # by Ray, which it imports where it is installed
)
# How long PyTorch's threads spin while they wait for each other, before they sleep: a thousand turns (GNU), a millisecond (LLVM, Intel). By default
# they spin longer than most operations last, which costs a busy machine its cores; not at all (OMP_WAIT_POLICY=PASSIVE) costs a free one a quarter.
WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set variables for this block where the user has not; afterwards every variable that changed in it is as before."""
    before = dict(os.environ)
    for name, value in values.items():
        os.environ.setdefault(name, value)
    try:
        yield
    finally:
        for name in {*before, *os.environ}:
            put_back(name, before.get(name))


def put_back(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    elif os.environ.get(name) != value:
        os.environ[name] = value


# OpenMP reads this once, when PyTorch loads it. What the user has set counts.
WAITS_BRIEFLY = "torch" not in sys.modules or bool({*WAITING, "OMP_WAIT_POLICY"} & set(os.environ))
with environment(**({} if {*WAITING, "OMP_WAIT_POLICY"} & set(os.environ) else WAITING)):
    import torch


def import_ultralytics() -> None:
    """Import ultralytics without its side effects, and without its greeting on a machine where it runs for the first time."""
    logger = logging.getLogger("ultralytics")
    logger.addFilter(only_warnings)
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    numpy_options, torch_options = np.get_printoptions(), vars(torch._tensor_str.PRINT_OPTS).copy()
    try:
        with environment(**AT_IMPORT):
            importlib.import_module("ultralytics.models")  # the package itself imports these later, on first use
            importlib.import_module("torchvision")  # sets TORCHINDUCTOR_CACHE_DIR
        utils = importlib.import_module("ultralytics.utils")
        leave_switches(
            {
                "AUTOINSTALL": lambda: utils.env_bool("YOLO_AUTOINSTALL", True),
                "ONLINE": functools.cache(utils.is_online),
            }
        )
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
        np.set_printoptions(**numpy_options)
        torch.set_printoptions(**torch_options)
        logger.removeFilter(only_warnings)


def only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def threads_to_use() -> int:
    """All cores if waiting threads soon sleep; otherwise one less, as in Ultralytics, so that no step waits for a thread without a core."""
    return cpu_count() if WAITS_BRIEFLY else max(1, cpu_count() - 1)


class ForStock:
    """A switch of Ultralytics: off inside our calls, and Ultralytics' own value elsewhere, which is worked out when it is read."""

    def __init__(self, ask: Callable[[], bool]):
        self.ask = ask

    def __bool__(self) -> bool:
        return not GUESTS.has_this_thread() and self.ask()


def leave_switches(names: dict[str, Callable[[], bool]]) -> None:
    """Put `ForStock` in the place of constants that ultralytics took over from the variables of AT_IMPORT."""
    switches = {name: ForStock(ask) for name, ask in names.items()}
    for module in [module for name, module in sys.modules.items() if name.startswith("ultralytics.")]:
        for name, switch in switches.items():
            if isinstance(vars(module).get(name), bool):
                setattr(module, name, switch)


class Guests:
    """The calls that are inside ultralytics now (the guests), and the state of the process before the first of them.

    PyTorch's thread count belongs to each thread; a new thread begins with the last count that any thread set. So every thread puts its own back
    when it leaves, and the last one out the process's.
    """

    def __init__(self):
        self.lock = threading.RLock()
        self.inside: dict[int, int] = {}  # guests, by thread
        self.own_count: dict[int, int] = {}  # PyTorch's threads before, by thread
        self.set_by_us: set[int] = set()  # counts that were set meanwhile, by us or by ultralytics

    def has_this_thread(self) -> bool:
        return threading.get_ident() in self.inside

    def enter(self) -> int:
        from ultralytics.utils import torch_utils

        with self.lock:
            thread, count = threading.get_ident(), torch.get_num_threads()
            if not self.inside:
                self.count = count
                self.variables = {name: os.environ.get(name) for name in WRITTEN}
                self.deterministic = torch.are_deterministic_algorithms_enabled()
                self.warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
                self.cv2_count, self.stock_count = cv2.getNumThreads(), torch_utils.NUM_THREADS
                cv2.setNumThreads(0)  # OpenCV's threads and those of data loaders disturb each other
                self.cv2_off = cv2.getNumThreads()
                self.set_by_us = {self.stock_count}
            torch_utils.NUM_THREADS = (
                cpu_count()
            )  # what `select_device` sets at every start; by itself one core less than there are
            self.set_by_us.add(torch_utils.NUM_THREADS)
            if thread not in self.inside:
                self.own_count[thread] = self.count if count in self.set_by_us else count
            self.inside[thread] = self.inside.get(thread, 0) + 1
            return thread

    def leave(self, thread: int) -> None:
        from ultralytics.utils import torch_utils

        with self.lock:
            self.inside[thread] -= 1
            if self.inside[thread]:
                return
            del self.inside[thread]
            before = self.own_count.pop(thread)
            changed_by_user = torch.get_num_threads() not in self.set_by_us
            if not self.inside:
                for name, value in self.variables.items():
                    put_back(name, value)
                if torch.are_deterministic_algorithms_enabled() != self.deterministic:
                    torch.use_deterministic_algorithms(self.deterministic, warn_only=self.warn_only)
                if cv2.getNumThreads() == self.cv2_off:
                    cv2.setNumThreads(self.cv2_count)
                torch_utils.NUM_THREADS = self.stock_count
                if not changed_by_user:
                    torch.set_num_threads(self.count)
            if not changed_by_user and torch.get_num_threads() != before:
                torch.set_num_threads(before)

    def use(self, threads: int) -> None:
        """Set PyTorch's thread count for the guest of this thread."""
        with self.lock:
            self.set_by_us.add(threads)
            torch.set_num_threads(threads)


GUESTS = Guests()


@contextlib.contextmanager
def all_cores() -> Iterator[None]:
    """Let ultralytics use every core that this process may use, and undo what it changes when the last such block ends, in whatever order."""
    thread = GUESTS.enter()
    try:
        yield
    finally:
        GUESTS.leave(thread)


def without_opencv_threads(function: Callable) -> Callable:
    """Ultralytics' function, without threads of OpenCV while it runs: they and those of data loaders disturb each other.

    Ultralytics switches them off for the whole process when it is imported, which `import_ultralytics` undoes.
    """

    @functools.wraps(function)
    def quietly(*args, **kwargs):
        before = cv2.getNumThreads()
        cv2.setNumThreads(0)
        off = cv2.getNumThreads()
        try:
            return function(*args, **kwargs)
        finally:
            if cv2.getNumThreads() == off:
                cv2.setNumThreads(before)

    return quietly
