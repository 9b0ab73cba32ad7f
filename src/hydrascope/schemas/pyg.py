"""Imports from PyTorch Geometric, without a warning that our users cannot act on.

PyTorch Geometric calls `torch.jit.script` when it is imported. Since torch 2.14 that call warns.
"""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "`torch.jit.script`")
    from torch_geometric.data import Data

__all__ = ["Data"]
