"""Exports of `troupe checkpoint export` load in Python, with every value: torch.load(weights_only=True) in memory and mapped,
safetensors, numpy.load. Exits with 77, which CTest reports as skipped, where these packages are not there.

Usage: python3 check_exports.py TROUPE GOLDEN_INTERCHANGE_FOLDER
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import safetensors
    import safetensors.torch
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

tool, golden = sys.argv[1], pathlib.Path(sys.argv[2])


def troupe(*arguments):
    subprocess.run([tool, "checkpoint", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def original(path):
    """What Python itself reads from the file that Troupe imports."""
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    if path.suffix == ".npz":
        with numpy.load(path) as arrays:
            return {name: torch.from_numpy(arrays[name].copy()) for name in arrays}
    loaded = torch.load(path, weights_only=True)
    return loaded["state_dict"] if "state_dict" in loaded else loaded


def exported(path, form):
    """What Python reads from an export, by each way there is."""
    if form == "safetensors":
        with safetensors.safe_open(path, "pt") as opened:
            assert opened.metadata()["format"] == "pt"
        return [safetensors.torch.load_file(path)]
    if form == "torch":
        return [torch.load(path, weights_only=True), torch.load(path, weights_only=True, mmap=True)]
    with numpy.load(path, allow_pickle=False) as arrays:
        return [{name: torch.from_numpy(arrays[name].copy()) for name in arrays}]


def check_equal(wanted, found):
    assert sorted(wanted) == sorted(found), (sorted(wanted), sorted(found))
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype, name
        assert found[name].shape == tensor.shape, name
        assert torch.equal(found[name], tensor), name


def check(path, folder):
    checkpoint = folder / "imported.ckpt"
    troupe("import", path, "--output", checkpoint, "--force")
    wanted = original(path)
    has_bfloat16 = any(tensor.dtype == torch.bfloat16 for tensor in wanted.values())
    for form in ["safetensors", "torch"] + ([] if has_bfloat16 else ["npz"]):
        output = folder / f"exported.{form}"
        troupe("export", checkpoint, "--format", form, "--output", output, "--force")
        for found in exported(output, form):
            check_equal(wanted, found)
        print(f"{path.name} -> {form}: {len(wanted)} tensors equal")


with tempfile.TemporaryDirectory() as temporary:
    files = sorted(path for path in golden.iterdir() if path.suffix in (".pt", ".safetensors", ".npz"))
    assert len(files) >= 9, files
    for path in files:
        check(path, pathlib.Path(temporary))
