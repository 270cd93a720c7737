"""PEFT's side of the training benchmark: LoRA r=16 on the feed-forward layers of a randomly initialised model.

Prints one JSON object per case. usage: peft_training.py --shape gpt2|llama --dtype f32|bf16 --case full|dialogue|top2
[--lengths lengths.json] [--steps 5] [--threads 2]; `--generate` measures greedy generation, 8 prompts x 64 tokens.
"""

import argparse, json, resource, time

import torch, transformers, peft
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM


def make(shape):
    if shape == "gpt2":
        return GPT2LMHeadModel(GPT2Config()), ["mlp.c_fc", "mlp.c_proj"], True, 12, 50257
    config = LlamaConfig(
        vocab_size=32000, hidden_size=768, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=12,
        num_key_value_heads=12, max_position_embeddings=2048)
    return LlamaForCausalLM(config), ["up_proj", "down_proj"], False, 12, 32000


def batches(case, lengths, vocabulary, bucketed):
    generator = torch.Generator().manual_seed(0)
    if case != "dialogue":
        while True:
            ids = torch.randint(vocabulary, (8, 128), generator=generator)
            yield ids, torch.ones_like(ids), ids.clone(), ids.numel()
    pairs = [tuple(pair) for pair in json.load(open(lengths))]
    if bucketed:
        pairs.sort(key=sum)
    index = 0
    while True:
        chunk = pairs[index:index + 8]
        index = (index + 8) % (len(pairs) - 7)
        width = max(sum(pair) for pair in chunk)
        ids = torch.zeros(8, width, dtype=torch.long)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for row, (prompt, reply) in enumerate(chunk):
            total = prompt + reply
            ids[row, :total] = torch.randint(vocabulary, (total,), generator=generator)
            mask[row, :total] = 1
            labels[row, prompt:total] = ids[row, prompt:total]
        yield ids, mask, labels, int(mask.sum())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--shape", default="gpt2")
    arguments.add_argument("--dtype", default="f32")
    arguments.add_argument("--case", default="full")
    arguments.add_argument("--lengths")
    arguments.add_argument("--bucketed", action="store_true")
    arguments.add_argument("--steps", type=int, default=4)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--generate", action="store_true")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model, targets, transposed, layers, vocabulary = make(options.shape)
    dtype = torch.float32 if options.dtype == "f32" else torch.bfloat16
    model = model.to(dtype)
    report = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__,
              **vars(options)}
    if options.generate:
        model.eval()
        prompts = torch.randint(vocabulary, (8, 32))
        with torch.no_grad():
            model.generate(prompts, max_new_tokens=4, min_new_tokens=4, do_sample=False, pad_token_id=0)
            start = time.perf_counter()
            model.generate(prompts, max_new_tokens=64, min_new_tokens=64, do_sample=False, pad_token_id=0)
        report["tokensPerSecond"] = 8 * 64 / (time.perf_counter() - start)
    else:
        chosen = list(range(layers - 2, layers)) if options.case == "top2" else list(range(layers))
        config = LoraConfig(
            r=16, lora_alpha=16, target_modules=targets, fan_in_fan_out=transposed, layers_to_transform=chosen,
            layers_pattern="h" if transposed else "layers")
        model = get_peft_model(model, config)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-4, weight_decay=1e-4)
        source = batches(options.case, options.lengths, vocabulary, options.bucketed)
        tokens = seconds = 0
        for step in range(options.steps + 1):
            ids, mask, labels, useful = next(source)
            start = time.perf_counter()
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            if step > 0:
                seconds += time.perf_counter() - start
                tokens += useful
        report["usefulTokensPerSecond"] = tokens / seconds
    report["peakMegabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(report))


main()
