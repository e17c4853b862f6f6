from torch import Tensor, nn

from cnx_tutorial.nn.layernorm import LayerNorm


class ConvNeXtStem(nn.Module):
    def __init__(self, c1, c2, k=4, s=4, p=None, g=1, d=1, act=False):
        super().__init__()
        p = (0 if k == s else k // 2) if p is None else p
        self.conv = nn.Conv2d(c1, c2, k, s, p, d, g)
        nn.init.trunc_normal_(self.conv.weight, std=0.02); nn.init.zeros_(self.conv.bias)
        self.norm = LayerNorm(c2, data_format="channels_first")
        self.act = nn.GELU() if act is True else act if isinstance(act, nn.Module) else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))
