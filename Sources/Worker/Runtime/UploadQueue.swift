import Foundations
import Foundation
import StrictJSON
import Study
import WireProtocol

/// Artifacts on their way to the coordinator: one chunk at a time, the next when the one before is acknowledged.
///
/// What waits stands in a file, so that a restart of the worker loses no adapter of an acknowledged result.
struct UploadQueue {
  private struct Flight {
    var offset: Int
    var count: Int
    var sent: Duration?
    var attempts = 0
    /// How often it was begun anew.
    var restarts = 0
  }

  /// How often an artifact is sent from its beginning again, where the coordinator has lost what had come.
  static let maxRestarts = 3

  /// Bytes of a chunk: as much as a raw frame may hold, and little enough that heartbeats get through in between.
  static let chunkBytes = WireLimits.standard.attachmentBytes
  /// A chunk without answer is sent again after this.
  static let patience: Duration = .seconds(5)

  private var waiting: [LocalArtifact]
  private var flight: Flight?
  private let file: URL

  /// - Parameter file: where the list is kept; a list that cannot be read is empty.
  init(file: URL) {
    self.file = file
    waiting = []
    guard let data = try? Data(contentsOf: file), case .array(let values)? = try? JSONValue(parsing: [UInt8](data))
    else { return }
    waiting = values.compactMap { try? LocalArtifact(json: $0) }
      .filter { FileManager.default.fileExists(atPath: $0.url.path) }
  }

  var isEmpty: Bool { waiting.isEmpty }
  /// What waits, the next one first.
  var files: [LocalArtifact] { waiting }
  /// How often the present chunk was sent in vain.
  var attempts: Int { flight?.attempts ?? 0 }

  /// When ``due(now:)`` has a chunk; nil where nothing waits.
  var nextDue: Duration? {
    waiting.isEmpty ? nil : (flight?.sent).map { $0 + Self.patience } ?? .zero
  }

  mutating func add(_ artifacts: [LocalArtifact]) throws {
    waiting += artifacts.filter { !waiting.contains($0) }
    try save()
  }

  mutating func removeAll() throws {
    waiting = []
    flight = nil
    try save()
  }

  /// The chunk to send now, if one is due.
  mutating func due(now: Duration) throws -> ArtifactChunk? {
    guard let artifact = waiting.first else { return nil }
    var flight = flight ?? Flight(offset: 0, count: 0)
    if let sent = flight.sent, now - sent < Self.patience { return nil }
    let handle: FileHandle
    do {
      handle = try FileHandle(forReadingFrom: artifact.url)
    } catch {
      try finishFirst()
      throw error
    }
    defer { try? handle.close() }
    try handle.seek(toOffset: UInt64(flight.offset))
    let data = try handle.read(upToCount: Self.chunkBytes) ?? Data()
    flight.sent = now
    flight.count = data.count
    flight.attempts += 1
    self.flight = flight
    return ArtifactChunk(
      sha256: artifact.reference.sha256, totalBytes: Int(artifact.reference.bytes), offset: flight.offset,
      chunkSHA256: SHA256.hex(of: data), bytes: [UInt8](data))
  }

  /// Takes an acknowledgement; returns the artifact that is done with it, and whether the coordinator refused it.
  mutating func acknowledged(
    sha256: String, offset: Int, _ verdict: Acknowledgement.Verdict
  ) throws -> (artifact: LocalArtifact, isRefused: Bool)? {
    guard let artifact = waiting.first, artifact.reference.sha256 == sha256, let flight, flight.offset == offset else {
      return nil
    }
    switch verdict {
    case .accepted:
      let next = flight.offset + flight.count
      if next < artifact.reference.bytes {
        self.flight = Flight(offset: next, count: 0, restarts: flight.restarts)
        return nil
      }
    case .conflict where flight.offset > 0 && flight.restarts < Self.maxRestarts:
      self.flight = Flight(offset: 0, count: 0, restarts: flight.restarts + 1)
      return nil
    case .duplicate, .superseded, .conflict: break
    }
    try finishFirst()
    return (artifact, verdict == .conflict)
  }

  private mutating func finishFirst() throws {
    waiting.removeFirst()
    flight = nil
    try save()
  }

  private func save() throws {
    try AtomicFile.write(Data(JSONValue.array(waiting.map(\.json)).serialized()), to: file)
  }
}
