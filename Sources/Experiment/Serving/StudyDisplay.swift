import BayesianOptimization
import Coordinator
import Foundation
import Foundations
import Report
import Study
import StudyDatabase
import Synchronization

/// What a running study shows: a line for every trial that ends, and a bar (or plain lines) of progress.
package final class StudyDisplay: Sendable {
  private let server: StudyServer
  private let progress: any ProgressDisplay
  private let lastEvent = Mutex(0)

  package init(_ server: StudyServer, progress: any ProgressDisplay) {
    self.server = server
    self.progress = progress
  }

  /// Says what was found in the study's folder.
  package func announce() async {
    let found = server.runner.found
    if found.isNew {
      progress.log("a new study: \(server.store.folder.url.path)")
    } else {
      var parts = ["\(found.finished) trials finished"]
      if found.interrupted > 0 { parts.append("\(found.interrupted) interrupted (will run again)") }
      if found.queued > 0 { parts.append("\(found.queued) waiting") }
      progress.log("going on with \(server.store.folder.url.path): \(parts.joined(separator: ", "))")
    }
    let header = await server.runner.state.header
    let name = await server.runner.state.definition.name
    if header.isPaused { progress.log("the study is paused; to begin trials again: engram study resume \(name)") }
    switch header.stopReason {
    case .failing?:
      progress.log("too many trials had failed in a row; after repair: engram trial retry --failed --study \(name)")
    case .converged?: progress.log("its hypervolume had stopped growing; to go on: engram study resume \(name)")
    default: break
    }
    if !header.quarantined.isEmpty {
      let workers = header.quarantined.sorted().joined(separator: ", ")
      progress.log("out of service after failures: \(workers); after repair: engram worker reinstate NAME")
    }
  }

  /// Follows the study until its run is over.
  package func follow() async {
    let state = await server.runner.state
    lastEvent.withLock { $0 = state.header.lastEvent }
    for await snapshot in server.runner.progress {
      await logEnded()
      progress.update(done: Double(snapshot.finished), total: Double(snapshot.budget), text: Self.line(snapshot))
    }
    await logEnded()
    progress.finish()
  }

  private func logEnded() async {
    let state = await server.runner.state
    let seen = lastEvent.withLock { last -> Int in
      defer { last = state.header.lastEvent }
      return last
    }
    let ended = state.trials.filter { ($0.endedEvent ?? 0) > seen }.sorted {
      ($0.endedEvent ?? 0) < ($1.endedEvent ?? 0)
    }
    for trial in ended {
      let line = TrialText.line(trial, objectives: state.definition.objectives, front: state.front)
      progress.log(PrintableText.line(line))
    }
  }

  /// How far the running trials are, where they say so: a long first trial must not look like nothing.
  private static func progress(_ running: [ProgressSnapshot.Running]) -> String {
    let told = running.filter { $0.total > 0 }
    guard !told.isEmpty else { return "" }
    let texts = told.prefix(4).map { trial in
      // As floating point: steps are a worker's numbers and may be any.
      let percent = "\(Int(min(max(Double(trial.step) / Double(trial.total), 0), 1) * 100)) %"
      return told.count == 1 && !trial.phase.isEmpty ? "\(trial.phase) \(percent)" : percent
    }
    return " (\(texts.joined(separator: ", "))\(told.count > 4 ? ", …" : ""))"
  }

  /// How far the study is.
  private static func line(_ snapshot: ProgressSnapshot) -> String {
    var parts = [
      "\(snapshot.finished)/\(snapshot.budget) done", "\(snapshot.running.count) running\(progress(snapshot.running))",
    ]
    let failed = [TrialState.failed, .diverged, .infeasible].reduce(0) { $0 + (snapshot.counts[$1] ?? 0) }
    if failed > 0 { parts.append("\(failed) failed") }
    if snapshot.isPaused { parts.append("paused") }
    parts.append("front \(snapshot.front.count)")
    if let hypervolume = snapshot.hypervolume { parts.append("hypervolume \(PlotNumber.short(hypervolume))") }
    if let left = snapshot.remainingSeconds { parts.append("\(TimeText.of(left)) left") }
    if snapshot.workers == 0 { parts.append("waiting for workers") }
    if let trouble = snapshot.trouble { parts.append("cannot store: \(trouble)") }
    return parts.joined(separator: " · ")
  }
}
