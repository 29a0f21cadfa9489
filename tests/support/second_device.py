"""A device beside the CPU, pretended, for tests of placement where there is no GPU.

Its tensors compute on the CPU, but they mix with the CPU's own as little as a GPU's do, and what
the host reads of them is counted. It goes by the name of torch's `meta`, which needs no hardware.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")


class _There(torch.Tensor):
    """A tensor on the second device; `held` is what it holds."""

    @staticmethod
    def __new__(cls, held, device):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )

    def __init__(self, held, device):
        self.held, self.on = held, device

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        (device, *_) = (x.on for x in tree_leaves((args, kwargs)) if isinstance(x, _There))
        return device.run(function, args, kwargs or {})


class SecondDevice(TorchDispatchMode):
    """The device, while it is entered; `reads` counts what moved tensors or numbers to the host."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return self.run(function, args, kwargs or {})

    def run(self, function, args, kwargs):
        leaves = tree_leaves((args, kwargs))
        there = [x for x in leaves if isinstance(x, _There)]
        here = [x for x in leaves if type(x) is torch.Tensor and x.dim()]
        name = function._schema.name
        # As with a GPU: a single number may come from the host, and copies go anywhere.
        if there and here and name != "aten::copy_":
            raise RuntimeError(f"{name}: tensors on two devices")
        goes_there = next((x == DEVICE for x in leaves if isinstance(x, torch.device)), bool(there))
        if there and (name == "aten::_local_scalar_dense" or not goes_there):
            self.reads += 1
        known = {id(x.held): x for x in there}  # what is changed in place stays itself

        def on_host(x):
            if isinstance(x, torch.device):
                return torch.device("cpu")
            return x.held if isinstance(x, _There) else x

        def placed(x):
            if not isinstance(x, torch.Tensor) or not goes_there:
                return x
            return known[id(x)] if id(x) in known else _There(x, self)

        # Tensors made in inference mode could not be wrapped.
        with torch.inference_mode(False), torch.no_grad():
            args, kwargs = tree_map(on_host, (args, kwargs))
            return tree_map(placed, function(*args, **kwargs))
