"""The version, which pickles and model files carry."""

__version__ = "0.1.0"
