"""Lets a submodule and the function it is named after share one public name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def make_module_callable(module_name: str, function: Callable[..., Any]) -> None:
    """Make calling the module `module_name` call `function`.

    The package offers, say, `gaputils.robustness(…)`, and the import system binds the submodule
    `gaputils.robustness` to the same attribute as soon as anything imports it. With this both
    readings work, whatever was imported first.
    """

    class CallableModule(ModuleType):
        __call__ = staticmethod(function)
        __wrapped__ = staticmethod(function)

    sys.modules[module_name].__class__ = CallableModule
