import BayesianOptimization

extension StudyRecord {
  /// Largest number, event, token or count that a record may hold: arithmetic with it cannot overflow, and every program
  /// that reads the text gets it exactly.
  package static let largestNumber = 1 << 53

  /// What cannot be true in this record, in words; nil where everything may be.
  ///
  /// For records that come from a file: somebody may have edited it, or a bit may have changed.
  package var implausibility: String? {
    let numbers = [
      ("budget", header.budget), ("lastEvent", header.lastEvent), ("nextToken", header.nextToken),
      ("nextProposal", header.nextProposal), ("epoch", header.epoch),
    ]
    for (name, value) in numbers where !(0...Self.largestNumber).contains(value) {
      return "the header's \(name), \(value), is no number that a study can have"
    }
    for trial in trials {
      if let problem = implausibility(of: trial) { return "trial \(trial.number): \(problem)" }
    }
    return nil
  }

  private func implausibility(of trial: Trial) -> String? {
    let provenance = trial.provenance
    if let bytes = trial.needsMoreThanBytes, !(0...Int64(Self.largestNumber)).contains(Int64(bytes)) {
      return "\(bytes) bytes of memory is no amount that a device can have"
    }
    if !(0...Self.largestNumber).contains(trial.forgivenAttempts) {
      return "\(trial.forgivenAttempts) forgiven attempts cannot be"
    }
    if let index = provenance.proposalIndex, !(0..<max(1, header.nextProposal)).contains(index) {
      return "it is proposal \(index), the header says that \(header.nextProposal) comes next"
    }
    // A fork keeps what its source knew: those numbers are not of this study.
    guard provenance.origin == nil else { return nil }
    if let other = (provenance.pending + [provenance.warmStartFrom].compactMap(\.self)).first(where: {
      !trials.indices.contains($0)
    }) {
      return "its proposal counted on trial \(other), which does not exist"
    }
    if !(-1...header.lastEvent).contains(provenance.eventNumber) {
      return "it was proposed after event \(provenance.eventNumber), the last one is \(header.lastEvent)"
    }
    for attempt in trial.attempts where !(0..<max(1, header.nextToken)).contains(attempt.token.rawValue) {
      return "attempt \(attempt.token): the header says that \(header.nextToken) comes next"
    }
    return nil
  }
}
