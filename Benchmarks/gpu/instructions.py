#!/usr/bin/env python3
"""What the CUDA kernels are compiled to, counted without a GPU.

For every kernel: machine instructions, matrix instructions among them, registers, bytes spilled, and how many blocks of its
size the registers of a multiprocessor hold. For attention also the instructions of one pass of its main loop. Counts are
not times: they show what a change of the text does, and which kernels could be bound by instructions rather than memory.

usage: instructions.py [KERNEL-FILE…] [--gpu sm_90] [--dtype bf16|f32]
NVRTC: of the nvidia-cuda-nvrtc package, or in the folder that ENGRAM_CUDA_HOME names; nvdisasm and cuobjdump: in PATH (CUDA
toolkit) or of the triton package.
"""
import argparse
import ctypes
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

KERNELS = pathlib.Path(__file__).resolve().parents[2] / "Sources/CUDAKernels/kernels"


def folders_of(package):
    found = importlib.util.find_spec(package)
    return [pathlib.Path(folder) for folder in found.submodule_search_locations] if found else []


def nvrtc():
    places = [pathlib.Path(os.environ["ENGRAM_CUDA_HOME"])] if os.environ.get("ENGRAM_CUDA_HOME") else []
    for place in places + folders_of("nvidia"):
        for library in sorted(place.rglob("libnvrtc.so.*")):
            if "alt" not in library.name:
                return ctypes.CDLL(str(library))
    sys.exit("instructions.py: no NVRTC found; pip install nvidia-cuda-nvrtc, or set ENGRAM_CUDA_HOME")


def tool(name):
    path = shutil.which(name)
    for folder in folders_of("triton"):
        path = path or next((str(p) for p in folder.rglob(name)), None)
    return path or sys.exit(f"instructions.py: no {name} found; install the CUDA toolkit or pip install triton")


def compiled(library, name, gpu, dtype):
    """The cubin of one file of kernels."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    header = (ctypes.c_char_p * 1)((KERNELS / "common.cuh").read_bytes())
    names = (ctypes.c_char_p * 1)(b"common.cuh")
    text = (KERNELS / f"{name}.cu").read_bytes()
    library.nvrtcCreateProgram(ctypes.byref(program), text, name.encode(), 1, header, names)
    options = [f"--gpu-architecture={gpu}", "--std=c++17", f"-DENGRAM_BF16={int(dtype == 'bf16')}"]
    given = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
    if library.nvrtcCompileProgram(program, len(options), given):
        library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        library.nvrtcGetProgramLog(program, log)
        sys.exit(f"{name}.cu does not compile:\n{log.value.decode()}")
    library.nvrtcGetCUBINSize(program, ctypes.byref(size))
    image = ctypes.create_string_buffer(size.value)
    library.nvrtcGetCUBIN(program, image)
    return image.raw


def main_loop(lines):
    """Instructions of the shortest backward branch's body that holds all matrix instructions but those outside loops."""
    labels, instructions = {}, []
    for line in lines:
        if label := re.match(r"^(\.L_x_\d+):", line):
            labels[label.group(1)] = len(instructions)
        elif instruction := re.match(r"^\s+/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            instructions.append(instruction.group(1))
    total = sum("HMMA" in i for i in instructions)
    bodies = []
    for place, instruction in enumerate(instructions):
        target = re.search(r"BRA.*\(?(\.L_x_\d+)", instruction)
        start = labels.get(target.group(1), place) if target else place
        if start < place and sum("HMMA" in i for i in instructions[start:place]) == total > 0:
            bodies.append(place + 1 - start)
    return instructions, min(bodies, default=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*")
    parser.add_argument("--gpu", default="sm_90")
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    arguments = parser.parse_args()
    files = arguments.files or sorted(path.stem for path in KERNELS.glob("*.cu"))
    library, nvdisasm, cuobjdump = nvrtc(), tool("nvdisasm"), tool("cuobjdump")
    print("| kernel | instructions | of them HMMA | main loop | registers | spilled bytes | blocks by registers |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for file in files:
        threads = dict(re.findall(r"KERNEL\((\d+), (\w+)", (KERNELS / f"{file}.cu").read_text()))
        threads = {name: int(count) for count, name in threads.items()}
        with tempfile.NamedTemporaryFile(suffix=".cubin") as image:
            image.write(compiled(library, file, arguments.gpu, arguments.dtype))
            image.flush()
            usage = subprocess.run([cuobjdump, "-res-usage", image.name], capture_output=True, text=True, check=True)
            text = subprocess.run([nvdisasm, "-c", image.name], capture_output=True, text=True, check=True).stdout
        used = re.findall(r"Function (\w+):\s*\n\s*REG:(\d+) STACK:(\d+)", usage.stdout + usage.stderr)
        used = {name: (int(registers), int(stack)) for name, registers, stack in used}
        for section in re.split(r"\n(?=\.text\.)", text)[1:]:
            name = re.match(r"\.text\.(\w+)", section).group(1)
            instructions, loop = main_loop(section.split("\n"))
            registers, stack = used.get(name, (0, 0))
            block = threads.get(name) or threads.get(re.sub(r"_\d+$", "_", name)) or 128
            blocks = 65536 // ((registers + 7) // 8 * 8 * block) if registers else 0
            matrix = sum("HMMA" in i for i in instructions)
            print(f"| {name} | {len(instructions)} | {matrix} | {loop or ''} | {registers} | {stack} | {blocks} |")


if __name__ == "__main__":
    main()
