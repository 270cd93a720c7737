import Foundation
import MemoryRecipe
import Personalization
import TestSupport
import Testing

@Suite(.bounded) struct TemplatesTests {
  @Test func quickstartLines() {
    let templates = Templates.quickstart
    #expect(
      templates.line(HistoryItem(kind: "post", text: "well , hi , bye"), user: "fern10")
        == "@ fern10 posts : well , hi , bye .")
    #expect(
      templates.line(HistoryItem(kind: "dialogue", text: "a , b , c", context: "why so"), user: "oak11")
        == "@ oak11 is asked : why so ? @ oak11 says : a , b , c .")
    let sample = Sample(id: "1", user: "oak11", query: "why so", response: "a , b , c")
    #expect(
      templates.promptText(sample) + templates.responseText(sample)
        == "@ oak11 is asked : why so ? @ oak11 says : a , b , c .")
    #expect(templates.bareReply(" a , b , c .") == "a , b , c")
    #expect(templates.bareReply(" a , b") == "a , b")
    #expect(templates.profileLine(User(id: "x", profile: ["a": "b"])) == nil)
  }

  @Test func plainLines() {
    let templates = Templates.plain
    #expect(templates.line(HistoryItem(kind: "review", text: "Good."), user: "7") == "User 7: [review] Good.")
    #expect(
      templates.line(HistoryItem(kind: "answer", text: "Yes.", context: "Fits?"), user: "7")
        == "User 7: [answer] Fits? => Yes.")
    #expect(templates.profileLine(User(id: "7", profile: ["b": "2", "a": "1"])) == "User 7: Profile: a=1; b=2")
    let sample = Sample(id: "1", user: "7", query: "Q {user}", context: "C", response: "R")
    // Braces in values are text.
    #expect(templates.promptText(sample).contains("### Input: C\nQ {user}\n### Response:"))
  }

  @Test func customKindsAndBraces() throws {
    var templates = Templates.plain
    templates.kinds["post"] = "{{{user}}} {text}"
    #expect(templates.line(HistoryItem(kind: "post", text: "t"), user: "u") == "{u} t")
    try templates.validate()
    templates.kinds["post"] = "{usr} {text}"
    let error = #expect(throws: DatasetError.self) { try templates.validate() }
    #expect(error?.message.contains("kinds.post") == true && error?.message.contains("{usr}") == true)
    templates.kinds = [:]
    templates.response = "nothing"
    #expect(throws: DatasetError.self) { try templates.validate() }
  }

  @Test func overridesByName() throws {
    let templates = try Templates.plain.overriding([
      "kinds.post": "P {text}", "profile": "", "prompt": "{query}:", "separator": " ",
    ])
    #expect(templates.kinds == ["post": "P {text}"] && templates.profile == nil)
    #expect(templates.prompt == "{query}:" && templates.separator == " ")
    let error = #expect(throws: DatasetError.self) { try Templates.plain.overriding(["promt": "x"]) }
    #expect(error?.message.contains("\"prompt\"") == true)
    #expect(throws: DatasetError.self) { try Templates.plain.overriding(["prompt": "{response}"]) }
  }

  @Test("a kind of the data's items is a template's name, and so is stop") func kindsAndStop() throws {
    let templates = try Templates.plain.overriding(
      ["post": "P {user} {text}", "stop": "###", "kinds.note": "N {text}"], kinds: ["post", "note"])
    #expect(templates.kinds == ["post": "P {user} {text}", "note": "N {text}"] && templates.stop == "###")
    #expect(templates.bareReply(" a cat ### User: b") == "a cat")
    let unknown = #expect(throws: DatasetError.self) {
      try Templates.plain.overriding(["posts": "{text}"], kinds: ["post"])
    }
    #expect(unknown?.message.contains("did you mean \"post\"") == true && unknown?.key == "posts")
    #expect(throws: DatasetError.self) { try Templates.plain.overriding(["post": "{text}"]) }
  }

  @Test(
    "templates that cannot work are refused with their name",
    arguments: [
      ("item", "{user}: {txt}", "did you mean {text}"), ("item", "{user} says", "must contain {text}"),
      ("prompt", "{user}:", "must contain {query}"), ("prompt", "{query} {user", "not closed"),
      ("profile", "{user}", "must contain {profile}"), ("response", "{respones}", "did you mean {response}"),
      ("promptWithContext", "{context}", "must contain {query}"), ("kinds.post", "{user}", "must contain {text}"),
    ])
  func refused(_ key: String, _ text: String, _ message: String) {
    let error = #expect(throws: DatasetError.self) { try Templates.plain.overriding([key: text]) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    #expect(error?.key == key)
  }

  @Test func survivesJSON() throws {
    let back = try JSONDecoder().decode(TrialRecipe.self, from: JSONEncoder().encode(TrialRecipe(templates: .plain)))
    #expect(back == TrialRecipe(templates: .plain))
  }
}
