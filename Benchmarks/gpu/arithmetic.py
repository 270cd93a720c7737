"""What a training step costs, by arithmetic: nothing here was measured.

LLaMA-2-7B shape, LoRA r=16 on up and down, batch 8 x 256 in one pass, bf16, as the CUDA backend does it: every operation with
the FLOPs it does and the bytes it has to move, and the time below which a device with the given peak rates cannot stay.
usage: arithmetic.py [TFLOP/s, default 989 (H200, dense bf16)] [TB/s, default 4.8 (H200)]
"""

import sys

peak = float(sys.argv[1]) * 1e12 if len(sys.argv) > 1 else 989e12
band = float(sys.argv[2]) * 1e12 if len(sys.argv) > 2 else 4.8e12
T, S, d, F, H, R, V, L = 2048, 256, 4096, 11008, 32, 16, 32000, 32
B = 2  # bytes of an activation's number
TILE = 64  # rows of an attention block: keys beyond its diagonal are skipped
seen = sum(min(S, (i // TILE + 1) * TILE) for i in range(S)) / S  # keys that a query's block computes with, mean

groups = {}


def op(group, flops, elements, times=L, wide=0):
    """`elements` of activations read or written, `wide` bytes besides."""
    entry = groups.setdefault(group, [0, 0.0, 0.0, 0.0, 0])
    moved = elements * B + wide
    entry[0] += flops * times
    entry[1] += moved * times
    entry[2] += max(flops / peak, moved / band) * times
    entry[4] += times


def product(group, m, n, k, times=L, reads_result=False, wide=False):
    op(group, 2 * m * n * k, m * k + k * n + (0 if wide else m * n * (2 if reads_result else 1)), times,
       m * n * 4 * (2 if reads_result else 1) if wide else 0)


base, lora = "products with frozen weights", "LoRA products"
# Forward.
product(base, T, 3 * d, d)
product(base, T, d, d)
product(base, T, 2 * F, d)
product(base, T, d, F)
for inputs, outputs in [(d, F), (F, d)]:
    product(lora, T, R, inputs)  # u = xAᵀ
    product(lora, T, outputs, R, reads_result=True)  # y += s · uBᵀ
op("norms with their residual sums", 0, 4 * T * d, 2 * L)
op("rotary embedding", 0, 2 * T * 2 * d)
op("attention", 4 * T * seen * d, T * 4 * d)
op("SiLU · gate", 0, 3 * T * F)
# Backward: layer 0's attention lies below everything that trains.
product(base, T, F, d)
product(base, T, d, 2 * F)
product(base, T, d, d, L - 1)
product(base, T, d, 3 * d, L - 1)
for inputs, outputs in [(d, F), (F, d)]:
    product(lora, T, R, outputs)  # du = s · dyB
    product(lora, outputs, R, T, reads_result=True, wide=True)  # dB += s · dyᵀu
    product(lora, R, inputs, T, reads_result=True, wide=True)  # dA += duᵀx
    product(lora, T, inputs, R, reads_result=True)  # dx += duA
op("norms, backward", 0, 4 * T * d, 2 * L - 1)
op("inputs computed again for dA (norm, SiLU · gate)", 0, 2 * T * d + 3 * T * F)
op("SiLU · gate, backward", 0, 5 * T * F)
op("rotary embedding", 0, 2 * T * 2 * d, L - 1)
op("attention, backward (5 products, 2 of them twice)", 7 * 2 * T * seen * d, T * (2 * 3 * d + 2 * d + 3 * d) + 2 * T * d, L - 1)
# Once per step.
product(base, T, V, d, 1, wide=True)
product(base, T, d, V, 1)
op("loss (32-bit logits twice, their gradient once)", 0, T * V, 1, 2 * 4 * T * V)
P = L * 2 * R * (d + F)
op("optimizer (clear, norm, AdamW with the bf16 copy)", 0, 0, 1, P * (4 + 4 + 28 + 2))

total = sum(entry[2] for entry in groups.values())
print(f"By arithmetic, not measured: {peak / 1e12:.0f} TFLOP/s, {band / 1e12:.1f} TB/s.\n")
print("| part of a step | TFLOP | GB moved | ms at the limits | share |\n|---|---:|---:|---:|---:|")
for name, entry in sorted(groups.items(), key=lambda item: -item[1][2]):
    print(f"| {name} | {entry[0] / 1e12:.2f} | {entry[1] / 1e9:.1f} | {entry[2] * 1e3:.2f} | {100 * entry[2] / total:.1f} % |")
needed = 4 * (L * (4 * d * d + 3 * d * F) + V * d) * T
print(f"| all | {sum(e[0] for e in groups.values()) / 1e12:.1f} | {sum(e[1] for e in groups.values()) / 1e9:.1f} "
      f"| {total * 1e3:.1f} | |")
others = total - groups[base][2]
print(f"\nFLOPs that LoRA training needs (4 per parameter and token): {needed / 1e12:.1f} TFLOP = {needed / peak * 1e3:.1f} ms at "
      f"the peak. 60 % of the peak leaves {needed / peak / 0.6 * 1e3:.1f} ms for a step: the {others * 1e3:.1f} ms of everything but "
      f"the frozen products, at the limits, and {(needed / peak / 0.6 - others) * 1e3:.1f} ms for those, which is "
      f"{100 * groups[base][0] / peak / (needed / peak / 0.6 - others):.0f} % of the peak rate in them.")
