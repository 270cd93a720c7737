// Model cards: Mitchell et al. 2019 (arXiv:1810.03993); the metadata block is that of the Hugging Face Hub
// (https://huggingface.co/docs/hub/model-cards).

import Foundation
import LanguageModel

/// The README.md that goes with an exported memory: what it is, what it was made from, what was measured, how to load it.
///
/// A pure function of its fields. It holds no text of users and no path of the machine it was made on.
package struct MemoryCard: Sendable {
  /// What the folder holds.
  package enum Form: String, Sendable, CaseIterable { case peft, uniform, merged }

  package var form: Form
  /// What the base is called.
  package var base: String
  /// Name of the base on the Hugging Face Hub (`meta-llama/Llama-2-7b-hf`), where it is known.
  package var hubBase: String?
  package var baseFingerprint: String
  package var architecture: String
  package var layerCount: Int
  /// The adapter as it was trained.
  package var adapter: PEFTAdapter
  /// Identifier of the licence, as the Hub knows it (`cc-by-4.0`, `apache-2.0`, …).
  package var license: String
  /// Who to name; nil leaves the line out.
  package var author: String?
  /// The program that writes the card.
  package var writtenBy: String

  package init(
    form: Form, base: String, hubBase: String? = nil, baseFingerprint: String, architecture: String, layerCount: Int,
    adapter: PEFTAdapter,
    license: String = "unknown", author: String? = nil, writtenBy: String
  ) {
    self.form = form
    self.base = base
    self.hubBase = hubBase.flatMap { Self.isHubName($0) ? $0 : nil }
    self.baseFingerprint = baseFingerprint
    self.architecture = architecture
    self.layerCount = layerCount
    self.adapter = adapter
    self.license = license
    self.author = author
    self.writtenBy = writtenBy
  }

  private var provenance: MemoryProvenance { MemoryProvenance(adapter.provenance) }
  private subscript(_ key: String) -> String? { adapter.provenance[key].map(Self.plain) }

  /// The whole file.
  package var markdown: String {
    [
      metadata, "# \(title)", summary, "## Provenance\n\n\(provenanceTable)", "## Memory\n\n\(memoryTable)",
      "## Measurements\n\n\(measurements)", "## How to load it\n\n\(loading)", "## Limits\n\n\(limits)",
      "## Licence\n\n\(licence)", "## Citation\n\n\(Self.citation)",
    ].joined(separator: "\n\n") + "\n"
  }

  private var title: String {
    guard let study = self["study"] else { return "A LoRA memory for \(Self.plain(base))" }
    return "Memory of the study \(study)" + (self["trial"].map { ", trial \($0)" } ?? "")
  }

  private var summary: String {
    let what =
      switch form {
      case .peft: "A LoRA adapter (PEFT)"
      case .uniform: "A LoRA adapter (PEFT) with one rank for all modules, for programs that ignore rank patterns"
      case .merged: "A base with a LoRA memory added to its weights"
      }
    return """
      \(what) that holds what users wrote as parameters: histories were injected by next-content prediction (MiLP), and \
      replies are measured with no history in the prompt.

      > **Personal data.** The weights can reproduce what the users in the training data wrote. Treat this folder like \
      those records; share it only where you might share them.
      """
  }
}

// MARK: - Parts

extension MemoryCard {
  /// The block that the Hub reads.
  private var metadata: String {
    var lines = ["---", "library_name: \(form == .merged ? "transformers" : "peft")"]
    if let hubBase {
      lines += [
        "base_model: \(Self.quoted(hubBase))", "base_model_relation: \(form == .merged ? "finetune" : "adapter")",
      ]
    }
    lines += ["license: \(Self.quoted(license))", "pipeline_tag: text-generation", "tags:"]
    lines += ["engram", "lora", "personalization", "user-memory"].map { "- \($0)" }
    if !provenance.measured.isEmpty { lines += results }
    return (lines + ["---"]).joined(separator: "\n")
  }

  /// The Hub's `model-index`.
  private var results: [String] {
    var lines = [
      "model-index:", "- name: \(Self.quoted(title))", "  results:", "  - task:", "      type: text-generation",
      "    dataset:", "      name: \(Self.quoted("private records, \(self["measuredOn"] ?? "held-out") part"))",
      "      type: private", "    metrics:",
    ]
    for item in provenance.measured {
      lines += [
        "    - type: \(Self.titles[item.name]?.type ?? item.name)",
        "      name: \(Self.quoted(Self.titles[item.name]?.text ?? item.name))",
        "      value: \(MemoryProvenance.text(item.value))",
      ]
    }
    return lines
  }

  private static let titles: [String: (type: String, text: String)] = [
    "loss": ("loss", "cross-entropy per token (nats)"), "rouge1": ("rouge", "ROUGE-1 F1"),
    "rougeL": ("rouge", "ROUGE-L F1"), "personaF1": ("f1", "Persona-F1"),
    "factRecall": ("recall", "fact recall"),
  ]

  private var provenanceTable: String {
    let unknown = "not recorded"
    let data = self["dataFingerprint"].map { fingerprint in
      let size = [self["users"].map { "\($0) users" }, self["samples"].map { "\($0) samples" }].compactMap { $0 }
      return "sha256 `\(fingerprint)`" + (size.isEmpty ? "" : ", \(size.joined(separator: ", "))")
    }
    var rows = [
      ("base", "\(Self.plain(base)) (\(Self.plain(architecture)), \(layerCount) layers)"),
      ("base, weights", "sha256 `\(baseFingerprint)`"), ("data", data ?? unknown), ("study", self["study"] ?? unknown),
      ("trial", self["trial"] ?? unknown), ("seed", self["seed"] ?? unknown),
      ("computed on", self["backend"] ?? unknown), ("trained by", self["madeBy"] ?? unknown),
      ("written by", Self.plain(writtenBy)),
    ]
    if let author { rows.insert(("author", Self.plain(author)), at: 0) }
    return Self.table(["", ""], rows.map { [$0.0, $0.1] })
  }

  private var memoryTable: String {
    let parameters = adapter.modules.reduce(0) { $0 + $1.rank * ($1.inputs + $1.outputs) }
    let ranks = Set(adapter.modules.map(\.rank)).sorted().map(String.init).joined(separator: ", ")
    var rows = [
      ["layers that carry memory", self["layers"] ?? "not recorded"],
      ["parallel LoRAs n", self["count"] ?? "not recorded"],
      ["rank r of each", self["rank"] ?? "not recorded"],
      ["modules", String(adapter.modules.count)], ["ranks of the modules (n·r)", ranks],
      ["parameters", String(parameters)],
    ]
    for (key, name) in [
      ("epochs", "epochs"), ("learningRate", "learning rate"), ("batch", "batch"),
      ("instructionTuning", "instruction tuning"),
    ] {
      if let value = self[key] { rows.append([name, value]) }
    }
    return Self.table(["", ""], rows)
  }

  private var measurements: String {
    let measured = provenance.measured
    guard !measured.isEmpty else { return "None are recorded in the adapter." }
    let samples = self["measuredSamples"].map { ", \($0) samples" } ?? ""
    let rows = measured.map { item in
      [
        Self.titles[item.name]?.text ?? item.name, MemoryProvenance.text(item.value),
        item.standardError.map(MemoryProvenance.text) ?? "not recorded",
      ]
    }
    return "On the \(self["measuredOn"] ?? "held-out") part\(samples); scores are fractions.\n\n"
      + Self.table(["objective", "mean", "standard error"], rows)
  }

  private var loading: String {
    let model = hubBase ?? "PATH_OF_THE_BASE"
    let code: String
    switch form {
    case .merged:
      code = """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained("PATH_OF_THIS_FOLDER")
        tokenizer = AutoTokenizer.from_pretrained("PATH_OF_THIS_FOLDER")
        """
    case .peft, .uniform:
      code = """
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        base = AutoModelForCausalLM.from_pretrained("\(model)")
        model = PeftModel.from_pretrained(base, "PATH_OF_THIS_FOLDER")
        tokenizer = AutoTokenizer.from_pretrained("\(model)")
        """
    }
    let own =
      form == .merged
      ? "engram model generate --model PATH_OF_THIS_FOLDER"
      : "engram model generate --model PATH_OF_THE_BASE --adapter PATH_OF_THIS_FOLDER"
    return
      "```python\n\(code)\n```\n\nOr with Engram: `\(own)`. The adapter belongs to the base with the weights above."
  }

  private var limits: String {
    """
    It knows the users whose histories were injected and nobody else; asked about others it may invent. The numbers above \
    hold for that data and that base. Replies are not checked for truth or safety.
    """ + provenance.cuts.map { "\n\nWhat did not fit: \(Self.plain($0))." }.joined()
  }

  private var licence: String {
    let own = license == "unknown" ? "No licence was stated when this folder was written." : "\(Self.plain(license))."
    return own + " The base's licence applies as well, and the rights of those whose words the memory holds."
  }

  private static let citation = """
    ```bibtex
    @misc{zhang2024milp,
      title = {Personalized {LLM} Response Generation with Parameterized User Memory Injection},
      author = {Zhang and Kang and Zhao and Liu},
      year = {2024}, eprint = {2404.03565}, archivePrefix = {arXiv}
    }
    @misc{hu2021lora,
      title = {{LoRA}: Low-Rank Adaptation of Large Language Models},
      author = {Hu, Edward J. and others},
      year = {2021}, eprint = {2106.09685}, archivePrefix = {arXiv}
    }
    ```
    """

  // MARK: - Text

  /// Whether a name can be one of the Hub's (`gpt2`, `meta-llama/Llama-2-7b-hf`): never a path.
  package static func isHubName(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return (1...2).contains(parts.count)
      && parts.allSatisfy { part in
        part.first.map { $0.isASCII && ($0.isLetter || $0.isNumber) } == true
          && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
      }
  }

  /// A YAML string in double quotes.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in plain(text).unicodeScalars {
      if scalar == "\"" || scalar == "\\" { result += "\\" }
      result.unicodeScalars.append(scalar)
    }
    return result + "\""
  }

  /// One line without control characters or what would end a cell of a table or a code span.
  private static func plain(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.value < 0x20 || $0 == "|" || $0 == "`" || $0 == "<" ? " " : $0 }))
  }

  private static func table(_ head: [String], _ rows: [[String]]) -> String {
    ([head, head.map { _ in "---" }] + rows).map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
  }
}
