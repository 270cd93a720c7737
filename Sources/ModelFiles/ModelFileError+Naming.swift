import Foundations
import Foundation
import StrictJSON

/// Runs `body`; what is wrong with a model's file leaves it as a ``ModelFileError``.
///
/// - Parameter path: the file that errors name unless they name one already; nil: there is none.
package func naming<T>(_ path: String?, _ body: () throws -> T) throws -> T {
  do { return try body() } catch let error as ModelFileError {
    throw path.map(error.inFile) ?? error
  }
}

extension ModelFileError {
  /// Writes a whole file through `body`; on an error nothing is left behind.
  ///
  /// - Throws: ``ModelFileError`` (`unwritable`), and what `body` throws.
  package static func writing(_ target: URL, _ body: (AtomicFile) throws -> Void) throws {
    do { try AtomicFile.write(target, body) } catch let error as FileError {
      throw ModelFileError(.unwritable, "\(error.action) the file: \(error.reason)", file: error.path)
    }
  }

  /// Writes a text file.
  package static func writing(_ text: String, to target: URL) throws {
    try writing(target) { try $0.write(Data(text.utf8)) }
  }
}

extension JSONObject {
  /// The JSON object in a file of at most `limit` bytes.
  ///
  /// - Throws: ``ModelFileError`` that names the file.
  package init(contentsOf url: URL, limit: Int = 256 << 20) throws {
    self = try naming(url.path) {
      let file = try MappedFile(url, limit: limit)
      let value = try withExtendedLifetime(file) { try JSONParser.parse(file.bytes.bindMemory(to: UInt8.self)) }
      guard case .object(let object) = value else {
        throw ModelFileError(.malformed, "the file must hold a JSON object")
      }
      return object
    }
  }
}
