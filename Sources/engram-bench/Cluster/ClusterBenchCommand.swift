import ArgumentParser
import BayesianOptimization
import Console
import Experiment
import Foundation
import Report
import Transport
import WireProtocol
import Worker

extension EngramBench {
  struct ClusterBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "cluster", abstract: "The runtime: one coordinator, many workers that compute a test function.",
      discussion: """
        Coordinator, database on disk (synchronous=FULL) and ZeroMQ are the real ones; the workers' sessions share one \
        other process. A proposal lies ready for every worker before they come, so that an answer waits for nobody \
        but the coordinator. First the same connections exchange messages with a bare ROUTER socket, as a yardstick. \
        --seconds 0 measures the throughput: then every answer waits for all the others. --soak MINUTES ends the \
        study by time and prints how memory, descriptors and threads of the coordinator developed.
        """)
    @Option(help: "Workers.") var workers = 1000
    @Option(help: "Trials of the study.") var trials = 10_000
    @Option(help: "Mean length of a trial in seconds (each between half and one and a half of it).")
    var seconds = 10.0
    @Option(help: "The workers arrive evenly over so many seconds (0: all at once).") var ramp = 10.0
    @Flag(help: "TCP with CURVE keys on the loopback interface instead of a socket file.") var tcp = false
    @Option(help: "Messages for the bare echo (0: none).") var echo = 100_000
    @Option(help: "random or sobol.") var sampler = "sobol"
    @Option(help: "Run for so many minutes, whatever the number of trials.") var soak: Double?
    @Flag(help: "Keep the study's folder, and say where it lies.") var keep = false
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    func validate() throws {
      guard workers >= 1, trials >= 1, seconds >= 0, ramp >= 0, echo >= 0, soak ?? 1 > 0 else {
        throw ValidationError("--workers and --trials must be at least 1, --seconds and --echo not negative")
      }
      guard ["random", "sobol"].contains(sampler) else { throw ValidationError("--sampler is random or sobol") }
    }

    func run() async throws {
      let folder = runs.folder.url.appendingPathComponent(".bench-cluster-\(UUID().uuidString)", isDirectory: true)
      let bench = ClusterBench(
        workers: workers, trials: soak == nil ? trials : 10_000_000, seconds: seconds, ramp: ramp, isTCP: tcp,
        echoMessages: echo,
        sampler: sampler == "random" ? .random : .sobol, limit: soak.map { .seconds($0 * 60) }, folder: folder,
        isKept: keep)
      let result = try await bench.run()
      if options.format == .json {
        Terminal.print(try JSON.pretty(result))
      } else {
        var table = TextTable([("quantity", .left), ("value", .right)])
        for (name, value) in Self.rows(result) { table.add([name, value]) }
        table.print(as: options.format)
        if soak != nil { Self.gauges(result).print(as: options.format) }
      }
      if keep { Terminal.printError(folder.appendingPathComponent("study").path) }
      guard result.findings.isEmpty else {
        throw CommandError(.unexpected, "the history checker found: \(result.findings.joined(separator: "; "))")
      }
    }

    private static func rows(_ result: ClusterBench.Result) -> [(String, String)] {
      func line(_ latency: LatencySummary) -> String {
        String(format: "%.1f, %.1f, %.1f (%d)", latency.median, latency.p99, latency.max, latency.count)
      }
      func whole(_ value: Double) -> String { String(format: "%.0f", value) }
      return [
        ("transport", result.transport),
        ("workers, trials", "\(result.workers), \(result.trials)"),
        ("mean length of a trial s", String(format: "%g", result.trialSeconds)),
        ("arrival of the workers over s", String(format: "%g", result.rampSeconds)),
        ("duration s", String(format: "%.1f", result.seconds)),
        ("ready to trial ms: p50, p99, max (number)", line(result.swarm.answers)),
        ("  first trial of every worker", line(result.swarm.firstAnswers)),
        ("  later ones", line(result.swarm.laterAnswers)),
        ("result to acknowledgement ms", line(result.swarm.acknowledgements)),
        ("trials/s", whole(result.trialsPerSecond)),
        ("messages/s", whole(result.messagesPerSecond)),
        ("messages/s, bare echo", result.echo.map { whole($0.messagesPerSecond) } ?? "-"),
        ("commits/s, steps/s", "\(whole(result.commitsPerSecond)), \(whole(result.stepsPerSecond))"),
        ("steps per commit", String(format: "%.1f", result.stepsPerCommit)),
        (
          "commit ms: mean, slowest",
          String(format: "%.1f, %.1f", result.commitMilliseconds, result.slowestCommitMilliseconds)
        ),
        ("coordinator: processor s", String(format: "%.1f", result.processorSeconds)),
        ("coordinator: peak memory MB", whole(result.peakMegabytes)),
        ("database MB", String(format: "%.1f", result.databaseMegabytes)),
        ("history checker", result.findings.isEmpty ? "clean" : "\(result.findings.count) findings"),
      ]
    }

    private static func gauges(_ result: ClusterBench.Result) -> TextTable {
      var table = TextTable([("s", .right), ("MB", .right), ("descriptors", .right), ("threads", .right)])
      let step = max(1, result.gauges.count / 24)
      for (index, gauge) in result.gauges.enumerated() where index % step == 0 || index == result.gauges.count - 1 {
        table.add([
          "\((index + 1) * 5)", String(format: "%.1f", gauge.megabytes), "\(gauge.descriptors)", "\(gauge.threads)",
        ])
      }
      return table
    }
  }

  /// The workers of `engram-bench cluster`, in a process of their own.
  struct SwarmCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "swarm", abstract: "The workers of engram-bench cluster.", shouldDisplay: false)
    @Option var connect: String
    @Option var workers: Int
    @Option var seconds = 0.0
    @Option var ramp = 0.0
    @Option var keys: String?
    @Option var echo: Int?

    func run() async throws {
      let endpoint = try Endpoint(connect)
      var security = ZeroMQClient.Security.none
      if let keys {
        let store = KeyStore(folder: URL(fileURLWithPath: keys, isDirectory: true))
        security = .curve(try store.pair(name: "worker"), server: try store.publicKey(name: "server"))
      }
      if let echo {
        // 160 bytes: about what the sessions' messages have.
        let seconds = try ZeroMQEcho.drive(
          endpoint, security: security, connections: workers, messages: echo, bytes: 160)
        return Terminal.print(try JSON.line(seconds))
      }
      guard let problem = AnalyticProblem.named("sparse34") else {
        throw CommandError(.unexpected, "no problem sparse34")
      }
      let swarm = AnalyticSwarm(
        AnalyticSwarm.Settings(
          endpoint: endpoint, security: security, study: ClusterBench.studyName,
          fingerprints: Fingerprints(ClusterBench.fingerprints), problem: problem, workers: workers, seconds: seconds,
          ramp: ramp))
      Terminal.print(try JSON.line(try await swarm.run()))
    }
  }
}
