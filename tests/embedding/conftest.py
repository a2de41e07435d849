from tests.runner.conftest import make_project, project

__all__ = ["make_project", "project"]
