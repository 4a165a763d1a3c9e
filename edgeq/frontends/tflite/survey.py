"""Walks through a .tflite file call by call: each is tried on its own, and a stand-in takes the place of what fails."""

from __future__ import annotations

from contextlib import suppress

from edgeq.errors import EdgeqError, UnsupportedError
from edgeq.frontends._model_file import DAMAGE
from edgeq.frontends.survey import Hindrance, Survey, Tally
from edgeq.frontends.tflite import BORDERS, READERS
from edgeq.frontends.tflite import fold as folding
from edgeq.frontends.tflite.build import Building, batchless
from edgeq.frontends.tflite.file import DamagedError, Model, Operation
from edgeq.ir import GraphBuilder

_CALIBRATE = "calibrate it here (edgeq.load(path, calibrate=samples)) or quantise it to int8 (TFLiteConverter)"
_REPLACE = "replace it in the source network by operators that are read"
_STATE = "keep the state outside: make it an input and an output of the network"
_UNROLL = "unroll it in the source network, or run this part of the network outside"
#: operators that nothing here can replace
_WAYS = {
    **dict.fromkeys(("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"), _STATE),
    **dict.fromkeys(("SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "LSTM", "RNN"), _STATE),
    **dict.fromkeys(("IF", "WHILE", "CALL"), _UNROLL),
    **dict.fromkeys(("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "TOPK_V2"), "end the network before it"),
}


def survey_model(model: Model) -> Survey:
    """What each call needs; nothing that is wrong with one call hides what is wrong with the next."""
    b, tally = Building(model, GraphBuilder(model.name or "network")), Tally()
    for index in model.inputs:
        _stand_in(b, index)
    for call in model.operations:
        if call.op in BORDERS and _is_border(model, call):
            tally.add(call.op)
        elif _on_floats(b, call):
            way = _float_hindrance(b, call)
            tally.add(call.op, way, floats=way is None)
        else:
            tally.add(call.op, _attempt(b, call))
        for index in call.outputs:
            if index not in b.names and index not in b.known:
                _stand_in(b, index)
    return tally.survey(model.name, "tflite")


def _stand_in(b: Building, index: int) -> None:
    """A fresh input in the place of a tensor, where it has a format."""
    tensor = b.model.tensors[index]
    with suppress(EdgeqError):
        b.names[index] = b.builder.input(tensor.name, batchless(tensor.shape), b.format(tensor))


def _is_border(model: Model, call: Operation) -> bool:
    """A QUANTIZE of an input, or a DEQUANTIZE that nothing computes with."""
    if call.op == "QUANTIZE":
        return any(i in model.inputs and model.tensors[i].type == "FLOAT32" for i in call.inputs)
    return not any(set(call.outputs) & set(other.inputs) for other in model.operations)


def _on_floats(b: Building, call: Operation) -> bool:
    """Whether a call computes with real numbers."""
    tensors = [b.model.tensors[i] for i in (*call.inputs, *call.outputs) if i >= 0]
    if call.op in BORDERS:
        # Weights of a float network may be stored in fewer bits.
        return all(b.constant(b.model.tensors[i]) is not None for i in call.inputs if i >= 0)
    return any(t.type == "FLOAT32" and b.constant(t) is None for t in tensors)


def _float_hindrance(b: Building, call: Operation) -> Hindrance | None:
    """None where calibration reads the operator."""
    try:
        from edgeq.frontends.floating.tflite import READERS as FLOATS
    except ImportError:
        return Hindrance(_made(b, call), "computes with real numbers", "install edgeq[torch] and calibrate it")
    if call.op in FLOATS or call.op in folding.CONSTANT_ONLY:
        return None
    return Hindrance(_made(b, call), "computes with real numbers and is not read", _WAYS.get(call.op, _REPLACE))


def _attempt(b: Building, call: Operation) -> Hindrance | None:
    """Read a call as the import does; what it says where that fails."""
    if call.op not in READERS:
        fact = "computes with floats behind it" if call.op == "DEQUANTIZE" else "is not read"
        way = _CALIBRATE if call.op == "DEQUANTIZE" else _WAYS.get(call.op, _REPLACE)
        return Hindrance(_made(b, call), fact, way)
    try:
        if not folding.fold(b, call):
            READERS[call.op](b, call)
    except UnsupportedError as error:
        return _hindrance(b, call, str(error), "change this layer in the source network")
    except (EdgeqError, DamagedError) as error:
        return _hindrance(b, call, str(error), "convert the model again; the file contradicts itself here")
    except DAMAGE as error:
        return _hindrance(b, call, f"{type(error).__name__}: {error}", "convert the model again; the file is damaged")
    return None


def _hindrance(b: Building, call: Operation, message: str, otherwise: str) -> Hindrance:
    """Splits "operator tensor: fact; way out"."""
    made = _made(b, call)
    message = " ".join(message.split())[:400].removeprefix(f"{call.op} {made}: ")
    fact, _, way = message.partition("; ")
    return Hindrance(made, fact, way or otherwise)


def _made(b: Building, call: Operation) -> str:
    return b.model.tensors[call.outputs[0]].name if call.outputs else "?"
