"""Makes the files of this folder with the programs that others use. The README says which versions made those that are here.

Usage: python3 make_files.py FOLDER
"""

import collections
import pathlib
import sys

import numpy
import safetensors.torch
import torch

folder = pathlib.Path(sys.argv[1])

# One tensor of every type that Troupe has, with values that each type holds exactly, and shapes of 0 to 3 dimensions.
values = [[0, 1, 2], [3, 4, 100]]
weights = collections.OrderedDict(
    {
        "float32": torch.tensor(values, dtype=torch.float32) / 4,
        "float64": torch.tensor(values, dtype=torch.float64) / -8,
        "float16": torch.tensor(values, dtype=torch.float16) / 2,
        "bfloat16": torch.tensor(values, dtype=torch.bfloat16) / 2,
        "int64": torch.tensor(values, dtype=torch.int64) * -(2**40),
        "int32": torch.tensor(values, dtype=torch.int32) * -70000,
        "int16": torch.tensor(values, dtype=torch.int16) * -300,
        "int8": torch.tensor(values, dtype=torch.int8) * -1,
        "uint8": torch.tensor(values, dtype=torch.uint8) * 2,
        "bool": torch.tensor([[False, True, True], [True, False, True]]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "layer.0.weight": torch.arange(24, dtype=torch.float32).reshape(2, 3, 4),
    }
)

safetensors.torch.save_file(weights, folder / "types.safetensors", metadata={"made_by": "make_files.py"})
torch.save(weights, folder / "types.pt")
numpy.savez(folder / "types.npz", **{name: t.numpy() for name, t in weights.items() if name != "bfloat16"})

# What state_dicts of real modules look like: attributes (_metadata), parameters, views, storages in common.
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
module.state_dict()
with torch.no_grad():
    for i, tensor in enumerate(module.state_dict().values()):
        tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape) + 100 * i)
torch.save(module.state_dict(), folder / "module.pt")
torch.save(dict(module.named_parameters()), folder / "parameters.pt")
safetensors.torch.save_file(module.state_dict(), folder / "module.safetensors")
numpy.savez(folder / "module.npz", **{name: t.numpy() for name, t in module.state_dict().items()})
# As Lightning's checkpoints lie: the weights under 'state_dict', beside everything else.
lightning = {
    "epoch": 3,
    "global_step": 120,
    "pytorch-lightning_version": "2.5.0",
    "state_dict": collections.OrderedDict(("model." + name, t) for name, t in module.state_dict().items()),
    "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"current": {"ready": 3}}}},
    "callbacks": {"EarlyStopping{'monitor': 'val_loss'}": {"wait_count": 1, "best_score": torch.tensor(0.5)}},
    "optimizer_states": [{"state": {0: {"step": torch.tensor(120.0)}}, "param_groups": [{"lr": 0.001, "betas": (0.9, 0.999)}]}],
    "lr_schedulers": [],
    "MixedPrecision": None,
    "big": 2**80,
}
torch.save(lightning, folder / "lightning.pt")

base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
torch.save(
    {
        "whole": base,
        "row": base[1],
        "column": base[:, 2],
        "transposed": base.t(),
        "every_other": base[::2, 1::2],
        "tied": base,
    },
    folder / "views.pt",
)
torch.save({"image": torch.arange(24, dtype=torch.int16).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)}, folder / "channels_last.pt")
numpy.savez(
    folder / "orders.npz",
    fortran=numpy.asfortranarray(numpy.arange(6, dtype="<f4").reshape(2, 3)),
    c=numpy.arange(6, dtype="<f4").reshape(2, 3),
)

# What is refused, by name.
refused = folder / "refused"
refused.mkdir(exist_ok=True)
torch.save(module, refused / "module_object.pt")
torch.save({"expanded": torch.ones(1).expand(5)}, refused / "expanded.pt")
torch.save({"complex": torch.zeros(2, dtype=torch.complex64)}, refused / "complex.pt")
torch.save({"nested": {"weight": torch.ones(2)}}, refused / "nested.pt")
torch.save({"number": 3}, refused / "number.pt")
torch.save(torch.ones(2), refused / "tensor.pt")
torch.save({"weight": torch.ones(2)}, refused / "legacy.pt", _use_new_zipfile_serialization=False)
torch.save({"sparse": torch.ones(2).to_sparse()}, refused / "sparse.pt")
numpy.savez_compressed(refused / "compressed.npz", a=numpy.zeros(100, dtype="<f4"))
numpy.savez(refused / "big_endian.npz", a=numpy.zeros(2, dtype=">f4"))
numpy.savez(refused / "objects.npz", a=numpy.array([{}], dtype=object))
safetensors.torch.save_file({"a": torch.zeros(2, dtype=torch.float8_e4m3fn)}, refused / "float8.safetensors")
