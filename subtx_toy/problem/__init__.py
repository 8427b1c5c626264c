"""One instance of one-step distillation: model, shared initialisation, teacher's update, losses and inputs."""

from subtx_toy.problem.problem import Problem

__all__ = ["Problem"]
