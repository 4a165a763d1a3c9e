"""Recipes: reading, overriding, and errors that name the key."""

from __future__ import annotations

import pytest

from edgeq.errors import InputError
from edgeq.quant import Recipe
from edgeq.quant.recipe import split_sign, widened


def test_defaults() -> None:
    recipe = Recipe()
    layer = recipe.layer("conv1")
    assert (layer.weights, layer.activations, layer.per_channel, layer.binary_point) == (8, 8, True, "learned")
    assert layer.rule(8) == "half_up"
    assert layer.rule("e4m3") == "half_even"
    assert Recipe(rounding="floor").layer("x").rule("e4m3") == "floor"


def test_overrides_apply_in_order() -> None:
    recipe = Recipe(
        weights=4,
        first={"weights": 8},
        last={"activations": 16},
        layers={"block*": {"weights": 2}, "block.1": {"weights": "E2M1", "per_channel": False}},
    )
    assert recipe.layer("stem", first=True).weights == 8
    assert recipe.layer("block.0", first=True).weights == 2, "a pattern wins over first"
    assert recipe.layer("block.1").weights == "e2m1"
    assert recipe.layer("block.1").per_channel is False
    assert recipe.layer("fc", last=True).activations == 16
    assert recipe.unused_patterns(["block.0"]) == ["block.1"]


def test_yaml_round_trip(tmp_path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        """
        weights: 4
        activations: e4m3
        binary_point: stats
        input: u8
        first: {weights: 8}
        layers:
          "head.*": {weights: 8, rounding: half_even}
        """
    )
    recipe = Recipe.from_yaml(path)
    assert recipe.weights == 4
    assert recipe.activations == "e4m3"
    assert recipe.layer("head.0").rounding == "half_even"
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_methods_are_kept_in_the_order_in_which_they_are_applied() -> None:
    recipe = Recipe(ptq=["bias_correction", {"smooth": {"alpha": 1}}, "equalise"])
    assert list(recipe.ptq) == ["equalise", "smooth", "bias_correction"]
    assert recipe.ptq["smooth"] == {"alpha": 1.0}
    assert recipe.ptq["equalise"] == {"rounds": 20}
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe(ptq="gptq") == Recipe(ptq={"gptq": {"damping": 0.01}})


def test_an_empty_file_is_the_default(tmp_path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert Recipe.from_yaml(path) == Recipe()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"weights": 9}, r"recipe: weights: must be 2 to 8 bits or a minifloat of 3 to 8 bits .*not 9"),
        ({"weights": 1}, "weights"),
        ({"weights": True}, "weights"),
        ({"weights": "int8"}, "weights: 'int8' is neither"),
        ({"weights": "e6m1"}, "weights: Minifloat E6M1 is not supported: use 1 to 5 exponent bits"),
        ({"activations": "e3m2-ocp"}, "activations: OCP specials exist for E4M3 and E5M2, not for E3M2"),
        ({"weights": "e4m3x"}, "weights: 'e4m3x' names no minifloat"),
        ({"weights": "four"}, "weights: 'four' is neither a number of bits nor a minifloat of 3 to 8 bits"),
        ({"ptq": "gptr"}, "recipe: ptq: 'gptr' is unknown; methods are equalise, smooth"),
        ({"ptq": ["gptq", "adaround"]}, "ptq: adaround and gptq both choose how weights are rounded"),
        ({"ptq": ["gptq", {"gptq": None}]}, "ptq: gptq is named twice"),
        ({"ptq": {"adaround": {"steps": 5}}}, "ptq: adaround: unknown option 'steps'; options are iterations"),
        ({"ptq": {"gpfq": {"damping": 5}}}, r"ptq: gpfq: unknown option 'damping'; options are \(none\)"),
        ({"ptq": {"adaround": {"iterations": 0.5}}}, "adaround: iterations must be a whole number of 1 to"),
        ({"ptq": {"smooth": {"alpha": 2}}}, "smooth: alpha must be a number of 0 to 1, not 2"),
        ({"ptq": {"gptq": 3}}, "ptq: gptq: must be a mapping of options, not 3"),
        ({"ptq": 3}, "ptq: must be a list of methods, not 3"),
        ({"ptq": [3]}, "ptq: a method is a name or"),
        ({"activations": 17}, "activations: must be 2 to 16 bits"),
        ({"activations": 4.0}, "activations"),
        ({"per_channel": "yes"}, "per_channel: must be true or false"),
        ({"binary_point": "float"}, "binary_point: must be one of learned, stats"),
        ({"rounding": "up"}, "rounding: must be one of half_up"),
        ({"statistics": "mean"}, "statistics"),
        ({"collect_stats_steps": 0}, "collect_stats_steps"),
        ({"input": "u99"}, "input"),
        ({"output": 1}, "output"),
        ({"first": {"bits": 8}}, "first: unknown key 'bits'; overrides are weights"),
        ({"last": 8}, "last: must be a mapping"),
        ({"layers": {"a*": {"weights": 99}}}, r"layers: a\*: weights"),
        ({"layers": []}, "layers"),
        ({"bits": 8}, "unknown key 'bits'; keys are weights, activations"),
    ],
)
def test_errors_name_the_key(keys: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe.from_dict(keys)


def test_unreadable_files(tmp_path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml: cannot be read"):
        Recipe.from_yaml(tmp_path / "nothing.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("weights: [1, 2")
    with pytest.raises(InputError, match=r"bad\.yaml: cannot be read"):
        Recipe.from_yaml(bad)
    bad.write_text("- 1\n- 2")
    with pytest.raises(InputError, match="a recipe is a mapping"):
        Recipe.from_yaml(bad)


def test_borders() -> None:
    assert split_sign("u8") == (8, False)
    assert split_sign("s12") == (12, True)
    assert split_sign("e4m3") == ("e4m3", None)
    assert widened(4) == 8
    assert widened(16) == 16
    assert widened("e2m1") == "e2m1"
