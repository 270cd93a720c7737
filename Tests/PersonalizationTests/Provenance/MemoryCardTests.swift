import Foundation
import LanguageModel
import MemoryRecipe
import TestSupport
import Testing

@testable import Personalization

/// What travels with an exported memory.
@Suite(.bounded) struct MemoryCardTests {
  private func card(
    _ form: MemoryCard.Form = .peft, hub: String? = nil, _ provenance: [String: String] = full
  ) -> MemoryCard {
    let adapter = PEFTAdapter(
      baseModel: "/home/somebody/bases/gpt2",
      modules: [
        .init(
          name: "transformer.h.1.mlp.c_fc", alpha: 4, rank: 4, inputs: 8, outputs: 32,
          a: .init(repeating: 0, count: 32), b: .init(repeating: 0, count: 128), blocks: [2, 2])
      ], provenance: provenance)
    return MemoryCard(
      form: form, base: hub ?? "gpt2", hubBase: hub, baseFingerprint: String(repeating: "ab", count: 32),
      architecture: "gpt2", layerCount: 4, adapter: adapter, license: "cc-by-4.0", writtenBy: "engram 9.9")
  }

  private static let full = [
    "study": "quick", "trial": "17", "layers": "1,2", "count": "2", "rank": "2", "seed": "5",
    "dataFingerprint": "d1d1", "users": "64", "samples": "640", "measuredOn": "test", "measuredSamples": "128",
    "objective.loss": "0.101", "standardError.loss": "0.004", "objective.rougeL": "0.723", "madeBy": "engram 9.8",
    "backend": "cpu (avx512, f32)", "epochs": "16",
  ]

  @Test func saysWhereItCameFrom() {
    let text = card().markdown
    for part in [
      "# Memory of the study quick, trial 17", "sha256 `\(String(repeating: "ab", count: 32))`", "sha256 `d1d1`",
      "64 users", "| seed | 5 |", "| layers that carry memory | 1,2 |", "| parallel LoRAs n | 2 |",
      "| rank r of each | 2 |", "| parameters | 160 |", "128 samples",
      "| cross-entropy per token (nats) | 0.101 | 0.004 |", "| ROUGE-L F1 | 0.723 | not recorded |",
      "| trained by | engram 9.8 |", "| written by | engram 9.9 |", "license: \"cc-by-4.0\"", "arXiv",
      "PeftModel.from_pretrained", "Personal data",
    ] { #expect(text.contains(part), "\(part)") }
    #expect(text.hasPrefix("---\nlibrary_name: peft\n"))
    // A base that is only a folder here is no base on the Hub, and the folder is nobody's business.
    #expect(!text.contains("base_model:") && !text.contains("somebody"))
  }

  @Test func formsLoadDifferently() {
    #expect(
      card(.peft, hub: "org/base-7b").markdown.contains("base_model: \"org/base-7b\"\nbase_model_relation: adapter"))
    #expect(card(.uniform).markdown.contains("one rank for all modules"))
    let merged = card(.merged, hub: "org/base-7b").markdown
    #expect(merged.contains("library_name: transformers") && merged.contains("base_model_relation: finetune"))
    #expect(!merged.contains("PeftModel"))
  }

  @Test func adaptersOfOthersHaveHonestGaps() {
    let text = card(.peft, [:]).markdown
    #expect(text.contains("# A LoRA memory for gpt2") && text.contains("| study | not recorded |"))
    #expect(text.contains("None are recorded in the adapter.") && !text.contains("model-index"))
  }

  /// Strings of a sidecar are data: they end no block, no table, no code.
  @Test func hostileStringsStayInTheirPlace() {
    var provenance = Self.full
    provenance["study"] = "a\"\n---\n| x ` <script>"
    let text = card(.peft, provenance).markdown
    #expect(text.components(separatedBy: "\n---\n").count == 2, "the metadata's end and nothing else")
    #expect(!text.contains("<script>") && text.contains("- name: \"Memory of the study a\\\" ---"))
  }

  @Test(arguments: [
    ("gpt2", true), ("org/name-1.0", true), ("/tmp/base", false), ("a/b/c", false), ("../x", false), ("", false),
    ("a b", false), ("org/", false),
  ])
  func hubNames(_ name: String, _ expected: Bool) { #expect(MemoryCard.isHubName(name) == expected) }

  /// A trial's adapter names its base, data, settings and measurements, and is refused on other weights.
  @Test func trialsRecordTheirProvenance() throws {
    let folder = try TemporaryFolder()
    let subject = try MemoryExperimentTests().experiment()
    let checkpoint = try #require(subject.model.checkpoint)
    subject.provenance.entries[PEFTAdapter.baseFingerprintKey] = try checkpoint.fingerprint()
    let outcome = try subject.evaluate(
      .memory(layers: 0..<subject.layerCount, count: 2, rank: 2), seed: 3)
    let directory = folder.url.appendingPathComponent("adapter")
    let export = try #require(outcome.exportAdapter)
    try export(directory)
    var adapter = try PEFTAdapter(directory: directory, for: subject.model.configuration)
    let measured = MemoryProvenance(adapter.provenance).measured
    #expect(measured.map(\.name) == ["loss", "rouge1", "rougeL", "personaF1", "factRecall"])
    #expect(abs(measured[0].value - outcome.measurement.loss.mean) < 1e-5)
    let error = try #require(outcome.measurement.loss.standardError)
    #expect(abs((measured[0].standardError ?? 0) - error) < 1e-5)
    #expect(adapter.provenance["measuredOn"] == "validation" && adapter.provenance["seed"] == "3")
    let written = try String(contentsOf: directory.appendingPathComponent("engram.json"), encoding: .utf8)
    #expect(!written.contains("i saw item"))
    try adapter.checkBase(checkpoint)
    adapter.provenance[PEFTAdapter.baseFingerprintKey] = String(repeating: "0", count: 64)
    #expect(throws: ModelFileError.self) { try adapter.checkBase(checkpoint) }
    adapter.provenance[PEFTAdapter.baseFingerprintKey] = nil
    try adapter.checkBase(checkpoint)
  }

  /// Piece by piece the same reply as at once, whatever the template puts around it.
  @Test func repliesStreamToTheSameText() throws {
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2"))
    for (response, text, stop) in [
      (" {response} .", "  a cat . and a dog .", nil), (" {response} .", " 3.5 .", nil), ("{response}", " x \n", nil),
      (" says: {response}", " says: yes", nil), (" says: {response}", " sad", nil),
      (" {response} .", " naïve – 😀 .", nil), ("{response}", "a cat ### User: b", "###"),
      ("{response}", "a # cat #", "###"), ("{response}", "### b", "###"), ("{response} .", "yes .\n\n@ b", "\n\n"),
    ] as [(String, String, String?)] {
      var templates = Templates.quickstart
      templates.response = response
      templates.stop = stop
      let builder = try ExampleBuilder(tokenizer: tokenizer, templates: templates, maxLength: 64)
      let ids = tokenizer.encode(text, addSpecialTokens: false) + [builder.endToken]
      var stream = ReplyStream(builder)
      var pieces = try ids.map { try stream.append($0) }
      pieces.append(stream.finish())
      #expect(pieces.joined() == (try builder.reply(ids)), "\(response) \(text)")
      if let stop { #expect(try !builder.reply(ids).contains(stop)) }
    }
  }

  @Test func chatsGiveTheRepliesOfGenerate() throws {
    let subject = try MemoryExperimentTests().experiment()
    var pieces: [String] = []
    let reply = try subject.reply(user: "u1", query: "what", adapters: []) { pieces.append($0) }
    #expect(reply == pieces.joined())
    #expect([reply] == (try subject.replies(to: [(user: "u1", query: "what", context: nil)], adapters: [])))
  }
}
