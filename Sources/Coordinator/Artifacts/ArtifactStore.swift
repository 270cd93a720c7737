import Dispatch
import Foundations
import Foundation
import Study
import Synchronization
import WireProtocol

/// Files that workers send, addressed by their content: hashed as they come, renamed when digest and length are right.
///
/// Works on a thread of its own, so that neither the disk nor a digest keeps the coordinator waiting. Pieces come in the
/// order of their offsets, and a file grows by what has come, never further. What a worker sends lies in a file of its
/// own until it is whole: no other worker can spoil it.
final class ArtifactStore: Sendable {
  /// Bytes that the artifacts of a study may take together, unless its file says otherwise.
  ///
  /// Default 64 GiB.
  static let standardLimit = 64 << 30
  /// Pieces that wait for the disk at most; others stay unanswered and are sent again.
  static let backlogLimit = 64

  /// `artifacts/` of the study.
  let folder: URL
  /// Bytes that all artifacts and their beginnings may take together.
  let limit: Int

  private let queue = DispatchQueue(label: "engram.artifacts")
  /// Senders whose piece waits: one each.
  private let busy = Mutex<Set<String>>([])
  private let state = Mutex(State())

  private struct State {
    var uploads: [String: Upload] = [:]
    /// Bytes in the folder; nil before it was looked at.
    var used: Int?
  }

  /// What has come of one artifact from one sender.
  private struct Upload {
    var hash = SHA256()
    var position = 0
  }

  init(folder: URL, limit: Int = ArtifactStore.standardLimit) {
    self.folder = folder
    self.limit = limit
  }

  /// What became of a piece.
  enum ChunkResult: Sendable {
    /// Stored, or refused for good: acknowledge it with this verdict.
    case acknowledged(Acknowledgement.Verdict)
    /// There is no room for it in the study's share of the disk.
    case overLimit
    /// Not stored for a reason that may pass: it stays unanswered and is sent again.
    case failed(String)
  }

  /// Stores one piece of an artifact that is wanted, and answers from the store's own thread; a sender whose last piece
  /// still waits gets no answer.
  ///
  /// - Parameters:
  ///   - sender: name of the worker.
  ///   - bytes: the size that the accepted result states.
  func enqueue(
    _ chunk: ArtifactChunk, from sender: String, bytes: Int64, answer: @escaping @Sendable (ChunkResult) -> Void
  ) {
    let isFree = busy.withLock { $0.count < Self.backlogLimit && $0.insert(sender).inserted }
    guard isFree else { return }
    queue.async { [self] in
      let result: ChunkResult
      do {
        result = try store(chunk, from: sender, bytes: bytes)
      } catch {
        result = .failed("\(error)")
      }
      _ = busy.withLock { $0.remove(sender) }
      answer(result)
    }
  }

  /// Removes artifacts, later; ones that are not there are no error.
  func remove(_ digests: Set<String>, failed: @escaping @Sendable (String) -> Void) {
    queue.async { [self] in
      for digest in digests where ArtifactReference.isDigest(digest) {
        if let problem = remove(folder.appendingPathComponent(digest)) { failed(problem) }
      }
    }
  }

  /// Removes beginnings of artifacts, later: all but those of `wanted`, which their senders may go on with.
  func sweep(keeping wanted: Set<String>) {
    queue.async { [self] in
      // A folder that is not there has nothing to sweep.
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
      where name.hasPrefix(".") && name.hasSuffix(".part") {
        if let digest = Self.digest(ofPart: name), wanted.contains(digest) { continue }
        state.withLock { _ = $0.uploads.removeValue(forKey: name) }
        // What cannot be removed counts towards the limit, and is tried again at the next start.
        _ = remove(folder.appendingPathComponent(name))
      }
    }
  }

  /// Waits until everything that was asked for is done.
  func finish() async {
    await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
  }

  // MARK: - On the store's thread

  /// Stores one piece; a piece may come again.
  func store(_ chunk: ArtifactChunk, from sender: String, bytes: Int64) throws -> ChunkResult {
    guard ArtifactReference.isDigest(chunk.sha256), Int64(chunk.totalBytes) == bytes, chunk.offset >= 0,
      chunk.bytes.count <= chunk.totalBytes, chunk.offset <= chunk.totalBytes - chunk.bytes.count,
      SHA256.hex(of: chunk.bytes) == chunk.chunkSHA256
    else { return .acknowledged(.conflict) }
    let final = folder.appendingPathComponent(chunk.sha256)
    if Self.size(of: final) == chunk.totalBytes { return .acknowledged(.duplicate) }
    try PrivateFolder.make(folder)
    let name = Self.partName(chunk.sha256, sender)
    let part = folder.appendingPathComponent(name)
    guard var upload = try upload(name, part, for: chunk) else { return .acknowledged(.conflict) }
    if chunk.offset + chunk.bytes.count > upload.position || chunk.totalBytes == 0 {
      guard chunk.offset == upload.position else {
        abandon(name, part)
        return .acknowledged(.conflict)
      }
      guard used() <= limit - chunk.bytes.count else {
        abandon(name, part)
        return .overLimit
      }
      try append(chunk.bytes, to: part, at: upload.position)
      upload.hash.update(chunk.bytes)
      upload.position += chunk.bytes.count
      state.withLock { state in
        state.uploads[name] = upload
        state.used? += chunk.bytes.count
      }
    }
    guard upload.position == chunk.totalBytes else { return .acknowledged(.accepted) }
    return try finish(upload, name, part, as: final, digest: chunk.sha256)
  }

  /// What has come before this piece; nil where the piece cannot follow it.
  private func upload(_ name: String, _ part: URL, for chunk: ArtifactChunk) throws -> Upload? {
    if chunk.offset == 0 {
      // From the beginning, unless it is a repetition of what has come already.
      if let known = state.withLock({ $0.uploads[name] }), known.position >= chunk.bytes.count, known.position > 0 {
        return known
      }
      abandon(name, part)
      return Upload()
    }
    if let known = state.withLock({ $0.uploads[name] }) { return known }
    // Begun under an earlier coordinator: hashed again, as far as it is there.
    guard let size = Self.size(of: part), size >= chunk.offset, size <= chunk.totalBytes else {
      abandon(name, part)
      return nil
    }
    var upload = Upload()
    let file = try FileHandle(forReadingFrom: part)
    // Closing what was only read loses nothing.
    defer { try? file.close() }
    while let data = try file.read(upToCount: 1 << 20), !data.isEmpty {
      upload.hash.update(data)
      upload.position += data.count
    }
    let found = upload
    state.withLock { $0.uploads[name] = found }
    return found
  }

  private func finish(
    _ upload: Upload, _ name: String, _ part: URL, as final: URL, digest: String
  ) throws -> ChunkResult {
    guard upload.hash.hex == digest else {
      abandon(name, part)
      return .acknowledged(.conflict)
    }
    let descriptor = open(part.path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError("cannot open", part.path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw FileError("cannot sync", part.path) }
    guard rename(part.path, final.path) == 0 else { throw FileError("cannot rename to", final.path) }
    try syncFolder(folder)
    state.withLock { _ = $0.uploads.removeValue(forKey: name) }
    return .acknowledged(.accepted)
  }

  /// Writes at the end of the file; what a failure has left there is cut off again.
  private func append(_ bytes: [UInt8], to part: URL, at position: Int) throws {
    let descriptor = open(part.path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw FileError("cannot open", part.path) }
    defer { close(descriptor) }
    guard ftruncate(descriptor, off_t(position)) == 0, lseek(descriptor, off_t(position), SEEK_SET) >= 0 else {
      throw FileError("cannot write", part.path)
    }
    do {
      try bytes.withUnsafeBytes { try writeAll($0, to: descriptor, path: part.path) }
    } catch {
      ftruncate(descriptor, off_t(position))
      throw error
    }
  }

  /// Forgets what has come of an upload.
  private func abandon(_ name: String, _ part: URL) {
    state.withLock { _ = $0.uploads.removeValue(forKey: name) }
    // Counted until it is gone.
    _ = remove(part)
  }

  /// Removes a file of the store and says why it could not be removed.
  private func remove(_ url: URL) -> String? {
    guard let size = Self.size(of: url) else { return nil }
    guard unlink(url.path) == 0 else { return "\(FileError("cannot remove", url.path))" }
    state.withLock { $0.used? -= size }
    return nil
  }

  /// Bytes that the files of the folder take.
  private func used() -> Int {
    if let known = state.withLock({ $0.used }) { return known }
    // A folder that cannot be listed cannot be written either.
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    let total = names.reduce(0) { $0 + (Self.size(of: folder.appendingPathComponent($1)) ?? 0) }
    state.withLock { $0.used = total }
    return total
  }
}

extension ArtifactStore {
  /// The file of an artifact's beginning: by digest and sender.
  static func partName(_ digest: String, _ sender: String) -> String {
    ".\(digest).\(SHA256.hex(of: Array(sender.utf8)).prefix(16)).part"
  }

  private static func digest(ofPart name: String) -> String? {
    let fields = name.split(separator: ".")
    guard fields.count == 3, ArtifactReference.isDigest(String(fields[0])) else { return nil }
    return String(fields[0])
  }

  /// Size of a regular file; nil for everything else.
  private static func size(of url: URL) -> Int? {
    var status = stat()
    guard lstat(url.path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int(status.st_size)
  }
}
