"""Makers of random nodes that pick or interpolate elements at listed places."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from edgeq.verify.random_formats import between, chance, pick

if TYPE_CHECKING:
    from edgeq.verify.random_nodes import Growth

#: results stay about this small
_MOST = 1024


def make_gather(g: Growth) -> str | None:
    """Elements along some axes: any, in any order, some of them often."""
    rng, x = g.rng, g.choose()
    assert x is not None
    axes = tuple(i for i in range(len(x.shape)) if chance(rng, 0.5)) or (len(x.shape) - 1,)
    sizes = tuple(between(rng, 1, min(x.shape[a] + 2, 12)) for a in axes)
    picked = dict(zip(axes, sizes, strict=True))
    if prod(picked.get(i, n) for i, n in enumerate(x.shape)) > 2 * _MOST:
        return None
    indices = tuple(between(rng, 0, x.shape[a] - 1) for a, n in zip(axes, sizes, strict=True) for _ in range(n))
    return g.node("gather", (x.name,), axes=axes, sizes=sizes, indices=indices)


def make_resize_bilinear(g: Growth) -> str | None:
    """Neighbours or any two elements, with weights of any share, none and all among them."""
    rng = g.rng
    x = g.choose(lambda v: len(v.shape) in (2, 3) and v.size <= _MOST // 2)
    if x is None:
        return None
    bits = pick(rng, (0, 1, 3, 10, 14))
    size, low, high, weight = [], [], [], []
    for n in x.shape[:-1]:
        size.append(min(pick(rng, (n, 2 * n, (n + 1) // 2, between(rng, 1, 2 * n))), 12))
        for _ in range(size[-1]):
            low.append(between(rng, 0, n - 1))
            high.append(min(low[-1] + 1, n - 1) if chance(rng, 0.7) else between(rng, 0, n - 1))
            weight.append(pick(rng, (0, 1 << bits, (1 << bits) >> 1, between(rng, 0, 1 << bits))))
    places = {"size": tuple(size), "low": tuple(low), "high": tuple(high), "weight": tuple(weight)}
    return g.node("resize_bilinear", (x.name,), bits=bits, **places)
