import Foundation
import LanguageModel
import MemoryRecipe
import TestSupport
import Testing

@testable import Personalization

@Suite(.bounded) struct ExampleBuilderTests {
  let tokenizer: Tokenizer
  init() throws { tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2")) }

  func builder(_ templates: Templates = .quickstart, maxLength: Int = 256) throws -> ExampleBuilder {
    try ExampleBuilder(tokenizer: tokenizer, templates: templates, maxLength: maxLength)
  }

  func labelled(_ example: TrainingExample) throws -> String {
    let ids = zip(example.ids, example.labels).filter { $0.1 != TrainingExample.ignored }.map { Int32($0.0) }
    return try tokenizer.decode(ids, skipSpecialTokens: true)
  }

  func text(_ example: TrainingExample) throws -> String {
    try tokenizer.decode(example.ids.map(Int32.init), skipSpecialTokens: true)
  }

  let user = User(
    id: "u1", profile: ["pet": "cat"],
    history: (1...5).map { HistoryItem(kind: "post", text: "post number \($0)") })

  @Test func memoryExamplesLabelTheItem() throws {
    let examples = try builder(.plain).memoryExamples(user, window: 2, labelContext: false)
    // The profile's line comes first.
    #expect(examples.count == 6)
    #expect(try labelled(examples[0]) == "User u1: Profile: pet=cat")
    #expect(try labelled(examples[5]) == "User u1: [post] post number 5")
    #expect(
      try text(examples[5])
        == "User u1: [post] post number 3\nUser u1: [post] post number 4\nUser u1: [post] post number 5")
    for example in examples {
      #expect(example.ids.count == example.labels.count)
      #expect(Int32(example.ids[example.ids.count - 1]) == tokenizer.specialIDs.eos[0])
      #expect(example.labels.last == example.ids.last)
    }
  }

  @Test func singleLinesLabelEverything() throws {
    let examples = try builder().memoryExamples(user, window: 0, labelContext: true)
    #expect(examples.count == 5)
    #expect(try text(examples[1]) == "@ u1 posts : post number 2 .")
    #expect(examples.allSatisfy { $0.ids == $0.labels })
  }

  @Test func contextLosesItsOldestItemsFirst() throws {
    let one = try builder(.plain).memoryExamples(user, window: 0, labelContext: false)[5].ids.count
    let examples = try builder(.plain, maxLength: 2 * one + 4).memoryExamples(user, window: 4, labelContext: false)
    #expect(try text(examples[5]) == "User u1: [post] post number 4\nUser u1: [post] post number 5")
    for length in 8..<60 {
      for example in try builder(.plain, maxLength: length).memoryExamples(user, window: 4, labelContext: false) {
        #expect(example.ids.count <= length)
        #expect(example.labelCount > 0)
      }
    }
  }

  @Test func responsesAreLabelledToTheEnd() throws {
    let sample = Sample(id: "1", user: "u1", query: "which pet", response: "well , a cat , bye")
    let example = try builder().responseExample(sample)
    #expect(try text(example) == "@ u1 is asked : which pet ? @ u1 says : well , a cat , bye .")
    #expect(try labelled(example) == " well , a cat , bye .")
    let prompt = try builder().prompt(sample).ids
    #expect(Array(example.ids.prefix(prompt.count)).map(Int32.init) == prompt)
    #expect(try builder().reply(example.ids.suffix(from: prompt.count).map(Int32.init)) == "well , a cat , bye")
  }

  @Test("long prompts keep the user and the end of the question, and the cut is counted") func longPrompts() throws {
    let sample = Sample(
      id: "1", user: "u1", query: (1...300).map { "word\($0)" }.joined(separator: " "),
      response: (1...300).map { "reply\($0)" }.joined(separator: " "))
    let example = try builder(maxLength: 64).responseExample(sample)
    #expect(example.ids.count == 64)
    #expect(example.labelCount == 32)
    #expect(try text(example).contains("says : reply1 "))
    #expect(try text(example).hasPrefix("@ u1 is asked : "))
    let answer = try builder(maxLength: 64).answer(sample)
    #expect(answer.prompt.cut > 0 && answer.prompt.tokens == answer.prompt.cut + answer.prompt.ids.count)
    #expect(answer.response.cut == answer.response.tokens - 32)
  }

  @Test("a long context loses its oldest part, never the user or the question") func longContext() throws {
    let context = (1...200).map { "line\($0)" }.joined(separator: " ")
    let sample = Sample(id: "1", user: "u1", query: "which pet", context: context, response: "a cat")
    for length in [64, 100, 256] {
      let prompt = try builder(.plain, maxLength: length).prompt(sample)
      let text = try tokenizer.decode(prompt.ids, skipSpecialTokens: true)
      #expect(prompt.cut > 0 && prompt.ids.count <= length - min(ExampleBuilder.replyReserve, length / 4))
      #expect(text.hasPrefix("### User: u1"), "\(text)")
      #expect(text.hasSuffix("200\nwhich pet\n### Response:"), "\(text)")
    }
  }

  @Test("what does not fit of a history is counted, by item") func historyCuts() throws {
    var user = user
    user.history[2].text = (1...100).map { "word\($0)" }.joined(separator: " ")
    let pieces = try builder(.plain, maxLength: 64).memoryPieces(user, window: 1, labelContext: false)
    let cut = pieces.filter { $0.content.cut > 0 }
    #expect(cut.map(\.item) == [2] && pieces[0].item == nil)
    #expect(pieces.allSatisfy { $0.example.ids.count <= 64 })
    // The item after the long one finds no room for it.
    #expect(pieces[4].missingContext == 1 && pieces[5].missingContext == 0)
  }
}
