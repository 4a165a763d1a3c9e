"""The process in which hls4ml works: converts a graph, writes its project, compiles it and traces a batch.

    python -m edgeq.hls4ml.worker JOB.json

In a process of its own because hls4ml prints to standard output, changes the working directory, loads what it
compiled, and because an assertion in its C++ ends the process. The job, with paths in the working directory: `graph`
(a .edgeq file), `batch` and `answer` (.npz), `io`, `part`, `clock_ns`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.errors import EdgeqError, ToolError
from edgeq.hls4ml.matrix import real
from edgeq.hls4ml.plan import IO_TYPES, Plan, make_plan
from edgeq.ir.file import load

#: for what no layer of the plan declares; nothing of the network's may have it (see `check_types`)
UNUSED = "ap_fixed<2,1>"


def convert(plan: Plan, part: str, clock_ns: float) -> Any:
    """hls4ml's ModelGraph of a plan; ToolError where it changed a type."""
    from hls4ml.backends import get_backend
    from hls4ml.model import ModelGraph

    config = get_backend("Vitis").create_initial_config(part=part, clock_period=clock_ns, io_type=IO_TYPES[plan.io])
    layers = {layer.name: layer.config() for layer in plan.layers}
    config |= {"Backend": "Vitis", "ProjectName": plan.name, "OutputDir": plan.name}
    config["HLSConfig"] = {
        "Model": {"Precision": UNUSED, "ReuseFactor": 1, "Strategy": "Latency"},
        "LayerName": layers,
    }
    described = [layer.to_dict() for layer in plan.layers]
    model = ModelGraph.from_layer_list(config, described, plan.inputs, plan.outputs)
    check_types(plan, model)
    return model


def check_types(plan: Plan, model: Any) -> None:
    """ToolError unless every layer that is left has exactly the types that were asked for."""
    for layer in plan.layers:
        made = model.graph.get(layer.name)
        if made is None:
            continue
        for key, asked in layer.types.items():
            if key == "result":
                found = made.get_output_variable().type.precision
            else:
                holder = made.weights[key].type if key in made.weights else made.types[f"{key}_t"]
                found = holder.precision
            if found != model.config.backend.convert_precision_string(str(asked)):
                raise ToolError(f"hls4ml: {layer.name}: its {key} became {found} where {asked} was asked for")


def _traced(plan: Plan, model: Any, inputs: Any) -> Any:
    """What hls4ml's `trace` returns, compiled quickly; then the project is written again, without traces."""
    model.config.trace_output = True
    model.write()
    script = Path(plan.name, "build_lib.sh")
    script.write_text(script.read_text("utf-8").replace("-O3", "-O1"), "utf-8")
    write, model.write = model.write, lambda: None
    found = model.trace(inputs)
    model.config.trace_output = False
    write()
    for library in Path(plan.name, "firmware").glob("*.so"):
        library.unlink()
    return found


def trace(plan: Plan, model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """Value -> real numbers of what hls4ml shows, batch first; outputs as they come out of the top function."""
    graph, inputs = plan.graph, []
    for name in graph.inputs:
        frac = graph.values[name].format.frac
        assert isinstance(frac, int)
        inputs.append(np.ascontiguousarray(real(batch[name], frac)))
    count = inputs[0].shape[0]
    answers, shown = _traced(plan, model, inputs[0] if len(inputs) == 1 else inputs)
    answers = [answers] if len(plan.outputs) == 1 else answers
    found = {}
    for layer in plan.layers:
        if layer.value is not None and layer.name in shown:
            found[layer.value] = np.asarray(shown[layer.name]).reshape(count, *graph.values[layer.value].shape)
    made = dict(zip(plan.outputs, answers, strict=True))
    for name in graph.outputs:
        found[name] = np.asarray(made[plan.at[name][0]]).reshape(count, *graph.values[name].shape)
    return found


def main(path: str) -> int:
    """Do one job; 0, or 2 with one line on standard error."""
    job = json.loads(Path(path).read_text("utf-8"))
    try:
        plan = make_plan(load(job["graph"]), job["io"])
        model = convert(plan, job["part"], job["clock_ns"])
        with np.load(job["batch"]) as archive:
            found = trace(plan, model, dict(archive))
    except EdgeqError as error:
        print(error, file=sys.stderr)
        return 2
    np.savez(job["answer"], allow_pickle=False, **found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
