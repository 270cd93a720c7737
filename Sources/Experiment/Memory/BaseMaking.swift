import Foundation
import LanguageModel
import MemoryRecipe
import Personalization

/// Makes a small base: the quickstart's, or one of a text of one's own.
package struct BaseMaking {
  private let text: String?
  private let output: String?
  private let seed: UInt64
  private let threads: Int?

  /// - Parameters:
  ///   - text: a UTF-8 file; nil: the quickstart's base, which is kept in the cache.
  ///   - output: with `text`: the base's folder.
  package init(text: String?, output: String?, seed: UInt64, threads: Int?) {
    self.text = text
    self.output = output
    self.seed = seed
    self.threads = threads
  }

  /// - Parameter pretraining: sizes and schedule for a text of one's own.
  package func make(
    progress: @escaping (Pretraining.Progress) -> Void, isCancelled: @escaping () -> Bool,
    pretraining: () -> Pretraining
  ) throws -> URL {
    guard let text else {
      let cohort = try QuickstartCohort(CohortSettings(seed: seed))
      return try QuickstartBase.make(
        cohort: cohort, seed: seed, backend: { try CPUBackend(precision: .float32, threads: threads) },
        progress: progress, isCancelled: isCancelled)
    }
    guard let output else { throw CommandError(.usage, "--text needs --output DIR, where the base goes") }
    let directory = URL(fileURLWithPath: output, isDirectory: true)
    guard !FileManager.default.fileExists(atPath: directory.appendingPathComponent("config.json").path) else {
      throw CommandError(.conflict, "\(output) holds a base already. Choose another directory")
    }
    var isFolder = ObjCBool(false)
    if FileManager.default.fileExists(atPath: directory.path, isDirectory: &isFolder), !isFolder.boolValue {
      throw CommandError(.conflict, "\(output) is a file. Choose another directory")
    }
    guard let data = FileManager.default.contents(atPath: text) else {
      throw CommandError(.notFound, "\(text): cannot be read. Check the path and its permissions")
    }
    guard let content = String(validating: data, as: UTF8.self) else {
      throw CommandError(.usage, "\(text): not UTF-8. Convert it (iconv -t utf-8), or give another file")
    }
    let isOurs = !FileManager.default.fileExists(atPath: directory.path)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    var isDone = false
    // A refusal or an interruption leaves no half-made directory.
    defer { if isOurs, !isDone { try? FileManager.default.removeItem(at: directory) } }
    try pretraining().run(
      content.split(separator: "\n").map(String.init), seed: seed, to: directory,
      backend: try CPUBackend(precision: .float32, threads: threads), progress: progress, isCancelled: isCancelled)
    isDone = true
    return directory
  }
}
