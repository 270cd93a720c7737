import ArgumentParser
import BayesianOptimization
import Console
import Coordinator
import Experiment
import Report
import Study

extension StudyCommand {
  struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "pause", abstract: "Begin no new trials; running ones go on.")
    @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions

    func run() throws { Terminal.print(try StoredStudy(study, in: runs.folder).control.carryOut(.pause).message) }
  }

  struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "resume", abstract: "End a pause; let a study go on that stopped because trials failed.")
    @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions

    func run() throws { Terminal.print(try StoredStudy(study, in: runs.folder).control.carryOut(.resume).message) }
  }
}

extension TrialCommand {
  struct RetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "retry", abstract: "Run trials again that ended without a result.",
      discussion: "A study that ended because too many trials failed goes on with them when it is run again.")
    @Argument(help: "Numbers of the trials.") var numbers: [Int] = []
    @Flag(help: "Every trial that failed (not those that diverged, did not fit or were abandoned).") var failed = false
    @Option(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions

    func validate() throws {
      if numbers.isEmpty != failed { throw ValidationError("give the numbers of trials, or --failed") }
    }

    func run() throws {
      let stored = try StoredStudy(study, in: runs.folder)
      let chosen = failed ? stored.record.trials.filter { $0.state == .failed }.map(\.number) : numbers
      if chosen.isEmpty { return Terminal.print("no trial of \(stored.record.definition.name) has failed") }
      for number in chosen { Terminal.print(try stored.control.carryOut(.retry(trial: number)).message) }
    }
  }

  struct AbandonCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "abandon", abstract: "Take a trial out; it uses up no budget and is not proposed again.")
    @Argument(help: "Number of the trial.") var number: Int
    @Option(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions

    func run() throws {
      Terminal.print(try StoredStudy(study, in: runs.folder).control.carryOut(.abandon(trial: number)).message)
    }
  }

  struct AttachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "attach", abstract: "Add a configuration of yours: to be evaluated, or with its known result.")
    @Argument(help: "The configuration, as {\"layers\":[0,1],\"count\":2,\"rank\":8}.") var configuration: String
    @Option(help: "Its result, as in loss=1.2,rougeL=0.3; left out: it is queued.") var objectives: String?
    @Option(help: "Standard errors of the result, as in loss=0.02,rougeL=0.004.") var standardErrors: String?
    @Option(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions

    func validate() throws {
      if standardErrors != nil, objectives == nil { throw ValidationError("--standard-errors needs --objectives") }
    }

    func run() throws {
      let stored = try StoredStudy(study, in: runs.folder)
      let theta = try stored.parse(configuration)
      let command: SteeringCommand =
        try objectives.map {
          .attach(configuration: theta, result: try stored.result($0, standardErrors: standardErrors))
        } ?? .enqueue(configuration: theta)
      Terminal.print(try stored.control.carryOut(command).message)
    }
  }

  struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "replay", abstract: "Compute a trial's proposal again from the history it was computed from.",
      discussion: "Exit status 0 when the same configuration comes out, 1 otherwise.")
    @Argument(help: "Number of the trial.") var number: Int
    @Option(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions

    func run() throws { Terminal.print(try StoredStudy(study, in: runs.folder).replay(number)) }
  }
}

struct AskCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ask", abstract: "Drive a study from outside: lease the next trial.",
    discussion: """
      Prints {"token":…,"trial":…,"configuration":…,"seed":…}; report with: engram tell --token … Exit status 75 while \
      no trial is ready (the next one is being computed, or all are given out); --wait asks again until one is.
      """)
  @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
  @Option(help: "Who asks.") var worker: String = "outside"
  @Option(help: "Wait at most so many seconds for a trial.") var wait: Double = 0
  @OptionGroup var runs: RunsOptions

  struct Output: Encodable {
    var token: AttemptToken
    var trial: Int
    var configuration: Configuration
    var seed: UInt64
  }

  func validate() throws {
    guard wait >= 0, wait < 1e9 else { throw ValidationError("--wait is a number of seconds") }
  }

  func run() throws {
    let reply = try StoredStudy(study, in: runs.folder).ask(worker: worker, wait: .seconds(wait))
    guard let trial = reply.trial, let attempt = trial.liveAttempt else {
      throw CommandError(.temporary, reply.message)
    }
    Terminal.print(
      try JSON.line(
        Output(token: attempt.token, trial: trial.number, configuration: trial.configuration, seed: trial.seed)))
  }
}

struct TellCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tell", abstract: "Drive a study from outside: report the result of a trial.",
    discussion: "Telling the same again changes nothing; a late result of a superseded attempt is kept.")
  @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
  @Option(help: "The token that ask printed.") var token: Int
  @Option(help: "The result, as in loss=1.2,rougeL=0.3.") var objectives: String?
  @Option(help: "Standard errors of the result, as in loss=0.02,rougeL=0.004.") var standardErrors: String?
  @Option(help: "It failed: why.") var failure: String?
  @OptionGroup var runs: RunsOptions

  func validate() throws {
    if standardErrors != nil, objectives == nil { throw ValidationError("--standard-errors needs --objectives") }
  }

  func run() throws {
    let stored = try StoredStudy(study, in: runs.folder)
    let command: SteeringCommand
    switch (objectives, failure) {
    case (let objectives?, nil):
      command = .tell(
        token: AttemptToken(token), result: try stored.result(objectives, standardErrors: standardErrors))
    case (nil, let failure?):
      command = .tellFailure(
        token: AttemptToken(token), failure: FailureRecord(failureClass: .bug, message: failure))
    default: throw CommandError(.usage, "give either --objectives or --failure")
    }
    let reply = try stored.control.carryOut(command)
    Terminal.print(reply.message + TrialText.ending(reply.trial, objectives: stored.objectives))
  }
}
