#!/usr/bin/env python3
"""Compares what the CUDA backend takes for granted with NVIDIA's own headers: names and parameters of every function it
opens at run time, every constant, the layout of every structure. Needs gcc or clang, no GPU and no driver.

usage: check-headers.py FOLDER…   folders that hold cuda.h, cublasLt.h, nvrtc.h, nvml.h (searched through; what is not found
                                  is not checked, and said so). pip packages: nvidia-cuda-runtime (cuda.h),
                                  nvidia-cuda-nvrtc (nvrtc.h), nvidia-cublas (cublasLt.h).
Exit status 1: something differs.
"""

import os, re, shutil, subprocess, sys, tempfile

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sources = os.path.join(root, "Sources/LanguageModel/Backend/CUDA")
# Swift file → (header, prefix of the names it loads).
files = {"CUDADriver.swift": ("cuda.h", ""), "KernelCompiler.swift": ("nvrtc.h", ""),
         "MatrixProducts.swift": ("cublasLt.h", "cublasLt"), "CUDAMonitor.swift": ("nvml.h", "")}
# Constants by the names that the Swift files give them.
constants = {
    "CUDADriver.swift": {
        "outOfMemory": "CUDA_ERROR_OUT_OF_MEMORY", "attributeProcessors": "CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT",
        "attributeMajor": "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR",
        "attributeMinor": "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR",
        "attributeSharedMemory": "CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN",
        "functionSharedMemory": "CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES",
        "eventWithoutTiming": "CU_EVENT_DISABLE_TIMING", "streamNonBlocking": "CU_STREAM_NON_BLOCKING",
        "captureRelaxed": "CU_STREAM_CAPTURE_MODE_RELAXED"},
    "MatrixProducts.swift": {
        "float32": "CUDA_R_32F", "bfloat16": "CUDA_R_16BF", "compute32": "CUBLAS_COMPUTE_32F",
        "transposeFirst": "CUBLASLT_MATMUL_DESC_TRANSA", "transposeSecond": "CUBLASLT_MATMUL_DESC_TRANSB",
        "epilogue": "CUBLASLT_MATMUL_DESC_EPILOGUE", "biasPointer": "CUBLASLT_MATMUL_DESC_BIAS_POINTER",
        "biasType": "CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE", "noEpilogue": "CUBLASLT_EPILOGUE_DEFAULT",
        "biasEpilogue": "CUBLASLT_EPILOGUE_BIAS", "workspace": "CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES",
        "notSupported": "CUBLAS_STATUS_NOT_SUPPORTED", "resultSize": "sizeof(cublasLtMatmulHeuristicResult_t)",
        "workspacePlace": "offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize)",
        "statePlace": "offsetof(cublasLtMatmulHeuristicResult_t, state)",
        "alignments": ["CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES", "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES",
                       "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES", "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES"]}}
# Numbers that stand in the code without a name, and sizes of attributes.
facts = {
    "cuda.h": ["CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED == 900", "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD == 908",
               "sizeof(CUdeviceptr) == 8", "sizeof(CUresult) == 4", "sizeof(CUdevice) == 4"],
    "cublasLt.h": ["CUBLAS_STATUS_NOT_INITIALIZED == 1", "CUBLAS_STATUS_ALLOC_FAILED == 3", "CUBLAS_STATUS_INVALID_VALUE == 7",
                   "CUBLAS_STATUS_ARCH_MISMATCH == 8", "CUBLAS_STATUS_EXECUTION_FAILED == 13", "CUBLAS_OP_N == 0",
                   "CUBLAS_OP_T == 1", "sizeof(cublasOperation_t) == 4", "sizeof(cublasLtEpilogue_t) == 4",
                   "sizeof(cudaDataType_t) == 4", "sizeof(cublasLtMatmulAlgo_t) == 64"],
    "nvrtc.h": ["NVRTC_SUCCESS == 0", "sizeof(nvrtcResult) == 4"],
    "nvml.h": ["NVML_SUCCESS == 0", "sizeof(nvmlUtilization_t) == 8", "offsetof(nvmlUtilization_t, gpu) == 0",
               "sizeof(nvmlMemory_t) == 24", "offsetof(nvmlMemory_t, total) == 0", "offsetof(nvmlMemory_t, used) == 16"]}
problems = []
compiler = shutil.which("gcc") or shutil.which("clang")
if not compiler:
    sys.exit("neither gcc nor clang is here: nothing was checked")


def find(name):
    """The first folder in which there is a file of this name, which may have a folder in it."""
    for folder in sys.argv[1:]:
        for place, _, _ in os.walk(folder):
            if os.path.exists(os.path.join(place, name)):
                return place


def split(text):
    """Parts of a list at its outer commas."""
    parts, depth, part = [], 0, ""
    for character in text:
        depth += (character in "([<") - (character in ")]>")
        if character == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += character
    return [p.strip() for p in parts + [part] if p.strip()]


def swift_functions(text, prefix):
    """C name → (Swift types of its parameters, of its result)."""
    text = re.sub(r"\n *//[^\n]*|//[^\n]*", "", text)
    aliases = dict(re.findall(r"typealias (\w+) =\s*([^\n]+(?:\n\s{6,}[^\n]+)*)", text))

    def resolve(kind):
        kind = kind.strip()
        return resolve(aliases[kind]) if kind in aliases and "convention" in aliases[kind] else kind

    def closure(kind):
        kind = " ".join(resolve(kind).split())
        found = re.search(r"@convention\(c\)(?: @Sendable)? \((.*)", kind)
        if not found:
            return None
        # The parameters end at the parenthesis that closes them.
        begin, depth = found.start(1), 1
        for place in range(begin, len(kind)):
            depth += (kind[place] == "(") - (kind[place] == ")")
            if depth == 0:
                break
        expand = lambda t: re.sub(r"\b(\w+)\b", lambda m: aliases.get(m.group(1), m.group(1)).strip(), t)
        return ([expand(re.sub(r"^_? ?\w+: ", "", p)) for p in split(kind[begin:place])], expand(re.match(r"\) -> ([\w<>]+)", kind[place:]).group(1)))

    # The type of a property by the last declaration before its function is loaded: two structures may share a name.
    types = [(m.start(), m.group(1), m.group(2)) for m in re.finditer(
        r"let (\w+):\s*((?:\(?@convention|[A-Z])[^=]*?)(?=\n\s*(?:let|enum|init|private|public|struct|static|var|func|\}|do)|\s=\s)", text)]
    for m in re.finditer(r"let \(([\w, ]+)\): \(([\w, ]+)\)\n", text):
        types += [(m.start(), name, kind) for name, kind in zip(m.group(1).split(", "), m.group(2).split(", "))]
    result = {}
    for m in re.finditer(r"(\w+)(?::| =)(?:[^\n=]*=)? try\?? load\(\"(\w+)\"\)", text):
        own = [kind for start, name, kind in sorted(types) if name == m.group(1) and start < m.start()]
        result[prefix + m.group(2)] = closure(own[-1]) if own else None
    for kind, name in re.findall(r"let \w+: (@convention\(c\)[^=]*?) = try (?:load|symbols\.load)\(\s*(?:\.products, driverVersion: driverVersion, )?\"(\w+)\"", text):
        result[name] = closure(kind)
    return result


def swift_form(kind):
    """(bytes, bytes of what it points at or 0 where that is open, whether it is a pointer)."""
    sizes = {"Int32": 4, "UInt32": 4, "Int": 8, "UInt64": 8, "Int64": 8, "UInt16": 2, "Float": 4, "CChar": 1, "Status": 4,
             "DevicePointer": 8}
    kind = kind.rstrip("?")
    pointer = re.match(r"Unsafe(?:Mutable)?Pointer<(.*)>$", kind)
    if pointer:
        return 8, swift_form(pointer.group(1))[0], True
    if re.match(r"Unsafe(Mutable)?RawPointer$", kind) or kind in ("Handle", "Program"):
        return 8, 0, True
    return sizes[kind], 0, False


def declarations(text, header_name):
    """C name → types of its parameters, from preprocessed text."""
    result = {}
    for kind, name, parameters in re.findall(r"\b([\w ]+(?:\*\s*|\s))(?:__attribute__\(\([^)]*\)\) )?(\w+)\(([^()]*)\)\s*;", text):
        types = []
        for parameter in [] if parameters.strip() in ("void", "") else parameters.split(","):
            parameter = " ".join(parameter.split())
            array = re.search(r"(\w+)\s*\[\w*\]$", parameter)
            if array:
                parameter = parameter[:array.start()] + "*"
            elif re.search(r"[\w*]\s*\b\w+$", parameter) and len(re.findall(r"\w+", parameter)) > 1:
                shorter = re.sub(r"\s*\b\w+$", "", parameter)
                if shorter.replace("const", "").strip() not in ("", "unsigned", "long"):
                    parameter = shorter
            types.append(parameter)
        result[name] = (types, kind.replace("extern", "").strip())
    return result


checked = 0
for file, (header, prefix) in files.items():
    text = open(os.path.join(sources, file)).read()
    place = find(header)
    if not place:
        print(f"{header}: not found in {' '.join(sys.argv[1:])}; {file} is not checked")
        continue
    # cublasLt.h wants the runtime's headers, and those the compiler's (nvidia-cuda-crt).
    flags = ["-I", place] + [f"-I{find(other)}" for other in ["cuda_runtime_api.h", "crt/host_config.h"] if find(other)]
    with tempfile.TemporaryDirectory() as folder:
        unit = os.path.join(folder, "unit.c")
        open(unit, "w").write(f"#include <stddef.h>\n#include <{header}>\n")
        preprocessed = subprocess.run([compiler, "-E", "-P", *flags, unit], capture_output=True, text=True)
        if preprocessed.returncode != 0:
            print(f"{header}: cannot be read: {preprocessed.stderr.splitlines()[:2]}; {file} is not checked")
            continue
        known = declarations(preprocessed.stdout, header)
        lines = [f"#include <stddef.h>\n#include <stdint.h>\n#include <{header}>\n"]

        def claim(condition, what):
            global checked
            checked += 1
            lines.append(f'_Static_assert({condition}, "{what}");\n')

        for name, own in swift_functions(text, prefix).items():
            if own is None:
                problems.append(f"{file}: the type of {name} was not understood")
                continue
            if name not in known:
                problems.append(f"{file}: {header} declares no {name}")
                continue
            parameters, outcome = known[name]
            if len(parameters) != len(own[0]):
                problems.append(f"{file}: {name} takes {len(parameters)} parameters {parameters}, not {len(own[0])}")
                continue
            for index, (theirs, ours) in enumerate(zip(parameters, own[0])):
                size, pointee, is_pointer = swift_form(ours)
                claim(f"sizeof({theirs}) == {size}", f"{name}, parameter {index + 1}: {theirs} is no {ours}")
                claim(f"(__builtin_classify_type(({theirs})0) == 5) == {int(is_pointer)}",
                      f"{name}, parameter {index + 1}: {theirs} is no {ours}")
                # NVML's two structures are read as arrays of their numbers: see the facts above.
                if pointee and not re.search(r"\bvoid ?\*$|^nvml(Utilization|Memory)_t ?\*$", theirs):
                    claim(f"sizeof(*({theirs})0) == {pointee}", f"{name}, parameter {index + 1}: {theirs} is no {ours}")
            claim(f"sizeof({outcome}) == {swift_form(own[1])[0]}", f"{name} returns {outcome}, no {own[1]}")
        for own, theirs in constants.get(file, {}).items():
            found = re.search(rf"static let {own}(?:: \w+)? = (-?\d+|\[[\d, ]+\])", text) if own != "alignments" else \
                re.search(r"static let alignments: \[Int32\] = (\[[\d, ]+\])", text)
            value = found.group(1) if found else None
            if not found:
                for names, values in re.findall(r"static let \(([\w, ]+)\)(?::[^=]*)? = \(([\d, ]+)\)", text):
                    pairs = dict(zip(names.split(", "), values.split(", ")))
                    value = pairs.get(own, value)
            if value is None:
                problems.append(f"{file}: no constant {own}")
            elif isinstance(theirs, list):
                for number, name in zip(value.strip("[]").split(","), theirs):
                    claim(f"{name} == {number}", f"{own}: {name} is not {number}")
            else:
                claim(f"{theirs} == {value}", f"{own}: {theirs} is not {value}")
        for fact in facts[header]:
            claim(fact, fact)
        open(unit, "w").writelines(lines)
        outcome = subprocess.run([compiler, "-fsyntax-only", *flags, unit], capture_output=True, text=True)
        problems += [f"{file}: " + line.split("error: ")[1] for line in outcome.stderr.splitlines() if "error: " in line]

for problem in problems:
    print(problem)
print(f"{checked} claims checked, {len(problems)} wrong")
sys.exit(1 if problems else 0)
