"""Recipe: which number formats a network gets, as one frozen dataclass that also reads from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from edgeq.errors import FormatError, InputError
from edgeq.formats import FIXED_RULES, OVERFLOWS, RULES, KHot, minifloat
from edgeq.quant import ptq

#: how messages say which minifloats a recipe takes
_MINIFLOATS = "a minifloat of 3 to 8 bits by its name (e1m1 … e5m2, e4m3fnuz, e4m3-none)"
#: how binary points come about: learned by gradient, or followed from statistics
POINTS = ("learned", "stats")
#: how a binary point is found from data
STATISTICS = ("mse", "max", "percentile")
#: rules that training knows (a graph may have others, for imported models)
ROUNDINGS = tuple(FIXED_RULES)
#: overflow modes; "symmetric" saturates without the least code (AP_SAT_SYM)
OVERFLOW = (*OVERFLOWS, "symmetric")

#: whose widths training learns
WIDTHS = ("fixed", "learned", "weights", "activations")
#: what becomes of BatchNorm
BATCH_NORMS = ("fold", "keep")
#: hardware costs that a penalty on widths may have
COSTS = ("bitops", "luts", "bytes")

#: input channels that may share a scale
MOST_GROUP = 1 << 16

#: a number of bits, or the name of a minifloat
Number = int | str


@dataclass(frozen=True)
class LayerRecipe:
    """What one layer gets: `Recipe` with the overrides for its name applied."""

    weights: Number | KHot
    activations: Number
    biases: int | None
    per_channel: bool
    group: int | None
    binary_point: str
    width: str
    rounding: str | None
    overflow: str
    statistics: str

    def __post_init__(self) -> None:
        for key in ("weights", "activations"):
            if self.learns_width(key) and isinstance(getattr(self, key), str):
                raise InputError(
                    f"recipe: width: {self.width} needs {key} of fixed point, and these are {getattr(self, key)}; "
                    "give them bits, or width: fixed"
                )

        if self.group is not None and (isinstance(self.weights, KHot) or self.learns_width("weights")):
            what = "K-hot weights" if isinstance(self.weights, KHot) else "weights of a learned width"
            raise InputError(f"recipe: group: {self.group} is not for {what}; leave group out, or give weights bits")

    def rule(self, number: Number | KHot) -> str:
        """Rounding rule for values of a format: half_up for fixed point, half_even for minifloats, unless set."""
        if self.rounding is not None:
            if isinstance(number, str) and self.rounding not in RULES:
                raise InputError(f"recipe: rounding {self.rounding} is of fixed point only, not of {number}")
            return self.rounding
        return "half_even" if isinstance(number, str) else "half_up"

    def learns_width(self, key: str) -> bool:
        """Whether training learns the width of the "weights" (biases too) or of the "activations"."""
        return self.width in ("learned", key)


#: keys that `first`, `last` and `layers` may override
LAYER_KEYS = tuple(f.name for f in fields(LayerRecipe))


@dataclass(frozen=True)
class Recipe:
    """Formats of a whole network.

    weights:      bits of fixed-point weights, 2 to 8, or a minifloat of 3 to 8 bits ("e2m1", "e4m3-fnuz", …), or a
                  KHot (as a mapping {bits: 8, khot: 2, digits: signed}): weights of at most so many non-zero digits.
    activations:  bits of fixed-point activations, 2 to 16, or a minifloat.
    biases:       bits of biases, 2 to 32, which then have a binary point of their own for each layer; None: 32 bits on
                  the grid of the products.
    per_channel:  one binary point for each output channel of the weights (True), or one for each tensor.
    group:        weights have a scale of their own for each group of so many consecutive input channels (32 in the MX
                  formats; `per_channel` then says nothing). None: no groups.
    binary_point: "learned" by gradient in training, or "stats": followed from statistics.
    width:        "fixed", or "learned": bits are where training starts and the most that it may use; "weights" or
                  "activations" learn those alone. `edgeq.quant.WidthPenalty` says what bits cost.
    rounding:     rule of the one rounding of every output; None: half_up, and half_even for minifloats.
    overflow:     what becomes of outputs beyond their format: "saturate", "symmetric" (without the least code), "wrap"
                  or "zero". Weights, constants, inputs and the tables of functions saturate.
    statistics:   how points start (learned) or are kept (stats): "mse", "max" or "percentile".
    collect_stats_steps: training batches from which the points of activations start, before they are learned.
    input:        format of the network's inputs: bits, "u8"/"s8" for the sign to be said, or a minifloat.
                  None: the activations' format, but at least 8 bits. Without a sign in it, inputs are signed
                  unless the example given to `prepare` has no negative element.
    output:       format of the network's outputs; None: the activations' format, but at least 8 bits.
    first, last:  overrides (any of the keys above down to `statistics`) for the first and the last weight layers.
    elementwise:  overrides for what has no weights of a matrix: additions, products, means, pools, functions,
                  concatenations, and BatchNorm that is kept.
    batch_norm:   "fold" into the layer before it, or "keep" as a fixed-point multiply-add of its own.
    width_cost:   what a bit costs where widths are learned: "bitops", "luts" or "bytes".
    ptq:          methods of post-training quantisation that `edgeq.calibrate` applies: names, or mappings of a name to
                  its options (`edgeq.quant.ptq.METHODS`), in any order.
    layers:       overrides by layer name; names are patterns (`fnmatch`), a later pattern wins.
    """

    weights: Number | KHot = 8
    activations: Number = 8
    biases: int | None = None
    per_channel: bool = True
    group: int | None = None
    binary_point: str = "learned"
    width: str = "fixed"
    rounding: str | None = None
    overflow: str = "saturate"
    statistics: str = "mse"
    collect_stats_steps: int = 20
    input: Number | None = None
    output: Number | None = None
    first: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)
    elementwise: Mapping[str, Any] = field(default_factory=dict)
    batch_norm: str = "fold"
    width_cost: str = "bitops"
    ptq: ptq.Chosen = field(default_factory=dict)
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in LAYER_KEYS:
            object.__setattr__(self, key, _checked(key, getattr(self, key), "recipe"))
        steps = self.collect_stats_steps
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise InputError(f"recipe: collect_stats_steps must be an int of at least 1, not {steps!r}")
        for key in ("input", "output"):
            if getattr(self, key) is not None:
                object.__setattr__(self, key, border_number(getattr(self, key), f"recipe: {key}"))
        for key, allowed in (("batch_norm", BATCH_NORMS), ("width_cost", COSTS)):
            _one_of(getattr(self, key), allowed, f"recipe: {key}")
        for key in ("first", "last", "elementwise"):
            object.__setattr__(self, key, _overrides(getattr(self, key), f"recipe: {key}"))
        object.__setattr__(self, "ptq", ptq.checked(self.ptq, "recipe: ptq"))
        if not isinstance(self.layers, Mapping):
            raise InputError(f"recipe: layers must map name patterns to overrides, not {self.layers!r}")
        layers = {str(k): _overrides(v, f"recipe: layers: {k}") for k, v in self.layers.items()}
        object.__setattr__(self, "layers", layers)

    def layer(self, name: str, first: bool = False, last: bool = False, elementwise: bool = False) -> LayerRecipe:
        """The formats of layer `name`; `first`, `last`, `elementwise` apply before the patterns of `layers`."""
        chosen = {key: getattr(self, key) for key in LAYER_KEYS}
        chosen |= self.elementwise if elementwise else {}
        chosen |= self.first if first else {}
        chosen |= self.last if last else {}
        for pattern, changes in self.layers.items():
            if fnmatchcase(name, pattern):
                chosen |= changes
        return LayerRecipe(**chosen)

    def unused_patterns(self, names: list[str]) -> list[str]:
        """Patterns of `layers` that match none of the names: most likely a spelling mistake."""
        return [p for p in self.layers if not any(fnmatchcase(n, p) for n in names)]

    @classmethod
    def from_dict(cls, obj: Mapping[str, Any], place: str = "recipe") -> Recipe:
        """A recipe from plain data; InputError names an unknown or wrong key."""
        if not isinstance(obj, Mapping):
            raise InputError(f"{place}: a recipe is a mapping of keys to values, not {type(obj).__name__}")
        known = [f.name for f in fields(cls)]
        for key in obj:
            if key not in known:
                raise InputError(f"{place}: unknown key {key!r}; keys are {', '.join(known)}")
        return cls(**obj)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Recipe:
        """Read a recipe from a YAML file; InputError names the file and the key."""
        import yaml

        try:
            obj = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"recipe {path}: cannot be read: {' '.join(str(error).split())}") from None
        return cls.from_dict(obj or {}, f"recipe {path}")

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads back equal."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        found = _plain(found) | {key: _plain(found[key]) for key in ("first", "last", "elementwise")}
        found["ptq"] = {name: dict(options) for name, options in self.ptq.items()}
        return found | {"layers": {k: _plain(v) for k, v in self.layers.items()}}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.to_dict() if isinstance(value, KHot) else value for key, value in values.items()}


def widened(number: Number, least: int = 8) -> Number:
    """The format of a border: bits are raised to `least`, a minifloat stays."""
    return number if isinstance(number, str) else max(number, least)


def border_number(value: Any, place: str) -> Number:
    """A format of an input or output: like `activations`, or with its sign said ("u8", "s12")."""
    if isinstance(value, str) and value[:1] in ("u", "s") and value[1:].isdigit():
        _number(int(value[1:]), 2, 16, place)
        return value
    return _number(value, 2, 16, place)


def split_sign(number: Number) -> tuple[Number, bool | None]:
    """A border's format without its sign, and whether it is signed (None: not said)."""
    if isinstance(number, str) and number[:1] in ("u", "s") and number[1:].isdigit():
        return int(number[1:]), number[0] == "s"
    return number, None


def _number(value: Any, least: int, most: int, place: str) -> Number:
    if isinstance(value, str):
        name = value.strip().lower()
        if name.startswith("e"):
            return _checked_minifloat(name, place)
        if not name.isdigit():
            raise InputError(f"{place}: {value!r} is neither a number of bits nor {_MINIFLOATS}")
        value = int(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"{place}: must be {least} to {most} bits or {_MINIFLOATS}, not {value!r}")
    return value


def _checked_minifloat(name: str, place: str) -> str:
    try:
        minifloat(name)
    except FormatError as error:
        raise InputError(f"{place}: {error}") from None
    return name


def _checked(key: str, value: Any, place: str) -> Any:
    """The value of a layer key, normalised; InputError names the key."""
    where = f"{place}: {key}"
    if key == "weights":
        return _khot(value, where) if isinstance(value, (Mapping, KHot)) else _number(value, 2, 8, where)
    if key == "activations":
        return _number(value, 2, 16, where)
    if key == "biases":
        return None if value is None else _bits(value, 2, 32, where)
    if key == "group":
        if value is not None and (type(value) is not int or not 1 <= value <= MOST_GROUP):
            raise InputError(f"{where}: must be 1 to {MOST_GROUP} input channels, or left out, not {value!r}")
        return value
    if key == "per_channel":
        if not isinstance(value, bool):
            raise InputError(f"{where}: must be true or false, not {value!r}")
        return value
    allowed = {
        "binary_point": POINTS,
        "statistics": STATISTICS,
        "rounding": ROUNDINGS,
        "overflow": OVERFLOW,
        "width": WIDTHS,
    }[key]
    return value if value is None and key == "rounding" else _one_of(value, allowed, where)


def _one_of(value: Any, allowed: tuple[str, ...], place: str) -> str:
    if value not in allowed:
        raise InputError(f"{place}: must be one of {', '.join(allowed)}, not {value!r}")
    return str(value)


def _bits(value: Any, least: int, most: int, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"{place}: must be {least} to {most} bits, not {value!r}")
    return value


def _khot(value: Any, place: str) -> KHot:
    """K-hot weights from a mapping; widths are those of other weights."""
    if isinstance(value, Mapping):
        wrong = [key for key in value if key not in ("bits", "khot", "digits")]
        if wrong or not {"bits", "khot"} <= value.keys():
            raise InputError(
                f"{place}: K-hot weights are {{bits: …, khot: …, digits: signed or binary}}, not {value!r}"
            )
        try:
            value = KHot(**value)
        except FormatError as error:
            raise InputError(f"{place}: {error}") from None
    assert isinstance(value, KHot)
    _bits(value.bits, 2, 8, f"{place}: bits")
    return value


def _overrides(changes: Any, place: str) -> dict[str, Any]:
    if not isinstance(changes, Mapping):
        raise InputError(f"{place}: must be a mapping of overrides, not {changes!r}")
    for key in changes:
        if key not in LAYER_KEYS:
            raise InputError(f"{place}: unknown key {key!r}; overrides are {', '.join(LAYER_KEYS)}")
    return {key: _checked(key, value, place) for key, value in changes.items()}
