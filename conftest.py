"""Notebooks under nbval: start their kernels as JupyterLab does, without PYTEST_CURRENT_TEST.

With that variable ipykernel stops capturing the output of child processes and of C libraries, and Ultralytics moves its
runs into its own tests folder.
"""

import os


def pytest_collectstart(collector):
    if not hasattr(collector, "skip_compare"):  # only nbval's notebook files have it
        return
    start_kernel = collector.setup

    def setup():
        saved = os.environ.pop("PYTEST_CURRENT_TEST", None)
        try:
            start_kernel()
        finally:
            if saved is not None:
                os.environ["PYTEST_CURRENT_TEST"] = saved

    collector.setup = setup
