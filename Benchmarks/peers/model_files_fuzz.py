"""Reads randomly changed checkpoints and adapters with Engram and with Transformers + PEFT: both accept or both refuse, and
where both accept they compute the same loss.

The reference counts as accepting when it loads without an error and without missing, unexpected or mismatched tensors: it
fills what is missing with random numbers and passes over what it does not know, with a warning. Engram refuses both.
What differs by design is counted under its reason and does not fail:
  unknown key        a key of config.json or adapter_config.json that the reference ignores and nobody here knows
  duplicate key      one name twice in a JSON object: the reference takes the last one
  unsupported        a feature of the reference that Engram names and refuses (8-bit and integer weights, scaled rotary
                     positions, DoRA, adapted embeddings or heads, other initialisations, other tasks …)
  lenient            Engram reads a whole number written 8.0 where the reference's type check does not
  extra tensor       a tensor without effect here (causal masks, heads of other tasks) that the reference warns about

usage: model_files_fuzz.py --engram PATH --goldens Tests/Fixtures/goldens/lm [--count 1000] [--seed 1] [--only checkpoints|adapters]
Prints one JSON object and exits 1 on a difference that is not by design.
"""

import argparse, collections, copy, json, os, random, resource, shutil, struct, subprocess, sys, tempfile, warnings

import peft, safetensors, safetensors.torch, torch, transformers
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity(50)
transformers.logging.disable_progress_bar()
torch.set_num_threads(1)
IDS = [3, 5, 9, 30, 77, 12, 40]
TOLERANCE = 2e-4


def engram(options, *command):
    run = subprocess.run([options.engram, *command], input=json.dumps({"ids": IDS}) + "\n", capture_output=True, text=True,
                         timeout=120)
    if run.returncode < 0:
        return "crash", f"signal {-run.returncode}"
    if run.returncode:
        return None, run.stderr.strip()
    return json.loads(run.stdout)["loss"], ""


def loss(model):
    ids = torch.tensor([IDS])
    with torch.no_grad():
        return float(model(input_ids=ids, labels=ids).loss)


class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self.design = collections.Counter()
        self.differences = []

    def add(self, case, mine, said, theirs, reason):
        self.counts["cases"] += 1
        if mine == "crash":
            self.differences.append({**case, "engram": said})
        elif mine is None and theirs is None:
            self.counts["both refuse"] += 1
        elif mine is not None and theirs is not None:
            if abs(mine - theirs) <= TOLERANCE or (mine != mine and theirs != theirs):
                self.counts["both accept, equal"] += 1
            else:
                self.differences.append({**case, "engram": mine, "reference": theirs})
        elif reason := by_design(said, case, mine):
            self.design[reason] += 1
        else:
            self.differences.append({**case, "engram": said if mine is None else mine, "reference": theirs or reason})


def by_design(said, case, mine):
    if mine is not None:
        return {"lenient": "lenient", "extra": "extra tensor"}.get(case.get("kind"))
    if "is not known" in said:
        return "unknown key"
    if "unknown key" in said:
        return "unknown key of a tensor"
    if "duplicate key" in said or "two stored tensors" in said:
        return "duplicate key"
    for words in ("not supported", "only those of the blocks", "only linear layers of the blocks", "is not a LoRA matrix",
                  "expected F32, F16, BF16 or F64", "unknown dtype", "changes the base", "mean the same and differ",
                  "lies outside the vocabulary", "are not finite"):
        if words in said:
            return "unsupported: " + words
    return None


# ---- checkpoints

def read_parts(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def write_parts(path, header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def change_header(rng, folder):
    path = os.path.join(folder, "model.safetensors")
    header, data = read_parts(path)
    names = [n for n in header if n != "__metadata__"]
    name = rng.choice(names)
    entry = header[name]
    kind = rng.randrange(18)
    text = None
    if kind == 0: header["__metadata__"] = rng.choice([None, {}, {"format": "pt", "a": "b"}, {"a": 1}, [], "x", {"a": None}])
    elif kind == 1: header.pop("__metadata__", None)
    elif kind == 2: entry["data_offsets"][rng.randrange(2)] += rng.choice([-8, -4, -1, 1, 4, 8])
    elif kind == 3: entry["shape"] = rng.choice([entry["shape"][::-1], entry["shape"] + [1], [-1], [0], entry["shape"][:-1]])
    elif kind == 4: entry["dtype"] = rng.choice(["F16", "BF16", "F64", "I32", "U8", "F8_E4M3", "XX", "f32", None, "I64"])
    elif kind == 5: entry[rng.choice(["extra", "Shape"])] = 1
    elif kind == 6: entry.pop(rng.choice(list(entry)))
    elif kind == 7: header[rng.choice(["extra.weight", "score.weight", "v_head.bias", ""])] = {
        "dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}; data += b"\0" * 4
    elif kind == 8: header.pop(name)
    elif kind == 9: data = data[:rng.randrange(len(data))]
    elif kind == 10: data += b"\0" * rng.choice([1, 4])
    elif kind == 11: text = json.dumps(header).encode() + b" " * rng.randrange(16)
    elif kind == 12: text = b" " + json.dumps(header).encode()
    elif kind == 13: text = json.dumps(header, indent=rng.choice([0, 2])).encode()
    elif kind == 14:
        whole = json.dumps(header).encode(); place = rng.randrange(len(whole))
        text = whole[:place] + bytes([rng.randrange(256)]) + whole[place + 1:]
    elif kind == 15: header = dict(rng.sample(list(header.items()), len(header)))
    elif kind == 16: entry["shape"] = [float(x) for x in entry["shape"]]
    else: header[rng.choice(names)]["data_offsets"] = [0, 2**64]
    write_parts(path, text if text is not None else header, data)
    return {"change": f"header {kind}", "tensor": name, "kind": "extra" if kind == 7 else ""}


CONFIG_KEYS = {
    "tie_word_embeddings": [True, False], "torch_dtype": ["float16", None], "rope_theta": [10000, 5000.0], "n_ctx": [64, 9],
    "num_labels": [3], "summary_type": ["mean"], "pruned_heads": [{}], "use_cache": [False], "mystery": [1, False, None],
    "rope_scaling": [None, {"type": "linear", "factor": 1.0}, {"type": "linear", "factor": 2.0}, {"rope_type": "default"},
                     {"rope_type": "default", "factor": 4.0}, {"factor": 2.0}, {"type": "dynamic", "factor": 1.0}],
    "attention_bias": [False, True], "hidden_act": ["silu", "gelu"], "activation_function": ["gelu_new", "gelu_fast"],
    "layer_norm_epsilon": [1e-5, 1e-3], "rms_norm_eps": [1e-5, 1e-3], "layer_norm_eps": [1e-5, 1e-3], "is_decoder": [True],
    "num_attention_heads": [4, 2, 3, 0, "4"], "n_head": [4, 2, 3, 8], "vocab_size": [300, 405, 10], "n_layer": [3, 2, 4],
    "num_hidden_layers": [3, 2, 4], "head_dim": [8, None, 16], "n_inner": [None, 128, 64], "intermediate_size": [88, 128],
    "hidden_size": [32, 64, 32.0], "bos_token_id": [1, None, 500], "eos_token_id": [2, [2, 3], None, 500],
    "pad_token_id": [None, 0, 5, -1], "num_key_value_heads": [4, 2, None], "max_position_embeddings": [64, 66, 20],
    "n_positions": [64, 32], "scale_attn_weights": [True, False], "type_vocab_size": [1, 2], "model_type": ["gpt2", "llama"],
    "gradient_checkpointing": [True], "task_specific_params": [{"a": 1}], "num_beams": [1, 4], "transformers_version": ["4"],
}


def change_config(rng, folder):
    path = os.path.join(folder, "config.json")
    config = json.load(open(path))
    case = {"change": "config", "set": {}}
    for _ in range(rng.choice([1, 1, 2])):
        key = rng.choice(list(CONFIG_KEYS))
        value = rng.choice(CONFIG_KEYS[key])
        if rng.random() < 0.1:
            config.pop(key, None); case["set"][key] = "(removed)"
            # The oldest LLaMA files name their class only.
            if key == "model_type": case["kind"] = "lenient"
        else:
            config[key] = value; case["set"][key] = value
            if isinstance(value, float) and float(value).is_integer() and key == "hidden_size": case["kind"] = "lenient"
    json.dump(config, open(path, "w"))
    return case


def change_tensors(rng, folder):
    path = os.path.join(folder, "model.safetensors")
    tensors = safetensors.torch.load_file(path)
    config_path = os.path.join(folder, "config.json")
    config = json.load(open(config_path))
    model = config["model_type"]
    prefix = {"gpt2": "transformer.", "llama": "model.", "roberta": "roberta."}[model]
    emb = {"gpt2": "transformer.wte.weight", "llama": "model.embed_tokens.weight",
           "roberta": "roberta.embeddings.word_embeddings.weight"}[model]
    head = "lm_head.decoder.weight" if model == "roberta" else "lm_head.weight"
    done = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        kind = rng.randrange(11)
        done.append(kind)
        if kind == 0 and emb in tensors: tensors[head] = tensors[emb] + rng.choice([0, 0.5])
        elif kind == 1: tensors.pop(head, None)
        elif kind == 2: config["tie_word_embeddings"] = rng.choice([True, False])
        elif kind == 3 and emb in tensors and head in tensors: tensors.pop(emb)
        elif kind == 4: tensors = {k.removeprefix(prefix): v for k, v in tensors.items()}
        elif kind == 5: tensors = {k.replace("LayerNorm.weight", "LayerNorm.gamma"): v for k, v in tensors.items()}
        elif kind == 6: tensors = {k: v.to(rng.choice([torch.float16, torch.bfloat16, torch.float64])) for k, v in tensors.items()}
        elif kind == 7 and model == "roberta": tensors["lm_head.decoder.bias"] = torch.linspace(-1, 1, 300)
        elif kind == 8 and model == "roberta": tensors.pop("lm_head.bias", None)
        elif kind == 9: tensors.pop(rng.choice(list(tensors)))
        else: tensors = {rng.choice(["module.", prefix, ""]) + k if kind == 10 else k: v for k, v in tensors.items()}
    json.dump(config, open(config_path, "w"))
    safetensors.torch.save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path, metadata={"format": "pt"})
    return {"change": "tensors", "steps": done}


def load_reference(folder):
    try:
        torch.manual_seed(0)
        model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        bad = {k: sorted(map(str, v))[:2] for k, v in info.items() if v}
        return (None, str(bad)) if bad else (loss(model.eval()), "")
    except Exception as error:
        return None, f"{type(error).__name__}: {str(error)[:150]}"


def checkpoints(options, rng, report):
    models = [m for m in ("gpt2", "llama-mha", "llama-gqa", "roberta") if os.path.isdir(f"{options.goldens}/models/{m}")]
    for number in range(options.count):
        with tempfile.TemporaryDirectory() as parent:
            name = rng.choice(models)
            folder = os.path.join(parent, "m")
            shutil.copytree(f"{options.goldens}/models/{name}", folder)
            case = {"number": number, "model": name}
            case.update(rng.choice([change_header, change_config, change_tensors])(rng, folder))
            if options.verbose: print(json.dumps(case), file=sys.stderr, flush=True)
            mine, said = engram(options, "model", "loss", "--model", folder, "--data", "-")
            theirs, reason = load_reference(folder)
            report.add(case, mine, said, theirs, reason)


# ---- adapters

def random_targets(rng, names, linear):
    kind = rng.randrange(8)
    if kind == 0: return rng.sample(linear, rng.randint(1, 4))
    if kind == 1: return rng.sample(sorted({n.split(".")[-1] for n in linear}), rng.randint(1, 2))
    if kind == 2: return rng.sample(sorted({".".join(n.split(".")[-2:]) for n in linear}), rng.randint(1, 2))
    if kind == 3: return rng.choice(["all-linear", "ALL-LINEAR"])
    if kind == 4:
        ends = rng.sample(sorted({n.split(".")[-1] for n in linear}), 2)
        return rng.choice([".*\\.(%s|%s)", "(?:.*\\.)?(?:%s|%s)$", "^.*(%s|%s)$", ".+?\\.(?!h\\.1)\\w+\\.\\d+\\..*(?:%s|%s)",
                           "(?!.*\\.2\\.).*\\.(%s|%s)", ".*[._](%s|%s)", ".*\\.[0-2]{1,2}\\..*(%s|%s)", ".*\\b(%s|%s)\\b"]) % tuple(ends)
    if kind == 5: return rng.choice(linear).replace(".", "\\.").replace("0", "[02]").replace("1", "\\d+")
    if kind == 6: return rng.sample(names, rng.randint(1, 2))
    return [rng.choice(linear), rng.choice(linear).split(".")[-1]]


def random_config(rng, names, linear):
    settings = dict(r=rng.choice([1, 2, 4, 8]), lora_alpha=rng.choice([1, 8, 16, 3.5, 0, -2]), target_modules=random_targets(rng, names, linear),
                    use_rslora=rng.random() < 0.2, lora_dropout=rng.choice([0.0, 0.1]), init_lora_weights=False)
    if rng.random() < 0.3 and not isinstance(settings["target_modules"], str):
        settings["layers_to_transform"] = rng.choice([0, 1, [0], [1, 2], [], [7]])
        if rng.random() < 0.5: settings["layers_pattern"] = rng.choice(["h", "layers", "layer", ["layers", "h", "layer"], "nothing"])
    if rng.random() < 0.2:
        settings["exclude_modules"] = rng.choice([rng.sample(linear, 1), rng.choice(linear).split(".")[-1:], ".*\\.1\\..*", "all-linear", []])
    if rng.random() < 0.4:
        settings["rank_pattern"] = {random_key(rng, linear): rng.choice([2, 3, 6]) for _ in range(rng.randint(1, 3))}
    if rng.random() < 0.4:
        settings["alpha_pattern"] = {random_key(rng, linear): rng.choice([2, 5, 32]) for _ in range(rng.randint(1, 3))}
    if rng.random() < 0.05: settings["use_dora"] = True
    if rng.random() < 0.05: settings["bias"] = "lora_only"
    if rng.random() < 0.1: settings["task_type"] = "CAUSAL_LM"
    return settings


def random_key(rng, linear):
    name = rng.choice(linear)
    parts = name.split(".")
    return rng.choice([name, parts[-1], ".".join(parts[-2:]), f"{parts[-1][:-1]}.", ".*\\.1\\..*", f"^{name}", f".*{parts[-1]}",
                       name.replace("0", "[01]"), f"{parts[-1]}|nothing", parts[-1][1:], "1.*" + parts[-1]])


def change_adapter(rng, folder):
    path = os.path.join(folder, "adapter_config.json")
    weights = os.path.join(folder, "adapter_model.safetensors")
    config = json.load(open(path))
    kind = rng.randrange(10)
    case = {"change": f"adapter {kind}"}
    if kind == 0:
        key, value = rng.choice([("mystery", 1), ("mystery", None), ("mystery", False), ("revision", "x"), ("peft_version", "9"),
                                 ("inference_mode", False), ("qalora_group_size", 4), ("eva_config", {}), ("task_type", "SEQ_CLS"),
                                 ("fan_in_fan_out", True), ("peft_type", "IA3"), ("bias", "all"), ("init_lora_weights", "gaussian"),
                                 ("modules_to_save", []), ("r", 5), ("r", 0), ("r", "4"), ("lora_dropout", 2), ("target_modules", []),
                                 ("target_modules", None), ("layers_pattern", "h"), ("megatron_core", None), ("lora_bias", False)])
        config[key] = value
        case["set"] = {key: value}
    elif kind == 1:
        key = rng.choice(list(config)); config.pop(key); case["removed"] = key
    elif kind <= 4:
        tensors = safetensors.torch.load_file(weights)
        name = rng.choice(list(tensors))
        if kind == 2: tensors.pop(name)
        elif kind == 3: tensors[name.replace("lora_", rng.choice(["lora_X", "lora_embedding_", "lora_"]))] = tensors.pop(name)
        else: tensors[name] = rng.choice([tensors[name].T, tensors[name][:-1], tensors[name].half(), tensors[name].double()])
        safetensors.torch.save_file({k: v.contiguous().clone() for k, v in tensors.items()}, weights)
        case["tensor"] = name
    json.dump(config, open(path, "w"))
    return case


def adapter_reference(base, folder):
    try:
        torch.manual_seed(0)
        model = PeftModel.from_pretrained(copy.deepcopy(base), folder)
        result = model.load_adapter(folder, adapter_name="default")
        missing = [k for k in result.missing_keys if "lora_" in k]
        if missing or result.unexpected_keys:
            return None, f"missing {missing[:2]}, unexpected {result.unexpected_keys[:2]}"
        return loss(model.eval()), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {str(error)[:150]}"


def adapters(options, rng, report):
    models = {}
    for name in ("gpt2", "llama-mha", "llama-gqa", "roberta"):
        base = AutoModelForCausalLM.from_pretrained(f"{options.goldens}/models/{name}", dtype=torch.float32).eval()
        names = [n for n, _ in base.named_modules() if n]
        linear = [n for n, m in base.named_modules() if type(m).__name__ in ("Linear", "Conv1D") and any(c.isdigit() for c in n.split("."))]
        models[name] = (base, names, linear)
    for number in range(options.count):
        name = rng.choice(list(models))
        base, names, linear = models[name]
        settings = random_config(rng, names, linear)
        case = {"number": number, "model": name, "settings": settings}
        with tempfile.TemporaryDirectory() as folder:
            try:
                torch.manual_seed(number)
                model = get_peft_model(copy.deepcopy(base), LoraConfig(**settings))
                for key, value in model.named_parameters():
                    if "lora_" in key: torch.nn.init.normal_(value, std=0.1)
                model.save_pretrained(folder)
            except Exception as error:
                # The reference makes no such adapter: write what was asked for, with tensors for every block.
                report.counts["settings the reference refuses"] += 1
                write_by_hand(folder, base, linear, settings)
                case["by hand"] = f"{type(error).__name__}"
            if os.path.exists(os.path.join(folder, "adapter_config.json")):
                case.update(change_adapter(rng, folder))
                if options.verbose: print(json.dumps(case), file=sys.stderr, flush=True)
                mine, said = engram(options, "model", "loss", "--model", f"{options.goldens}/models/{name}", "--adapter", folder, "--data", "-")
                theirs, reason = adapter_reference(base, folder)
                report.add(case, mine, said, theirs, reason)


def write_by_hand(folder, base, linear, settings):
    config = {"peft_type": "LORA", "base_model_name_or_path": "base", **settings}
    json.dump(config, open(os.path.join(folder, "adapter_config.json"), "w"))
    tensors = {}
    modules = dict(base.named_modules())
    for name in linear[:2]:
        weight = modules[name].weight
        inputs, outputs = weight.shape if type(modules[name]).__name__ == "Conv1D" else weight.shape[::-1]
        tensors[f"base_model.model.{name}.lora_A.weight"] = torch.zeros(settings["r"], inputs)
        tensors[f"base_model.model.{name}.lora_B.weight"] = torch.zeros(outputs, settings["r"])
    safetensors.torch.save_file(tensors, os.path.join(folder, "adapter_model.safetensors"))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--engram", default=".build/release/engram")
    arguments.add_argument("--goldens", default="Tests/Fixtures/goldens/lm")
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--verbose", action="store_true", help="every case on standard error before it runs")
    arguments.add_argument("--only", choices=["checkpoints", "adapters"])
    options = arguments.parse_args()
    # A changed size must not take the whole machine, whoever believes it.
    resource.setrlimit(resource.RLIMIT_DATA, (6 << 30, 6 << 30))
    result = {"transformers": transformers.__version__, "peft": peft.__version__, "safetensors": safetensors.__version__,
              "seed": options.seed}
    failed = False
    for part, run in (("checkpoints", checkpoints), ("adapters", adapters)):
        if options.only in (None, part):
            report = Report()
            run(options, random.Random(f"{options.seed} {part}"), report)
            result[part] = {**report.counts, "by design": dict(report.design), "differences": len(report.differences),
                            "examples": report.differences[:40]}
            failed = failed or bool(report.differences)
    print(json.dumps(result, indent=1, default=str))
    sys.exit(1 if failed else 0)


main()
