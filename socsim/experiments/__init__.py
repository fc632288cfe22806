"""Experiment files: a device, what runs on it, and for how long.

What a file says (:mod:`~socsim.experiments.appspecs`, :mod:`~socsim.experiments.spec`) is read
(:mod:`~socsim.experiments.files`), changed by overrides (:mod:`~socsim.experiments.loading`) and made an
:class:`Experiment`; :mod:`~socsim.experiments.naming` tells what one names.
"""

from socsim.experiments.experiment import Experiment, make_experiment
from socsim.experiments.files import describe_experiment, experiment_names, read_experiment
from socsim.experiments.loading import load_experiment, overridden
from socsim.experiments.naming import named_things, phrase
from socsim.experiments.spec import ExperimentSpec, application_fields, complaint, experiment_fields

__all__ = [
    "Experiment",
    "ExperimentSpec",
    "application_fields",
    "complaint",
    "describe_experiment",
    "experiment_fields",
    "experiment_names",
    "load_experiment",
    "make_experiment",
    "named_things",
    "overridden",
    "phrase",
    "read_experiment",
]
