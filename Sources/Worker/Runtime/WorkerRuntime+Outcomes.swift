import Foundation
import LanguageModel
import Processes
import Study
import WireProtocol

/// Outcomes of trials, their files and their folders.
extension WorkerRuntime {
  func finish(_ token: AttemptToken, _ outcome: TrainerSupervisor.Outcome) {
    let trial = trials.removeValue(forKey: token)
    var submission = submission(token, outcome)
    // What the coordinator would refuse for its form is never sent: it would be sent again for ever.
    if let problem = codec.problem(submission) {
      submission = .failure(FailureReport(attempt: token, started: true, record: unsendable(problem)))
    }
    switch (submission, outcome) {
    case (.result, .result(let result, let files)):
      for text in result.notes { note(.warning("trial \(trial ?? -1): \(text)")) }
      save { try open.add(token, OpenResults.Entry(trial: trial ?? -1, files: files)) }
      // Before the outcome is handed over: a draining worker must not leave between acknowledgement and upload.
      if !files.isEmpty { setUploading(true) }
      note(.info("trial \(trial ?? -1) is finished"))
    case (.failure(let report), _):
      let record = report.record
      note(.warning("trial \(trial ?? -1) failed (\(record.failureClass)): \(record.message)"))
    case (.released(let report), _):
      note(.info("trial \(trial ?? -1) was given back: \(report.reason.rawValue)"))
    case (.result, _): break
    }
    finish(submission)
  }

  private func submission(_ token: AttemptToken, _ outcome: TrainerSupervisor.Outcome) -> Submission {
    switch outcome {
    case .result(let evaluated, let files):
      var result = evaluated.measured
      result.artifacts = files.map(\.reference)
      return .result(ResultReport(attempt: token, result: result))
    case .failure(let started, let record):
      return .failure(FailureReport(attempt: token, started: started, record: record))
    case .released(let reason, let step):
      return .released(ReleaseReport(attempt: token, reason: reason, checkpointStep: step))
    }
  }

  private func unsendable(_ problem: WireError) -> FailureRecord {
    FailureRecord(
      failureClass: .bug, message: "the outcome cannot be sent: \(problem.location): \(problem.message)",
      host: settings.hello.host, device: settings.hello.device,
      deviceBytes: settings.hello.capabilities.memoryBytes,
      nextStep: "let the evaluator give fewer or shorter values"
    ).clippedForWire()
  }

  // MARK: Files

  /// What an earlier process of this worker has left behind: processes, files of acknowledged results, old folders.
  func clearLeftovers() {
    let family = ProcessFamily(mark: mark)
    let orphans = family.members()
    if !orphans.isEmpty {
      let left = family.end()
      note(.info("\(orphans.count) process(es) of an earlier run of this worker were ended"))
      for entry in left {
        note(.warning("process \(entry.pid) (\(entry.name)) hangs in the kernel and could not be ended"))
      }
    }
    let retained = Set(file.retained.map(\.attempt))
    for (token, entry) in open.entries where !retained.contains(token) {
      // Acknowledged, but its files were not yet on their way.
      if !entry.files.isEmpty { save { try uploads.add(entry.files) } }
      save { try open.remove(token) }
      finishedTrials.insert(entry.trial)
    }
    let kept = Set(open.entries.values.map(\.trial) + uploads.files.compactMap { scratch.trial(of: $0.url) })
    finishedTrials.formUnion(kept)
    let life: Double = settings.scratchLife / Duration.seconds(1)
    let removed = scratch.removeUntouched(since: Date().addingTimeInterval(-life), except: kept)
    if removed > 0 {
      note(.info("\(removed) scratch folder(s) of trials that nobody has touched for long were removed"))
    }
    if !uploads.isEmpty {
      note(.info("\(uploads.files.count) artifact(s) of an earlier run wait to be sent"))
    } else if open.holdsNoFiles {
      removeFinishedFolders()
    }
  }

  /// The outcome is settled: its files may go, if it counts.
  func acknowledged(_ token: AttemptToken, _ verdict: Acknowledgement.Verdict) {
    if let entry = open.entries[token] {
      let counts = verdict == .accepted || verdict == .duplicate
      if counts, !entry.files.isEmpty { save { try uploads.add(entry.files) } }
      save { try open.remove(token) }
      finishedTrials.insert(entry.trial)
    }
    if uploads.isEmpty { uploadsAreDone() } else { upload() }
  }

  /// Nothing waits any more: the scratch folders of finished trials may go, and so may a draining worker.
  private func uploadsAreDone() {
    guard open.holdsNoFiles else { return }
    removeFinishedFolders()
    setUploading(false)
  }

  private func removeFinishedFolders() {
    let unsettled = Set(open.entries.values.map(\.trial))
    for trial in finishedTrials.subtracting(unsettled) { scratch.remove(trial) }
    finishedTrials = unsettled
  }

  /// Everything here belongs to a study that was started over.
  func forgetFiles() {
    save { try uploads.removeAll() }
    save { try open.removeAll() }
    finishedTrials = []
    scratch.removeAll()
  }

  func upload() {
    guard session.isConnected, !uploads.isEmpty else { return }
    if session.phase == .draining, uploads.attempts > 3 {
      // The coordinator is gone or does not want them; the files stay where they are.
      note(.warning("leaving with artifacts that were not taken; they lie under \(settings.stateFolder.path)/trials"))
      setUploading(false)
      return
    }
    do {
      if let chunk = try uploads.due(now: now) { send(session.upload(chunk)) }
    } catch {
      note(.warning("an artifact could not be read: \(FileProblem.storage(error) ?? "\(error)")"))
    }
  }

  func uploaded(_ digest: String, _ offset: Int, _ verdict: Acknowledgement.Verdict) {
    save {
      guard let done = try uploads.acknowledged(sha256: digest, offset: offset, verdict) else { return }
      if done.isRefused {
        note(
          .warning(
            "the coordinator did not take \(done.artifact.reference.name); it stays at \(done.artifact.url.path)"))
      } else {
        // One that stays goes with its trial's folder.
        try? FileManager.default.removeItem(at: done.artifact.url)
      }
    }
    if uploads.isEmpty { uploadsAreDone() } else { upload() }
  }

  func save(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      // The outcome stays in memory and is sent all the same: only a death of this process would lose it.
      note(.warning("the worker's state is not on disk yet: \(FileProblem.storage(error) ?? "\(error)")"))
    }
  }
}

extension MessageCodec {
  /// Why the coordinator would refuse a message for its form; nil where it would not.
  ///
  /// Asked of the one reader that there is, so that both sides always agree.
  func problem(_ message: Message) -> WireError? {
    do throws(WireError) {
      _ = try decode(encode(Envelope(id: 1 << 53, message: message)), from: .worker)
      return nil
    } catch {
      return error
    }
  }

  func problem(_ submission: Submission) -> WireError? { problem(submission.message) }
}
