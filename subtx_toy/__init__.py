"""subtx_toy: a theory-and-toy-model simulator for subliminal learning.

The public names, by what they are for; each is loaded when it is first used.

>>> import subtx_toy as st
>>> run = st.run("cloud2025", seeds=range(10), num_aux=10)  # doctest: +SKIP
>>> st.verify(instances=200)  # doctest: +SKIP
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

TYPE_CHECKING = False  # read by type checkers; importing typing would take longer than the rest

if TYPE_CHECKING:
    from subtx_toy.api.audit import Audit, audit
    from subtx_toy.api.certificate import Certificate, Check
    from subtx_toy.api.certify import certify, check
    from subtx_toy.api.compare import Compare, compare
    from subtx_toy.api.doctor import examine
    from subtx_toy.api.failed import failed_trials
    from subtx_toy.api.nets import Net, read_net
    from subtx_toy.api.plots import plot_results
    from subtx_toy.api.power import Power, power
    from subtx_toy.api.predict import Prediction, predict
    from subtx_toy.api.report import report
    from subtx_toy.api.results import results
    from subtx_toy.api.run import run
    from subtx_toy.api.run_result import Run
    from subtx_toy.api.scores import audit_scores
    from subtx_toy.api.stored import archive_trials, compare_results, delete_trials, merge_stores
    from subtx_toy.api.stream import AuditStream, audit_stream
    from subtx_toy.api.sweep import named_sweep, preview, sweep
    from subtx_toy.api.sweep_result import Preview, Sweep
    from subtx_toy.api.verify import Verification, verify
    from subtx_toy.channel.traits import Examples, Trait
    from subtx_toy.claims.user import claim
    from subtx_toy.claims.vocabulary.claim import Inequality
    from subtx_toy.claims.vocabulary.evidence import Evidence
    from subtx_toy.data import Dataset, load
    from subtx_toy.errors import InputError
    from subtx_toy.problem import Problem
    from subtx_toy.problem.functional import ModuleFunction
    from subtx_toy.problem.losses import Loss, kl, squared_error
    from subtx_toy.problem.model import MLP
    from subtx_toy.problem.smooth_loss import cosine_distance, probability_squared_error, reverse_kl, smooth_loss
    from subtx_toy.problem.spec import ProblemSpec
    from subtx_toy.problem.trait_loss import TraitLoss, cross_entropy_trait, squared_error_trait
    from subtx_toy.protocols.protocol import Measurement, Protocol, run_experiment
    from subtx_toy.seeding import generator
    from subtx_toy.settings.distillation import RunConfig
    from subtx_toy.settings.numbers import NumbersConfig
    from subtx_toy.settings.one_step import OneStepConfig
    from subtx_toy.settings.prediction import PredictionConfig
    from subtx_toy.store import Store

__all__ = [
    "MLP",
    "Audit",
    "AuditStream",
    "Certificate",
    "Check",
    "Compare",
    "Dataset",
    "Evidence",
    "Examples",
    "Inequality",
    "InputError",
    "Loss",
    "Measurement",
    "ModuleFunction",
    "Net",
    "NumbersConfig",
    "OneStepConfig",
    "Power",
    "Prediction",
    "PredictionConfig",
    "Preview",
    "Problem",
    "ProblemSpec",
    "Protocol",
    "Run",
    "RunConfig",
    "Store",
    "Sweep",
    "Trait",
    "TraitLoss",
    "Verification",
    "__version__",
    "archive_trials",
    "audit",
    "audit_scores",
    "audit_stream",
    "certify",
    "check",
    "claim",
    "compare",
    "compare_results",
    "cosine_distance",
    "cross_entropy_trait",
    "delete_trials",
    "examine",
    "failed_trials",
    "generator",
    "kl",
    "load",
    "merge_stores",
    "named_sweep",
    "plot_results",
    "power",
    "predict",
    "preview",
    "probability_squared_error",
    "read_net",
    "report",
    "results",
    "reverse_kl",
    "run",
    "run_experiment",
    "smooth_loss",
    "squared_error",
    "squared_error_trait",
    "sweep",
    "verify",
]

_ROOMS = {
    "api.audit": "Audit audit",
    "api.certificate": "Certificate Check",
    "api.certify": "certify check",
    "api.compare": "Compare compare",
    "api.doctor": "examine",
    "api.failed": "failed_trials",
    "api.nets": "Net read_net",
    "api.plots": "plot_results",
    "api.predict": "Prediction predict",
    "api.report": "report",
    "api.power": "Power power",
    "api.results": "results",
    "api.run": "run",
    "api.run_result": "Run",
    "api.scores": "audit_scores",
    "api.stored": "archive_trials compare_results delete_trials merge_stores",
    "api.stream": "AuditStream audit_stream",
    "api.sweep": "named_sweep preview sweep",
    "api.sweep_result": "Preview Sweep",
    "api.verify": "Verification verify",
    "channel.traits": "Examples Trait",
    "claims.user": "claim",
    "claims.vocabulary.claim": "Inequality",
    "claims.vocabulary.evidence": "Evidence",
    "data": "Dataset load",
    "errors": "InputError",
    "problem": "Problem",
    "problem.functional": "ModuleFunction",
    "problem.losses": "Loss kl squared_error",
    "problem.model": "MLP",
    "problem.smooth_loss": "cosine_distance probability_squared_error reverse_kl smooth_loss",
    "problem.spec": "ProblemSpec",
    "problem.trait_loss": "TraitLoss cross_entropy_trait squared_error_trait",
    "protocols.protocol": "Measurement Protocol run_experiment",
    "seeding": "generator",
    "settings.distillation": "RunConfig",
    "settings.numbers": "NumbersConfig",
    "settings.one_step": "OneStepConfig",
    "settings.prediction": "PredictionConfig",
    "store": "Store",
}
"""The names of ``__all__`` by the module that holds them."""

_HOMES = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


class _FrontDoor(ModuleType):
    """The package: ``sweep``, ``audit``, ``certify`` and ``results`` are its functions, not the rooms of those names.

    Python sets a package's attribute to every room that is imported; for these names it is left to ``__getattr__``.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _FrontDoor
