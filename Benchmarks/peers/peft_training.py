"""PEFT's side of the training benchmark: LoRA r=16 on the feed-forward layers of a randomly initialised model.

Prints one JSON object. usage: peft_training.py --shape gpt2-small|llama-110m --dtype f32|bf16
--case full|dialogue|top2|top2-dialogue|generate [--lengths lengths.json] [--bucketed] [--steps 4] [--threads 2].

Steps that are timed follow one that is not. Dialogue cases take the pairs 8, 9, … of the list, eight at a time, padded
to the longest of each batch; with --bucketed these same pairs are sorted by length first. Useful tokens are those that
are no padding. generate: greedy, 8 prompts of 32 tokens x 64 new tokens.
"""

import argparse, json, resource, time

import torch, transformers, peft
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM


def make(shape):
    if shape == "gpt2-small":
        return GPT2LMHeadModel(GPT2Config()), ["mlp.c_fc", "mlp.c_proj"], True, 12, 50257
    config = LlamaConfig(
        vocab_size=32000, hidden_size=768, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=12,
        num_key_value_heads=12, max_position_embeddings=2048)
    return LlamaForCausalLM(config), ["up_proj", "down_proj"], False, 12, 32000


def batches(case, lengths, vocabulary, bucketed, steps):
    generator = torch.Generator().manual_seed(0)
    if "dialogue" not in case:
        for _ in range(steps + 1):
            ids = torch.randint(vocabulary, (8, 128), generator=generator)
            yield ids, torch.ones_like(ids), ids.clone(), ids.numel()
        return
    pairs = [tuple(pair) for pair in json.load(open(lengths))][:8 * (steps + 1)]
    timed = sorted(pairs[8:], key=sum) if bucketed else pairs[8:]
    pairs = pairs[:8] + timed
    for index in range(0, len(pairs), 8):
        chunk = pairs[index:index + 8]
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
    arguments.add_argument("--shape", default="gpt2-small")
    arguments.add_argument("--dtype", default="f32")
    arguments.add_argument("--case", default="full")
    arguments.add_argument("--lengths")
    arguments.add_argument("--bucketed", action="store_true")
    arguments.add_argument("--steps", type=int, default=4)
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model, targets, transposed, layers, vocabulary = make(options.shape)
    dtype = torch.float32 if options.dtype == "f32" else torch.bfloat16
    model = model.to(dtype)
    report = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__,
              **vars(options)}
    if options.case == "generate":
        model.eval()
        prompts = torch.randint(vocabulary, (8, 32))
        with torch.no_grad():
            model.generate(prompts, max_new_tokens=64, min_new_tokens=64, do_sample=False, pad_token_id=0)
            start = time.perf_counter()
            model.generate(prompts, max_new_tokens=64, min_new_tokens=64, do_sample=False, pad_token_id=0)
        report["tokensPerSecond"] = 8 * 64 / (time.perf_counter() - start)
    else:
        chosen = list(range(layers - 2, layers)) if options.case.startswith("top2") else list(range(layers))
        config = LoraConfig(
            r=16, lora_alpha=16, target_modules=targets, fan_in_fan_out=transposed, layers_to_transform=chosen,
            layers_pattern="h" if transposed else "layers")
        model = get_peft_model(model, config)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-4, weight_decay=1e-4)
        source = batches(options.case, options.lengths, vocabulary, options.bucketed, options.steps)
        tokens = seconds = 0
        for step, (ids, mask, labels, useful) in enumerate(source):
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
