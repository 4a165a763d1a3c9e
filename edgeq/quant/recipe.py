"""Recipe: which number formats a network gets, as one frozen dataclass that also reads from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from edgeq.errors import InputError
from edgeq.formats import FIXED_RULES, NAMED, OVERFLOWS, RULES

#: how binary points come about: learned by gradient, or followed from statistics
POINTS = ("learned", "stats")
#: how a binary point is found from data
STATISTICS = ("mse", "max", "percentile")
#: rules that training knows (a graph may have others, for imported models)
ROUNDINGS = tuple(FIXED_RULES)
#: overflow modes; "symmetric" saturates without the least code (AP_SAT_SYM)
OVERFLOW = (*OVERFLOWS, "symmetric")

#: a number of bits, or the name of a minifloat
Number = int | str


@dataclass(frozen=True)
class LayerRecipe:
    """What one layer gets: `Recipe` with the overrides for its name applied."""

    weights: Number
    activations: Number
    per_channel: bool
    binary_point: str
    rounding: str | None
    overflow: str
    statistics: str

    def rule(self, number: Number) -> str:
        """Rounding rule for values of a format: half_up for fixed point, half_even for minifloats, unless set."""
        if self.rounding is not None:
            if isinstance(number, str) and self.rounding not in RULES:
                raise InputError(f"recipe: rounding {self.rounding} is of fixed point only, not of {number}")
            return self.rounding
        return "half_even" if isinstance(number, str) else "half_up"


#: keys that `first`, `last` and `layers` may override
LAYER_KEYS = tuple(f.name for f in fields(LayerRecipe))


@dataclass(frozen=True)
class Recipe:
    """Formats of a whole network.

    weights:      bits of fixed-point weights, 2 to 8, or a minifloat ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2").
    activations:  bits of fixed-point activations, 2 to 16, or a minifloat.
    per_channel:  one binary point for each output channel of the weights (True), or one for each tensor.
    binary_point: "learned" by gradient in training, or "stats": followed from statistics.
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
    layers:       overrides by layer name; names are patterns (`fnmatch`), a later pattern wins.
    """

    weights: Number = 8
    activations: Number = 8
    per_channel: bool = True
    binary_point: str = "learned"
    rounding: str | None = None
    overflow: str = "saturate"
    statistics: str = "mse"
    collect_stats_steps: int = 20
    input: Number | None = None
    output: Number | None = None
    first: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)
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
        for key in ("first", "last"):
            object.__setattr__(self, key, _overrides(getattr(self, key), f"recipe: {key}"))
        if not isinstance(self.layers, Mapping):
            raise InputError(f"recipe: layers must map name patterns to overrides, not {self.layers!r}")
        layers = {str(k): _overrides(v, f"recipe: layers: {k}") for k, v in self.layers.items()}
        object.__setattr__(self, "layers", layers)

    def layer(self, name: str, first: bool = False, last: bool = False) -> LayerRecipe:
        """The formats of layer `name`; `first` and `last` apply before the patterns of `layers`."""
        chosen = {key: getattr(self, key) for key in LAYER_KEYS}
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
        layers = {k: dict(v) for k, v in self.layers.items()}
        return found | {"first": dict(self.first), "last": dict(self.last), "layers": layers}


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
        if name in NAMED:
            return name
        if not name.isdigit():
            raise InputError(f"{place}: {value!r} is neither a number of bits nor one of {', '.join(NAMED)}")
        value = int(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"{place}: must be {least} to {most} bits or one of {', '.join(NAMED)}, not {value!r}")
    return value


def _checked(key: str, value: Any, place: str) -> Any:
    """The value of a layer key, normalised; InputError names the key."""
    where = f"{place}: {key}"
    if key == "weights":
        return _number(value, 2, 8, where)
    if key == "activations":
        return _number(value, 2, 16, where)
    if key == "per_channel":
        if not isinstance(value, bool):
            raise InputError(f"{where}: must be true or false, not {value!r}")
        return value
    allowed = {"binary_point": POINTS, "statistics": STATISTICS, "rounding": ROUNDINGS, "overflow": OVERFLOW}[key]
    if value is None and key == "rounding":
        return value
    if value not in allowed:
        raise InputError(f"{where}: must be one of {', '.join(allowed)}, not {value!r}")
    return value


def _overrides(changes: Any, place: str) -> dict[str, Any]:
    if not isinstance(changes, Mapping):
        raise InputError(f"{place}: must be a mapping of overrides, not {changes!r}")
    for key in changes:
        if key not in LAYER_KEYS:
            raise InputError(f"{place}: unknown key {key!r}; overrides are {', '.join(LAYER_KEYS)}")
    return {key: _checked(key, value, place) for key, value in changes.items()}
