import Foundation
import MemoryRecipe
import TestSupport
import Testing

@testable import Personalization

/// On files of the release's exact form, quirks included.
@Suite(.bounded) struct MedicalDialogueImporterTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func write(_ value: Any, _ path: String) throws {
    let url = folder.url.appendingPathComponent(path)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try JSONSerialization.data(withJSONObject: value, options: [.prettyPrinted]).write(to: url)
  }

  func dialogue(_ turns: [(assistant: String, user: String)]) -> [[String: [String: String]]] {
    turns.enumerated().map { [String($0): ["Assistant": $1.assistant, "User": $1.user]] }
  }

  func plain(_ name: String) -> [[String: [String: String]]] {
    dialogue((0..<6).map { ("Doctor: \(name) asks \($0)?", "Patient: \(name) says \($0).") })
  }

  let lee =
    #"{"personal_information": "Name: Lee, 44", "symptoms": "Itchy rash on arm.", "dialogue_preference": "prefer concise answer"}"#
  let ann =
    #"{"personal_information": {"name": "Ann", "age": 30}, "symptoms": null, "dialogue_preference": "Polite Response", "extra": ["a", "b"]}"#

  @Test func readsTheRelease() throws {
    try write([lee, "not json {", String(lee.dropLast()) + ",}", "[1]", ann], "dialogue_generation/profiles_4.json")
    let quirky = dialogue([
      ("Doctor: How can I help?", "Patient: \"My arm itches.\""),
      ("\"Doctor: Since when?\"", "\"Two days.\""),
      ("Patient: It burns, too.", "Doctor: Does it swell?"),
      ("Doctor: Use this \"cream\" daily.", "Thanks, \"cream\" it is."),
      ("Doctor: Call me.", "Patient: Will do. (End of conversation)"),
      ("\"Goodbye. Time to end this conversation.\"", "End of conversation."),
    ])
    // File-name order puts dialogues2 first, though it was written last.
    try write([plain("third"), plain("fourth")], "data/dialogues_3_cleaned.json")
    try write([quirky, plain("second")], "data/dialogues2_cleaned.json")
    let result = try MedicalDialogueImporter.read(folder: folder.url)
    #expect(result.association == "positional")
    #expect(result.profiles == 2 && result.unparsableProfiles == 3 && result.dialogues == 4)
    #expect(result.swappedTurns == 1)
    let data = result.dataset
    // Dialogues 0 and 2 go to the first parsable profile, 1 and 3 to the second.
    #expect(data.users.map(\.id) == ["malp-0", "malp-4"])
    #expect(data.users[0].profile["personal_information"] == "Name: Lee, 44")
    #expect(
      data.users[1].profile == [
        "personal_information": "age: 30; name: Ann", "dialogue_preference": "Polite Response", "extra": "a, b",
      ])
    #expect(data.samples.filter { $0.user == "malp-0" }.map(\.id).contains("malp-2-0"))
    let first = data.samples.filter { $0.id.hasPrefix("malp-0-") }
    #expect(
      first.map(\.query) == ["My arm itches.", "Two days.", "It burns, too.", "Thanks, \"cream\" it is.", "Will do."])
    #expect(
      first.map(\.response) == ["Since when?", "Does it swell?", "Use this \"cream\" daily.", "Call me.", "Goodbye."])
    #expect(first.allSatisfy { !$0.query.contains("Patient:") && !$0.response.contains("Doctor:") })
    #expect(data.users[0].history.map(\.text).prefix(2) == ["My arm itches.", "Two days."])
    // Five samples of each whole dialogue: user turn t, assistant turn t + 1.
    #expect(data.samples.count == 20)
    let table = data.statistics(association: result.association)
    #expect(table.users == 2 && table.association == "positional")
    let split = try data.split(SplitPolicy(mode: .withinUser))
    #expect(split.train.count == 14 && split.validation.count == 2 && split.test.count == 4)
  }

  @Test func sentencesAboutConversationsStay() {
    var cleaner = TurnCleaner()
    for text in [
      "Before we end this conversation, drink water.", "I wish to end this conversation.",
      "Thank you for the conversation!", "He said \"stop\" and \"go\"",
    ] {
      #expect(cleaner.clean(user: text, assistant: "Doctor: ok").user == text)
    }
    for (raw, clean) in [
      ("Take care.\" (Ending the conversation)", "Take care."), ("\"Bye!\" \n\n(The conversation ends here)", "Bye!"),
      ("\"You too.\" \n\nEnd of conversation.", "You too."), ("Patient: \"\"", ""), ("\"Fine.", "Fine."),
      ("Bye. [It is time to end this conversation]", "Bye."),
    ] {
      #expect(cleaner.clean(user: raw, assistant: "Doctor: ok").user == clean)
    }
    #expect(cleaner.swapped == 0)
  }

  @Test func refusesOtherFiles() throws {
    let none = #expect(throws: DatasetError.self) { try MedicalDialogueImporter.read(folder: folder.url) }
    #expect(none?.message.contains("profiles") == true)
    try write([lee], "profiles_4.json")
    let lonely = #expect(throws: DatasetError.self) { try MedicalDialogueImporter.read(folder: folder.url) }
    #expect(lonely?.message.contains("dialogues") == true)
    try write([[["0": ["Assistant": "a"]]]], "dialogues_x.json")
    let broken = #expect(throws: DatasetError.self) { try MedicalDialogueImporter.read(folder: folder.url) }
    #expect(broken?.message.contains("dialogue 0, turn 0") == true)
    try write(["{}"], "profiles_4.json")
    let useless = #expect(throws: DatasetError.self) { try MedicalDialogueImporter.read(folder: folder.url) }
    #expect(useless?.code == .empty)
  }
}
