import Foundation
import TestSupport
import Testing

@testable import Study

/// What configs/README.md names is what the reader takes, key by key, in both directions.
@Suite("Documented keys", .bounded)
struct DocumentedKeysTests {
  private let text: String

  init() throws {
    let root = Fixtures.directory.deletingLastPathComponent().deletingLastPathComponent()
    text = try String(contentsOf: root.appendingPathComponent("configs/README.md"), encoding: .utf8)
  }

  /// The keys in the first column of the tables below a heading.
  private func documented(_ heading: String, level: String = "##") throws -> Set<String> {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let start = try #require(
      lines.firstIndex {
        $0 == "\(level) \(heading)" || $0.hasPrefix("\(level) \(heading) ") || $0.hasPrefix("\(level) \(heading),")
      })
    let section = lines[(start + 1)...].prefix { !$0.hasPrefix("## ") && !$0.hasPrefix("### ") }
    var keys: Set<String> = []
    for row in section where row.hasPrefix("| `") {
      let cell = row.dropFirst(2).prefix { $0 != "|" }
      for part in cell.split(separator: "`").enumerated().filter({ $0.offset % 2 == 0 }).map(\.element)
      where part.contains(where: \.isLetter) {
        // A word in brackets is no key; `count: {min, max}` is the key count.
        let key = part.prefix { $0 != ":" && $0 != " " }
        if !part.hasPrefix("(") { keys.insert(String(key)) }
      }
    }
    return keys
  }

  /// The keys that the reader asks for in a section: it lists them for a key that resembles none.
  private func known(_ section: String) throws -> Set<String> {
    do {
      _ = try StudyConfiguration(yaml: "\(section): {qqqqqqqqqqqqqqqqqqqqqqqqqqqq: 1}", file: "x.yaml")
    } catch let error as ConfigurationError {
      let list = try #require(error.remedy.split(separator: ": ").last)
      return Set(list.split(separator: ", ").map(String.init))
    }
    return []
  }

  @Test(
    "every key of a section is documented, and every documented one is read",
    arguments: ["study", "space", "sampler", "evaluator", "base", "data", "memory", "evaluation"])
  func sections(_ name: String) throws {
    let (written, read) = (try documented(name), try known(name))
    #expect(written == read, "only documented: \(written.subtracting(read)), only read: \(read.subtracting(written))")
  }

  @Test("training, instruction tuning, coordinator and artifacts share tables") func sharedTables() throws {
    let training = try known("training").union(known("instructionTuning"))
    #expect(try documented("training") == training)
    for key in try known("coordinator").union(known("artifacts")) {
      #expect(
        text.contains("coordinator.\(key)`") || text.contains("artifacts.\(key)`") || text.contains("`\(key)`"),
        "\(key)")
    }
  }

  @Test("the templates of the table are read as keys") func templates() throws {
    let keys = try documented("Templates", level: "###")
    #expect(
      keys == ["item", "itemWithContext", "profile", "prompt", "promptWithContext", "response", "separator", "stop"])
    let yaml = "data: {templates: {" + keys.sorted().map { "\($0): x" }.joined(separator: ", ") + "}}"
    #expect(try Set(StudyConfiguration(yaml: yaml, file: "x.yaml").data.templates.keys) == keys)
  }

  @Test("documented defaults are the reader's") func defaults() throws {
    let plain = try StudyConfiguration(yaml: "study: {}", file: "x.yaml")
    for (row, value) in [
      ("| `budget` | 200 |", plain.budget == 200), ("| `maxNewTokens` | 64 |", plain.evaluation.maxNewTokens == 64),
      ("| `batch` | 64 |", plain.evaluation.batch == 64), ("| `unicode` | false |", !plain.evaluation.unicode),
      ("| `stemmer` | false |", !plain.evaluation.stemmer), ("| `initial` | 100 |", plain.sampler.initial == 100),
      ("1, 8, 5e-4 (stage 2: 3, 8, 5e-4)", plain.training.epochs == 1 && plain.instructionTuning.epochs == 3),
    ] {
      #expect(text.contains(row) && value, "\(row)")
    }
  }
}
