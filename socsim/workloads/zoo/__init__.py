"""Networks that come with socsim, written layer by layer: no ONNX file, no weights, no download."""

from socsim.workloads.zoo.catalogue import CATALOGUE, build_model, describe_model, model_names

__all__ = ["CATALOGUE", "build_model", "describe_model", "model_names"]
