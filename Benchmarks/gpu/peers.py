"""The other side of the GPU benchmark: PyTorch, Transformers and PEFT on the same random base.

make     writes a random base of a known shape as a Hugging Face directory, a layer at a time.
ceiling  measures the bf16 matrix product rate and the copy bandwidth.
train    LoRA r=16 on the feed-forward matrices, bf16, SDPA, batch 8 x 256, eager and compiled; then greedy generation of
         8 x 64 tokens. Peak memory is PyTorch's own count.
"""

import argparse, json, os, time

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


def tensors(shape):
    """Groups of (name, size), one group per file."""
    c = SHAPES[shape]
    if shape == "gpt2":
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
    generator = torch.Generator("cuda").manual_seed(0)
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
                value = (torch.randn(size, generator=generator, device="cuda") * 0.02).to(torch.bfloat16).cpu()
            values[name] = value.contiguous()
            places[name] = file
            total += value.numel() * 2
        save_file(values, os.path.join(options.model, file), metadata={"format": "pt"})
    json.dump({"metadata": {"total_size": total}, "weight_map": places},
              open(os.path.join(options.model, "model.safetensors.index.json"), "w"))
    json.dump({**SHAPES[options.shape], "torch_dtype": "bfloat16"}, open(os.path.join(options.model, "config.json"), "w"))
    print(f"{total / 1e9:.1f} GB in {options.model}")


def ceiling(options):
    n = 8192
    a, b = (torch.randn(n, n, device="cuda").to(torch.bfloat16) for _ in range(2))
    seconds = timed(lambda: a @ b, 20)
    emit(options.output, measured="bf16 product", tflops=2 * n**3 / seconds / 1e12)
    source = torch.empty(2**31, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    seconds = timed(lambda: target.copy_(source), 20)
    emit(options.output, measured="copy", terabytesPerSecond=2 * source.numel() / seconds / 1e12)


def timed(body, count):
    """Median seconds of `body`, after three calls that are not counted."""
    for _ in range(3):
        body()
    times = []
    for _ in range(count):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        body()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1000)
    return sorted(times)[len(times) // 2]


def train(options):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    start = time.time()
    base = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.bfloat16, attn_implementation="sdpa").cuda()
    torch.cuda.synchronize()
    load = time.time() - start
    is_gpt2 = base.config.model_type == "gpt2"
    name, vocabulary = os.path.basename(options.model), base.config.vocab_size
    prompts = torch.randint(vocabulary, (8, 32), device="cuda")
    generate = lambda: base.generate(prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=64,
                                     min_new_tokens=64, do_sample=False, pad_token_id=0)
    generate()
    torch.cuda.synchronize()
    start = time.time()
    generate()
    torch.cuda.synchronize()
    emit(options.output, peer="transformers", shape=name, case="generate",
         tokensPerSecond=8 * 64 / (time.time() - start), loadSeconds=load)
    model = get_peft_model(base, LoraConfig(
        r=16, lora_alpha=16, target_modules=["c_fc", "mlp.c_proj"] if is_gpt2 else ["up_proj", "down_proj"],
        fan_in_fan_out=is_gpt2, task_type="CAUSAL_LM"))
    model.train()
    for mode in ["eager", "compiled"]:
        step_model = model if mode == "eager" else torch.compile(model)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-4, weight_decay=1e-4, fused=True)

        def step():
            ids = torch.randint(vocabulary, (8, 256), device="cuda")
            loss = step_model(input_ids=ids, labels=ids).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            return loss.item()

        try:
            torch.cuda.reset_peak_memory_stats()
            seconds = timed(step, 10)
            emit(options.output, peer="peft", mode=mode, shape=name, case="train", tokensPerSecond=8 * 256 / seconds,
                 peakMegabytes=torch.cuda.max_memory_allocated() >> 20, torch=torch.__version__)
        except Exception as error:  # a compiler that gives up must not lose the eager figures
            emit(options.output, peer="peft", mode=mode, shape=name, case="train", failed=str(error)[:300])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["make", "ceiling", "train"])
    parser.add_argument("--shape", choices=list(SHAPES))
    parser.add_argument("--model")
    parser.add_argument("--output")
    arguments = parser.parse_args()
    {"make": make, "ceiling": ceiling, "train": train}[arguments.action](arguments)
