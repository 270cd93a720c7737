import Foundation
import MemoryRecipe
import Personalization
import Study
import TestSupport
import Testing

@testable import Worker

/// A study's base, data, templates and objectives are judged before anything is made, all errors at once.
@Suite("Looking at a study", .bounded)
struct StudyInspectionTests {
  private let folder: TemporaryFolder
  private let base = Fixtures.url("goldens/lm/models/gpt2").path

  init() throws {
    folder = try TemporaryFolder("engram-inspection")
    try folder.writeSmallDataset()
  }

  private func write(_ text: String, _ name: String) throws {
    try folder.write(text, name)
  }

  private func inspect(_ yaml: String, base: String? = nil) throws -> (StudyInspection, [String]) {
    let file = folder.url.appendingPathComponent("x.yaml")
    let text = """
      space: {count: {max: 2}, ranks: [2, 4]}
      base: {path: \(base ?? self.base)}
      \(yaml.contains("data:") ? "" : "data: {users: users.jsonl, samples: samples.jsonl}\n")\(yaml)
      """
    try Data(text.utf8).write(to: file)
    let found = try StudyResources.inspect(StudyConfiguration(contentsOf: file), file: file)
    return (found, found.problems.errors.map { "\($0)" })
  }

  @Test("a sound study has no problems and a report") func sound() throws {
    let (found, problems) = try inspect("study: {seed: 1}")
    #expect(problems.isEmpty, "\(problems)")
    #expect(found.report?.users == 3 && found.report?.samples == 12 && found.space != nil)
  }

  @Test(
    "objectives that are not measured are refused with line and list",
    arguments: [
      ("bleu", "does not measure 'bleu'"), ("rouge2", "Did you mean 'rouge"), ("Loss", "Did you mean 'loss'"),
      ("factRecall", "nothing to measure"),
    ])
  func objectives(_ name: String, _ message: String) throws {
    let (_, problems) = try inspect(
      "objectives:\n- {name: loss, direction: minimize}\n- {name: \(name), direction: maximize}\n")
    #expect(problems.count == 1)
    let problem = try #require(problems.first)
    #expect(problem.contains(message) && problem.contains("x.yaml:6: objectives[1].name"), "\(problem)")
  }

  @Test("every name that the evaluator measures is taken") func measured() throws {
    for name in TrialOutcome.objectiveNames where name != "factRecall" {
      let (_, problems) = try inspect("objectives: [{name: \(name), direction: minimize}]")
      #expect(problems.isEmpty, "\(problems)")
    }
  }

  @Test("a reference in percent is refused with the fraction") func percent() throws {
    let (_, problems) = try inspect("sampler: {reference: {loss: 2, rougeL: 22}}")
    #expect(problems.first?.contains("Write 0.22 for 22") == true, "\(problems)")
  }

  @Test(
    "templates are refused with the line of the file",
    arguments: [
      ("prompt: '{qury}'", "did you mean {query}"), ("posts: '{text}'", "did you mean \"post\""),
      ("stopp: '#'", "did you mean \"stop\""), ("post: 'no placeholder'", "must contain {text}"),
      ("kinds.post: 'no placeholder'", "must contain {text}"), ("prompt: '{query} {user'", "not closed"),
    ])
  func templates(_ template: String, _ message: String) throws {
    let (_, problems) = try inspect(
      "data:\n  users: users.jsonl\n  samples: samples.jsonl\n  templates:\n    \(template)\n")
    #expect(problems.count == 1, "\(problems)")
    #expect(problems.first?.contains(message) == true && problems.first?.contains("x.yaml:7:") == true, "\(problems)")
  }

  @Test("the kind of an item is a template's name, as documented") func kind() throws {
    let (found, problems) = try inspect(
      "data:\n  users: users.jsonl\n  samples: samples.jsonl\n  templates: {post: '{user} posts {text}', stop: '###'}\n"
    )
    #expect(problems.isEmpty, "\(problems)")
    #expect(found.recipe?.templates.kinds == ["post": "{user} posts {text}"] && found.recipe?.templates.stop == "###")
  }

  @Test("all that is wrong is found at once") func together() throws {
    try write("not json\n", "broken.jsonl")
    let (_, problems) = try inspect(
      """
      data: {users: users.jsonl, samples: broken.jsonl}
      objectives: [{name: bleu, direction: maximize}]
      memory: {targets: [gate]}
      """)
    for part in ["'bleu'", "broken.jsonl:1", "gate"] {
      #expect(problems.contains { $0.contains(part) }, "\(part) in \(problems)")
    }
    let (_, missing) = try inspect("objectives: [{name: bleu, direction: maximize}]", base: "openai-community/gpt2")
    #expect(missing.contains { $0.contains("base.path: there is no folder") && $0.contains("downloads nothing") })
    #expect(missing.count == 2)
  }

  @Test("matrices that the base does not have are found") func adapters() throws {
    let (_, gate) = try inspect("memory: {targets: [gate]}")
    #expect(gate.contains { $0.contains("gate") })
  }

  @Test("a full disk is found before the quickstart's base is trained") func fullCache() throws {
    let cache = folder.url
    let error = #expect(throws: DatasetError.self) {
      try StudyResources.checkRoom(StudyResources.quickstartBytes - 1, in: cache)
    }
    #expect(error?.code == .unwritable && error?.message.contains("XDG_CACHE_HOME") == true)
    try StudyResources.checkRoom(StudyResources.quickstartBytes, in: cache)
    try StudyResources.checkRoom(nil, in: cache)
    #expect(FreeSpace.bytes(at: cache.appendingPathComponent("not/there")) ?? 0 > 0)
  }

  @Test("the paths of a file may begin with the home folder") func home() {
    let file = URL(fileURLWithPath: "/tmp/configs/x.yaml")
    #expect(StudyResources.resolve("~/base", beside: file).path == NSHomeDirectory() + "/base")
    #expect(StudyResources.resolve("../base", beside: file).standardizedFileURL.path == "/tmp/base")
    #expect(StudyResources.resolve("/base", beside: file).path == "/base")
  }

  @Test("the documented templates are the default ones") func documentedTemplates() throws {
    let root = Fixtures.directory.deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent("configs/README.md"), encoding: .utf8)
    for templates in [Templates.plain, .quickstart] {
      for (key, template) in templates.named {
        let row = try #require(
          text.split(separator: "\n").first { $0.hasPrefix("| `\(key)` | `") || $0.hasPrefix("| `\(key)` | none") })
        #expect(row.contains("`\(template.replacingOccurrences(of: "\n", with: "\\n"))`"), "\(key)")
      }
    }
    for name in TrialOutcome.objectiveNames { #expect(text.contains("`\(name)`"), "\(name)") }
  }
}
