"""YAML files whose every fault is told with its place: ``file.yaml:9:16: clusters.0.opps.1.freq: ...``.

:func:`read` keeps the position of every value and refuses what YAML 1.1 would silently misread;
:func:`validate` runs a pydantic model over the result and reports all of its faults in one pass.
"""

from socsim.yamlfile.document import (
    Document,
    FileFault,
    Loc,
    Node,
    Place,
    RelativeFaults,
    dotted,
    fail,
    fault_at,
    in_file,
)
from socsim.yamlfile.reading import read, value_of
from socsim.yamlfile.validation import first_fault, sentence, validate

__all__ = [
    "Document",
    "FileFault",
    "Loc",
    "Node",
    "Place",
    "RelativeFaults",
    "dotted",
    "fail",
    "fault_at",
    "first_fault",
    "in_file",
    "read",
    "sentence",
    "validate",
    "value_of",
]
