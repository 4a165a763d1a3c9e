"""Small networks that together use every layer, function and spelling that prepare and export know."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F
from torch import nn

from edgeq.ir.coordinates import resize_line
from edgeq.quant.resampling import LinearResize, Picked


class Residual(nn.Module):
    """ResNet block: BatchNorm folded, ReLU shared and fused, strided shortcut, global mean by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(8, 12, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(12)
        self.conv2 = nn.Conv2d(12, 12, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(12)
        self.shortcut = nn.Sequential(nn.Conv2d(8, 12, 1, stride=2, bias=False), nn.BatchNorm2d(12))
        self.classify = nn.Linear(12, 5)

    def forward(self, x):
        x = self.relu(self.norm(self.stem(x)))
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        y += self.shortcut(x)
        return self.classify(self.relu(y).mean(dim=(2, 3)))


class Mobile(nn.Module):
    """Inverted residual with depthwise convolution, ReLU6, hard-swish and squeeze-and-excite."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(3, 12, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6())
        self.depthwise = nn.Sequential(
            nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False), nn.BatchNorm2d(12), nn.Hardswish()
        )
        self.squeeze, self.excite = nn.Conv2d(12, 4, 1), nn.Conv2d(4, 12, 1)
        self.gate = nn.Hardsigmoid()
        self.project = nn.Sequential(nn.Conv2d(12, 3, 1, bias=False), nn.BatchNorm2d(3))

    def forward(self, x):
        y = self.depthwise(self.expand(x))
        s = F.adaptive_avg_pool2d(y, 1)
        y = y * self.gate(self.excite(F.relu(self.squeeze(s))))
        return x + self.project(y)


class Branches(nn.Module):
    """Concatenation, chunk, dilation, groups, average pools of all kinds, padded max pool with ceil_mode."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(4, 8, 3, padding=2, dilation=2, groups=2)
        self.b = nn.Conv2d(4, 6, (3, 1), padding="same")
        self.maximum = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)
        self.mean1 = nn.AvgPool2d(3, stride=2, padding=1)
        self.mean2 = nn.AvgPool2d(2, count_include_pad=False)
        self.out = nn.Conv2d(14, 4, 1, bias=False)

    def forward(self, x):
        y = torch.cat([self.a(x), torch.tanh(self.b(x))], dim=1)
        first, second = [torch.relu(part) for part in y.chunk(2, dim=1)]
        y = torch.cat((self.maximum(first), self.mean1(second)), 1)
        y = self.mean2(F.avg_pool2d(self.out(y), 3, 1, 1, count_include_pad=False))
        return F.adaptive_avg_pool2d(y, (1, 2))


class Signal(nn.Module):
    """One-dimensional: convolutions, transposed convolution, pools, leaky ReLU, transposes, linear over time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm1d(8)
        self.act = nn.LeakyReLU(0.1)
        self.pool = nn.MaxPool1d(2)
        self.up = nn.ConvTranspose1d(8, 6, 4, stride=2, padding=1, output_padding=1, groups=2)
        self.mean = nn.AvgPool1d(3, padding=1)
        self.mix = nn.Linear(6, 7)

    def forward(self, x):
        x = self.act(self.norm(self.conv(x)))
        x = self.pool(x) + F.adaptive_max_pool1d(x, 1)
        x = self.mean(self.up(x)).transpose(1, 2)
        return F.elu(self.mix(x)).permute(0, 2, 1)


class Upsampling(nn.Module):
    """Transposed convolutions with dilation, nearest resize, reflected and constant padding, GELU and SiLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3, padding=1, padding_mode="reflect")
        self.up1 = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.up2 = nn.ConvTranspose2d(4, 4, 2, dilation=2, groups=4, bias=False)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")
        self.pad = nn.ReflectionPad2d((1, 0, 2, 1))
        self.gelu, self.silu = nn.GELU(approximate="tanh"), nn.SiLU()

    def forward(self, x):
        x = self.gelu(self.conv(x))
        x = self.silu(self.norm(self.up1(x)))
        x = self.up2(F.pad(x, (0, 1)))
        return self.pad(self.grow(x)[:, :, 1:-1, ::2])


class Resizing(nn.Module):
    """Resizing over one axis and two: by a factor, by a size, by the size of another tensor, all coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.fine = nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.Conv2d(2, 4, 1)
        self.twice = nn.Upsample(scale_factor=2, mode="bilinear")
        self.corners = nn.UpsamplingBilinear2d(size=(7, 5))
        self.left = LinearResize([resize_line("asymmetric", 7, 6), resize_line("half_pixel_symmetric", 5, 7, 1.25)])
        self.pick = Picked({1: (0, 2, 1, 1, 3), 3: (3, 3, 0)})
        self.line = nn.Upsample(size=11, mode="linear", align_corners=True)
        self.last = nn.Conv1d(3, 2, 3)

    def forward(self, x, y):
        fine = self.fine(x)
        z = F.interpolate(self.down(x), size=fine.shape[2:], mode="bilinear", align_corners=False) + fine
        z = F.interpolate(F.relu(self.twice(z)), scale_factor=(0.7, 1.3), mode="bilinear")
        y = F.interpolate(self.last(self.line(y)), scale_factor=3.0, mode="linear", recompute_scale_factor=True)
        a = F.interpolate(self.pick(z), scale_factor=1.7)
        return self.left(self.corners(z)), F.interpolate(a, size=(5, 4), mode="nearest-exact"), y


class Attention(nn.Module):
    """Self-attention written out: views by size, permutes, matmul, softmax, a learned position, a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.position = nn.Parameter(torch.randn(6, 8) * 0.5)
        self.project = nn.Linear(8, 8)

    def forward(self, x):
        x = x + self.position
        q, k, v = self.split(x)
        weights = ((q @ k.transpose(-2, -1)) * 0.5).softmax(dim=-1)
        y = (weights @ v).transpose(1, 2).reshape(x.shape[0], -1, x.shape[2])
        return x + self.project(y)

    def split(self, x):
        n, t, c = x.size(0), x.size(1), x.size(2)
        q, k, v = self.qkv(x).split(c, dim=2)
        return tuple(p.view(n, t, 2, c // 2).transpose(1, 2) for p in (q, k, v))


class Functional(nn.Module):
    """Functions, methods and operators in torch's many spellings, with Python numbers as operands."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3)
        self.register_buffer("scale", torch.tensor([0.5, 1.5, -1.0, 0.25]).reshape(1, 4, 1, 1))
        self.last = nn.Linear(4 * 6 * 6, 4)

    def forward(self, x):
        y = self.conv(x).clamp(-0.75, 0.75)
        z = torch.mul(y, self.scale) + 0.25
        z = F.hardtanh(z - y / 2, -1.0, 0.5)
        z = torch.sub(1, torch.sigmoid(z)).contiguous()
        z = torch.add(z, F.softplus(y)) - y.abs()
        z = operator.mul(z, z) + y**2
        z = F.dropout(z, 0.2, self.training)
        return self.last(torch.flatten(z, start_dim=1)).softmax(-1)


class Views(nn.Module):
    """Indexing, unsqueeze, squeeze, narrow, unflatten, softmax over channels, argmax last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(2, 5, 2)
        self.flat = nn.Flatten()
        self.unflat = nn.Unflatten(1, (3, 2))

    def forward(self, x):
        y = self.conv(x[:, None, :])
        y = F.relu(y.narrow(2, 1, 8))
        y = self.unflat(y).permute(0, 2, 1, 3)
        y = self.conv2(y)
        a, b = y[:, :, 0], y.select(2, 1)
        y = torch.cat([a.unsqueeze(2), b[..., None].transpose(2, 3)], dim=2).softmax(dim=1)
        return y.mean(-1).squeeze(-1), y.argmax(dim=1)


class Slopes(nn.Module):
    """PReLU with one slope and with one for each channel, of maps and of vectors, as module and as function."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.one = nn.Conv2d(2, 4, 3), nn.PReLU()
        self.block = nn.Sequential(nn.Conv2d(4, 3, 1), nn.PReLU(3, init=-0.4))
        self.last, self.each = nn.Linear(3, 5), nn.PReLU(5)
        self.slope = nn.Parameter(torch.tensor([0.7]))

    def forward(self, x):
        x = self.block(self.one(self.conv(x)))
        return self.each(self.last(x.mean((2, 3)))), F.prelu(x - 0.5, self.slope)


class Standalone(nn.Module):
    """BatchNorm that nothing comes before, ReLU of a tensor that is read twice, two inputs and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x, y):
        x = self.conv(self.relu(self.norm(x)))
        z = self.relu(x)
        return {"sum": x + z, "product": z * y}["sum"], torch.mul(z, y)


class Greatest(nn.Module):
    """Maximum, minimum and sum, of tensors and with a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(2, 4, 3)
        self.other = nn.Conv2d(2, 4, 3)
        self.floor = nn.Parameter(torch.linspace(-0.5, 0.5, 4).reshape(4, 1, 1))
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        a, b = self.one(x), self.other(x)
        y = torch.maximum(torch.minimum(a, b), self.floor)
        return self.last(y.sum(dim=(2, 3))), torch.sum(a, 1, keepdim=True)


#: name -> (network, shapes of its inputs without batch)
NETWORKS = {
    "residual": (Residual, [(3, 8, 8)]),
    "mobile": (Mobile, [(3, 6, 6)]),
    "branches": (Branches, [(4, 9, 9)]),
    "signal": (Signal, [(3, 33)]),
    "upsampling": (Upsampling, [(2, 5, 6)]),
    "resizing": (Resizing, [(2, 6, 5), (3, 7)]),
    "attention": (Attention, [(6, 8)]),
    "functional": (Functional, [(2, 8, 8)]),
    "views": (Views, [(10,)]),
    "greatest": (Greatest, [(2, 6, 7)]),
    "slopes": (Slopes, [(2, 6, 5)]),
    "standalone": (Standalone, [(3, 6, 6), (3, 6, 6)]),
}


def make(name: str, seed: int = 0) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """A network with random weights and BatchNorm statistics, in eval mode, and a batch for it."""
    torch.manual_seed(seed)
    kind, shapes = NETWORKS[name]
    model = kind()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 0.3, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.3, 2.0)
    batch = tuple(torch.randn(6, *shape) for shape in shapes)
    return model.eval(), batch
