"""The methods of post-training quantisation by name, with their options, in the order in which they are applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgeq.errors import InputError

#: methods that were chosen, with all their options: name -> option -> value
Chosen = Mapping[str, Mapping[str, int | float]]


@dataclass(frozen=True)
class Option:
    """A number that a method takes; an int where the default is one."""

    default: int | float
    least: float
    most: float
    meaning: str


@dataclass(frozen=True)
class Method:
    """One method: its stage, what it does, the source, and its options.

    stage: "scales" moves factors between layers, "point" and "rounding" go through the layers one after another,
           "bias" comes last. Of "rounding" a layer can have one.
    """

    stage: str
    meaning: str
    options: Mapping[str, Option] = field(default_factory=dict)


_ITERATIONS = "steps of Adam for each layer"
_DAMPING = "share of the mean of the diagonal that is added to it"

#: every method, in the order in which they are applied
METHODS: dict[str, Method] = {
    "equalise": Method(
        "scales",
        "cross-layer equalisation of the ranges of weights (Nagel et al., arXiv 1906.04721)",
        {"rounds": Option(20, 1, 1000, "times that all pairs are gone through, at most")},
    ),
    "smooth": Method(
        "scales",
        "SmoothQuant: outliers of activations move into the weights (Xiao et al., arXiv 2211.10438)",
        {"alpha": Option(0.5, 0.0, 1.0, "how much of the range moves")},
    ),
    "clipping": Method("point", "binary points of weights by the least squared error of the layer's output"),
    "adaround": Method(
        "rounding",
        "AdaRound: learns which neighbour each weight goes to (Nagel et al., arXiv 2004.10568)",
        {
            "iterations": Option(500, 1, 1_000_000, _ITERATIONS),
            "strength": Option(1.0, 0.0, 1e6, "of the term that drives every choice to one neighbour"),
            "rate": Option(0.01, 1e-6, 10.0, "learning rate"),
        },
    ),
    "flexround": Method(
        "rounding",
        "FlexRound: learns what each weight is divided by before it is rounded (Lee et al., arXiv 2306.00317)",
        {
            "iterations": Option(500, 1, 1_000_000, _ITERATIONS),
            "rate": Option(0.003, 1e-6, 10.0, "learning rate of the logarithms of the divisors"),
        },
    ),
    "gptq": Method(
        "rounding",
        "GPTQ: column by column, the error of each goes into those that follow (Frantar et al., arXiv 2210.17323)",
        {"damping": Option(0.01, 1e-9, 10.0, _DAMPING)},
    ),
    "gpfq": Method(
        "rounding",
        "GPFQ: column by column, the output of the float layer is followed (Lybrand and Saab, arXiv 2010.11164)",
    ),
    "bias_correction": Method(
        "bias", "what rounding the weights adds to the mean of a channel leaves the bias (arXiv 1906.04721, 4.2)"
    ),
}
#: of these, one
ROUNDING = tuple(name for name, method in METHODS.items() if method.stage == "rounding")


def checked(value: Any, place: str) -> dict[str, dict[str, int | float]]:
    """The methods that a user named, in the order of application and with all their options.

    value: one name, a list of names and of mappings {name: {option: value}}, or one such mapping.
    InputError says which name or option is wrong.
    """
    given = _given(value, place)
    for name in given:
        if name not in METHODS:
            raise InputError(f"{place}: {name!r} is unknown; methods are {', '.join(METHODS)}")
    rounding = [name for name in ROUNDING if name in given]
    if len(rounding) > 1:
        raise InputError(f"{place}: {' and '.join(rounding)} both choose how weights are rounded; choose one of them")
    return {name: _options(name, given[name], f"{place}: {name}") for name in METHODS if name in given}


def _given(value: Any, place: str) -> dict[str, Any]:
    """Name -> options as they were written."""
    parts = [value] if isinstance(value, (str, Mapping)) else value
    if not isinstance(parts, Iterable):
        raise InputError(f"{place}: must be a list of methods, not {value!r}")
    found: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, (str, Mapping)):
            raise InputError(f"{place}: a method is a name or {{name: options}}, not {part!r}")
        for name, options in part.items() if isinstance(part, Mapping) else [(part, None)]:
            if name in found:
                raise InputError(f"{place}: {name} is named twice")
            found[str(name)] = options
    return found


def _options(name: str, given: Any, place: str) -> dict[str, int | float]:
    """All options of a method, with defaults for those that are not given."""
    known = METHODS[name].options
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{place}: must be a mapping of options, not {given!r}")
    for key in given or {}:
        if key not in known:
            raise InputError(f"{place}: unknown option {key!r}; options are {', '.join(known) or '(none)'}")
    values = {key: option.default for key, option in known.items()} | dict(given or {})
    for key, option in known.items():
        number = int if isinstance(option.default, int) else (int, float)
        value = values[key]
        if isinstance(value, bool) or not isinstance(value, number) or not option.least <= value <= option.most:
            kind = "a whole number" if number is int else "a number"
            raise InputError(f"{place}: {key} must be {kind} of {option.least:g} to {option.most:g}, not {value!r}")
    return {key: type(known[key].default)(value) for key, value in values.items()}


__all__ = ["METHODS", "ROUNDING", "Chosen", "Method", "Option", "checked"]
