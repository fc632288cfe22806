"""How ONNX files become networks; :mod:`socsim.workloads.onnx` is the way in."""
