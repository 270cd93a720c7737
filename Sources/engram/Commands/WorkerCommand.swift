import ArgumentParser
import Console
import Experiment
import Foundation
import Foundations
import Processes
import Report
import Study
import Transport
import WireProtocol
import Worker

struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Take trials from a coordinator, one at a time, until the study is over.",
    usage: """
      engram worker STUDY.yaml --connect tcp://HOST:PORT [--device cpu|cuda:N | --gpus all] (all options: engram worker run --help)
      engram worker list [STUDY]
      engram worker reinstate NAME [--study STUDY]
      """,
    discussion: """
      The study's file is read here too: base and data are found by this machine's own paths, and their fingerprints must \
      agree with the study's. SIGTERM, SIGINT and SIGUSR1 give the trial back; a second signal ends at once. The worker \
      reconnects for ever, or with --give-up-after until nobody has answered for so long. Exit status: 0 the study is \
      over, 75 stopped by a signal or given up, 6 refused, 1 cannot work.
      """,
    subcommands: [RunCommand.self, ListCommand.self, ReinstateCommand.self], defaultSubcommand: RunCommand.self)
}

extension WorkerCommand {
  struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "run", abstract: "Work (what engram worker STUDY.yaml does).",
      discussion: """
        One worker uses one device. --gpus all (or --gpus 0,2) starts one worker process per GPU, each named HOST/cuda:N, \
        with its lines prefixed [cuda:N]; --device cpu,cpu does the same on the CPU. This process then only watches over \
        them: signals are passed on, a worker that dies is started again. GPUs are numbered as CUDA does, among \
        CUDA_VISIBLE_DEVICES.
        """)

    @Argument(help: "The study's file.") var study: String
    @Option(help: "The coordinator's address: tcp://HOST:PORT or ipc://PATH.") var connect: String
    @Option(help: "Folder of keys (default: ~/.config/engram/keys); needed for TCP.") var keys: String?
    @Option(help: "Name of this worker's key pair in that folder.") var key: String = "worker"
    @Option(
      help: ArgumentHelp(
        "Name of the worker, stable across restarts; no two at a time have the same (default: HOST/DEVICE-XXXX, the digits "
          + "from its state folder; under Slurm HOST/DEVICE/slurm-JOB_TASK); of several: NAME/DEVICE."))
    var name: String?
    @Option(help: "cpu or cuda:N; a list such as cpu,cpu starts one worker for each.") var device: String = "cpu"
    @Option(help: "One worker per GPU: all, or numbers such as 0,2.") var gpus: String?
    @Option(help: "Threads of the trainer (default: all cores, shared among several workers).") var threads: Int?
    @Option(
      help: ArgumentHelp(
        "Most of the device's memory that a worker uses, its base included; what needs more is refused before it trains "
          + "(default: what is free on a GPU, what the machine has on the CPU).", valueName: "GiB"))
    var memory: Double?
    @Option(help: "Folder of this worker's state (default: ~/.local/state/engram/STUDY/NAME, without the digits).")
    var state: String?
    @Option(
      help: "Leave when no coordinator has answered for so many minutes and no trial is under way (default: never).")
    var giveUpAfter: Double?
    @Option(
      help: ArgumentHelp(
        "Most MiB of the trainer's log in the state folder; at half of it a new one begins and the old one is kept as "
          + "trainer.log.1 (default: 64).", valueName: "MiB"))
    var logSize: Double?
    @Flag(help: "Leave when the process that started this one is gone.") var exitWithParent = false

    func validate() throws {
      if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
      if let giveUpAfter, !(giveUpAfter > 0 && giveUpAfter < 1e6) {
        throw ValidationError("--give-up-after is a number of minutes above 0")
      }
      if let logSize, !(logSize >= 0.01 && logSize < 1e6) {
        throw ValidationError("--log-size is a number of MiB from 0.01, such as 64")
      }
      if let memory, !(memory > 0 && memory < 1e6) {
        throw ValidationError("--memory is a number of GiB above 0, such as 40 or 0.5")
      }
      if gpus != nil, device != "cpu" { throw ValidationError("give either --gpus or --device") }
    }

    func run() async throws {
      if exitWithParent { ParentWatch.start { _exit(ExitStatus.temporary.rawValue) } }
      Terminal.detachErrors()
      if let members = try launch.members() {
        let labels = members.map(\.label).joined(separator: ", ")
        Terminal.printError("\(members.count) workers: \(labels)")
        throw ExitCode(await WorkerFleet.run(members) { Terminal.printError(PrintableText.line($0)) })
      }
      throw ExitCode(try await launch.work { Terminal.printError($0) }.exitStatus)
    }

    private var launch: WorkerLaunch {
      WorkerLaunch(
        study: study, connect: connect, keys: keys, key: key, name: name, device: device, gpus: gpus, threads: threads,
        state: state, memory: memory, logSize: logSize, giveUpAfter: giveUpAfter)
    }
  }
}

/// The process that trains: started by a worker, speaks JSON lines with it.
struct TrainerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trainer", abstract: "Evaluate trials for a worker (JSON lines on standard input and output).",
    shouldDisplay: false)

  @Argument(help: "The study's file.") var study: String
  @Option(help: "cpu.") var device: String = "cpu"
  @Option(help: "Threads (default: all cores).") var threads: Int?
  @Option(help: "Most bytes of the device's memory.") var memoryLimit: Int?

  func run() throws {
    let file = URL(fileURLWithPath: study)
    let configuration = try StudyConfiguration(contentsOf: file)
    let evaluator = try PreparedStudy.evaluator(
      configuration, file: file, device: device, threads: threads, memoryLimit: memoryLimit)
    throw ExitCode(Self.serve(evaluator))
  }

  private static func serve(_ evaluator: some TrialEvaluator) -> Int32 { TrainerMain.run(evaluator: evaluator) }
}
