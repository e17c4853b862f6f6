"""Do the maps fit where rows join them? The layers are run once on a black image, and the first that fails is named.

First on paper: on PyTorch's device "meta" nothing is computed, only shapes are followed, and no memory is needed however absurd a YAML's numbers are.
Then for real, since some operations look at their arguments only when they compute.
"""

import torch
from torch import nn
from ultralytics.nn.modules import Classify, Detect

from cnx_tutorial.yolo.rows import mistake

LARGEST = 2**28  # numbers in one map, 1 GiB in float32


@torch.no_grad()
def check_strides(
    d: dict, rows: list, layers: list[nn.Module], save: list[int], ch: int, rising: bool, device: str
) -> None:
    """Send an image of 256 x 256 pixels through the rows and name the first that does not fit.

    Args:
        layers: the rows' layers, on `device`.
        save: rows whose output a later row reads.
        ch: channels of the image.
        rising: the head's strides have to be rising whole numbers. Ultralytics itself builds other heads too, which then learn little.
    """
    x, size, outputs = torch.zeros(1, ch, 256, 256, device=device), {-1: 256}, []
    for i, layer in enumerate(layers):
        sources = [layer.f] if isinstance(layer.f, int) else layer.f
        inputs = [x if f == -1 else outputs[f] for f in sources]
        read = [f if f >= 0 else i + f for f in sources]  # row numbers; -1 is the image for row 0
        strides = [256 / size[row] for row in read if row in size]
        if i == len(layers) - 1:
            if rising and (strides != sorted(set(strides)) or not all(stride.is_integer() for stride in strides)):
                wrong = f"the head reads rows {read} with strides {readable(strides)}, expected rising whole numbers such as 8, 16, 32"
                more = "change the stride `s` of a stem or downsampling row, or the rows it reads"
                raise mistake(d, i, rows[i], f"{wrong}; {more}")
            if not isinstance(layer, (Detect, Classify)):  # other heads want more than maps
                return
        try:
            layer.eval()
            layer.training = (
                i == len(layers) - 1
            )  # a head gives its maps back, as when Ultralytics finds out the strides
            x = layer(inputs[0] if isinstance(layer.f, int) else inputs)
        except Exception as error:  # a stock layer may fail in any way
            if isinstance(error, NotImplementedError) and "meta" in str(error).lower():
                raise  # an operation that has no way to run on paper
            shapes = ", ".join(str(tuple(t.shape)) if isinstance(t, torch.Tensor) else type(t).__name__ for t in inputs)
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise mistake(
                d, i, rows[i],
                f"it reads {shapes} from rows {read}, strides {readable(strides)}, and fails ({said}); maps that meet in one row need one "
                "stride: change the stride `s` of a stem or downsampling row, or the row it reads",
            ) from error  # fmt: skip
        if isinstance(x, torch.Tensor) and x.numel() > LARGEST:
            shape = tuple(x.shape)
            raise mistake(
                d, i, rows[i], f"its output for an image of 256 x 256 pixels is {shape}, more than {LARGEST:,} numbers"
            )
        if isinstance(x, torch.Tensor) and x.ndim == 4 and x.shape[-2]:
            size[i] = x.shape[-2]
        outputs.append(x if i in save else None)


def readable(strides: list[float]) -> str:
    return ", ".join(f"{stride:g}" for stride in strides)
