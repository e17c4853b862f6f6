"""Do the maps fit where rows join them? The layers are run once on a black image, and the first that fails is named.

The first run is on PyTorch's device "meta": it computes only shapes, and needs no memory even if a YAML's numbers are absurd.
The second run computes values, since some operations check their arguments only when they compute.
"""

import torch
from torch import nn
from ultralytics.nn.modules import Classify, Detect

from cnx_tutorial.yolo.rows import Row

LARGEST = 2**28  # numbers in one map, 1 GiB in float32
SIDE = 256


@torch.no_grad()
def follow(
    rows: list[Row],
    layers: list[nn.Module],
    save: list[int],
    ch: int,
    rising: bool,
    device: str,
    promised: dict[int, int],
) -> dict[int, tuple[int, float]]:
    """Send an image of 256 x 256 pixels through the rows and name the first that does not fit.

    Args:
        layers: the rows' layers, on `device`.
        save: rows whose output a later row reads.
        ch: channels of the image.
        rising: the head's strides have to be rising whole numbers. Ultralytics itself builds other heads too, which then learn little.
        promised: the channels that a registered class has to return, by row.

    Returns:
        Channels and stride of each row whose output is one map.

    Raises:
        ValueError: a row fails, or returns another shape than it promises; the message names the row.
    """
    x, outputs, maps = torch.zeros(1, ch, SIDE, SIDE, device=device), [], {-1: (ch, 1.0)}
    for row, layer in zip(rows, layers, strict=True):
        last = row.i == len(layers) - 1
        inputs = [x if f == -1 else outputs[f] for f in ([layer.f] if isinstance(layer.f, int) else layer.f)]
        strides = [maps[source][1] for source in row.sources if source in maps]
        if last:
            if rising and (strides != sorted(set(strides)) or not all(stride.is_integer() for stride in strides)):
                wrong = f"the head reads rows {row.sources} with strides {readable(strides)}, expected rising whole numbers such as 8, 16, 32"
                raise row.wrong(f"{wrong}; change the stride `s` of a stem or downsampling row, or the rows it reads")
            if not isinstance(layer, (Detect, Classify)):  # other heads want more than maps
                break
        try:
            layer.eval()
            layer.training = last  # a head gives its maps back, as when Ultralytics finds out the strides
            x = layer(inputs[0] if isinstance(layer.f, int) else inputs)
        except Exception as error:  # a layer may fail in any way
            if isinstance(error, NotImplementedError) and "meta" in str(error).lower():
                raise  # an operation that cannot run on the device meta
            shapes = ", ".join(str(tuple(t.shape)) if isinstance(t, torch.Tensor) else type(t).__name__ for t in inputs)
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise row.wrong(
                f"it reads {shapes} from rows {row.sources}, strides {readable(strides)}, and fails ({said}); maps that meet in one row need one "
                "stride: change the stride `s` of a stem or downsampling row, or the row it reads"
            ) from error
        if isinstance(x, torch.Tensor) and x.numel() > LARGEST:
            shape = tuple(x.shape)
            raise row.wrong(
                f"its output for an image of {SIDE} x {SIDE} pixels is {shape}, more than {LARGEST:,} numbers"
            )
        if row.i in promised and not (isinstance(x, torch.Tensor) and x.ndim == 4 and x.shape[1] == promised[row.i]):
            seen = tuple(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
            raise row.wrong(
                f"{row.name} was built for c2={promised[row.i]} channels and returns {seen}, expected (1, {promised[row.i]}, height, width): its "
                f"forward() must return what its constructor promises, or register({row.name}, channels=...) say what it does"
            )
        if isinstance(x, torch.Tensor) and x.ndim == 4 and x.shape[-2]:
            maps[row.i] = x.shape[1], SIDE / x.shape[-2]
        outputs.append(x if row.i in save else None)
    return maps


def readable(strides: list[float]) -> str:
    return ", ".join(f"{stride:g}" for stride in strides)
