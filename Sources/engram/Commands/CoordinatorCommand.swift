import ArgumentParser
import Console
import Coordinator
import Experiment
import Foundation
import Logging
import Processes
import Report
import Study
import StudyDatabase
import Transport

struct CoordinatorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator", abstract: "Own a study: propose, hand out trials, keep results. Workers connect to it.",
    discussion: """
      Without --bind it listens on a socket file of this user (the address is printed). Every TCP bind needs CURVE keys: \
      engram keys generate server, then engram keys authorize for each worker. Stop it with Ctrl-C; the same command goes \
      on where it ended.
      """)

  @Argument(help: "The study's file.") var study: String
  @Option(help: "tcp://HOST:PORT or ipc://PATH (default: a socket file of this user).") var bind: String?
  @Option(help: "Folder of keys (default: ~/.config/engram/keys); needed for TCP.") var keys: String?
  @Option(help: "Threads of the search (default: all cores).") var threads: Int?
  @OptionGroup var runs: RunsOptions

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
  }

  func run() async throws {
    Terminal.detachErrors()
    try DescriptorLimit.check("engram coordinator")
    let progress = ProgressLine()
    let prepared = try PreparedStudy.prepare(path: study, threads: threads) { step in
      progress.show(step)
    }
    let folder = runs.folder.new(prepared.configuration.name)
    if let warning = folder.warning { Terminal.printError("warning: \(warning)") }
    let endpoint = try bind.map { try Endpoint($0) } ?? Endpoint.local(studyFolder: folder.url)
    let security = try ZeroMQServer.Security(for: endpoint, keys: keys)
    let store = try prepared.openStore(folder)
    let transport = CoordinatorSeams.current.transport(try ZeroMQServer(bind: endpoint, security: security))
    let logger = StudyLogHandler.logger(level: .info) { Terminal.printError($0) }
    let server = try StudyServer(
      prepared, store: store, transport: transport, ownsWorkers: false,
      threads: threads ?? ProcessInfo.processInfo.activeProcessorCount, logger: logger)
    // The port that was chosen, where the bind leaves the choice (port 0).
    let open = try Endpoint(transport.endpoint)
    Terminal.printError(
      "listening on \(open); workers: engram worker \(study) --connect \(open.reachable)")
    let signals = SignalWatch { _ in Task { await server.runner.stop() } }
    let display = StudyDisplay(server, progress: progress)
    await display.announce()
    async let shown: Void = display.follow()
    let summary = try await server.runner.run()
    _ = await shown
    transport.close()
    let result = StudySummary(try server.store.load())
    // Its file alone is the whole study from here on.
    try server.store.close()
    let plots = try StudyPlots.write(result, to: folder.url.appendingPathComponent("plots", isDirectory: true))
    Terminal.print("\n\(result.ending(summary.stopReason))\n\nPareto front (validation)")
    Terminal.print(result.frontTable().text + "\n")
    for warning in result.warnings { Terminal.print(warning + "\n") }
    for plot in plots { Terminal.print("plot      \(plot.path)") }
    Terminal.print("study     \(folder.url.path)")
    if summary.stopReason == .failing, !signals.isRaised {
      throw CommandError(.unexpected, result.failing)
    }
    if !signals.isRaised {
      Terminal.print("go on     raise study.budget in \(study) and run the same command again")
      if prepared.resources != nil {
        Terminal.print("adapter   engram search \(study) trains the winner once more, compares it and exports it")
      }
    }
    if signals.isRaised {
      Terminal.printError("stopped; the same command goes on with \(summary.finished) of \(summary.budget) trials done")
      throw ExitCode(ExitStatus.interrupted.rawValue)
    }
  }
}
