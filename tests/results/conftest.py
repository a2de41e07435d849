from tests.compat.conftest import builder, dvc, exprun

__all__ = ["builder", "dvc", "exprun"]
