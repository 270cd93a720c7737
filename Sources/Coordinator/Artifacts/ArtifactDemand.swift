import Study
import WireProtocol

/// Which artifacts a coordinator stores: those that accepted results name, up to the size that they state.
struct ArtifactDemand: Sendable {
  /// An artifact that a result names.
  private struct Entry {
    var bytes: Int64
    var isKept: Bool
  }

  /// What is to be done with a piece.
  enum Answer: Hashable, Sendable {
    /// Store it; the artifact has so many bytes.
    case store(Int64)
    /// Nothing is to be stored: acknowledge it with this verdict.
    case acknowledge(Acknowledgement.Verdict)
  }

  private var entries: [String: Entry] = [:]
  private var event = -1

  /// Digests of the artifacts that are wanted.
  var wanted: Set<String> { Set(entries.filter(\.value.isKept).keys) }

  /// Brings the demand up to date; costs nothing where the study has not changed.
  ///
  /// - Parameter keepsOnlyFront: whether artifacts of trials off the front are not wanted.
  mutating func update(_ state: StudyState, keepsOnlyFront: Bool) {
    guard event != state.header.lastEvent else { return }
    event = state.header.lastEvent
    entries = [:]
    let front = Set(state.front)
    for trial in state.trials {
      let isKept = trial.state == .completed && (!keepsOnlyFront || front.contains(trial.number))
      for attempt in trial.attempts {
        for artifact in attempt.result?.artifacts ?? [] {
          let known = entries[artifact.sha256]
          let counts = isKept && attempt.state == .succeeded
          entries[artifact.sha256] = Entry(bytes: artifact.bytes, isKept: counts || known?.isKept == true)
        }
      }
    }
  }

  /// What to do with a piece.
  func answer(_ chunk: ArtifactChunk) -> Answer {
    guard let entry = entries[chunk.sha256], Int64(chunk.totalBytes) == entry.bytes else {
      return .acknowledge(.conflict)
    }
    // A result that counts no more: its files are not needed, and nobody is to blame.
    return entry.isKept ? .store(entry.bytes) : .acknowledge(.superseded)
  }
}
