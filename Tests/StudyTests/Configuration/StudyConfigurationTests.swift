import BayesianOptimization
import Foundation
import Foundations
import TestSupport
import Testing

@testable import Study

@Suite("Study files", .bounded)
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
      #expect(try again.differences(from: first) == [])
    }
    var other = first
    other.budget = 99
    other.coordinator.leaseSeconds = 7
    #expect(try other.differences(from: first) == [])
    other.space.ranks = [2, 4, 16]
    #expect(try other.differences(from: first).map(\.key) == ["space.ranks[2]"])
    other.space.ranks = [2, 4]
    #expect(try other.differences(from: first).map(\.key) == ["space.ranks[2]"])
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
      ("sampler: {reference: {loss: inf, rougeL: 0}}", "sampler.reference.loss"),
      ("sampler: {reference: nonsense}", "sampler.reference"),
      ("objectives: [{name: 'a,b', direction: minimize}]", "objectives[0].name"),
      ("objectives: [{name: 'a=b', direction: minimize}]", "objectives[0].name"),
      ("objectives: [{name: 'a b', direction: minimize}]", "objectives[0].name"),
      ("objectives: [{name: \"a\\e[31m\", direction: minimize}]", "objectives[0].name"),
      ("objectives: [{name: loss, direction: minimize, name: b}]", "name"),
      ("objectives: [{name: \(String(repeating: "a", count: 201)), direction: minimize}]", "objectives[0].name"),
      ("training: {learningRate: 0}", "training.learningRate"),
      ("training: {learningRate: -1e-3}", "training.learningRate"),
      ("training: {learningRate: .inf}", "training.learningRate"),
      ("training: {learningRate: nan}", "training.learningRate"),
      ("training: {learningRate: 0x1p-3}", "training.learningRate"),
      ("training: {warmup: 1.5}", "training.warmup"),
      ("training: {maxLength: 4}", "training.maxLength"),
      ("training: {epochs: 0}", "training.epochs"),
      ("training: {batch: -1}", "training.batch"),
      ("training: {epochs: 99999999999999999999}", "training.epochs"),
      ("evaluation: {maxNewTokens: 0}", "evaluation.maxNewTokens"),
      ("evaluation: {samples: 0}", "evaluation.samples"),
      ("evaluation: {unicode: perhaps}", "evaluation.unicode"),
      ("memory: {alpha: -1}", "memory.alpha"),
      ("memory: {targets: [up, up]}", "memory.targets"),
      ("study: {seed: -1}", "study.seed"),
      ("study: {budget: 010}", "study.budget"),
      ("space: {ranks: [08, 16]}", "space.ranks"),
      ("study: {name: -rf}", "study.name"),
      ("study: {name: ''}", "study.name"),
      ("data: {templates: {kinds: {post: [a]}}}", "data.templates.kinds.post"),
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

  @Test("all errors of a file are told at once, by line") func together() throws {
    let found = try #require(
      error("study: {seed: x, budget: 0}\ntraining:\n  epochs: none\n  batch: 0\n  learnrate: 1\nsampler: {name: tpe}"))
    #expect(
      ([found] + found.others).map(\.key) == [
        "study.seed", "study.budget", "training.epochs", "training.batch", "training.learnrate", "sampler.name",
      ])
    #expect(([found] + found.others).map(\.line) == [1, 1, 3, 4, 5, 6])
    #expect(found.description.split(separator: "\n").count == 6)
    // What follows from an error is not told as another one.
    let factor = try #require(
      error("space: {factors: [{name: a, type: integer, min: one, max: 3}]}\nstudy: {budget: no}"))
    #expect(([factor] + factor.others).map(\.key) == ["space.factors[0].min", "study.budget"])
  }

  @Test(
    "double keys are refused with the line of the first",
    arguments: [
      ("study:\n  seed: 1\n  seed: 2\n", 2), ("a: 1\nstudy: {}\nstudy: {}\n", 2),
      ("data:\n  templates:\n    item: a\n    item: b\n", 3),
      ("space:\n  factors:\n  - {name: a, type: switch, name: b}\n", 3),
    ])
  func doubleKeys(_ yaml: String, _ line: Int) throws {
    let found = try #require(error(yaml))
    #expect(found.message.contains("twice"), "\(found)")
    #expect(found.line == line, "\(found)")
  }

  @Test(
    "levels that mean nothing are refused with their line",
    arguments: [
      ("ordinal, values: [3, 5, inf]", "values", "'inf'"), ("ordinal, values: [3, .inf]", "values", "'.inf'"),
      ("ordinal, values: [2e308]", "values", "2e308"), ("ordinal, values: [nan, 1]", "values", "nan"),
      ("ordinal, values: [1, 1]", "values", "twice"), ("ordinal, values: [1, 1.0]", "values", "twice"),
      ("ordinal, values: [2, 1]", "values", "ascend"), ("ordinal, values: []", "values", "needs 1 to"),
      ("ordinal, values: [9007199254740993]", "values", "exact"), ("categorical, values: [a, a]", "values", "twice"),
      ("categorical, values: [a], fixed: b", "fixed", "not a value"),
      ("integer, min: -9223372036854775808, max: 9223372036854775807, fixed: 1", "max", "65536 values"),
      ("integer, min: 0, max: 65536", "max", "65536 values"), ("integer, min: 2, max: 1", "min", "min ≤ max"),
      ("integer, min: 1, max: 9, fixed: 10", "fixed", "not a value"),
    ])
  func levels(_ factor: String, _ key: String, _ message: String) throws {
    let found = try #require(
      error("study: {}\nspace:\n  factors:\n  - {name: f, type: \(factor)}\nevaluator: {name: command, command: [a]}"))
    #expect(found.key == "space.factors[0].\(key)" && found.line == 4, "\(found)")
    #expect(found.description.contains(message), "\(found)")
  }

  @Test("`fixed` takes every value that the list shows") func fixedValues() throws {
    func fixed(_ factor: String) throws -> FactorValue? {
      try StudyConfiguration(
        yaml: "evaluator: {name: command, command: [a]}\nspace: {factors: [{name: f, type: \(factor)}]}", file: "x.yaml"
      ).space.factors?.first?.fixed
    }
    #expect(try fixed("categorical, values: [8, true, a], fixed: 8") == .text("8"))
    #expect(try fixed("categorical, values: [8, true, a], fixed: true") == .text("true"))
    #expect(try fixed("ordinal, values: [0.5, 1e0, 2], fixed: 1e0") == .integer(1))
    #expect(try fixed("ordinal, values: [0.5, 1], fixed: 0.50") == .number(0.5))
    #expect(try fixed("switch, fixed: true") == .flag(true))
    #expect(try fixed("integer, min: -1, max: 3, fixed: -1") == .integer(-1))
  }

  @Test("doubled factors are refused by name") func doubledFactors() throws {
    let yaml = "space:\n  factors:\n  - {name: a, type: switch}\n  - {name: a, type: switch}\n"
    let found = try #require(error(yaml))
    #expect(found.line == 4 && found.key == "space.factors[1].name")
  }

  @Test("kinds are templates, nested or with a point") func kindTemplates() throws {
    let nested = try StudyConfiguration(
      yaml: "data: {templates: {kinds: {post: 'P {text}'}, stop: '#'}}", file: "x.yaml")
    #expect(nested.data.templates == ["kinds.post": "P {text}", "stop": "#"])
    let flat = try StudyConfiguration(yaml: "data: {templates: {kinds.post: 'P {text}', stop: '#'}}", file: "x.yaml")
    #expect(flat.data.templates == nested.data.templates)
  }

  @Test("a key of later versions leaves old studies as they are") func unicode() throws {
    let plain = try StudyConfiguration(yaml: Self.minimal, file: "x.yaml")
    let off = try StudyConfiguration(yaml: Self.minimal + "\nevaluation: {unicode: false}", file: "x.yaml")
    let on = try StudyConfiguration(yaml: Self.minimal + "\nevaluation: {unicode: true}", file: "x.yaml")
    #expect(off == plain && off.settingsFingerprint == plain.settingsFingerprint)
    #expect(on.evaluation.unicode == true && on.settingsFingerprint != plain.settingsFingerprint)
    #expect(try !plain.canonicalText.contains("unicode"))
    #expect(try on.differences(from: plain).map(\.key) == ["evaluation.unicode"])
  }

  @Test("sections that the evaluator never reads are named") func withoutEffect() throws {
    let yaml = "evaluator: {name: analytic, problem: sparse34}\ntraining: {epochs: 4}\ndata: {split: given}\n"
    #expect(try StudyConfiguration(yaml: yaml, file: "x.yaml").sectionsWithoutEffect() == ["training"])
    #expect(try StudyConfiguration(yaml: "training: {epochs: 4}", file: "x.yaml").sectionsWithoutEffect().isEmpty)
  }

  @Test("the line of a key is found again") func lines() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("x.yaml")
    try Data(
      "study: {budget: 3}\nobjectives:\n- {name: a}\n- name: b\n  direction: minimize\ndata:\n  templates: {item: x}\n"
        .utf8
    )
    .write(to: file)
    func line(_ key: String) -> Int? { StudyConfiguration.line(of: key, in: file) }
    #expect(line("study.budget") == 1 && line("objectives[1].direction") == 5 && line("objectives[0].name") == 3)
    #expect(line("data.templates.item") == 7 && line("data.split") == 6 && line("nothing") == nil)
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
