import BayesianOptimization
import Foundation
import TestSupport
import Testing

@testable import Study

@Suite("Study files")
struct StudyConfigurationTests {
  private static let minimal = """
    study: {seed: 7, budget: 30}
    space: {layers: 6, count: {min: 0, max: 4}, ranks: [2, 4, 8]}
    sampler: {initial: 10}
    """

  private func error(_ yaml: String) -> ConfigurationError? {
    do {
      _ = try StudyConfiguration(yaml: yaml, file: "dir/mine.yaml")
      return nil
    } catch let error as ConfigurationError {
      return error
    } catch {
      Issue.record("another error: \(error)")
      return nil
    }
  }

  @Test("a space file's sampler section is read whole") func spaceFile() throws {
    let space = "space: {layers: 6}\nobjectives: [{name: loss, direction: minimize}]\n"
    let plain = try SpaceFile(yaml: space, file: "space.yaml")
    #expect(plain.sampler.initial == 0)
    let file = try SpaceFile(
      yaml: space + "sampler: {initial: 4, schedule: nuts, outcomeTransform: copula, lengthscalePrior: logNormal}",
      file: "space.yaml")
    #expect(file.sampler.initial == 4 && file.sampler.surrogate.schedule == .nuts)
    #expect(file.sampler.surrogate.outcome == .normalCopula)
    #expect(file.sampler.surrogate.lengthscalePrior == .logNormal)
    #expect(try SpaceFile(yaml: space + "sampler: {starts: 3}", file: "s.yaml").sampler.initial == 0)
    #expect(throws: ConfigurationError.self) { try SpaceFile(yaml: space + "sampler: {start: 3}", file: "s.yaml") }
  }

  @Test("defaults are the paper's") func defaults() throws {
    let configuration = try StudyConfiguration(yaml: "study: {}", file: "dir/paper.yaml")
    #expect(configuration.name == "paper")
    #expect(configuration.budget == 200)
    #expect(configuration.sampler.initial == 100)
    #expect(configuration.space.ranks == [8, 16, 32, 64, 96])
    #expect(configuration.space.maximumCount == 32)
    #expect(configuration.training.learningRate == 5e-4)
    #expect(configuration.training.weightDecay == 1e-4)
    #expect(configuration.training.batch == 8)
    #expect(configuration.instructionTuning.mode == .sameMemory)
    #expect(configuration.objectives.map(\.name) == ["loss", "rougeL"])
    #expect(configuration.objectives.map(\.direction) == [.minimize, .maximize])
  }

  @Test("values arrive") func values() throws {
    let configuration = try StudyConfiguration(yaml: Self.minimal, file: "x.yaml")
    #expect(configuration.seed == 7)
    #expect(configuration.space.layers == 6)
    #expect(configuration.space.maximumCount == 4)
    #expect(configuration.sampler.initial == 10)
  }

  @Test("a configuration survives JSON") func roundTrip() throws {
    let configuration = try StudyConfiguration(yaml: Self.minimal, file: "x.yaml")
    let data = try JSONEncoder().encode(configuration)
    #expect(try JSONDecoder().decode(StudyConfiguration.self, from: data) == configuration)
  }

  @Test("equal configurations never differ, changed ones name the key") func differences() throws {
    let first = try StudyConfiguration(yaml: Self.minimal, file: "x.yaml")
    for _ in 0..<50 {
      let again = try StudyConfiguration(canonicalText: first.canonicalText)
      #expect(again.differences(from: first) == [])
    }
    var other = first
    other.budget = 99
    other.coordinator.leaseSeconds = 7
    #expect(other.differences(from: first) == [])
    other.space.ranks = [2, 4, 16]
    #expect(other.differences(from: first).map(\.key) == ["space.ranks[2]"])
    other.space.ranks = [2, 4]
    #expect(other.differences(from: first).map(\.key) == ["space.ranks[2]"])
    #expect(other.settingsFingerprint == first.settingsFingerprint)
    other.training.epochs += 1
    #expect(other.settingsFingerprint != first.settingsFingerprint)
  }

  @Test("a misspelt key is refused with line and nearest key") func misspelt() throws {
    let found = try #require(error("study:\n  seed: 1\n  budgte: 20\n"))
    #expect(found.line == 3)
    #expect(found.key == "study.budgte")
    #expect(found.remedy == "Did you mean 'budget'?")
    #expect(found.description.hasPrefix("dir/mine.yaml:3: study.budgte: unknown key"))
  }

  @Test(
    "bad values name the key",
    arguments: [
      ("study: {budget: many}", "study.budget"),
      ("study: {budget: 0}", "study.budget"),
      ("study: {budget: 5}\nsampler: {initial: 10}", "study.budget"),
      ("study: {name: ../x}", "study.name"),
      ("study: {name: -rf}", "study.name"),
      ("study: {budget: 010}", "study.budget"),
      ("space: {ranks: [8, 4]}", "space.ranks"),
      ("space: {count: {min: 5, max: 2}}", "space.count.min"),
      ("space: {placement: everywhere}", "space.placement"),
      ("objectives: [{name: loss}]", "objectives[0].direction"),
      ("objectives: [{name: a, direction: minimize}, {name: a, direction: minimize}]", "objectives"),
      ("sampler: {name: tpe}", "sampler.name"),
      ("sampler: {schedule: quick}", "sampler.schedule"),
      ("sampler: {reference: {loss: 1}}", "sampler.reference.rougeL"),
      ("memory: {targets: [up, side]}", "memory.targets"),
      ("coordinator: {heartbeat: 5 s, lease: 6 s}", "coordinator.lease"),
      ("coordinator: {lease: soon}", "coordinator.lease"),
      ("evaluator: {name: analytic}", "evaluator.problem"),
      ("evaluator: {name: command}", "evaluator.command"),
      ("data: {users: u.jsonl}", "data"),
      ("data: {users: u.jsonl, samples: s.jsonl}", "base"),
      ("study: 5", "study"),
      ("study: {seed: 1}\nstudy: {seed: 2}", "study"),
    ])
  func badValues(_ yaml: String, _ key: String) throws {
    let found = try #require(error(yaml))
    #expect(found.key == key)
    #expect(!found.remedy.isEmpty)
  }

  @Test("broken YAML and empty files are refused", arguments: ["study: [", "", "- a\n- b", "\u{1}"])
  func broken(_ yaml: String) throws {
    #expect(try #require(error(yaml)).file == "dir/mine.yaml")
  }

  @Test("a missing file says so") func missing() {
    #expect(throws: ConfigurationError.self) {
      try StudyConfiguration(contentsOf: URL(fileURLWithPath: "/nonexistent/study.yaml"))
    }
  }

  @Test("durations have units") func durations() throws {
    let yaml = "coordinator: {heartbeat: 500 ms, lease: 2 min}\nstudy: {time: 1 h}"
    let configuration = try StudyConfiguration(yaml: yaml, file: "x.yaml")
    #expect(configuration.coordinator.heartbeatSeconds == 0.5)
    #expect(configuration.coordinator.leaseSeconds == 120)
    #expect(configuration.limits.seconds == 3600)
  }

  @Test("generic spaces") func factors() throws {
    let yaml = """
      evaluator: {name: command, command: [python3, train.py]}
      space:
        factors:
          - {name: depth, type: integer, min: 1, max: 8}
          - {name: width, type: ordinal, values: [64, 128, 256]}
          - {name: bias, type: switch}
          - {name: activation, type: categorical, values: [relu, gelu]}
      """
    let configuration = try StudyConfiguration(yaml: yaml, file: "x.yaml")
    #expect(configuration.space.factors?.map(\.name) == ["depth", "width", "bias", "activation"])
    #expect(configuration.evaluator.command == ["python3", "train.py"])
  }

  @Test("every shipped file can be read") func shipped() throws {
    let folder = Fixtures.directory.deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("configs")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "yaml" }
    #expect(!files.isEmpty)
    for file in files { _ = try StudyConfiguration(contentsOf: file) }
  }

  @Test("the nearest name") func nearest() {
    #expect(NearestName.of("budgets", among: ["seed", "budget", "name"]) == "budget")
    #expect(NearestName.of("zzzzzz", among: ["seed", "budget"]) == nil)
    #expect(NearestName.distance("kitten", "sitting") == 3)
  }
}
