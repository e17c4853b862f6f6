"""ConvNeXt from scratch, and into YOLOv8.

`cnx_tutorial.nn` is plain PyTorch and never imports ultralytics. `YOLO` and `register` live in `cnx_tutorial.yolo`, which does; they are
imported on first use, so `import cnx_tutorial.nn` stays light.
"""

__version__ = "0.1.0"
__all__ = ["YOLO", "__version__", "register"]


def __getattr__(name: str):
    if name in ("YOLO", "register"):
        from cnx_tutorial import yolo

        return getattr(yolo, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
