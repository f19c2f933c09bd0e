"""The gap vector and every measure of the modality gap, each a small pure function."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
