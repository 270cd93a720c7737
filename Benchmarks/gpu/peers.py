"""The other side of the GPU benchmark: PyTorch, Transformers and PEFT on the same random base.

make     writes a random base of a known shape as a Hugging Face directory, a layer at a time.
ceiling  measures the bf16 matrix product rate and the copy bandwidth.
train    LoRA r=16 on the feed-forward matrices, bf16 (the adapter too: the faster way), SDPA, batch 8 x 256, eager and
         compiled; and greedy generation of 8 x 64 tokens, eager and with a static cache and compiled. Peak memory is
         PyTorch's own count.

The better of two ways counts. With --device cpu and the tiny shapes everything runs on a processor, compiled ways included
(they want a C++ compiler there), to try the script: its figures mean nothing.
"""

import argparse, contextlib, gc, json, os, time

import torch


def emit(path, **figures):
    line = json.dumps(figures)
    print(line, flush=True)
    if path:
        with open(path, "a") as file:
            file.write(line + "\n")


SHAPES = {
    "gpt2": dict(model_type="gpt2", architectures=["GPT2LMHeadModel"], vocab_size=50257, n_embd=768, n_layer=12, n_head=12,
                 n_positions=1024, activation_function="gelu_new", layer_norm_epsilon=1e-5, tie_word_embeddings=True,
                 bos_token_id=50256, eos_token_id=50256),
    "llama7b": dict(model_type="llama", architectures=["LlamaForCausalLM"], vocab_size=32000, hidden_size=4096,
                    intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32,
                    max_position_embeddings=4096, hidden_act="silu", rms_norm_eps=1e-5, rope_theta=10000.0,
                    tie_word_embeddings=False, bos_token_id=1, eos_token_id=2),
}
SHAPES["gpt2-tiny"] = {**SHAPES["gpt2"], "vocab_size": 500, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512,
                       "bos_token_id": 0, "eos_token_id": 0}
SHAPES["llama-tiny"] = {**SHAPES["llama7b"], "vocab_size": 500, "hidden_size": 64, "intermediate_size": 128,
                        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
                        "max_position_embeddings": 512}


def wait(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def tensors(shape):
    """Groups of (name, size), one group per file."""
    c = SHAPES[shape]
    if c["model_type"] == "gpt2":
        d = c["n_embd"]
        yield [("transformer.wte.weight", (c["vocab_size"], d)), ("transformer.wpe.weight", (c["n_positions"], d)),
               ("transformer.ln_f.weight", (d,)), ("transformer.ln_f.bias", (d,))]
        for layer in range(c["n_layer"]):
            h = f"transformer.h.{layer}."
            yield [(h + "ln_1.weight", (d,)), (h + "ln_1.bias", (d,)), (h + "ln_2.weight", (d,)), (h + "ln_2.bias", (d,)),
                   (h + "attn.c_attn.weight", (d, 3 * d)), (h + "attn.c_attn.bias", (3 * d,)),
                   (h + "attn.c_proj.weight", (d, d)), (h + "attn.c_proj.bias", (d,)),
                   (h + "mlp.c_fc.weight", (d, 4 * d)), (h + "mlp.c_fc.bias", (4 * d,)),
                   (h + "mlp.c_proj.weight", (4 * d, d)), (h + "mlp.c_proj.bias", (d,))]
        return
    d, f = c["hidden_size"], c["intermediate_size"]
    yield [("model.embed_tokens.weight", (c["vocab_size"], d)), ("lm_head.weight", (c["vocab_size"], d)),
           ("model.norm.weight", (d,))]
    for layer in range(c["num_hidden_layers"]):
        h = f"model.layers.{layer}."
        yield [(h + "input_layernorm.weight", (d,)), (h + "post_attention_layernorm.weight", (d,)),
               *((h + f"self_attn.{name}_proj.weight", (d, d)) for name in "qkvo"),
               (h + "mlp.gate_proj.weight", (f, d)), (h + "mlp.up_proj.weight", (f, d)), (h + "mlp.down_proj.weight", (d, f))]


def make(options):
    from safetensors.torch import save_file

    os.makedirs(options.model, exist_ok=True)
    generator = torch.Generator(options.device).manual_seed(0)
    groups, places, total = list(tensors(options.shape)), {}, 0
    for number, group in enumerate(groups):
        file = f"model-{number + 1:05}-of-{len(groups):05}.safetensors"
        values = {}
        for name, size in group:
            if name.endswith("norm.weight") or ".ln_" in name and name.endswith(".weight"):
                value = torch.ones(size, dtype=torch.bfloat16)
            elif name.endswith(".bias"):
                value = torch.zeros(size, dtype=torch.bfloat16)
            else:
                value = (torch.randn(size, generator=generator, device=options.device) * 0.02).to(torch.bfloat16).cpu()
            values[name] = value.contiguous()
            places[name] = file
            total += value.numel() * 2
        save_file(values, os.path.join(options.model, file), metadata={"format": "pt"})
    json.dump({"metadata": {"total_size": total}, "weight_map": places},
              open(os.path.join(options.model, "model.safetensors.index.json"), "w"))
    json.dump({**SHAPES[options.shape], "torch_dtype": "bfloat16"}, open(os.path.join(options.model, "config.json"), "w"))
    print(f"{total / 1e9:.1f} GB in {options.model}")


def ceiling(options):
    is_gpu = options.device.startswith("cuda")
    n, size = (8192, 2**31) if is_gpu else (256, 2**20)
    a, b = (torch.randn(n, n, device=options.device).to(torch.bfloat16) for _ in range(2))
    seconds = timed(lambda: a @ b, 20, options.device)
    emit(options.output, measured="bf16 product", tflops=2 * n**3 / seconds / 1e12)
    source = torch.empty(size, dtype=torch.uint8, device=options.device)
    target = torch.empty_like(source)
    seconds = timed(lambda: target.copy_(source), 20, options.device)
    emit(options.output, measured="copy", terabytesPerSecond=2 * source.numel() / seconds / 1e12)


def timed(body, count, device):
    """Median seconds of `body`, after three calls that are not counted (the first may compile)."""
    for _ in range(3):
        body()
    times = []
    for _ in range(count):
        wait(device)
        begin = time.perf_counter()
        body()
        wait(device)
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2]


@contextlib.contextmanager
def measured_memory(device):
    """Gives a function that returns PyTorch's peak since the beginning, where it counts one."""
    is_gpu = device.startswith("cuda")
    if is_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield lambda: {"peakMegabytes": torch.cuda.max_memory_allocated() >> 20} if is_gpu else {}


def attempt(options, figures, body):
    """Emits what `body` measured, or why it failed: one way that gives up must not lose the figures of the other."""
    from torch._dynamo.utils import counters

    counters.clear()
    try:
        measured = body()
        # How many pieces of code the compiler really took: 0 for eager ways.
        emit(options.output, **figures, **measured, compiledFrames=counters["frames"]["ok"])
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        emit(options.output, **figures, failed=text[:300])
    torch._dynamo.reset()
    gc.collect()


def train(options):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    device, length, batch = options.device, options.length, 8
    start = time.time()
    load_base = lambda **type: AutoModelForCausalLM.from_pretrained(options.model, attn_implementation="sdpa", **type)
    try:
        base = load_base(dtype=torch.bfloat16).to(device)
    except TypeError:  # Transformers before 4.56
        base = load_base(torch_dtype=torch.bfloat16).to(device)
    wait(device)
    load = time.time() - start
    is_gpt2 = base.config.model_type == "gpt2"
    name, vocabulary = os.path.basename(options.model), base.config.vocab_size
    common = dict(shape=name, torch=torch.__version__, loadSeconds=load)
    prompts = torch.randint(vocabulary, (batch, 32), device=device)
    new = 8 if options.quick else 64

    def generate(**how):
        def body():
            run = lambda: base.generate(prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=new,
                                        min_new_tokens=new, do_sample=False, pad_token_id=0, **how)
            with measured_memory(device) as peak, torch.no_grad():
                return dict(tokensPerSecond=batch * new / timed(run, 3, device), **peak())
        return body

    attempt(options, dict(peer="transformers", mode="eager", case="generate", **common), generate())
    # Transformers compiles the step by itself where the cache is static: on a GPU always, on a processor when told to.
    static = dict(cache_implementation="static")
    if not device.startswith("cuda"):
        from transformers import CompileConfig
        static["compile_config"] = CompileConfig(mode="default")
        static["compile_config"]._compile_all_devices = True
    attempt(options, dict(peer="transformers", mode="static cache", case="generate", **common), generate(**static))
    model = get_peft_model(base, LoraConfig(
        r=16, lora_alpha=16, target_modules=["c_fc", "mlp.c_proj"] if is_gpt2 else ["up_proj", "down_proj"],
        fan_in_fan_out=is_gpt2, task_type="CAUSAL_LM"), autocast_adapter_dtype=False).to(torch.bfloat16)
    model.train()
    for mode in ["eager", "compiled"]:
        def body():
            step_model = model if mode == "eager" else torch.compile(model)
            optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-4, weight_decay=1e-4,
                                          fused=device.startswith("cuda"))

            def step():
                ids = torch.randint(vocabulary, (batch, length), device=device)
                loss = step_model(input_ids=ids, labels=ids).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                return loss.item()

            with measured_memory(device) as peak:
                return dict(tokensPerSecond=batch * length / timed(step, 3 if options.quick else 10, device), **peak())

        attempt(options, dict(peer="peft", mode=mode, case="train", **common), body)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["make", "ceiling", "train"])
    parser.add_argument("--shape", choices=list(SHAPES))
    parser.add_argument("--model")
    parser.add_argument("--output")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu to try the script")
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--quick", action="store_true", help="few repetitions and tokens, to try the script")
    arguments = parser.parse_args()
    {"make": make, "ceiling": ceiling, "train": train}[arguments.action](arguments)
