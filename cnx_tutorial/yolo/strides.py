"""Do the maps fit where rows join them? The layers before the head are run once on a black image, and the first that fails is named.

On the device "meta" nothing is computed: shapes are followed, and no memory is needed however absurd a YAML's numbers are.
"""

import torch
from torch import nn

from cnx_tutorial.yolo.rows import mistake

LARGEST = 2**28  # numbers in one map, 1 GiB in float32


@torch.no_grad()
def check_strides(d: dict, rows: list, layers: list[nn.Module], save: list[int], ch: int, device: str = "cpu") -> None:
    """Send 256 black pixels square through the rows before the head and name the first row that does not fit."""
    x, size, outputs = torch.zeros(1, ch, 256, 256, device=device), {-1: 256}, []
    training = [layer.training for layer in layers]
    try:
        for i, layer in enumerate(layers):
            sources = [layer.f] if isinstance(layer.f, int) else layer.f
            inputs = [x if f == -1 else outputs[f] for f in sources]
            read = [f if f >= 0 else i + f for f in sources]  # row numbers; -1 is the image for row 0
            strides = [256 / size[row] for row in read if row in size]
            if i == len(layers) - 1:
                if strides != sorted(set(strides)) or not all(stride.is_integer() for stride in strides):
                    wrong = f"the head reads rows {read} with strides {readable(strides)}, expected rising whole numbers such as 8, 16, 32"
                    raise mistake(
                        d,
                        i,
                        rows[i],
                        f"{wrong}; change the stride `s` of a stem or downsampling row, or the rows it reads",
                    )
                return
            try:
                x = layer.eval()(inputs[0] if isinstance(layer.f, int) else inputs)
            except NotImplementedError:
                raise
            except Exception as error:  # a stock layer may fail in any way
                shapes = ", ".join(str(tuple(t.shape)) for t in inputs)
                said = (str(error).splitlines() or [type(error).__name__])[0][:200]
                raise mistake(
                    d, i, rows[i],
                    f"it reads {shapes} from rows {read}, strides {readable(strides)}, and fails ({said}); maps that meet in one row need one "
                    "stride: change the stride `s` of a stem or downsampling row, or the row it reads",
                ) from error  # fmt: skip
            if isinstance(x, torch.Tensor) and x.numel() > LARGEST:
                raise mistake(
                    d,
                    i,
                    rows[i],
                    f"its output for an image of 256 x 256 pixels is {tuple(x.shape)}, more than {LARGEST:,} numbers",
                )
            if isinstance(x, torch.Tensor) and x.ndim == 4:
                size[i] = x.shape[-2]
            outputs.append(x if i in save else None)
    finally:
        for layer, mode in zip(layers, training, strict=True):
            layer.train(mode)


def readable(strides: list[float]) -> str:
    return ", ".join(f"{stride:g}" for stride in strides)
