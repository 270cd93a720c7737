import BayesianOptimization
import Foundation
import Foundations
import Study
import StudyTesting
import TestSupport
import Testing
import WireProtocol

@testable import Coordinator

/// What workers send is taken only as accepted results name it, in order, and never spoilt by others.
@Suite("Artifacts", .ownThread, .bounded) struct ArtifactStoreTests {
  private let folder: TemporaryFolder
  private let content = [UInt8]((0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7) })

  init() throws { folder = try TemporaryFolder("engram-artifacts") }

  private func store(limit: Int = 1 << 30) -> ArtifactStore {
    ArtifactStore(folder: folder.url.appendingPathComponent("artifacts", isDirectory: true), limit: limit)
  }

  private var digest: String { SHA256.hex(of: content) }

  private func chunk(_ range: Range<Int>, of bytes: [UInt8]? = nil, total: Int? = nil) -> ArtifactChunk {
    let piece = [UInt8]((bytes ?? content)[range])
    return ArtifactChunk(
      sha256: digest, totalBytes: total ?? content.count, offset: range.lowerBound,
      chunkSHA256: SHA256.hex(of: piece), bytes: piece)
  }

  private func verdict(_ outcome: ArtifactStore.ChunkResult) -> String {
    switch outcome {
    case .acknowledged(let verdict): "\(verdict)"
    case .overLimit: "overLimit"
    case .failed(let reason): "failed: \(reason)"
    }
  }

  private func send(_ range: Range<Int>, to store: ArtifactStore, from sender: String = "a") throws -> String {
    verdict(try store.store(chunk(range), from: sender, bytes: Int64(content.count)))
  }

  private func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.url.appendingPathComponent("artifacts").path).sorted()
  }

  @Test("an artifact comes piece by piece, again where the answer was lost, and is private") func inOrder() throws {
    let store = store()
    #expect(try send(0..<1000, to: store) == "accepted")
    #expect(try send(0..<1000, to: store) == "accepted")
    #expect(try send(1000..<2000, to: store) == "accepted")
    #expect(try send(0..<1000, to: store) == "accepted")
    #expect(try send(2000..<3000, to: store) == "accepted")
    #expect(try send(2000..<3000, to: store) == "duplicate")
    #expect(try names() == [digest])
    let file = folder.url.appendingPathComponent("artifacts/\(digest)")
    #expect(try [UInt8](Data(contentsOf: file)) == content)
    #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o600)
  }

  @Test("the last bytes of a large artifact make no large file") func sparse() throws {
    let store = store()
    #expect(try send(2990..<3000, to: store) == "conflict")
    #expect(try names().isEmpty)
    let huge = chunk(0..<10, total: 8 << 30)
    #expect(verdict(try store.store(huge, from: "a", bytes: 3000)) == "conflict")
    // A gap in the middle ends the upload; from the beginning it goes.
    #expect(try send(0..<1000, to: store) == "accepted")
    #expect(try send(1500..<2000, to: store) == "conflict")
    #expect(try send(0..<3000, to: store) == "accepted")
  }

  @Test("another worker's false pieces spoil nothing") func strangers() throws {
    let store = store()
    #expect(try send(0..<2000, to: store, from: "owner") == "accepted")
    let wrong = [UInt8](repeating: 1, count: 3000)
    #expect(verdict(try store.store(chunk(0..<3000, of: wrong), from: "stranger", bytes: 3000)) == "conflict")
    #expect(verdict(try store.store(chunk(2000..<3000, of: wrong), from: "stranger", bytes: 3000)) == "conflict")
    #expect(try send(2000..<3000, to: store, from: "owner") == "accepted")
    #expect(try names() == [digest])
  }

  @Test("an upload goes on under the next coordinator, unless its beginning is gone") func restart() async throws {
    let first = store()
    #expect(try send(0..<1000, to: first) == "accepted")
    let second = store()
    second.sweep(keeping: [digest])
    await second.finish()
    #expect(try send(1000..<3000, to: second) == "accepted")
    #expect(try names() == [digest])
    let third = store()
    third.remove([digest]) { Issue.record("\($0)") }
    await third.finish()
    #expect(try send(0..<1000, to: third) == "accepted")
    third.sweep(keeping: [])
    await third.finish()
    #expect(try names().isEmpty)
    #expect(try send(1000..<2000, to: third) == "conflict")
  }

  @Test("what would exceed the study's share is refused, and nothing of it stays") func limit() throws {
    let store = store(limit: 2500)
    #expect(try send(0..<2000, to: store) == "accepted")
    #expect(try send(2000..<3000, to: store) == "overLimit")
    #expect(try names().isEmpty)
  }

  @Test("a link in the place of a beginning is not followed") func link() throws {
    let store = store()
    let victim = folder.url.appendingPathComponent("victim")
    try Data("precious".utf8).write(to: victim)
    try FileManager.default.createDirectory(
      at: folder.url.appendingPathComponent("artifacts"), withIntermediateDirectories: true)
    let part = folder.url.appendingPathComponent("artifacts/\(ArtifactStore.partName(digest, "a"))")
    #expect(symlink(victim.path, part.path) == 0)
    #expect(throws: (any Error).self) { try store.store(chunk(0..<3000), from: "a", bytes: 3000) }
    #expect(try String(contentsOf: victim, encoding: .utf8) == "precious")
  }

  @Test("only what accepted results name is wanted, up to its size") func demand() throws {
    var demand = ArtifactDemand()
    let store = InMemoryStudyStore(definition: StudyStoreContract.definition, budget: 4)
    var state = StudyState(record: try store.load())
    let worker = WorkerIdentity(name: "w", incarnation: "1", host: "h", device: "cpu", deviceBytes: nil)
    func take(_ transition: Transition) throws {
      try store.commit(transition)
      state.apply(transition)
    }
    try take(state.create(base: nil, time: 1))
    for number in 0..<2 {
      try take(
        state.enqueue(
          .search, configuration: .memory(layers: [number], count: 2, rank: 8), key: "k\(number)",
          provenance: Provenance(source: "sobol", proposalIndex: number, eventNumber: 1), time: 2))
      try take(state.lease(trial: number, to: worker, leaseSeconds: 60, time: 3))
      // The second is dominated by the first.
      let reference = ArtifactReference(
        name: "adapter", sha256: number == 0 ? digest : String(digest.reversed()), bytes: 3000)
      let result = TrialResult(
        objectives: ["loss": 1 + Double(number), "rougeL": 0.5 - 0.1 * Double(number)], artifacts: [reference])
      demand.update(state, keepsOnlyFront: true)
      #expect(demand.answer(chunk(0..<10)) == (number == 0 ? .acknowledge(.conflict) : .store(3000)))
      try take(state.complete(AttemptToken(number + 1), result: result, time: 5).transition)
    }
    demand.update(state, keepsOnlyFront: true)
    #expect(demand.answer(chunk(0..<10)) == .store(3000))
    #expect(demand.answer(chunk(0..<10, total: 3001)) == .acknowledge(.conflict))
    var other = chunk(0..<10)
    other.sha256 = String(digest.reversed())
    #expect(demand.answer(other) == .acknowledge(.superseded))
    #expect(demand.wanted == [digest])
    other.sha256 = String(repeating: "0", count: 64)
    #expect(demand.answer(other) == .acknowledge(.conflict))
  }
}
