"""BinaryPoint: the power-of-two scale of a quantiser, learned by gradient or followed from statistics; its width, too.

It takes the place of Brevitas' PARAMETER_FROM_STATS scaling and means the same (log2 of the range starts from
statistics, then is a parameter; arXiv 1903.08066), with three differences. While statistics are collected the
scale is a power of two already, so that training never sees a scale that the hardware cannot have. How far
collection got is part of the state_dict, so that a checkpoint loads at any moment. And the parameter rounds to
the nearest exponent, not up: a point that has just been set does not flip at the first step.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.errors import InputError
from edgeq.quant.spec import MAX_EXPONENT, MIN_EXPONENT, QuantSpec, power_of_two

#: how many exponents below the one that covers everything a search looks at
SEARCH_DEPTH = 6
#: elements that a search looks at
SEARCH_ELEMENTS = 1 << 15
#: and of each channel at least
SEARCH_ROW = 1 << 10
#: the least width that training may come down to
LEAST_BITS = 2
#: a channel far smaller than the rest of its tensor gets no finer point than this many bits more
CHANNEL_SPREAD = 10
PERCENTILE = 0.9999


class _PowerOfTwo(torch.autograd.Function):
    """2**(round(log2) - head): exact forward, straight-through gradient ln2 * scale; of a learned head the negative."""

    @staticmethod
    def forward(ctx: Any, log2: Tensor, head: Tensor | int) -> Tensor:
        whole = head.round().to(torch.int32) if isinstance(head, Tensor) else head
        scale = power_of_two(torch.round(log2).clamp(MIN_EXPONENT, MAX_EXPONENT).to(torch.int32) - whole)
        scale = scale.to(log2.dtype)
        ctx.save_for_backward(scale)
        return scale

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None]:
        (scale,) = ctx.saved_tensors
        log2 = grads[0] * scale * math.log(2.0)
        return log2, -log2.sum() if ctx.needs_input_grad[1] else None


class _ScaleGradient(torch.autograd.Function):
    """Forward: the identity. Backward: times a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.factor, None


class BinaryPoint(nn.Module):
    """Scale 2**(round(log2_range) - head) of a quantiser; Brevitas' `scaling_impl`.

    log2_range: parameter (learned) or buffer (stats): log2 of the greatest magnitude that the format covers.
    bits:       parameter: the width, rounded and kept between 2 and the spec's where it is used; None where it is not
                learned.
    steps:      batches whose statistics went in; 0 means that the point is not known yet.

    The gradient of log2_range is that of the straight-through estimator, times 1 / sqrt(elements * top), which
    keeps it in proportion to those of the weights (LSQ, arXiv 1902.08153) for optimisers that do not normalise.
    That of the width is not changed, so that it can be weighed against that of a penalty.
    """

    log2_range: Tensor
    steps: Tensor

    def __init__(self, spec: QuantSpec, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self._given = self._now = spec
        learned_width = spec.width_learned and not spec.minifloat
        self.bits = nn.Parameter(torch.tensor(float(spec.bits))) if learned_width else None
        start = torch.full(shape, float(spec.fixed or 0))
        if self.learned:
            self.log2_range = nn.Parameter(start)
        else:
            self.register_buffer("log2_range", start)
        self.register_buffer("steps", torch.full((), int(spec.fixed is not None), dtype=torch.int64))
        self.observer: Observer | None = None

    @property
    def spec(self) -> QuantSpec:
        """The quantiser as it is now: where the width is learned, with the width that it has come to."""
        if self.bits is not None and self._now.bits != (bits := self._whole_bits(self.bits)):
            self._now = self._given.of_width(bits)
        return self._now

    @property
    def most_bits(self) -> int:
        """The width of the recipe: the greatest that training may take."""
        return self._given.bits

    @property
    def learned(self) -> bool:
        """Whether the point is a parameter."""
        return self._given.learned and self._given.fixed is None

    @property
    def ready(self) -> bool:
        """Whether the point is known and not being looked for."""
        return self.observer is None and int(self.steps) > 0

    def forward(self, x: Tensor, threshold: Tensor | None = None) -> Tensor:
        """The scale for `x`, of the shape of the point; `threshold` is what Brevitas passes, and is not needed."""
        if self.observer is not None:
            self.observer.see(x.detach())
        elif self.spec.fixed is not None:
            pass
        elif self.training and (not self.learned or int(self.steps) < self.spec.steps):
            self._follow(x.detach())
        elif int(self.steps) == 0:
            raise InputError(
                f"{self.spec.place}: its binary point is not known yet; run training batches, or edgeq.calibrate, first"
            )
        log2 = self._held()
        if self.learned and self.training:
            per_scale = x.numel() / max(log2.numel(), 1) / (x.shape[0] if self.spec.steps and x.ndim else 1)
            factor = 1.0 / math.sqrt(max(per_scale, 1.0) * self.spec.top)
            log2 = _ScaleGradient.apply(log2, factor)  # type: ignore[no-untyped-call]
        head = self.spec.head if self.bits is None else self.width() - float(self.spec.signed)
        scale: Tensor = _PowerOfTwo.apply(log2, head)  # type: ignore[no-untyped-call]
        group = self.spec.group
        return scale if group is None else scale.repeat_interleave(min(group, x.shape[1]), dim=1)[:, : x.shape[1]]

    def _held(self) -> Tensor:
        """log2 of the ranges; those of groups no further below the greatest of their channel than the spec allows."""
        if self.spec.group is None:
            return self.log2_range
        dims = tuple(range(1, self.log2_range.ndim))
        most = self.log2_range.detach().round().amax(dim=dims, keepdim=True)
        return torch.maximum(self.log2_range, most - self.spec.group_spread)

    def width(self) -> Tensor:
        """The width for the forward pass: a whole number; where it is learned, with a straight-through gradient."""
        if self.bits is None:
            return torch.tensor(float(self.spec.bits), device=self.log2_range.device)
        if self.training:
            with torch.no_grad():
                # Beyond its ends a parameter would take long to come back.
                self.bits.clamp_(LEAST_BITS, self._given.bits)
        return self.bits + (float(self.spec.bits) - self.bits).detach()

    def exponent(self) -> Tensor:
        """log2 of the scale, int32, of the shape of the point; InputError where training has lost it."""
        if not torch.isfinite(self.log2_range).all():
            raise InputError(f"{self.spec.place}: its binary point is not a finite number; the training has diverged")
        whole = torch.round(self._held().detach()).clamp(MIN_EXPONENT, MAX_EXPONENT)
        return whole.to(torch.int32) - self.spec.head

    def _whole_bits(self, bits: Tensor) -> int:
        if not torch.isfinite(bits):
            raise InputError(f"{self._given.place}: its width is not a finite number; the training has diverged")
        return int(torch.round(bits.detach()).clamp(LEAST_BITS, self._given.bits))

    @torch.no_grad()
    def set(self, log2_range: Tensor) -> None:
        """Set the point, as if all statistics were in; a fixed one stays."""
        if self.spec.fixed is not None:
            return
        self.log2_range.copy_(log2_range.to(self.log2_range).reshape(self.log2_range.shape))
        self.steps.fill_(max(self.spec.steps, 1))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Set the point from a parameter."""
        self.set(find_range(x.detach(), self.spec, tuple(self.log2_range.shape)))

    @torch.no_grad()
    def _follow(self, x: Tensor) -> None:
        """Take the statistics of one more batch in: a mean at first, a moving average in stats mode later."""
        found = find_range(x, self.spec, tuple(self.log2_range.shape)).to(self.log2_range)
        if self.spec.steps == 0:
            self.set(found)
            return
        self.steps += 1
        self.log2_range += (found - self.log2_range) / min(int(self.steps), max(self.spec.steps, 10))


class Observer:
    """Collects what calibration needs of one quantiser: greatest magnitude, squared error of each exponent."""

    def __init__(self, spec: QuantSpec, method: str) -> None:
        self.spec, self.method = spec, method
        self.found: list[float] = []
        self.first: int | None = None
        self.errors: Tensor | None = None
        self.most = 0.0

    def see(self, x: Tensor) -> None:
        """Take one batch in."""
        values = x.double().reshape(1, -1)
        self.most = max(self.most, float(values.abs().max()))
        if self.method == "percentile":
            self.found.append(float(_percentile(values)))
        if self.method != "mse" or self.most == 0.0:
            return
        if self.first is None:
            # Two more than this batch needs, since a later one may be larger.
            self.first = covering_exponent(self.most) + 2
        candidates = self.first - torch.arange(SEARCH_DEPTH + 3, dtype=torch.int32, device=x.device)
        part = squared_errors(_sampled(values).expand(len(candidates), -1), self.spec, candidates)
        self.errors = part if self.errors is None else self.errors + part

    def log2_range(self) -> float:
        """The range found; a tensor that was always zero gets 2**0."""
        if self.most == 0.0:
            return 0.0
        if self.method == "mse" and self.errors is not None and self.first is not None:
            return float(self.first - int(torch.argmin(self.errors)))
        if self.method == "percentile":
            return float(covering_exponent(sum(self.found) / len(self.found)))
        return float(covering_exponent(self.most))


def covering_exponent(most: float) -> int:
    """Least p with most <= 2**p."""
    mantissa, exponent = math.frexp(most)
    return exponent - 1 if mantissa == 0.5 else exponent


def squared_errors(rows: Tensor, spec: QuantSpec, log2_range: Tensor) -> Tensor:
    """Sum of squared quantisation errors of each row for its range."""
    exponent = (log2_range.to(torch.int32) - spec.head).unsqueeze(1)
    return (spec.quantise(rows, exponent) - rows).square().sum(dim=1)


def find_range(x: Tensor, spec: QuantSpec, shape: tuple[int, ...]) -> Tensor:
    """log2 of the range that suits `x`, of `shape` (empty: one for the tensor); float64 whole numbers."""
    rows = torch.nan_to_num(_rows(x.double(), shape, spec.group), posinf=0.0, neginf=0.0)
    most = rows.abs().amax(dim=1)
    # A channel of (almost) zeros must not ask for a grid so fine that its bias leaves 32 bits.
    most = torch.maximum(most, most.max() * 2.0**-CHANNEL_SPREAD)
    if spec.statistics == "percentile":
        most = torch.maximum(_percentile(rows), most * 2.0**-SEARCH_DEPTH)
    mantissa, exponent = torch.frexp(torch.where(most > 0, most, 1.0))
    top = exponent.to(torch.int32) - (mantissa == 0.5).to(torch.int32)
    if spec.statistics == "mse":
        rows = _sampled(rows)
        # One more, since the greatest code is one step short of the power of two.
        errors = torch.stack([squared_errors(rows, spec, top + 1 - i) for i in range(SEARCH_DEPTH + 1)])
        top = torch.where(most > 0, top + 1 - errors.argmin(dim=0), top)
    return top.double().reshape(shape)


def _rows(x: Tensor, shape: tuple[int, ...], group: int | None = None) -> Tensor:
    """One row for each scale; groups lie along the second axis, the last one filled up with zeros."""
    if group is not None:
        size = min(group, x.shape[1])
        whole = torch.zeros((x.shape[0], shape[1] * size, *x.shape[2:]), dtype=x.dtype, device=x.device)
        whole[:, : x.shape[1]] = x
        return whole.reshape(x.shape[0], shape[1], size, *x.shape[2:]).movedim(2, -1).reshape(-1, size)
    if not shape or math.prod(shape) == 1:
        return x.reshape(1, -1)
    axis = next(i for i, n in enumerate(shape) if n > 1)
    return x.movedim(axis, 0).reshape(shape[axis], -1)


def _sampled(rows: Tensor) -> Tensor:
    """Some elements of each row, an odd number apart, since sizes of kernels and images are mostly even."""
    wanted = max(SEARCH_ROW, SEARCH_ELEMENTS // rows.shape[0])
    return rows[:, :: max(1, rows.shape[1] // wanted | 1)]


def _percentile(rows: Tensor) -> Tensor:
    """The magnitude that `PERCENTILE` of each row's elements do not exceed."""
    magnitudes = _sampled(rows).abs()
    rank = max(1, math.ceil(PERCENTILE * magnitudes.shape[1]))
    return magnitudes.kthvalue(rank, dim=1).values


__all__ = ["LEAST_BITS", "BinaryPoint", "Observer", "covering_exponent", "find_range"]
