import Foundation
import Foundations
import LanguageModel
import Personalization

/// Writes an adapter for other tools, with a model card.
package struct AdapterExport {
  private let model: String
  private let adapter: String
  private let form: MemoryCard.Form
  private let baseName: String?
  private let license: String
  private let author: String?
  private let anyBase: Bool

  /// - Parameters:
  ///   - model: the base, a Hugging Face directory.
  ///   - adapter: a PEFT directory.
  ///   - baseName: the base's name for others; nil: what is known of it.
  ///   - license: for the card, as `author`.
  ///   - anyBase: whether an adapter of other weights is taken.
  package init(
    model: String, adapter: String, form: MemoryCard.Form, baseName: String?, license: String, author: String?,
    anyBase: Bool
  ) {
    self.model = model
    self.adapter = adapter
    self.form = form
    self.baseName = baseName
    self.license = license
    self.author = author
    self.anyBase = anyBase
  }

  /// - Returns: the folder.
  package func write(to output: String) throws -> URL {
    guard !FileManager.default.fileExists(atPath: output) else {
      throw CommandError(.conflict, "\(output) exists already. Choose another directory")
    }
    let checkpoint = try Checkpoint(URL(fileURLWithPath: model, isDirectory: true))
    let trained = try AdapterFiles.read(adapter, for: checkpoint, anyBase: anyBase)
    var peft = trained
    peft.baseModel = baseName ?? peft.publicBaseModel ?? checkpoint.publicName
    let target = URL(fileURLWithPath: output, isDirectory: true)
    var isDone = false
    // A refusal or a full disk leaves no half-made directory.
    defer { if !isDone { try? FileManager.default.removeItem(at: target) } }
    switch form {
    case .peft: try peft.write(to: target, for: checkpoint.configuration)
    case .uniform: try peft.uniform().write(to: target, for: checkpoint.configuration)
    case .merged:
      let model = try CausalLanguageModel(checkpoint, backend: try CPUBackend(precision: .float32))
      try model.writeMerged([model.makeAdapter(peft)], to: target)
    }
    if form != .merged { try checkpoint.copyCompanions(to: target) }
    let card = try makeCard(checkpoint, form == .uniform ? peft.uniform() : peft)
    try AtomicFile.write(card.markdown, to: target.appendingPathComponent("README.md"), mode: nil)
    isDone = true
    return target
  }

  private func makeCard(_ checkpoint: Checkpoint, _ peft: PEFTAdapter) throws -> MemoryCard {
    let recorded = peft.provenance["base"]
    let name = checkpoint.publicName
    let hubName = baseName ?? (name.contains("/") ? name : nil)
    return MemoryCard(
      form: form,
      base: hubName ?? recorded ?? name, hubBase: hubName,
      baseFingerprint: try checkpoint.fingerprint(),
      architecture: checkpoint.configuration.architecture.rawValue,
      layerCount: checkpoint.configuration.layerCount, adapter: peft, license: license, author: author,
      writtenBy: "engram \(BuildInformation.version)")
  }
}
