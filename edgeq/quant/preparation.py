"""prepare: a float module becomes one of Brevitas layers and quantisers, ready to be trained or calibrated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from edgeq.errors import InputError, UnsupportedError
from edgeq.formats import DEFAULT_OVERFLOW, KHot
from edgeq.quant import operations as ops
from edgeq.quant import ptq
from edgeq.quant.batch_norm import BatchNorm
from edgeq.quant.batches import checked_example, input_tensors
from edgeq.quant.biases import BiasQuant
from edgeq.quant.binary_point import BinaryPoint
from edgeq.quant.fold import check_batch_norm, fold_batch_norm
from edgeq.quant.functions import Softmax, Table
from edgeq.quant.kinds import (
    BINARY,
    MOVEMENT,
    NON_NEGATIVE,
    SIZES,
    UNIT_RANGE,
    Clip,
    argument,
    canonical,
    clip_of,
    function_of,
    is_batch_norm,
    is_weighted,
    place_of,
    resize_of,
    unsupported,
)
from edgeq.quant.layers import Output, quantised_layer
from edgeq.quant.quantizers import binary_point
from edgeq.quant.recipe import LayerRecipe, Number, Recipe, split_sign, widened
from edgeq.quant.simplify import free_name, simplify
from edgeq.quant.spec import QuantSpec
from edgeq.quant.tracing import trace

#: bits of a Python number or parameter that is an operand, so that it costs no accuracy
CONSTANT_BITS = 16
#: softmax takes fixed point of at most this width, whose exponential table stays small
SOFTMAX_BITS = 12


def prepare(model: nn.Module, recipe: Recipe | Mapping[str, Any] | None = None, example: Any = None) -> fx.GraphModule:
    """A quantised copy of a float module, with the same layer names, for your own training loop.

    model:   an ordinary float module; it is not changed. BatchNorm is folded into the layer before it, unless the
             recipe keeps it.
    recipe:  a Recipe (or its keys as a dict); None: 8-bit weights and activations.
    example: an input batch (a tuple for several inputs). Not needed; with one, unsigned inputs are recognised and
             the result is run once, so that what does not fit is found here.

    Every tensor that a device computes is quantised, by the rule the device uses, in training and in eval mode.
    Returns a torch.fx.GraphModule: train it with any optimiser, save and load its state_dict, then hand it to
    `edgeq.export`. Without training, run `edgeq.calibrate`.

    Errors: UnsupportedError names the layer and the way out; InputError a recipe key, or weights or an example that are
    not finite.
    """
    if isinstance(model, fx.GraphModule) and is_prepared(model):
        raise InputError("this module is prepared already; give prepare the float module")
    chosen = recipe if isinstance(recipe, Recipe) else Recipe.from_dict(recipe or {})
    examples = () if example is None else checked_example(example)
    module = trace(model)
    _check_finite(model)
    simplify(module)
    if chosen.batch_norm == "fold":
        fold_batch_norm(module, examples[0].ndim if examples else None)
    prepared = _Preparer(module, chosen, examples).run()
    if examples:
        _try_out(prepared, input_tensors(prepared, examples))
    return prepared


def is_prepared(module: nn.Module) -> bool:
    """Whether `prepare` made this module."""
    return isinstance(getattr(module, "recipe", None), Recipe)


def quantisers(prepared: nn.Module) -> dict[str, BinaryPoint]:
    """Binary points by module name (`conv1.weight_quant`, `conv1.output_quant`, …), in order of the network."""
    found = {}
    for name, module in prepared.named_modules():
        if isinstance(module, Output):
            prefix = f"{name}." if name else ""
            for key in ("weight_quant", "output_quant"):
                if hasattr(module, key):
                    found[prefix + key] = binary_point(getattr(module, key))
            own_bias = getattr(module, "own_bias", None)
            if own_bias is not None:
                found[prefix + "own_bias"] = binary_point(own_bias)
    return found


def _check_finite(model: nn.Module) -> None:
    for name, tensor in model.state_dict().items():
        if torch.is_tensor(tensor) and tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{name}: holds NaN or infinity; the float training has diverged")


def _try_out(prepared: fx.GraphModule, examples: tuple[Any, ...]) -> None:
    """Run once as in calibration, without leaving a trace."""
    from edgeq.quant.calibration import observing

    training = prepared.training
    prepared.eval()
    try:
        with torch.no_grad(), observing(prepared, "max", keep=False):
            prepared(*examples)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        fact = str(error).strip().splitlines()[0]
        raise InputError(f"the network does not take the example given to prepare: {fact}") from error
    finally:
        prepared.train(training)


_BINARY = {
    "add": ops.Add, "sub": ops.Sub, "mul": ops.Mul, "matmul": ops.MatMul,
    "maximum": ops.Maximum, "minimum": ops.Minimum,
}  # fmt: skip


class _Preparer:
    """Walks the traced graph once and replaces every operation by its quantised module."""

    def __init__(self, module: fx.GraphModule, recipe: Recipe, examples: tuple[Any, ...]) -> None:
        self.module, self.graph, self.recipe = module, module.graph, recipe
        self.modules = dict(module.named_modules())
        self.examples = examples
        #: the quantiser whose grid the values of a node are on
        self.source: dict[fx.Node, nn.Module] = {}
        #: nodes that are numbers or sizes, not tensors of the network
        self.sizes: set[fx.Node] = set()
        self.names: list[str] = []
        self.first, self.last = self._weight_borders()

    def run(self) -> fx.GraphModule:
        """The prepared module."""
        self._check_reuse()
        for node in list(self.graph.nodes):
            if node in self.source or node.graph is not self.graph or node._erased:
                continue
            self._visit(node)
        unused = self.recipe.unused_patterns(self.names)
        if unused:
            raise InputError(f"recipe: layers: {unused[0]!r} matches no layer; there are {', '.join(self.names)}")
        self.graph.eliminate_dead_code()
        self.graph.lint()
        self.module.delete_all_unused_submodules()
        self.module.recompile()
        self.module.recipe = self.recipe  # type: ignore[assignment]
        return self.module

    # -- what stands where ------------------------------------------------------------------------------------

    def _weight_borders(self) -> tuple[set[fx.Node], set[fx.Node]]:
        """Weight layers that no other comes before, and those that no other comes after."""
        before: dict[fx.Node, bool] = {}
        for node in self.graph.nodes:
            before[node] = any(before[i] or is_weighted(i, self.modules) for i in node.all_input_nodes)
        after: dict[fx.Node, bool] = {}
        for node in reversed(list(self.graph.nodes)):
            after[node] = any(after[u] or is_weighted(u, self.modules) for u in node.users)
        weighted = [n for n in self.graph.nodes if is_weighted(n, self.modules)]
        return {n for n in weighted if not before[n]}, {n for n in weighted if not after[n]}

    def _check_reuse(self) -> None:
        called: set[str] = set()
        for node in self.graph.nodes:
            if is_weighted(node, self.modules) or is_batch_norm(node, self.modules):
                if str(node.target) in called:
                    raise UnsupportedError(
                        f"{node.target}: the layer is called twice, and each call has its own number format; "
                        "give each call a layer of its own"
                    )
                called.add(str(node.target))

    def _reaches_output(self, node: fx.Node, functions: bool = False) -> bool:
        """Whether the node's values leave the network without arithmetic, or with element-wise functions only."""
        for user in node.users:
            if user.op == "output":
                return True
            passes = user.op.startswith("call") and (self._moves(user) or (functions and self._is_function(user)))
            if passes and self._reaches_output(user, functions):
                return True
        return False

    def _moves(self, node: fx.Node) -> bool:
        name = canonical(node, self.modules)
        moves = name in MOVEMENT and resize_of(node, self.modules) is None
        return moves or name == "argmax" or "dropout" in name

    def _is_function(self, node: fx.Node) -> bool:
        return canonical(node, self.modules) == "softmax" or function_of(node, self.modules) is not None

    # -- one node ---------------------------------------------------------------------------------------------

    def _visit(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self._input(node)
        elif node.op == "output":
            self._check_output(node)
        elif node.op.startswith("call"):
            self._call(node)

    def _call(self, node: fx.Node) -> None:
        name = canonical(node, self.modules)
        inputs = [n for n in node.all_input_nodes if n not in self.sizes]
        if name in SIZES or not inputs or (name == "getattr" and node.args[1] in ("shape", "ndim")):
            self.sizes.add(node)
        elif is_weighted(node, self.modules):
            self._weighted(node)
        elif is_batch_norm(node, self.modules):
            self._batch_norm(node)
        elif (clip := clip_of(node, self.modules)) is not None:
            self._replace(node, [node.args[0]], name, lambda s: ops.Requantise(s), clip=clip)
        elif name in BINARY:
            self._binary(node, name)
        elif name == "prelu":
            self._prelu(node)
        elif name == "pow" and argument(node, 1, "exponent") == 2:
            self._replace(node, [node.args[0]] * 2, name, lambda s: ops.Mul(s), signed=False)
        elif name == "cat":
            dim = argument(node, 1, "dim", 0)
            parts: Any = argument(node, 0, "tensors")
            self._replace(node, list(parts), "cat", lambda s: ops.Concat(s, dim))
        elif name == "stack":
            raise UnsupportedError(f"{place_of(node, name)}: stack is not supported; use unsqueeze and cat")
        elif name in ("mean", "sum"):
            self._reduce(node, name)
        elif "avg_pool" in name and "max" not in name:
            self._pool(node, name)
        elif name == "softmax":
            dim = self._softmax_dim(node)
            self._narrow_softmax(node)
            self._replace(node, [node.args[0]], name, lambda s: Softmax(s, dim), signed=False, fixed=0)
        elif (function := function_of(node, self.modules)) is not None:
            self._function(node, name, function)
        elif (resize := resize_of(node, self.modules)) is not None:
            rule, size = resize
            rest = () if size is None else (size,)
            self._replace(node, [node.args[0]], name, lambda s: ops.ResizeLinear(s, rule), rest=rest)
        elif name in MOVEMENT or "dropout" in name or name == "argmax":
            self._pass_on(node)
        else:
            raise unsupported(node, self.modules)

    def _pass_on(self, node: fx.Node) -> None:
        """The node keeps its input's grid."""
        first = node.args[0]
        if not isinstance(first, fx.Node) or first not in self.source:
            raise UnsupportedError(f"{node.name}: moves a tensor that the network does not compute")
        self.source[node] = self.source[first]

    def _input(self, node: fx.Node) -> None:
        if not node.users:
            return
        number, signed = split_sign(self.recipe.input or widened(self.recipe.activations))
        index = [n for n in self.graph.nodes if n.op == "placeholder"].index(node)
        if signed is None:
            signed = index >= len(self.examples) or bool(self.examples[index].min() < 0)
        # Inputs are rounded where they enter, by one rule for every network.
        path = free_name(self.module, str(node.target))
        layer = replace(self.recipe.layer(path), width="fixed")
        spec = self._spec(path, number, signed, "half_up", layer)
        self.module.add_submodule(path, ops.Requantise(spec))
        with self.graph.inserting_after(node):
            made = self.graph.call_module(path, ())
        node.replace_all_uses_with(made)
        made.args = (node,)
        self._register(made, path)

    def _check_output(self, node: fx.Node) -> None:
        for value in node.all_input_nodes:
            if value not in self.source:
                raise UnsupportedError(f"output {value.name}: is not computed by a quantised operation")

    def _weighted(self, node: fx.Node) -> None:
        path = str(node.target)
        if len(node.args) + len(node.kwargs) != 1:
            raise UnsupportedError(f"{path}: output_size is not supported; use output_padding of the layer")
        layer_recipe = self.recipe.layer(path, node in self.first, node in self.last)
        weights, output = self._layer_specs(node, layer_recipe)
        self._check_group(path, layer_recipe)
        layer = quantised_layer(self.modules[path], weights, layer_recipe.per_channel, output)
        self._place(node, layer, layer_recipe)

    def _check_group(self, path: str, layer: LayerRecipe) -> None:
        """Methods that choose points or neighbours layer by layer know scales of channels only."""
        wrong = [name for name in self.recipe.ptq if ptq.METHODS[name].stage in ("point", "rounding")]
        if layer.group is not None and wrong:
            raise InputError(
                f"{path}: ptq method {wrong[0]} does not know group scales; leave it out, or give the layer group: null"
            )

    def _batch_norm(self, node: fx.Node) -> None:
        """A BatchNorm that the recipe keeps."""
        path = str(node.target)
        norm: Any = self.modules[path]
        check_batch_norm(path, norm)
        layer_recipe = self.recipe.layer(path, elementwise=True)
        weights, output = self._layer_specs(node, replace(layer_recipe, group=None))
        self._place(node, BatchNorm(norm, weights, layer_recipe.per_channel, output), layer_recipe)

    def _layer_specs(self, node: fx.Node, layer: LayerRecipe) -> tuple[QuantSpec, QuantSpec]:
        """Quantisers of a layer's weights and of its output."""
        path = str(node.target)
        clip, last = self._fused_clip(node)
        output = self._output_spec(path, node, last, layer, signed=clip is None or clip.low < 0)
        khot = layer.weights if isinstance(layer.weights, KHot) else None
        weights = QuantSpec(
            f"{path}.weight",
            layer.weights.bits if isinstance(layer.weights, KHot) else layer.weights,
            narrow=True,
            rounding=layer.rule(layer.weights),
            learned=layer.binary_point == "learned",
            statistics=layer.statistics,
            khot=khot,
            group=layer.group,
            width_learned=layer.learns_width("weights"),
        )
        return weights, output

    def _place(self, node: fx.Node, made: nn.Module, recipe: LayerRecipe) -> None:
        """Put a layer with weights in the place of a node, the clip that follows included."""
        path = str(node.target)
        clip, last = self._fused_clip(node)
        layer: Any = made
        if layer.bias is not None and recipe.biases is not None:
            spec = QuantSpec(
                f"{path}.bias",
                recipe.biases,
                rounding=recipe.rule(recipe.biases),
                learned=recipe.binary_point == "learned",
                statistics=recipe.statistics,
                width_learned=recipe.learns_width("weights"),
            )
            layer.own_bias = BiasQuant(spec).to(layer.bias)
            layer.own_bias.scaling_impl.fit(layer.bias)
            layer.own_bias.train(layer.training)
        layer.sources = [self._source(node.args[0], path)]
        layer.bounds = None if clip is None else (clip.low, clip.high)
        self.module.set_submodule(path, layer)
        self._absorb(node, last)
        self._register(node, path)

    def _binary(self, node: fx.Node, name: str) -> None:
        a, b = node.args[0], argument(node, 1, "other")
        if name == "rsub":
            a, b, name = b, a, "sub"
        if name in ("add", "sub") and argument(node, 2, "alpha", 1) != 1:
            raise UnsupportedError(f"{place_of(node, name)}: alpha other than 1; multiply before")
        if name == "div":
            if isinstance(b, fx.Node) or not b:
                raise UnsupportedError(f"{place_of(node, name)}: division by a tensor; multiply by a table of 1/x")
            b, name = 1.0 / b, "mul"
        kind: Any = _BINARY[name]
        signed = False if name == "mul" and a is b else True if name == "sub" else None
        self._replace(node, [a, b], name, lambda s: kind(s), signed=signed)

    def _prelu(self, node: fx.Node) -> None:
        slope: Any = argument(node, 1, "weight")
        if node.op == "call_module":
            # The operation takes the layer's name; the slopes stand beside it.
            weight: Any = self.modules[str(node.target)].weight
            slope = self._constant(weight, f"{node.target}_slope", node)
        self._replace(node, [node.args[0], slope], "prelu", lambda s: ops.Prelu(s))

    def _reduce(self, node: fx.Node, name: str) -> None:
        dims, keep = argument(node, 1, "dim"), bool(argument(node, 2, "keepdim", False))
        if dims is None:
            raise UnsupportedError(f"{place_of(node, name)}: {name} over everything, the batch too; give it its dim")
        axes = dims if isinstance(dims, (tuple, list)) else (dims,)
        kind = ops.Mean if name == "mean" else ops.Sum
        self._replace(node, [node.args[0]], name, lambda s: kind(s, axes, keep))

    def _pool(self, node: fx.Node, name: str) -> None:
        rank = 1 if name.endswith("1d") else 2
        module: Any = self.modules[str(node.target)] if node.op == "call_module" else None

        def get(position: int, key: str, default: Any = None) -> Any:
            return getattr(module, key) if module is not None else argument(node, position, key, default)

        def each(value: Any) -> tuple[Any, ...]:
            return tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank

        if name.startswith("adaptive"):
            size = each(get(1, "output_size"))
            if all(s == 1 for s in size):
                dims = tuple(range(-rank, 0))
                self._replace(node, [node.args[0]], name, lambda s: ops.Mean(s, dims, True))
            else:
                self._replace(node, [node.args[0]], name, lambda s: ops.AdaptiveAveragePool(s, size))
            return
        kernel = each(get(1, "kernel_size"))
        stride = each(get(2, "stride") or kernel)
        padding, include = each(get(3, "padding", 0)), bool(get(5, "count_include_pad", True))
        override = module.divisor_override if rank == 2 and module else argument(node, 6, "divisor_override")
        ceil = bool(get(4, "ceil_mode", False))
        if (ceil and include) or override is not None:
            raise UnsupportedError(
                f"{node.target}: average pool with divisor_override, or with ceil_mode that counts padding; pad "
                "explicitly"
            )
        self._replace(node, [node.args[0]], name, lambda s: ops.AveragePool(s, kernel, stride, padding, include, ceil))

    def _softmax_dim(self, node: fx.Node) -> int:
        if node.op == "call_module":
            module: Any = self.modules[str(node.target)]
            dim = 1 if isinstance(module, nn.Softmax2d) else module.dim
        else:
            dim = argument(node, 1, "dim")
        if dim is None:
            raise UnsupportedError(f"{place_of(node, 'softmax')}: softmax without dim; say which axis")
        return int(dim)

    def _narrow_softmax(self, node: fx.Node) -> None:
        """Bring wide and minifloat inputs of a softmax to a fixed point that its exponential table can follow."""
        value: Any = node.args[0]
        spec = binary_point(self._source(value, node.name)).spec
        if spec.minifloat is None and spec.bits <= SOFTMAX_BITS:
            return
        path = free_name(self.module, f"{place_of(node, 'softmax')}_input")
        layer = replace(self.recipe.layer(path), width="fixed")
        made_spec = self._spec(path, SOFTMAX_BITS, spec.signed, layer.rule(SOFTMAX_BITS), layer)
        operation = ops.Requantise(made_spec)
        operation.sources = [self.source[value]]
        operation.train(self.module.training)
        self.module.add_submodule(path, operation)
        with self.graph.inserting_before(node):
            made = self.graph.call_module(path, (value,))
        node.replace_input_with(value, made)
        self._register(made, path)

    def _function(self, node: fx.Node, name: str, function: Any) -> None:
        fixed = 0 if name in UNIT_RANGE else None
        signed = name not in NON_NEGATIVE
        self._replace(node, [node.args[0]], name, lambda s: Table(s, function, name), signed=signed, fixed=fixed)

    # -- putting operations in --------------------------------------------------------------------------------

    def _replace(
        self,
        node: fx.Node,
        operands: list[Any],
        name: str,
        make: Any,
        signed: bool | None = None,
        clip: Clip | None = None,
        fixed: int | None = None,
        rest: tuple[Any, ...] = (),
    ) -> None:
        """Put the operation that `make` builds from a spec in the place of a node, a clip that follows included.

        signed: whether its values can be negative; None: if an operand's can. rest: arguments behind the operands.
        """
        path = str(node.target) if node.op == "call_module" else place_of(node, name)
        if node.op != "call_module" or path in self.names:
            path = free_name(self.module, path)
        tensors = [self._operand(o, node, path) for o in operands]
        sources = [self._source(t, path) for t in tensors]
        fused, last = (clip, node) if clip is not None else self._fused_clip(node)
        if signed is None:
            signed = any(binary_point(s).spec.signed for s in sources)
        if fused is not None and fused.low >= 0:
            signed = False
        layer = self.recipe.layer(path, elementwise=True)
        spec = self._output_spec(path, node, last, layer, signed, fixed)
        operation = make(spec)
        operation.sources = sources
        operation.bounds = None if fused is None else (fused.low, fused.high)
        operation.train(self.module.training)
        if node.op == "call_module" and path == str(node.target):
            self.module.set_submodule(path, operation)
        else:
            self.module.add_submodule(path, operation)
        self._absorb(node, last)
        with self.graph.inserting_before(node):
            args: tuple[Any, ...] = (*tensors, *rest)
            made = self.graph.call_module(path, args)
        node.replace_all_uses_with(made)
        self.graph.erase_node(node)
        self._register(made, path)

    def _fused_clip(self, node: fx.Node) -> tuple[Clip | None, fx.Node]:
        """The clip that alone reads this node, and the node whose values the two make together."""
        users = list(node.users)
        if len(users) != 1 or not users[0].op.startswith("call"):
            return None, node
        clip = clip_of(users[0], self.modules)
        return (None, node) if clip is None else (clip, users[0])

    def _absorb(self, node: fx.Node, last: fx.Node) -> None:
        """Take out a fused clip."""
        if last is not node:
            last.replace_all_uses_with(node)
            self.graph.erase_node(last)

    def _register(self, node: fx.Node, path: str) -> None:
        module: Any = self.module.get_submodule(path)
        self.source[node] = module.output_quant
        self.modules[path] = module
        self.names.append(path)

    def _source(self, value: Any, path: str) -> nn.Module:
        if not isinstance(value, fx.Node) or value not in self.source:
            raise UnsupportedError(f"{path}: an input is not a tensor that the network computes")
        return self.source[value]

    def _operand(self, value: Any, node: fx.Node, path: str) -> fx.Node:
        """The node of an operand; numbers and parameters become constants of the network."""
        if isinstance(value, fx.Node) and value.op != "get_attr":
            return value
        if isinstance(value, fx.Node):
            tensor = _attribute(self.module, str(value.target))
            name = f"{value.target}_constant"
        else:
            tensor, name = torch.tensor(float(value)), f"{path}_constant"
        if not math.isfinite(float(tensor.detach().abs().max())):
            raise InputError(f"{path}: a constant operand holds NaN or infinity")
        return self._constant(tensor, name, node)

    def _constant(self, tensor: Tensor, name: str, node: fx.Node) -> fx.Node:
        """A constant of the network, made before `node`."""
        name = free_name(self.module, name)
        layer_recipe = self.recipe.layer(name)
        learned = isinstance(tensor, nn.Parameter) and layer_recipe.binary_point == "learned"
        number = layer_recipe.weights if isinstance(layer_recipe.weights, str) else CONSTANT_BITS
        spec = QuantSpec(name, number, rounding=layer_recipe.rule(number), learned=learned)
        self.module.add_submodule(name, ops.Constant(spec, tensor))
        with self.graph.inserting_before(node):
            made = self.graph.call_module(name, ())
        self._register(made, name)
        return made

    def _output_spec(
        self,
        path: str,
        node: fx.Node,
        last: fx.Node,
        layer: LayerRecipe,
        signed: bool,
        fixed: int | None = None,
    ) -> QuantSpec:
        number = layer.activations
        if self._reaches_output(last):
            number, said = split_sign(self.recipe.output or widened(number))
            signed = signed if said is None else said
            # The user decides about the border, not the training.
            layer = replace(layer, width="fixed")
        elif self._reaches_output(last, functions=True):
            # What a last softmax or sigmoid reads deserves what an output gets.
            number = widened(number)
        if isinstance(number, str) and layer.overflow != DEFAULT_OVERFLOW:
            raise InputError(f"{path}: overflow {layer.overflow} is of fixed point only, not of {number}")
        spec = replace(self._spec(path, number, signed, layer.rule(number), layer), fixed=fixed)
        if layer.overflow == "symmetric":
            return replace(spec, narrow=signed)
        return replace(spec, overflow=layer.overflow)

    def _spec(self, place: str, number: Number, signed: bool, rule: str, layer: LayerRecipe) -> QuantSpec:
        return QuantSpec(
            place,
            number,
            signed=signed or isinstance(number, str),
            rounding=rule,
            learned=layer.binary_point == "learned",
            statistics=layer.statistics,
            steps=self.recipe.collect_stats_steps,
            width_learned=layer.learns_width("activations"),
        )


def _attribute(module: nn.Module, target: str) -> Tensor:
    parent, _, leaf = target.rpartition(".")
    value: Tensor = getattr(module.get_submodule(parent), leaf)
    return value


__all__ = ["is_prepared", "prepare", "quantisers"]
