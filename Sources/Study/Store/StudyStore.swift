import BayesianOptimization
import Foundation

/// Everything a store holds about a study, besides events, reports and warm starts (which are read on demand).
public struct StudyRecord: Hashable, Sendable {
  /// What never changes.
  public var definition: StudyDefinition
  /// What changes besides the trials.
  public var header: StudyHeader
  /// All trials, by number.
  public var trials: [Trial]

  public init(definition: StudyDefinition, header: StudyHeader, trials: [Trial] = []) {
    self.definition = definition
    self.header = header
    self.trials = trials
  }
}

/// One step of the study, computed by ``StudyState`` and committed as one transaction.
public struct Transition: Hashable, Sendable {
  /// New events; the first has the number after the last stored one.
  public var events: [StudyEvent]
  /// The header after the step.
  public var header: StudyHeader
  /// New and changed trials, complete with their attempts, after the step.
  public var trials: [Trial]
  /// Tokens of the attempts among them that are new or changed.
  public var changedAttempts: Set<AttemptToken>
  /// Intermediate reports to add.
  public var reports: [IntermediateReport]
  /// Warm-start state to keep, by trial number.
  public var warmStarts: [Int: Data]

  public init(
    events: [StudyEvent], header: StudyHeader, trials: [Trial] = [], changedAttempts: Set<AttemptToken> = [],
    reports: [IntermediateReport] = [], warmStarts: [Int: Data] = [:]
  ) {
    self.events = events
    self.header = header
    self.trials = trials
    self.changedAttempts = changedAttempts
    self.reports = reports
    self.warmStarts = warmStarts
  }

  /// Nothing to commit.
  public var isEmpty: Bool { events.isEmpty && reports.isEmpty }
}

/// What a store holds last, and whose it is: the number alone cannot tell one coordinator's commit from another's.
public struct CommitMark: Hashable, Sendable {
  /// Number of the last stored event; 0 for a study without events.
  public var event: Int
  /// Epoch of the stored header.
  public var epoch: Int
  /// The coordinator process that opened the study in that epoch; nil in studies of older versions.
  public var writer: String?

  public init(event: Int, epoch: Int, writer: String?) {
    self.event = event
    self.epoch = epoch
    self.writer = writer
  }

  /// The mark of a header that is stored with its events.
  public init(_ header: StudyHeader) { self.init(event: header.lastEvent, epoch: header.epoch, writer: header.writer) }

  /// Whether the same coordinator process wrote both.
  public func hasWriter(of other: CommitMark) -> Bool { epoch == other.epoch && writer == other.writer }
}

/// What observers of a study may do: read, at any time, without ever hurting the writer.
///
/// Every method returns one consistent state; two calls may see different ones.
public protocol StudyReader: Sendable {
  /// Definition, header and all trials with their attempts.
  func load() throws -> StudyRecord
  /// The events with numbers above `number`, ascending, at most `limit`.
  func events(after number: Int, limit: Int) throws -> [StudyEvent]
  /// The intermediate reports of a trial: by attempt, then by step.
  func reports(trial: Int) throws -> [IntermediateReport]
  /// The warm-start state that was committed with a trial's proposal, or nil.
  func warmStart(trial: Int) throws -> Data?
}

/// The durable home of one study.
///
/// The contract, checked by ``StudyStoreContract`` on every implementation:
///
/// - *One writer.* A store is opened for writing by one coordinator at a time; a second one is refused.
/// - *Atomic.* `commit` stores all of what it is given or nothing of it.
/// - *Durable.* When `commit` has returned, the transition survives the death of the process and loss of power.
/// - *Ordered.* Event numbers are gapless from 1. A transition whose first event does not follow the last stored one
///   is refused with `sequenceConflict` and changes nothing, so a step is never applied twice and never on top of a
///   state it was not computed from.
/// - *May have happened.* When `commit` throws, the caller does not know whether the transition was stored; it asks
///   ``StudyStore/mark()`` and finds out.
/// - *Fenced.* Inside the transaction the stored header must name the coordinator process that the transition comes from
///   (epoch and writer); only a transition that opens the study, with the next epoch, takes over. So a coordinator that
///   was replaced cannot write any more, whatever became of the lock.
/// - *Guarded.* Trial numbers are gapless from 0, no two trials share a key, no trial has two live attempts, tokens
///   are unique. A transition that breaks one of these is refused and changes nothing.
/// - *Exact.* Everything comes back as it was stored, every finite number bit by bit.
public protocol StudyStore: StudyReader {
  /// Stores transitions in one transaction, in order: all of them or none.
  ///
  /// Each follows from the one before it. One transaction for many steps costs one wait for the disk.
  func commit(_ transitions: [Transition]) throws
  /// The number of the last stored event; 0 for a study without events.
  func lastEventNumber() throws -> Int
  /// What is stored last and by whom, read from the store itself.
  func mark() throws -> CommitMark
}

extension StudyStore {
  /// From the record as a whole; stores have a quicker way.
  public func mark() throws -> CommitMark {
    var mark = CommitMark(try load().header)
    mark.event = try lastEventNumber()
    return mark
  }

  /// Stores one transition in one transaction.
  public func commit(_ transition: Transition) throws { try commit([transition]) }
}
