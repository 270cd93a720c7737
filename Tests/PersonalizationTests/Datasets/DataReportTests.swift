import Foundation
import LanguageModel
import MemoryRecipe
import TestSupport
import Testing

@testable import Personalization

/// What does not fit or does not count is counted and said.
@Suite("What of the records counts", .bounded)
struct DataReportTests {
  private func prepared(
    _ users: [User], _ samples: [Sample], split: SplitPolicy = SplitPolicy(), base: String = "gpt2",
    _ change: (inout TrialRecipe) -> Void = { _ in }
  ) throws -> PreparedData {
    var recipe = TrialRecipe(templates: .plain)
    // The plain prompt alone fills most of the tiny base's 64 tokens.
    recipe.templates.prompt = "{user}: {query} ="
    recipe.instructionTuning.mode = .none
    change(&recipe)
    let folder = Fixtures.url("goldens/lm/models/\(base)")
    return try PreparedData(
      Dataset(users: users, samples: samples), split: split, recipe: recipe, tokenizer: Tokenizer(directory: folder),
      model: Checkpoint(folder).configuration)
  }

  private func users(_ count: Int = 2, text: String = "the cat sat") -> [User] {
    (0..<count).map { User(id: "u\($0)", history: [HistoryItem(kind: "post", text: text)]) }
  }

  private func samples(_ count: Int = 12, response: (Int) -> String = { "item \($0) is good" }) -> [Sample] {
    (0..<count).map {
      Sample(id: "s\($0)", user: "u\($0 % 2)", query: "what \($0)", response: response($0))
    }
  }

  @Test("a history that does not fit is counted: items and tokens") func history() throws {
    let long = String(repeating: "the cat in the hat sat there and saw the sea . ", count: 40)
    let data = try prepared(users(text: long), samples())
    #expect(data.cuts.history.cut == 2 && data.cuts.history.of == 2)
    let kept = data.memoryExamples.reduce(0) { $0 + $1.ids.count - 1 - data.builder.tokenizer.leadingSpecials.count }
    #expect(data.cuts.history.tokens - data.cuts.history.tokensCut == kept)
    let warnings = DataReport(data).warnings
    #expect(warnings.contains { $0.contains("2 of 2 history items are cut") && $0.contains("never learnt") })
    #expect(try DataReport(prepared(users(), samples())).cuts.sentences.isEmpty)
    // The limit may be the study's own.
    let short = try prepared(users(text: String(repeating: "cat ", count: 60)), samples()) {
      $0.training.maxLength = 32
    }
    #expect(short.cuts.sentences.contains { $0.contains("training.maxLength; the base takes") })
  }

  @Test("prompts and responses that do not fit are counted") func prompts() throws {
    let long = (1...200).map { "word\($0)" }.joined(separator: " ")
    var all = samples()
    for index in all.indices { all[index].query = long }
    let data = try prepared(users(), all)
    #expect(data.cuts.prompts.cut == 12 && data.cuts.responses.cut == 0)
    let answers = try prepared(users(), samples { "\($0) " + long })
    #expect(answers.cuts.responses.cut == 12)
    #expect(DataReport(answers).warnings.contains { $0.contains("responses are cut at their end") })
  }

  @Test("a token that the base has no embedding for is found with its record") func unknownToken() throws {
    let folder = Fixtures.url("goldens/lm/models/gpt2")
    let tokenizer = try Tokenizer(directory: folder)
    var model = try Checkpoint(folder).configuration
    let text = "the cat"
    let id = try #require(tokenizer.encode(text, addSpecialTokens: false).max())
    // The end token is the last one: a smaller vocabulary would lose it first.
    model.vocabularySize = min(Int(id), model.vocabularySize)
    let error = #expect(throws: DatasetError.self) {
      try PreparedData(
        Dataset(users: users(text: text), samples: samples()), split: SplitPolicy(),
        recipe: TrialRecipe(templates: .plain), tokenizer: tokenizer, model: model)
    }
    let message = error?.message ?? ""
    #expect(message.contains("of user \"u0\"") && message.contains("no embedding"), "\(message)")
    #expect(message.contains("its tokenizer has \(tokenizer.vocabularySize) tokens"), "\(message)")
  }

  @Test("responses without a word that ROUGE counts are said, and the way out") func scripts() throws {
    let thai = samples { "ชาเย็น หวาน \($0 % 2 == 0 ? "ครับ" : "ผม")" }
    let warnings = DataReport(try prepared(users(), thai)).warnings
    #expect(warnings.contains { $0.contains("evaluation.unicode: true") && $0.contains("always 0") })
    let unicode = DataReport(try prepared(users(), thai) { $0.evaluation.unicode = true }).warnings
    #expect(!unicode.contains { $0.contains("ROUGE") })
    // A digit among Cyrillic words still measures next to nothing.
    let mixed = DataReport(try prepared(users(), samples { "привет, это вещь \($0)" })).warnings
    #expect(mixed.contains { $0.contains("ROUGE counts a-z and 0-9 only") })
    #expect(!DataReport(try prepared(users(), samples())).warnings.contains { $0.contains("ROUGE") })
  }

  @Test("the same pair in two parts is counted") func pairs() throws {
    var all = samples { "item \($0) is good" }
    for index in all.indices {
      all[index].split = index < 8 ? .train : index < 10 ? .validation : .test
    }
    (all[8].query, all[8].response) = ("What 0", "item 0  is good")
    (all[11].query, all[11].response) = (all[9].query, all[9].response)
    let data = try prepared(users(), all, split: SplitPolicy(mode: .given))
    let warnings = DataReport(data).warnings
    #expect(warnings.contains { $0.hasPrefix("1 of 2 validation samples have the same query and response") })
    #expect(warnings.contains { $0.hasPrefix("1 of 2 test samples have the same query and response") })
    #expect(try DataReport(prepared(users(), samples())).warnings.isEmpty)
  }

  @Test("people, times and echoes are counted") func people() throws {
    var people = users(4)
    people[1].history = []
    people[0].history = [
      HistoryItem(kind: "post", text: "item 0 is", time: 3), HistoryItem(kind: "post", text: " "),
      HistoryItem(kind: "post", text: "well , i think that item 6 is good , bye", time: 1),
    ]
    let all = samples { $0 == 6 ? "i think that item 6 is good" : "item \($0) is" }
    let notes = DataReport(try prepared(people, all)).notes.map(\.text)
    for part in [
      "2 of 4 users have no sample", "1 of 2 users with samples have no history that may be learnt (6 samples)",
      "1 of 5 history items are empty",
      "1 of 4 users have records with and without a time", "1 of 12 responses are also history items",
      "1 of 12 responses stand inside longer history items",
    ] {
      #expect(notes.contains { $0.hasPrefix(part) }, "\(part) in \(notes)")
    }
  }

  @Test("fact recall says how much it has to ask") func facts() throws {
    var people = users()
    #expect(
      DataReport(try prepared(people, samples())).notes.contains { $0.text.hasPrefix("fact recall is not measured") })
    people[0].profile = ["likes": "item 10"]
    let notes = DataReport(try prepared(people, samples())).notes.map(\.text)
    #expect(notes.contains { $0.hasPrefix("fact recall: 1 of") }, "\(notes)")
  }

  @Test("lines that do not name the user, and kinds that nobody has, are said") func templates() throws {
    let data = try prepared(users(), samples()) {
      $0.templates.prompt = "{query} =>"
      $0.templates.kinds = ["review": "User {user}: {text}"]
    }
    let warnings = DataReport(data).warnings
    #expect(warnings.contains { $0.contains("prompt do not say {user}") })
    #expect(warnings.contains { $0.contains("no history item is of the kind review") })
  }
}
