import ArgumentParser
import Console
import Coordinator
import Experiment
import Foundation
import Foundations
import Logging
import Processes
import Report
import Study
import StudyDatabase
import Transport
import Worker

struct SearchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "The main job on one machine: coordinator and workers, until the budget is spent.",
    discussion: """
      Continues an existing study by itself: completed trials are kept, interrupted ones run again. Interrupt it with \
      Ctrl-C, or kill it; the same command goes on. At the end: the Pareto front, the chosen memory beside the base and \
      instruction tuning alone, plots, and the adapter as a PEFT directory.
      """)

  @Argument(help: "The study's file, for example configs/quickstart.yaml.") var study: String
  @Option(
    help: """
      Worker processes on this machine; they share its cores, and each holds the base in memory (default: 1, with --gpus \
      one per GPU).
      """)
  var workers: Int?
  @Option(help: "cpu.") var device: String = "cpu"
  @Option(help: "Train on GPUs: all, or numbers such as 0,2; dealt out to the workers in turn.") var gpus: String?
  @Flag(help: "Start over: the study that is there is moved to runs/.deleted (asks first on a terminal).")
  var fresh = false
  @Flag(help: "With --fresh: do not ask.") var yes = false
  @Option(
    help: """
      How the winner is chosen from the front: quality (the best ROUGE-L), loss, knee (no objective far from its best), or an \
      objective's name (default: quality where rougeL is an objective, the only objective, else knee).
      """)
  var choose: String?
  @Flag(
    help: """
      Make every check of the start and print what would be done: data, a line and a prompt as they are learnt, what is \
      cut, sizes, memory, disk; nothing is made or run.
      """)
  var dryRun = false
  @OptionGroup var runs: RunsOptions

  func validate() throws {
    if gpus != nil, device != "cpu" { throw ValidationError("give either --gpus or --device") }
    if let workers, workers < 1 {
      throw ValidationError("--workers \(workers): a search needs at least 1 worker. Use one per GPU, or 2 on 2 cores")
    }
  }

  func run() async throws {
    if dryRun {
      let run = try DryRun(study: study, in: runs.folder, gpus: gpus, device: device)
      for block in try run.blocks() { Terminal.print(block) }
      return
    }
    let devices = try Devices.workers(gpus: gpus, device: device)
    Terminal.detachErrors()
    try DescriptorLimit.check("engram search")
    let progress = ProgressLine()
    let stopping = StopFlag()
    let signals = SignalWatch { _ in stopping.raise() }
    let configuration = try StudyConfiguration(contentsOf: URL(fileURLWithPath: study))
    let folder = runs.folder.new(configuration.name)
    do {
      try StartCheck.machine(configuration, file: URL(fileURLWithPath: study), devices: devices)
    } catch let error as EvaluationError {
      // The same status as when the program goes away in mid-study.
      throw CommandError(.unexpected, "no worker can work: \(error)")
    }
    if let warning = folder.warning { progress.log("warning: \(warning)") }
    let prepared: PreparedStudy
    do {
      prepared = try PreparedStudy.prepare(
        path: study, step: { progress.show($0) }, isCancelled: { signals.isRaised })
    } catch is TrialCancelledError {
      throw ExitCode(ExitStatus.interrupted.rawValue)
    }
    let choice = choose.map { StudySummary.Choice($0) }
    if let problem = choice?.problem(prepared.objectives) {
      throw CommandError(.usage, "--choose \(choose ?? ""): \(problem)")
    }
    if fresh, folder.exists {
      try runs.folder.moveAside(
        folder, isConfirmed: yes,
        why: "Start '\(configuration.name)' over? The old study is kept aside.")
    }
    let finished = try await search(prepared, folder, devices, progress, stopping)
    guard !signals.isRaised else {
      progress.log("interrupted; the same command goes on")
      throw ExitCode(ExitStatus.interrupted.rawValue)
    }
    try SearchConclusion(
      prepared, folder: folder, studyPath: study, choice: choice, device: devices[0].device, progress: progress
    )
    .present(reason: finished, isCancelled: { signals.isRaised }, say: Terminal.print)
  }

  /// Runs coordinator and workers until the study has ended or a signal comes; returns why it ended.
  private func search(
    _ prepared: PreparedStudy, _ folder: StudyFolder, _ devices: [GPUDevice], _ progress: ProgressLine,
    _ stopping: StopFlag
  ) async throws -> StopReason? {
    let endpoint = try Endpoint.local(studyFolder: folder.url)
    let store = try prepared.openStore(folder)
    let transport = try ZeroMQServer(bind: endpoint)
    let logger = StudyLogHandler.logger { progress.log($0) }
    let cores = ProcessInfo.processInfo.activeProcessorCount
    let server = try StudyServer(
      prepared, store: store, transport: transport, ownsWorkers: true, threads: 1, logger: logger)
    let display = StudyDisplay(server, progress: progress)
    await display.announce()
    let state = await server.runner.state
    if let reason = state.header.stopReason, reason == .budget, state.openCount == 0 {
      progress.log("nothing left to do: the budget of \(state.header.budget) trials is spent")
    }
    let workers = workers ?? devices.count
    let launch = LocalWorkers.Launch(
      study: prepared.file, endpoint: "\(endpoint)", folder: folder.url, threads: max(1, cores / workers),
      devices: devices)
    let processes = LocalWorkers(launch, count: workers) { progress.log(PrintableText.line($0)) }
    stopping.onRaise { Task { await server.runner.stop() } }
    if state.header.stopReason == nil || state.finishedCount < state.header.budget {
      processes.start { Task { await server.runner.stop() } }
    }
    async let shown: Void = display.follow()
    let summary: StudyRunner.Summary
    do {
      summary = try await server.runner.run()
    } catch {
      await processes.stop()
      throw error
    }
    await processes.stop()
    _ = await shown
    transport.close()
    for text in LeftFiles.take(folder, await server.runner.state, keep: prepared.configuration.artifacts.keep) {
      progress.log(text)
    }
    try server.store.close()
    // Whoever interrupts the search signals its workers as well: that they left is no failure then.
    if let failure = processes.failure, !stopping.isRaised {
      throw CommandError(.unexpected, "no worker can work: \(failure)")
    }
    return summary.stopReason
  }
}
