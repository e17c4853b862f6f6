import torch
from torch import Tensor, nn

from cnx_tutorial.nn.drop_path import DropPath
from cnx_tutorial.nn.layernorm import LayerNorm


class ConvNeXtBlock(nn.Module):
    def __init__(self, dim, kernel_size=7, expansion=4, drop_path=0.0, layer_scale=1e-6, grn=False):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.norm = LayerNorm(dim)
        self.pwconv1 = nn.Linear(dim, int(expansion * dim))
        self.act = nn.GELU()
        self.grn = nn.Identity()
        self.pwconv2 = nn.Linear(int(expansion * dim), dim)
        self.gamma = nn.Parameter(torch.full((dim,), layer_scale)) if layer_scale else None
        self.drop_path = DropPath(drop_path)
        for m in (self.dwconv, self.pwconv1, self.pwconv2):
            nn.init.trunc_normal_(m.weight, std=0.02); nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        y = self.dwconv(x).permute(0, 2, 3, 1)
        y = self.pwconv2(self.grn(self.act(self.pwconv1(self.norm(y)))))
        if self.gamma is not None:
            y = self.gamma * y
        return x + self.drop_path(y.permute(0, 3, 1, 2))
