"""Makes wave.onnx: a stand-in for raw-waveform models, 1 s at 16 kHz in, louder is angrier. `python wave.py`."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

graph = helper.make_graph(
    [
        helper.make_node("Abs", ["input_values"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["loudness"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["loudness", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "start"], ["logits"]),
    ],
    "wave",
    [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, [1, 16000])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
    [
        numpy_helper.from_array(np.array([[40.0, 0.0, 0.0]], np.float32), "slope"),
        numpy_helper.from_array(np.array([[-4.0, 0.0, -9.0]], np.float32), "start"),
    ],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "wave.onnx")
