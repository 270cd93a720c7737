import BayesianOptimization
import Foundation
import SessionTesting
import Study
import TestSupport
import Transport
import WireProtocol

@testable import Worker

/// A coordinator without store and sampler: hands out a list of trials and writes down what comes back.
actor MiniCoordinator {
  private let server: any ServerTransport
  private let settings: CoordinatorSession.Settings
  private var sessions: [Peer: CoordinatorSession] = [:]
  private var queue: [Assignment]
  /// Given out and without an outcome.
  private var open: [AttemptToken: Assignment] = [:]
  private let codec = MessageCodec()
  private let origin = ContinuousClock.now
  private(set) var submissions: [Submission] = []
  private(set) var started: [AttemptToken] = []
  private(set) var reports: [IntermediateReport] = []
  private(set) var hellos: [Hello] = []
  private(set) var devices: [DeviceStatus] = []
  private(set) var closures: [CoordinatorSession.Closure] = []
  private(set) var chunks: [ArtifactChunk] = []
  var ignoredChunks = 0
  var acknowledges = true
  var live: AttemptToken?

  static let fingerprints = Fingerprints(base: "b", data: "d", settings: "s")

  init(server: any ServerTransport, trials: Int, firstTrial: Int = 0, heartbeat: Duration = .milliseconds(200)) {
    self.server = server
    var settings = CoordinatorSession.Settings(
      study: "test", studyIdentifier: "id", session: "s", build: "1", fingerprints: Self.fingerprints)
    settings.heartbeat = heartbeat
    settings.lease = .seconds(10)
    settings.resend = .milliseconds(500)
    self.settings = settings
    queue = (0..<trials).map { offset in
      Assignment(
        attempt: AttemptToken(offset + 1), trial: firstTrial + offset,
        configuration: .memory(layers: [0], count: 1, rank: 8), seed: 7, leaseMilliseconds: 10_000)
    }
  }

  private var now: Duration { origin.duration(to: .now) }

  /// Serves until the server is closed.
  func run() async {
    for await event in server.events {
      guard case .message(let peer, let frames) = event else { continue }
      do {
        handle(.received(try codec.decode(frames, from: .worker)), peer)
      } catch {
        handle(.malformed(error), peer)
      }
    }
  }

  private func handle(_ event: CoordinatorSession.Event, _ peer: Peer) {
    var session = sessions[peer] ?? CoordinatorSession(settings: settings, now: now)
    let actions = session.handle(event, now: now)
    sessions[peer] = session
    for action in actions { perform(action, peer) }
  }

  private func perform(_ action: CoordinatorSession.Action, _ peer: Peer) {
    switch action {
    case .send(let envelope): server.send(codec.encode(envelope), to: peer)
    case .introduced(let hello, _):
      hellos.append(hello)
      giveBack(except: hello.retained + (hello.running.map { [$0] } ?? []))
      handle(.admit(continues: hello.running == live), peer)
    case .idle:
      guard !queue.isEmpty else { return }
      let next = queue.removeFirst()
      live = next.attempt
      open[next.attempt] = next
      handle(.assign(next), peer)
    case .submit(let id, let submission):
      guard acknowledges else { return }
      open[submission.attempt] = nil
      if !submissions.contains(where: { $0.attempt == submission.attempt }) { submissions.append(submission) }
      handle(.settled(id: id, .accepted), peer)
    case .started(let token): started.append(token)
    case .report(let report): reports.append(report)
    case .closed(let closure):
      closures.append(closure)
      sessions[peer] = nil
    case .store(let id, let chunk):
      chunks.append(chunk)
      if chunks.count > ignoredChunks { handle(.settled(id: id, .accepted), peer) }
    case .device(let status): devices.append(status)
    case .lost(let token): if let assignment = open.removeValue(forKey: token) { queue.insert(assignment, at: 0) }
    case .admitted, .renew, .progress, .log, .refusedOutcome, .refusedReport: break
    }
  }

  /// What a worker that comes (again) does not hold never reached it, and is given out again.
  private func giveBack(except held: [AttemptToken]) {
    for (token, assignment) in open.sorted(by: { $0.key > $1.key }) where !held.contains(token) {
      open[token] = nil
      queue.insert(assignment, at: 0)
    }
  }

  func ignoreChunks(_ count: Int) { ignoredChunks = count }
  func setAcknowledges(_ flag: Bool) { acknowledges = flag }
  func drain() { for peer in sessions.keys { handle(.drain(Drain(immediately: false, reason: "done")), peer) } }
  func cancelLive() {
    guard let live else { return }
    for peer in sessions.keys { handle(.cancel(live, .abandoned), peer) }
  }

  /// Waits until so many outcomes are there; long, since other tests may hold the few threads of the pool.
  func outcomes(_ count: Int) async throws -> [Submission] {
    for _ in 0..<15_000 {
      if submissions.count >= count { return submissions }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Impatience()
  }

  func waitUntil(_ condition: @Sendable (isolated MiniCoordinator) -> Bool) async throws {
    for _ in 0..<15_000 {
      if condition(self) { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Impatience()
  }
}

struct Impatience: Error {}

/// A trainer written in shell, so that the tests need no other program; what it does is given by the trial's number.
enum ShellTrainer {
  static let script = #"""
    echo "hello from the trainer" >&2
    echo '{"type":"ready","memoryBytes":100000000}'
    while read -r line; do
      case "$line" in
        *'"type":"evaluate"'*) ;;
        *'"type":"exit"'*) exit 0 ;;
        *) continue ;;
      esac
      files=
      trial=$(printf '%s' "$line" | sed 's/.*"trial":\([0-9]*\).*/\1/')
      echo '{"type":"started"}'
      echo "begin $trial" >&2
      echo '{"type":"progress","step":1,"total":2,"phase":"train"}'
      echo '{"type":"report","step":1,"values":{"loss":2.5,"bad":null}}'
      case "$trial" in
        10) kill -SEGV $$ ;;
        11) kill -KILL $$ ;;
        12) sleep 1000 & wait ;;
        13) echo '{"type":"failure","class":"outOfMemory","message":"no memory","nextStep":null,"memoryBytes":120000000,"lastWords":[]}'; continue ;;
        14) echo '{"type":"failure","class":"outOfMemory","message":"no memory","nextStep":null,"memoryBytes":400000000,"lastWords":[]}'; continue ;;
        15) exit 75 ;;
        16) echo 'this is no JSON'; sleep 1000 & wait ;;
        17) echo 'terminate: std::bad_alloc' >&2; sleep 0.2; exit 1 ;;
        18) read -r cancel; echo '{"type":"cancelled","checkpointStep":4,"memoryBytes":1}'; continue ;;
        20) printf 0123456789 >"$ENGRAM_TEST_FILE"
          files='{"name":"a.bin","sha256":"84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882","bytes":10,"path":"'$ENGRAM_TEST_FILE'"}' ;;
        21) echo '{"type":"failure","class":"hardware","message":"cuLaunchKernel(add) failed (719)","nextStep":null,"memoryBytes":1,"lastWords":[]}'; continue ;;
        19) echo '{"type":"failure","class":"diverged","message":"nan","nextStep":null,"memoryBytes":1,"lastWords":[]}'; continue ;;
      esac
      echo '{"type":"result","objectives":{"loss":1.5,"rougeL":0.25},"standardErrors":{},"metrics":{"pid":'$$'},"artifacts":['"$files"'],"memoryBytes":1}'
    done
    """#

  static func launch(_ text: String = script) -> TrainerLaunch {
    TrainerLaunch(executable: "/bin/sh", arguments: ["-c", text])
  }
}

/// A worker with its coordinator in one process.
struct Fixture {
  let folder: TemporaryFolder
  let network = InMemoryNetwork()
  var settings: WorkerSettings

  init(script: String = ShellTrainer.script) throws {
    folder = try TemporaryFolder()
    let hello = Hello(
      worker: "w", incarnation: "i", study: "test", build: "1", fingerprints: MiniCoordinator.fingerprints, host: "h1",
      device: "cpu", pid: 1, capabilities: Capabilities(memoryBytes: 1 << 30, cores: 1, evaluator: "memory"))
    settings = WorkerSettings(
      hello: hello, trainer: ShellTrainer.launch(script), stateFolder: folder.url.appendingPathComponent("w"),
      endpoint: "memory")
    settings.handlesSignals = false
    settings.session.helloInterval = .milliseconds(200)
    settings.session.submissionInterval = .milliseconds(300)
  }

  func coordinator(trials: Int, firstTrial: Int) -> (MiniCoordinator, InMemoryServer, Task<Void, Never>) {
    let server = network.listen()
    let coordinator = MiniCoordinator(server: server, trials: trials, firstTrial: firstTrial)
    return (coordinator, server, Task { await coordinator.run() })
  }

  func worker(identity: String = "w1") throws -> Task<WorkerEnd, Never> {
    let runtime = try WorkerRuntime(settings: settings, transport: network.connect(identity: identity))
    return Task { await runtime.run() }
  }

  /// Runs a worker beside a coordinator, sends it home once `body` is through, and gives its end.
  func run(trials: Int = 0, _ body: (MiniCoordinator) async throws -> Void) async throws -> WorkerEnd {
    let (coordinator, server, serving) = coordinator(trials: trials, firstTrial: 0)
    let worker = try worker()
    try await body(coordinator)
    await coordinator.drain()
    let end = await worker.value
    server.close()
    await serving.value
    return end
  }
}
