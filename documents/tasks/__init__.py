"""The kinds of task: each module here, and the module ``task`` of each package here, registers one or more."""

import pkgutil
from importlib import import_module


def autodiscover() -> None:
    """Import every kind of task, so that it registers itself."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        import_module(f"{module.name}.task" if module.ispkg else module.name)
