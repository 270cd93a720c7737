import RandomStreams
import Study
import Transport
import WireProtocol

/// A worker process of the simulation: session, trainer, and the file of outcomes that survives its death.
struct SimulatedWorker {
  let index: Int
  let name: String
  /// Whether it has the name of another machine.
  var isClone: Bool { name != "host/\(index)" }
  var session: WorkerSession
  var incarnation = 0
  var connection = 0
  var isUp = true
  /// The file.
  var kept: [AttemptToken: Submission] = [:]
  var studyIdentifier: String?
  /// What the trainer executes.
  var training: Assignment?
  var birth: Duration = .zero

  init(_ index: Int, name: String? = nil, heartbeat: Duration) {
    self.index = index
    self.name = name ?? "host/\(index)"
    session = Self.makeSession(index, self.name, 0, studyIdentifier: nil, kept: [:], heartbeat: heartbeat)
  }

  var peer: Peer { Peer(id: Array("\(index).\(incarnation).\(connection)".utf8)) }

  mutating func start(at time: Duration, heartbeat: Duration) {
    incarnation += 1
    connection = 0
    isUp = true
    training = nil
    birth = time
    session = Self.makeSession(
      index, name, incarnation, studyIdentifier: studyIdentifier, kept: kept, heartbeat: heartbeat)
  }

  private static func makeSession(
    _ index: Int, _ name: String, _ incarnation: Int, studyIdentifier: String?, kept: [AttemptToken: Submission],
    heartbeat: Duration
  ) -> WorkerSession {
    var settings = WorkerSession.Settings()
    settings.heartbeat = heartbeat
    settings.helloInterval = .seconds(10)
    settings.helloMaximum = .seconds(300)
    settings.submissionInterval = .seconds(30)
    settings.submissionMaximum = .seconds(600)
    settings.jitterSeed = UInt64(index * 1_000 + incarnation)
    let hello = Hello(
      worker: name, incarnation: "\(index).\(incarnation)", study: "toy", build: "b",
      fingerprints: Fingerprints([:]), host: "host", device: "cpu", pid: index + 1,
      capabilities: Capabilities(memoryBytes: Int64(1 + index % 2) << 34, cores: 1, evaluator: "analytic"),
      studyIdentifier: studyIdentifier)
    let outcomes = kept.sorted { $0.key < $1.key }.map(\.value)
    return WorkerSession(settings: settings, hello: hello, retained: outcomes)
  }
}
