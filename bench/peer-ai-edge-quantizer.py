"""Google's ai-edge-quantizer on one model, for bench/quantizer.ts: static int8 with its own defaults.

quantize FROM TO CALIBRATION.npy | run MODEL INPUTS.npy OUTPUTS.npy
"""
import sys

import numpy as np


def quantize(source, target, calibration):
    from ai_edge_quantizer import quantizer, recipe

    work = quantizer.Quantizer(float_model=source)
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    samples = [{"x": sample[np.newaxis]} for sample in np.load(calibration)]
    result = work.calibrate({"serving_default": samples})
    work.quantize(result).export_model(target, overwrite=True)


def run(model, inputs, outputs):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    target = interpreter.get_output_details()[0]
    rows = []
    for sample in np.load(inputs):
        values = sample[np.newaxis]
        if source["dtype"] != np.float32:
            scale, zero = source["quantization"]
            values = np.clip(np.round(values / scale) + zero, -128, 127).astype(source["dtype"])
        interpreter.set_tensor(source["index"], values)
        interpreter.invoke()
        found = interpreter.get_tensor(target["index"]).astype(np.float32)
        if target["dtype"] != np.float32:
            scale, zero = target["quantization"]
            found = (found - zero) * np.float32(scale)
        rows.append(found.ravel().astype(np.float32))
    np.save(outputs, np.array(rows))


{"quantize": quantize, "run": run}[sys.argv[1]](*sys.argv[2:])
