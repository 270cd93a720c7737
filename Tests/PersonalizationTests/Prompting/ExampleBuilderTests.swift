import Foundation
import LanguageModel
import TestSupport
import Testing

@testable import Personalization

struct ExampleBuilderTests {
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
    let prompt = try builder().prompt(sample, reserving: 10)
    #expect(Array(example.ids.prefix(prompt.count)).map(Int32.init) == prompt)
    #expect(try builder().reply(example.ids.suffix(from: prompt.count).map(Int32.init)) == "well , a cat , bye")
  }

  @Test func longPromptsLoseTheirBeginning() throws {
    let sample = Sample(
      id: "1", user: "u1", query: (1...300).map { "word\($0)" }.joined(separator: " "),
      response: (1...300).map { "reply\($0)" }.joined(separator: " "))
    let example = try builder(maxLength: 64).responseExample(sample)
    #expect(example.ids.count == 64)
    #expect(example.labelCount == 32)
    #expect(try text(example).contains("says : reply1 "))
  }
}
