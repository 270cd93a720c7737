import BayesianOptimization
import Foundation

/// Everything a store holds about a study, besides events, reports and warm starts (which are read on demand).
package struct StudyRecord: Hashable, Sendable {
  /// What never changes.
  package var definition: StudyDefinition
  /// What changes besides the trials.
  package var header: StudyHeader
  /// All trials, by number.
  package var trials: [Trial]

  package init(definition: StudyDefinition, header: StudyHeader, trials: [Trial] = []) {
    self.definition = definition
    self.header = header
    self.trials = trials
  }
}

/// One step of the study, computed by ``StudyState`` and committed as one transaction.
package struct Transition: Hashable, Sendable {
  /// New events; the first has the number after the last stored one.
  package var events: [StudyEvent]
  /// The header after the step.
  package var header: StudyHeader
  /// New and changed trials, complete with their attempts, after the step.
  package var trials: [Trial]
  /// Tokens of the attempts among them that are new or changed.
  package var changedAttempts: Set<AttemptToken>
  /// Intermediate reports to add.
  package var reports: [IntermediateReport]
  /// Warm-start state to keep, by trial number.
  package var warmStarts: [Int: Data]

  package init(
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
  package var isEmpty: Bool { events.isEmpty && reports.isEmpty }
}

/// What a store holds last, and whose it is: the number alone cannot tell one coordinator's commit from another's.
package struct CommitMark: Hashable, Sendable {
  /// Number of the last stored event; 0 for a study without events.
  package var event: Int
  /// Epoch of the stored header.
  package var epoch: Int
  /// The coordinator process that opened the study in that epoch; nil in studies of older versions.
  package var writer: String?

  package init(event: Int, epoch: Int, writer: String?) {
    self.event = event
    self.epoch = epoch
    self.writer = writer
  }

  /// The mark of a header that is stored with its events.
  package init(_ header: StudyHeader) { self.init(event: header.lastEvent, epoch: header.epoch, writer: header.writer) }

  /// Whether the same coordinator process wrote both.
  package func hasWriter(of other: CommitMark) -> Bool { epoch == other.epoch && writer == other.writer }
}

/// What observers of a study may do: read, at any time, without ever hurting the writer.
///
/// Every method returns one consistent state; two calls may see different ones.
package protocol StudyReader: Sendable {
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
package protocol StudyStore: StudyReader {
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
  package func mark() throws -> CommitMark {
    var mark = CommitMark(try load().header)
    mark.event = try lastEventNumber()
    return mark
  }

  /// Stores one transition in one transaction.
  package func commit(_ transition: Transition) throws { try commit([transition]) }
}
