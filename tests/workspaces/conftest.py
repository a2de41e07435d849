from tests.git.conftest import git_env, project

__all__ = ["git_env", "project"]
