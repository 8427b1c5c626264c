"""subtx_toy: a theory-and-toy-model simulator for subliminal learning."""

__version__ = "0.1.0"
