import StrictJSON

/// Keys of foreign files that change nothing here, with the reason: one list for each format.
///
/// A key that is in no list and not switched off is refused by name: nobody here knows what it would change.
enum HarmlessKeys {
  /// A group of keys and why any value of them may be passed over.
  struct Group {
    let reason: String
    let keys: Set<String>
  }

  /// `config.json` of Transformers, versions 2 to 5, and of programs that write it.
  static let modelConfiguration: [Group] = [
    Group(
      reason: "says where the file came from, not what is computed",
      keys: [
        "_name_or_path", "_commit_hash", "_from_model_config", "architectures", "model_type", "transformers_version",
        "auto_map", "license", "finetuning_task", "tokenizer_class", "unsloth_version", "unsloth_fixed", "model_name",
        "is_llama_config", "_num_labels", "language", "tokenizer_model_max_length",
      ]),
    Group(
      reason: "says how numbers are stored or in which code they are computed; the engine chooses both itself",
      keys: [
        "torch_dtype", "dtype", "use_bfloat16", "torchscript", "tf_legacy_loss", "pretraining_tp", "use_cache",
        "chunk_size_feed_forward", "_attn_implementation", "_attn_implementation_autoset", "_flash_attn_2_enabled",
        "attn_implementation", "use_flash_attn", "use_flash_attention", "use_flash_attention_2", "use_flashattn",
        "_experts_implementation", "reorder_and_upcast_attn",
      ]),
    Group(
      reason: "says what the reference's call returns",
      keys: [
        "return_dict", "output_attentions", "output_hidden_states", "output_scores", "output_past",
        "return_dict_in_generate", "remove_invalid_values",
      ]),
    Group(
      reason: "dropout and the like work in training only, where this program has settings of its own",
      keys: [
        "attn_pdrop", "embd_pdrop", "resid_pdrop", "attention_dropout", "hidden_dropout", "hidden_dropout_prob",
        "attention_probs_dropout_prob", "classifier_dropout", "summary_first_dropout", "embedding_dropout",
        "activation_dropout", "dropout", "layerdrop", "gradient_checkpointing", "label_smoothing_factor",
        "router_jitter_noise", "initializer_factor",
      ]),
    Group(
      reason: "belongs to heads of other tasks, which a language model does not have",
      keys: [
        "summary_activation", "summary_proj_to_labels", "summary_type", "summary_use_proj", "id2label", "label2id",
        "num_labels", "problem_type", "task_specific_params", "n_special", "predict_special_tokens", "embedding_size",
      ]),
    Group(
      reason: "default of the reference's own generation; what changes a greedy choice is told by `model generate`",
      keys: [
        "max_length", "min_length", "max_new_tokens", "min_new_tokens", "do_sample", "temperature", "top_k", "top_p",
        "typical_p", "min_p", "epsilon_cutoff", "eta_cutoff", "num_beams", "num_beam_groups", "num_return_sequences",
        "diversity_penalty", "repetition_penalty", "encoder_repetition_penalty", "length_penalty", "early_stopping",
        "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "suppress_tokens",
        "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty",
        "max_sequence_length", "generation_config", "max_time", "penalty_alpha",
      ]),
    Group(
      reason: "a token's role in other tasks, or its old name; end tokens are read from eos_token_id",
      keys: [
        "prefix", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id", "decoder_start_token_id",
        "eos_token_ids", "bos_token_ids", "pad_token_ids", "additional_special_tokens_ids",
      ]),
    Group(
      reason: "speaks of an encoder beside the decoder, which these architectures do not have",
      keys: ["tie_encoder_decoder", "cross_attention_hidden_size"]),
    Group(
      reason: "old name of the longest sequence; the position table's size is read from n_positions",
      keys: ["n_ctx"]),
  ]

  /// `adapter_config.json` of PEFT, versions 0.2 to 0.21.
  static let adapterConfiguration: [Group] = [
    Group(
      reason: "says where the file came from, not what is computed",
      keys: [
        "auto_mapping", "revision", "peft_version", "task_type", "base_model_class", "parent_library", "unsloth_fixed",
      ]
    ),
    Group(
      reason: "says how the adapter is held while it trains or runs",
      keys: ["inference_mode", "runtime_config", "ensure_weight_tying", "merge_weights", "megatron_core"]),
    Group(
      reason: "tells the reference how the base stores its matrices; shapes are compared here",
      keys: ["fan_in_fan_out"]),
    Group(
      reason: "settings of a feature that another key switches on, and that key is checked",
      keys: ["qalora_group_size"]),
    Group(
      reason: "settings of the first values of A and B, which training has replaced; init_lora_weights is checked",
      keys: ["loftq_config", "eva_config", "corda_config", "lora_ga_config"]),
  ]

  static let modelConfigurationKeys = Set(modelConfiguration.flatMap(\.keys))
  static let adapterConfigurationKeys = Set(adapterConfiguration.flatMap(\.keys))

  /// Whether a value says that a feature is not used: null, false or empty.
  static func isOff(_ value: JSONValue) -> Bool {
    switch value {
    case .null, .bool(false): true
    case .array(let items): items.isEmpty
    case .object(let object): object.members.isEmpty
    default: false
    }
  }
}
