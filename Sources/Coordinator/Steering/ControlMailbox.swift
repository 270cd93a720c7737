import BayesianOptimization
import Foundation
import Foundations
import Study
import StudyDatabase

/// Commands to a running study by way of its folder: only who may write there may steer, and nothing crosses the wire.
///
/// A request is a file `control/ID.EXPIRY.request`, its answer `control/ID.EXPIRY.reply`; both appear by renaming, complete
/// or not at all. EXPIRY is the time (whole seconds since 1970) up to which the sender waits, and it keeps the file locked
/// while it does: a request that nobody waits for any more is not carried out.
package struct ControlMailbox: Sendable {
  /// The answer as it lies in the folder.
  private struct Answer: Codable {
    var reply: SteeringReply?
    var error: String?
    /// Name of the error's code.
    var code: String?
  }

  let folder: URL

  /// The mailbox of a study.
  package init(_ study: StudyFolder) { folder = study.url.appendingPathComponent("control", isDirectory: true) }

  /// Largest request in bytes; larger ones are refused unread.
  private static let limit = 1 << 20
  /// Seconds for which a request without an expiry is good: older programs write such ones, and wait for so long.
  package static let defaultPatience = 15.0
  /// Seconds after which an answer that nobody has fetched is removed.
  static let replyPatience = 60.0

  // MARK: - Client

  /// Leaves a request and waits for the answer.
  ///
  /// - Throws: `busy` if no coordinator answers within `patience` seconds; else what it answers.
  package func send(_ command: SteeringCommand, patience: Double = Self.defaultPatience) throws -> SteeringReply {
    try make()
    let expiry = Int((Date().timeIntervalSince1970 + patience).rounded(.up))
    let name = "\(UUID().uuidString).\(expiry)"
    let request = folder.appendingPathComponent("\(name).request")
    let answer = folder.appendingPathComponent("\(name).reply")
    let changes = FolderWatch(folder)
    let sent = try SentRequest(try JSONEncoder().encode(command), at: request)
    defer { sent.withdraw() }
    let limit = ContinuousClock.now + .seconds(patience)
    while true {
      // Not there yet: the usual case.
      if let data = try? Data(contentsOf: answer) {
        // Left behind, the coordinator removes it later.
        try? FileManager.default.removeItem(at: answer)
        let decoded = try JSONDecoder().decode(Answer.self, from: data)
        if let reply = decoded.reply { return reply }
        throw StudyError(
          decoded.code.flatMap { StudyError.Code(name: $0) } ?? .illegalTransition,
          decoded.error ?? "the coordinator refused the command")
      }
      let left = ContinuousClock.now.duration(to: limit) / Duration.seconds(1)
      guard left > 0 else { break }
      changes.wait(left)
    }
    throw StudyError(
      .busy,
      "the coordinator of \(folder.deletingLastPathComponent().path) did not answer and the command is withdrawn; is it "
        + "stopped or hanging, or its disk full? See its log")
  }

  // MARK: - Server

  /// Makes the folder, usable by its owner only.
  func make() throws {
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  /// Makes the folder and removes what earlier runs have left there: answers that nobody has fetched.
  func open() throws {
    try make()
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasSuffix(".reply") {
      try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
    }
  }

  /// Takes the waiting requests, oldest name first, and answers them; unreadable ones are answered with the reason.
  ///
  /// - Parameters:
  ///   - now: seconds since 1970.
  ///   - note: takes what the operator should know: requests that were dropped, answers that could not be written.
  func answerAll(
    _ carryOut: (SteeringCommand) throws -> SteeringReply, now: Double = Date().timeIntervalSince1970,
    note: (String) -> Void
  ) {
    // No folder, no requests.
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return }
    for name in names.sorted() {
      let file = folder.appendingPathComponent(name)
      if name.hasSuffix(".reply"), now - (Self.time(of: file) ?? now) > Self.replyPatience {
        // Tried again in a moment.
        try? FileManager.default.removeItem(at: file)
      }
      guard name.hasSuffix(".request") else { continue }
      answer(file, now: now, carryOut, note)
    }
  }

  private func answer(
    _ request: URL, now: Double, _ carryOut: (SteeringCommand) throws -> SteeringReply, _ note: (String) -> Void
  ) {
    let reason = Self.whyDropped(request, now: now)
    var result = Answer()
    var data = Data()
    do {
      let size = try FileManager.default.attributesOfItem(atPath: request.path)[.size] as? Int ?? 0
      guard size <= Self.limit else { throw StudyError(.invalidResult, "a request of \(size) bytes is too large") }
      data = try Data(contentsOf: request)
    } catch {
      result.error = (error as? StudyError)?.message ?? "the request can not be read: \(error)"
    }
    do {
      // Away before the deed: what cannot be removed would be done again with every look into the folder.
      try FileManager.default.removeItem(at: request)
    } catch {
      return note("a command is left undone, its file \(request.path) can not be removed: \(error)")
    }
    if let reason { return note("a command was not carried out: \(reason)") }
    if result.error == nil {
      do {
        result.reply = try carryOut(try JSONDecoder().decode(SteeringCommand.self, from: data))
      } catch {
        result.error = (error as? StudyError)?.message ?? "the request can not be read: \(error)"
        result.code = (error as? StudyError)?.code.description
      }
    }
    do {
      let answer = request.deletingPathExtension().appendingPathExtension("reply")
      try AtomicFile.write(JSONEncoder().encode(result), to: answer, isDurable: false)
    } catch {
      note(
        "the answer to a command could not be written (\(error)); the command was "
          + (result.error.map { "refused: \($0)" } ?? "carried out: \(result.reply?.message ?? "")"))
    }
  }

  /// Why a request is not carried out; nil where somebody waits for it.
  private static func whyDropped(_ request: URL, now: Double) -> String? {
    let parts = request.lastPathComponent.split(separator: ".")
    if parts.count == 3, let expiry = Double(parts[1]) {
      if now > expiry { return "its time was over \(Int(now - expiry)) s ago" }
      return SentRequest.isAbandoned(request) ? "who had sent it no longer waits for the answer" : nil
    }
    let age = now - (time(of: request) ?? now)
    return age > defaultPatience ? "it is \(Int(age)) s old" : nil
  }

  private static func time(of file: URL) -> Double? {
    // A file that is gone has no age.
    let date = try? FileManager.default.attributesOfItem(atPath: file.path)[.modificationDate] as? Date
    return date?.timeIntervalSince1970
  }
}

/// A request that its sender keeps locked while it waits: the kernel ends the lock with the process.
private final class SentRequest {
  private let url: URL
  private let descriptor: Int32

  init(_ data: Data, at url: URL) throws {
    self.url = url
    let partial = url.appendingPathExtension("partial")
    descriptor = open(partial.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    do {
      guard descriptor >= 0 else { throw FileError("cannot write", partial.path) }
      // Locked before it has its name: not with AtomicFile, whose descriptor ends with the renaming.
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw FileError("cannot lock", partial.path) }
      try data.withUnsafeBytes { try writeAll($0, to: descriptor, path: partial.path) }
      guard rename(partial.path, url.path) == 0 else { throw FileError("cannot rename to", url.path) }
    } catch {
      unlink(partial.path)
      throw StudyError(.inputOutput, "\(error)")
    }
  }

  deinit { close(descriptor) }

  /// Nobody is to carry it out any more.
  func withdraw() { unlink(url.path) }

  /// Whether the sender of a request is gone.
  static func isAbandoned(_ request: URL) -> Bool {
    let descriptor = open(request.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_SH | LOCK_NB) == 0
  }
}

/// Steers a study whether or not a coordinator is running it.
package struct StudyControl: Sendable {
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
  package init(
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
  package func carryOut(_ command: SteeringCommand) throws -> SteeringReply {
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
