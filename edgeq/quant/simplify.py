"""Bringing a traced float module into a simpler form that computes the same, before anything is quantised."""

from __future__ import annotations

from typing import Any

from torch import fx, nn

from edgeq.quant.kinds import IDENTITY, argument, canonical, clip_of, place_of

#: a ReLU behind one of these is the same in front of it
_CLIP_PASSES = {
    "max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "flatten", "view", "reshape",
}  # fmt: skip


def simplify(module: fx.GraphModule) -> None:
    """Take out what does nothing, and give functional dropout a module, which follows train() and eval()."""
    modules = dict(module.named_modules())
    for node in list(module.graph.nodes):
        if not node.op.startswith("call"):
            continue
        name = canonical(node, modules)
        if clip_of(node, modules) is not None:
            _clip_earlier(module.graph, node, modules)
        elif name in IDENTITY:
            node.replace_all_uses_with(node.args[0])
            module.graph.erase_node(node)
        elif "dropout" in name and node.op == "call_function":
            path = free_name(module, place_of(node, "dropout"))
            module.add_submodule(path, nn.Dropout(float(argument(node, 1, "p", 0.5))).train(module.training))
            with module.graph.inserting_before(node):
                made = module.graph.call_module(path, (node.args[0],))
            node.replace_all_uses_with(made)
            module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    module.recompile()


def _clip_earlier(graph: fx.Graph, clip: fx.Node, modules: dict[str, nn.Module]) -> None:
    """Move a clip in front of max pools and reshapes, where the operation before them can fuse it.

    A clip is monotone, so it makes no difference to the numbers.
    """
    moved: Any = clip.args[0]
    while isinstance(moved, fx.Node) and moved.op.startswith("call") and canonical(moved, modules) in _CLIP_PASSES:
        before: Any = moved.args[0]
        if len(moved.users) != 1 or not isinstance(before, fx.Node) or len(before.users) != 1:
            return
        clip.replace_all_uses_with(moved)
        moved.prepend(clip)
        moved.replace_input_with(before, clip)
        clip.replace_input_with(moved, before)
        moved = before


def free_name(module: nn.Module, wanted: str) -> str:
    """A module path that nothing has: `wanted`, `wanted_2`, …"""
    for i in range(1, 1 << 20):
        path = wanted if i == 1 else f"{wanted}_{i}"
        parent_path, _, leaf = path.rpartition(".")
        try:
            parent = module.get_submodule(parent_path)
        except AttributeError:
            return path
        if not hasattr(parent, leaf):
            return path
    raise AssertionError


__all__ = ["free_name", "simplify"]
