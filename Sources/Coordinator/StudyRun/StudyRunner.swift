import BayesianOptimization
import Foundation
import Logging
import Study
import StudyDatabase
import Transport
import WireProtocol

/// Runs one study: the shell around ``CoordinatorCore`` that owns clock, transport, store and the sampler's task.
///
/// Proposals are computed on a thread of their own, so that heartbeats and results are never kept waiting.
package actor StudyRunner {
  /// How a run ended.
  package struct Summary: Sendable, Hashable {
    /// Why the study has ended; nil if the run was stopped from outside.
    package var stopReason: StopReason?
    /// Finished search trials, and the budget.
    package var finished: Int
    package var budget: Int
    /// What was found at the start, for the first line on the screen.
    package var found: Found
  }

  /// What a run found when it opened the study.
  package typealias Found = CoordinatorCore.Found

  /// What was found when the study was opened.
  package nonisolated let found: Found
  /// Snapshots for progress displays, at most five per second, the newest only; ends with the run.
  package nonisolated let progress: AsyncStream<ProgressSnapshot>

  private(set) var core: CoordinatorCore
  private let store: any StudyStore
  private let proposals: ProposalThread
  private let transport: any ServerTransport
  let artifacts: ArtifactStore?
  let keepsOnlyFront: Bool
  var demand = ArtifactDemand()
  private let mailbox: ControlMailbox?
  let logger: Logger
  private let codec = MessageCodec()
  private let snapshots: AsyncStream<ProgressSnapshot>.Continuation
  private let clock = ContinuousClock()
  private let origin: ContinuousClock.Instant
  private let tick: Duration
  private var stopRequested = false
  private var stopReason: StopReason?
  private var failure: StudyError?
  private var isOver = false
  /// Nothing is taken any more: the run has returned.
  private var isClosed = false
  private var waiter: CheckedContinuation<Void, Never>?
  /// Resumed when no worker is left.
  private var allGone: CheckedContinuation<Void, Never>?
  /// What has happened and waits for its turn, together.
  private var waiting: [CoordinatorCore.Event] = []
  var lastFront: [Int] = []
  private var lastSnapshot: ContinuousClock.Instant?
  private var lastRoster: ContinuousClock.Instant?
  /// Why the roster could not be written; said once.
  private var rosterProblem: String?

  /// Opens the study.
  ///
  /// - Parameters:
  ///   - settings: how to run it.
  ///   - store: its home; for a real study a ``SQLiteStudyStore``.
  ///   - sampler: proposes configurations; called outside the actor, one proposal at a time.
  ///   - policy: retries, convergence, hypervolume.
  ///   - key: canonical key of a configuration.
  ///   - transport: the workers' door, already open.
  ///   - artifacts: folder for what workers send; nil refuses artifacts.
  ///   - artifactLimit: bytes that the artifacts may take together; default 64 GiB.
  ///   - keepsOnlyFront: whether artifacts of trials that leave the front are removed.
  ///   - mailbox: where commands to the running study are left; by default in the folder of a ``SQLiteStudyStore``.
  /// - Throws: what the store throws.
  package init(
    settings: CoordinatorSettings, store: any StudyStore, sampler: any Sampler, policy: StudyPolicy,
    key: @escaping @Sendable (BayesianOptimization.Configuration) -> String, transport: any ServerTransport,
    artifacts: URL? = nil, artifactLimit: Int? = nil, keepsOnlyFront: Bool = true, mailbox: ControlMailbox? = nil,
    logger: Logger = Logger(label: "engram.coordinator")
  ) throws {
    self.store = store
    proposals = ProposalThread(sampler, limit: Self.batchLimit)
    self.transport = transport
    self.artifacts = artifacts.map {
      ArtifactStore(folder: $0, limit: artifactLimit ?? ArtifactStore.standardLimit)
    }
    self.keepsOnlyFront = keepsOnlyFront
    // A real study can always be steered through its folder.
    self.mailbox = mailbox ?? (store as? SQLiteStudyStore).map { ControlMailbox($0.folder) }
    self.logger = logger
    origin = clock.now
    tick = min(.seconds(1), settings.heartbeat)
    core = try CoordinatorCore(
      settings: settings, store: CoordinatorSeams.current.store(store), policy: policy, sessionName: UUID().uuidString,
      key: key,
      now: .zero, wallTime: Date().timeIntervalSince1970)
    found = core.found
    (progress, snapshots) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Runs until the study has ended, ``stop()`` is called or the task is cancelled; workers are asked to leave first.
  ///
  /// - Throws: ``StudyError`` when the store is beyond use.
  package func run() async throws -> Summary {
    if let mailbox {
      do { try mailbox.open() } catch { logger.warning("commands cannot be taken: \(error)") }
    }
    perform(core.begin())
    sweepArtifacts(keepsWanted: true)
    let messages = Task { [weak self, transport] in
      while let batch = await transport.events.nextBatch(limit: Self.batchLimit) { await self?.take(batch) }
    }
    let answers = Task { [weak self, proposals] in
      for await answer in proposals.answers { await self?.take(answer) }
    }
    // The database's file and the folder of commands are looked at: nothing tells of their changes on every file system.
    let ticks = Task { [weak self, tick] in
      while await self?.passTime() != nil {
        do { try await Task.sleep(for: tick) } catch { return }
      }
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if isOver { continuation.resume() } else { waiter = continuation }
      }
    } onCancel: {
      Task { await self.stop() }
    }
    await drain()
    ticks.cancel()
    messages.cancel()
    proposals.stop()
    answers.cancel()
    publish(always: true)
    isClosed = true
    mailbox?.withdrawRoster()
    // The workers of a study that has ended are gone: nobody goes on with what they had begun to send.
    sweepArtifacts(keepsWanted: stopReason == nil)
    await artifacts?.finish()
    snapshots.finish()
    if let failure { throw failure }
    return Summary(
      stopReason: stopReason, finished: core.state.finishedCount, budget: core.state.header.budget, found: found)
  }

  /// Ends the run: running trials are given back and run again next time; everything committed stays.
  package func stop() {
    guard !stopRequested else { return }
    stopRequested = true
    step(.drain(immediately: true, reason: "the coordinator is stopping"))
    end()
  }

  /// Carries out a command.
  ///
  /// - Throws: ``StudyError`` if it can not be carried out.
  package func steer(_ command: SteeringCommand) throws -> SteeringReply {
    handleWaiting()
    let answer = try core.steer(command, now: clock.now - origin, wallTime: Date().timeIntervalSince1970)
    perform(answer.actions)
    return answer.reply
  }

  /// The study as committed.
  package var state: StudyState { core.state }

  // MARK: - Events and actions

  /// The most messages that share one wait for the disk: enough for a cluster that comes back at once, few enough that
  /// the first of them is not kept waiting for the last.
  private static let batchLimit = 256

  private func take(_ batch: [ServerEvent]) {
    for event in batch {
      switch event {
      case .message(let peer, let frames):
        do throws(WireError) {
          waiting.append(.received(peer, try codec.decode(frames, from: .worker)))
        } catch {
          waiting.append(.malformed(peer, error))
        }
      case .undeliverable(let peer): waiting.append(.undeliverable(peer))
      case .turnedAway(let key, let address, let count):
        logger.warning("turned away \(count) connection(s) from \(address): key \(key) is not authorised")
      case .keyRevoked(let identity, let names):
        logger.warning("key \(identity.fingerprint) (\(names.joined(separator: ", "))) is no longer admitted")
        waiting.append(.revoked(identity))
      case .notice(let notice): logger.warning("\(notice)")
      }
    }
    handleWaiting()
  }

  private func passTime() {
    watchStore()
    step(.clock)
    mailbox?.answerAll({ try steer($0) }, note: { logger.warning("\($0)") })
    publishRoster()
  }

  /// Who works now, for other processes to read.
  private func publishRoster() {
    guard let mailbox else { return }
    let now = clock.now
    if let last = lastRoster, now - last < .seconds(WorkerRoster.interval) { return }
    lastRoster = now
    do {
      try mailbox.publish(WorkerRoster(core.workers.values, time: Date().timeIntervalSince1970))
      rosterProblem = nil
    } catch {
      let text = "the list of workers cannot be written (\(error)); engram worker list does not show who is connected"
      if rosterProblem != text { logger.warning("\(text)") }
      rosterProblem = text
    }
  }

  func step(_ event: CoordinatorCore.Event) {
    waiting.append(event)
    handleWaiting()
  }

  /// Handles what waits, with one commit for all of it.
  private func handleWaiting() {
    guard !waiting.isEmpty else { return }
    let events = waiting
    waiting = []
    guard failure == nil, !isClosed else { return }
    perform(core.handle(events, now: clock.now - origin, wallTime: Date().timeIntervalSince1970))
  }

  private func perform(_ actions: [CoordinatorCore.Action]) {
    for action in actions {
      switch action {
      case .send(let peer, let envelope): transport.send(codec.encode(envelope), to: peer)
      case .disconnect(let peer): transport.disconnect(peer)
      case .propose(let task): proposals.propose(task)
      case .store(let peer, let id, let chunk): store(chunk, id: id, peer)
      case .note(let note): log(note)
      case .finished(let reason):
        stopReason = reason
        end()
      case .fatal(let error):
        logger.error("\(error.message)")
        failure = error
        end()
      }
    }
    publish(always: false)
    if core.workers.isEmpty { resume(&allGone) }
  }

  /// Proposals wait for the messages that are here already, so that they share a commit.
  private func take(_ answers: ProposalThread.Answers) async {
    waiting += answers.map { .proposed($0.task, $0.outcome) }
    await Task.yield()
    handleWaiting()
  }

  private func log(_ note: CoordinatorCore.Note) {
    switch note.level {
    case .debug: logger.debug("\(note.text)")
    case .info: logger.info("\(note.text)")
    case .warning: logger.warning("\(note.text)")
    }
  }

  /// Also an idle coordinator notices within a heartbeat that its study is gone.
  private func watchStore() {
    guard failure == nil, let store = store as? SQLiteStudyStore else { return }
    do {
      try store.checkPresence()
    } catch let error as StudyError where error.code == .vanished {
      perform([.fatal(error)])
    } catch {
      // Not known now: the next step asks again.
    }
  }

  private func publish(always: Bool) {
    if core.state.front != lastFront { clearArtifacts() }
    let now = clock.now
    if !always, let last = lastSnapshot, now - last < .milliseconds(200) { return }
    lastSnapshot = now
    snapshots.yield(ProgressSnapshot(core, finishedAtStart: found.finished))
  }

  private func end() {
    guard !isOver else { return }
    isOver = true
    resume(&waiter)
  }

  private func resume(_ waiter: inout CheckedContinuation<Void, Never>?) {
    waiter?.resume()
    waiter = nil
  }

  /// Waits until the workers have left, at most `drainTime`.
  private func drain() async {
    guard failure == nil, !core.workers.isEmpty else { return }
    let limit = Task { [clock, time = core.settings.drainTime] in
      // Cancelled when they have left before.
      do { try await clock.sleep(for: time) } catch { return }
      endOfDrain()
    }
    await withCheckedContinuation { allGone = $0 }
    limit.cancel()
  }

  private func endOfDrain() { resume(&allGone) }
}
