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
