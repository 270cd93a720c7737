import BayesianOptimization
import Foundation
import Study
import StudyDatabase

#if canImport(Glibc)
  import Glibc
#endif

/// Commands to a running study by way of its folder: only who may write there may steer, and nothing crosses the wire.
///
/// A request is a file `control/ID.request`, its answer `control/ID.reply`; both appear by renaming, complete or not at
/// all.
public struct ControlMailbox: Sendable {
  /// The answer as it lies in the folder.
  private struct Answer: Codable {
    var reply: SteeringReply?
    var error: String?
    /// Name of the error's code.
    var code: String?
  }

  let folder: URL

  /// The mailbox of a study.
  public init(_ study: StudyFolder) { folder = study.url.appendingPathComponent("control", isDirectory: true) }

  /// Largest request in bytes; larger ones are refused unread.
  private static let limit = 1 << 20

  // MARK: - Client

  /// Leaves a request and waits for the answer.
  ///
  /// - Throws: `busy` if no coordinator answers within `patience` seconds; else what it answers.
  public func send(_ command: SteeringCommand, patience: Double = 15) throws -> SteeringReply {
    try make()
    let identifier = UUID().uuidString
    let request = folder.appendingPathComponent("\(identifier).request")
    let answer = folder.appendingPathComponent("\(identifier).reply")
    try JSONEncoder().encode(command).write(to: request, options: .atomic)
    for _ in 0..<Int(max(1, patience / 0.05)) {
      if let data = try? Data(contentsOf: answer) {
        try? FileManager.default.removeItem(at: answer)
        let decoded = try JSONDecoder().decode(Answer.self, from: data)
        if let reply = decoded.reply { return reply }
        throw StudyError(
          decoded.code.flatMap { StudyError.Code(name: $0) } ?? .illegalTransition,
          decoded.error ?? "the coordinator refused the command")
      }
      usleep(50_000)
    }
    try? FileManager.default.removeItem(at: request)
    throw StudyError(
      .busy, "the coordinator of \(folder.deletingLastPathComponent().path) did not answer; is it stopped or hanging?")
  }

  // MARK: - Server

  /// Makes the folder, usable by its owner only.
  func make() throws {
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  /// Takes the waiting requests, oldest name first, and answers them; unreadable ones are answered with the reason.
  func answerAll(_ carryOut: (SteeringCommand) throws -> SteeringReply) {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return }
    for name in names.sorted() where name.hasSuffix(".request") {
      let request = folder.appendingPathComponent(name)
      let answer = folder.appendingPathComponent(name.replacingOccurrences(of: ".request", with: ".reply"))
      let size = (try? FileManager.default.attributesOfItem(atPath: request.path)[.size] as? Int) ?? 0
      var result = Answer()
      do {
        guard size <= Self.limit else { throw StudyError(.invalidResult, "a request of \(size) bytes is too large") }
        let command = try JSONDecoder().decode(SteeringCommand.self, from: Data(contentsOf: request))
        result.reply = try carryOut(command)
      } catch {
        result.error = (error as? StudyError)?.message ?? "the request can not be read: \(error)"
        result.code = (error as? StudyError)?.code.description
      }
      try? FileManager.default.removeItem(at: request)
      try? JSONEncoder().encode(result).write(to: answer, options: .atomic)
    }
  }
}

/// Steers a study whether or not a coordinator is running it.
public struct StudyControl: Sendable {
  let folder: StudyFolder
  let sampler: any Sampler
  let policy: StudyPolicy
  let key: @Sendable (BayesianOptimization.Configuration) -> String
  let patience: Double

  /// - Parameters:
  ///   - folder: the study.
  ///   - sampler: proposes, where `ask` needs a new trial and nobody is running the study.
  ///   - policy: rules of the study.
  ///   - key: canonical key of a configuration.
  ///   - patience: seconds to wait for a running coordinator's answer. Default 15.
  public init(
    _ folder: StudyFolder, sampler: any Sampler, policy: StudyPolicy,
    key: @escaping @Sendable (BayesianOptimization.Configuration) -> String, patience: Double = 15
  ) {
    self.folder = folder
    self.sampler = sampler
    self.policy = policy
    self.key = key
    self.patience = patience
  }

  /// Carries a command out: by the running coordinator if there is one, else directly.
  ///
  /// - Throws: ``StudyError``.
  public func carryOut(_ command: SteeringCommand) throws -> SteeringReply {
    let store: SQLiteStudyStore
    do {
      store = try SQLiteStudyStore(folder)
    } catch let error as StudyError where error.code == .locked {
      return try ControlMailbox(folder).send(command, patience: patience)
    }
    let record = try store.load()
    let settings = CoordinatorSettings(build: record.definition.madeBy, budget: record.header.budget)
    let clock = ContinuousClock()
    let origin = clock.now
    var core = try CoordinatorCore(
      settings: settings, store: store, policy: policy, sessionName: "control", key: key, now: .zero,
      wallTime: Date().timeIntervalSince1970)
    if case .ask = command, core.state.queued.isEmpty {
      for action in core.begin() {
        guard case .propose(let task) = action else { continue }
        let outcome = sampler.propose(task.request)
        _ = core.handle(
          .proposed(task, outcome), now: clock.now - origin, wallTime: Date().timeIntervalSince1970)
      }
    }
    return try core.steer(command, now: clock.now - origin, wallTime: Date().timeIntervalSince1970).reply
  }
}
