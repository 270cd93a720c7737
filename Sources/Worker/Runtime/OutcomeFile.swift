import Foundations
import Foundation
import Glibc
import LanguageModel
import StrictJSON
import Study
import WireProtocol

/// The worker's file of outcomes that the coordinator has not acknowledged yet: they survive the worker's death.
///
/// The first line is `{"studyIdentifier":"…"}`, each further line a frame of the wire protocol. Written as a whole
/// beside the old file, flushed to disk, and renamed over it.
final class OutcomeFile {
  private let url: URL
  private let lock: Int32
  private var submissions: [Submission] = []
  private(set) var studyIdentifier: String?
  /// Why an older file could not be read; it was set aside.
  private(set) var damage: String?

  /// Opens the file in `folder` (made where missing) and locks the folder against a second worker.
  ///
  /// - Throws: `OutcomeFileError` when another worker uses the folder or it cannot be written.
  init(folder: URL) throws {
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw OutcomeFileError(
        "cannot make the worker's folder \(folder.path): \(FileProblem.reason(error)); "
          + FileProblem.remedy(FileProblem.systemCode(error)))
    }
    url = folder.appendingPathComponent("unacknowledged.jsonl")
    lock = open(folder.appendingPathComponent("lock").path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else {
      throw OutcomeFileError("cannot write in the worker's folder \(folder.path): \(String(cString: strerror(errno)))")
    }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      close(lock)
      throw OutcomeFileError(
        "another worker uses \(folder.path); give each worker of this machine its own --name or --state folder")
    }
    load()
  }

  deinit { close(lock) }

  /// The outcomes, oldest first.
  var retained: [Submission] { submissions }

  private func load() {
    guard let data = try? Data(contentsOf: url) else { return }
    do {
      var lines = data.split(separator: UInt8(ascii: "\n")).map { [UInt8]($0) }[...]
      guard let head = lines.popFirst(), case .object(let fields) = try JSONValue(parsing: head) else {
        throw OutcomeFileError("no head line")
      }
      if case .string(let identifier)? = fields["studyIdentifier"] { studyIdentifier = identifier }
      let codec = MessageCodec()
      for line in lines {
        guard let submission = Submission(try codec.decode(WireFrames(json: line), from: .worker).message) else {
          throw OutcomeFileError("a line is no outcome")
        }
        submissions.append(submission)
      }
    } catch {
      submissions = []
      let aside = url.appendingPathExtension("damaged-\(Int(Date().timeIntervalSince1970))")
      try? FileManager.default.moveItem(at: url, to: aside)
      damage = "the file of unacknowledged outcomes could not be read (\(error)); it was moved to \(aside.path)"
    }
  }

  func keep(_ submission: Submission) throws {
    submissions.removeAll { $0.attempt == submission.attempt }
    submissions.append(submission)
    try save()
  }

  func forget(_ token: AttemptToken) throws {
    submissions.removeAll { $0.attempt == token }
    try save()
  }

  func setStudy(_ identifier: String) throws {
    guard studyIdentifier != identifier else { return }
    studyIdentifier = identifier
    try save()
  }

  private func save() throws {
    let codec = MessageCodec()
    var bytes = JSONValue.object(["studyIdentifier": .string(studyIdentifier ?? "")]).serialized()
    for (index, submission) in submissions.enumerated() {
      bytes.append(UInt8(ascii: "\n"))
      bytes += codec.encode(Envelope(id: Int64(index + 1), message: submission.message)).json
    }
    do {
      try AtomicFile.write(Data(bytes), to: url)
    } catch let error as FileError {
      throw OutcomeFileError("\(error)")
    }
  }
}

/// Why the worker's file cannot be used.
package struct OutcomeFileError: Error, CustomStringConvertible {
  package let description: String
  init(_ description: String) { self.description = description }
}
