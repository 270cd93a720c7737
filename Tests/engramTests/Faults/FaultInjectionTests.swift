import Foundation
import TestSupport
import Testing

@testable import FaultInjection

/// Faults are ordered of `engram-faulty` only: no variable of the environment can hurt the program that is installed.
@Suite("Injected faults", .bounded) struct FaultInjectionTests {
  @Test("a fault is due for its trial, and only once with markers") func due() throws {
    let folder = try TemporaryFolder()
    let environment = ["ENGRAM_TRAINER_FAULT": "crash:3,hang:5", "ENGRAM_FAULT_MARKERS": folder.url.path]
    #expect(TrainerFault.due(trial: 4, environment: environment) == nil)
    #expect(TrainerFault.due(trial: 3, environment: environment) == TrainerFault(kind: .crash, trial: 3))
    #expect(TrainerFault.due(trial: 3, environment: environment) == nil)
    #expect(TrainerFault.due(trial: 5, environment: environment)?.kind == .hang)
  }

  /// Every variable with an order that is fatal or costly.
  private static let orders = [
    "ENGRAM_FAILPOINT": "commit.before:1", "ENGRAM_TRANSPORT_FAULT": "drop-replies:1:7",
    "ENGRAM_TRAINER_FAULT": "crash:0,hang:1,crash:2",
  ]

  @Test("engram does not know them", arguments: FaultVariable.allCases) func unknown(_ variable: FaultVariable) throws {
    #expect(Self.orders[variable.rawValue] != nil)
    let name = Data(variable.rawValue.utf8)
    #expect(try Data(contentsOf: EngramProcess.executable, options: .alwaysMapped).range(of: name) == nil)
    #expect(try Data(contentsOf: EngramProcess.faulty, options: .alwaysMapped).range(of: name) != nil)
  }

  @Test("engram runs a study whatever they order; engram-faulty dies of the first") func ignored() async throws {
    let folder = try TemporaryFolder("engram-orders")
    let file = folder.url.appendingPathComponent("s.yaml").path
    let text = """
      study: {name: s, budget: 3}
      sampler: {initial: 3}
      evaluator: {name: analytic, problem: sparse34}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    let runs = folder.url.appendingPathComponent("runs").path
    let search = ["search", file, "--runs", runs]
    let outcome = try await EngramProcess.outcome(search, environment: Self.orders)
    #expect(outcome.status == 0 && outcome.output.contains("3 trials finished"), "\(outcome.errors)")
    let faulty = try EngramProcess.start(
      ["search", file, "--runs", "\(runs)-faulty"], environment: Self.orders, program: EngramProcess.faulty)
    #expect(await EngramProcess.outcome(of: faulty).status == 137)
  }
}
