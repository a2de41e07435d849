"""exprun runs DVC pipelines and experiments concurrently."""

__version__ = "0.1.0"
