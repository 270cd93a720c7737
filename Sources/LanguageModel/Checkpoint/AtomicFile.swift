import Foundations
import Foundation

/// The files of models and adapters: written as every file is, with the errors of model files.
struct AtomicFile {
  private let file: Foundations.AtomicFile

  /// Appends bytes.
  func write(_ bytes: UnsafeRawBufferPointer) throws { try Self.translating { try file.write(bytes) } }

  /// Writes a whole file through `body`; on an error nothing is left behind.
  static func write(_ target: URL, _ body: (AtomicFile) throws -> Void) throws {
    try translating { try Foundations.AtomicFile.write(target) { try body(AtomicFile(file: $0)) } }
  }

  /// Writes a text file.
  static func write(_ text: String, to target: URL) throws {
    try translating { try Foundations.AtomicFile.write(text, to: target) }
  }

  private static func translating<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch let error as FileError {
      throw ModelFileError(.unwritable, "\(error.action) the file: \(error.reason)", file: error.path)
    }
  }
}
