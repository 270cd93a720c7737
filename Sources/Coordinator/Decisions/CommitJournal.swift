import Study

/// What is known of the steps that were given to the store.
enum CommitJournal {
  /// Everything in memory is stored.
  case stored
  /// A commit failed, and whether its steps were stored after all is not known: nothing new is stored before that is.
  case uncertain([Transition])
  /// Events are being handled together: their steps are applied, and are stored at the end in one transaction.
  case gathering(CommitBatch)

  /// The batch that is being gathered.
  var batch: CommitBatch? {
    get { if case .gathering(let batch) = self { batch } else { nil } }
    _modify {
      var batch = self.batch
      // The only reference is the local one while it is changed: appending does not copy the steps.
      if batch != nil { self = .stored }
      yield &batch
      if let batch { self = .gathering(batch) }
    }
  }
}

/// The steps of events that are handled together.
struct CommitBatch {
  var steps: [Transition] = []
  /// Whether something in the batch rests on what was stored before it.
  var needsConfirmation = false
}

/// What became of a step.
enum CommitResult {
  case stored
  /// Not stored, or not known to be: nothing may follow from it. It may succeed later.
  case notStored
  /// It can never be stored.
  case impossible(StudyError)
}
