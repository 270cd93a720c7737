import Foundation
import Personalization
import TestSupport
import Testing

@Suite(.bounded) struct DatasetReadingTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func read(_ users: String, _ samples: String) throws -> Dataset {
    let (u, s) = (folder.url.appendingPathComponent("users.jsonl"), folder.url.appendingPathComponent("samples.jsonl"))
    try Data(users.utf8).write(to: u)
    try Data(samples.utf8).write(to: s)
    return try Dataset.read(users: u, samples: s)
  }

  func error(_ users: String, _ samples: String) throws -> DatasetError {
    do {
      _ = try read(users, samples)
    } catch let error as DatasetError {
      return error
    }
    Issue.record("no error")
    return DatasetError(.empty, "")
  }

  let user = #"{"id":"ann","profile":{"pet":"cat"},"history":[{"kind":"post","text":"My cat sleeps."}]}"#
  let sample = #"{"id":"s1","user":"ann","query":"Which pet?","response":"A cat."}"#

  @Test func readsRecords() throws {
    let users =
      "\u{FEFF}"
      + #"{"id":7,"profile":{"age":44,"likes":["tea","go"],"vegan":true},"history":[{"kind":"post","text":"Hé \"you\"","context":"q","time":"2024-05-01T12:00:00Z"}]}"#
      + "\r\n" + user
    let data = try read(users, sample + "\n\n" + #"{"id":"s2","user":"7","query":"","response":"x","split":"test"}"#)
    #expect(data.users.map(\.id) == ["7", "ann"])
    #expect(data.users[0].profile == ["age": "44", "likes": "tea, go", "vegan": "true"])
    #expect(data.users[0].history == [HistoryItem(kind: "post", text: "Hé \"you\"", context: "q", time: 1_714_564_800)])
    #expect(data.samples[1].split == .test)
    #expect(data.user(of: data.samples[0]).id == "ann")
  }

  @Test func namesTheBrokenLine() throws {
    let lines = (1...5000).map { #"{"id":"u\#($0)","history":[]}"# }
    var broken = lines
    broken[4710] = #"{"id":"u4711","history":[}"#
    let found = try error(broken.joined(separator: "\n"), sample)
    #expect(found.code == .malformed)
    #expect(found.line == 4711)
    #expect(found.path?.hasSuffix("users.jsonl") == true)
    #expect(found.description.contains("users.jsonl:4711:26"))
    #expect(found.description.contains("JSON"))
  }

  @Test(arguments: [
    (#"{"id":"ann"}"#, "\"history\" is missing"), (#"{"id":"a","history":[],}"#, "expected a key"),
    (#"{"id":"a","id":"b","history":[]}"#, "appears twice"), (#"{"id":"a","hist"#, "not closed"),
    (#"{"id":"a","history":[01]}"#, "unexpected \"01\""), (#"{"id":"\u12","history":[]}"#, "hexadecimal"),
    (#"{"id":"ann","histroy":[]}"#, "did you mean \"history\""),
    (#"{"id":"ann","history":[{"kind":"post"}]}"#, "\"history[0].text\" is missing"),
    (#"{"id":"ann","history":[{"kind":"post","text":"a","when":3}]}"#, "unknown key \"history[0].when\""),
    (#"{"id":"","history":[]}"#, "\"id\" is empty"),
    (#"{"id":true,"history":[]}"#, "\"id\" must be a string"),
    (#"{"id":"ann","history":[{"kind":"post","text":"a","time":"yesterday"}]}"#, "ISO 8601"),
    (#"[1,2]"#, "expected a JSON object"),
    (#"{"id":"ann","profile":{"a":{"b":"c"}},"history":[]}"#, "\"profile\" may hold"),
  ])
  func refusesBadUsers(_ line: String, _ message: String) throws {
    let found = try error(line, sample)
    #expect(found.code == .malformed)
    #expect(found.line == 1)
    #expect(found.message.contains(message), "\(found.message)")
  }

  @Test(
    "numbers are identifiers when they are whole, and large ones keep their digits",
    arguments: [
      ("1.0", "1"), ("-0", "0"), ("12", "12"), ("1e3", "1000"), ("9007199254740993", "9007199254740993"),
      ("18446744073709551616", "18446744073709551616"),
      ("123456789012345678901234567890", "123456789012345678901234567890"),
    ])
  func numericIdentifiers(_ written: String, _ expected: String) throws {
    let data = try read(
      #"{"id":\#(written),"history":[]}"#, #"{"id":"s","user":"\#(expected)","query":"q","response":"r"}"#)
    #expect(data.users[0].id == expected)
  }

  @Test(
    "numbers that lost digits, or are not whole, are no identifiers",
    arguments: ["1.5", "1e17", "1.2345678901234568e+18"])
  func lossyIdentifiers(_ written: String) throws {
    let found = try error(#"{"id":\#(written),"history":[]}"#, sample)
    #expect(found.code == .malformed && found.line == 1)
    #expect(found.message.contains(written) && found.message.contains("in quotes"), "\(found.message)")
  }

  @Test(
    "keys of other tools lead to ours",
    arguments: [
      ("answer", "response"), ("output", "response"), ("completion", "response"), ("reponse", "response"),
    ])
  func otherKeys(_ key: String, _ meant: String) throws {
    let found = try error(user, #"{"id":"s","user":"ann","query":"q","\#(key)":"r"}"#)
    #expect(found.message.contains("unknown key \"\(key)\"; did you mean \"\(meant)\"?"), "\(found.message)")
    let question = try error(user, #"{"id":"s","user":"ann","prompt":"q","response":"r"}"#)
    #expect(question.message.contains("did you mean \"query\""))
  }

  @Test func refusesInvalidUTF8() throws {
    let url = folder.url.appendingPathComponent("users.jsonl")
    try Data([0x7B, 0xFF, 0xFE, 0x7D, 0x0A]).write(to: url)
    #expect(throws: DatasetError.self) { try Dataset.read(users: url, samples: url) }
  }

  @Test func refusesWhatDoesNotFit() throws {
    #expect(try error(user + "\n" + user, sample).code == .duplicate)
    #expect(try error(user, sample + "\n" + sample).code == .duplicate)
    let unknown = try error(user, sample.replacingOccurrences(of: "\"ann\"", with: "\"anne\""))
    #expect(unknown.code == .unknownUser)
    #expect(unknown.line == 1)
    #expect(unknown.message.contains("nearest known id is \"ann\""))
    #expect(try error(user, "\n").code == .empty)
    #expect(try error("", sample).code == .empty)
    #expect(try error(user, #"{"id":"s","user":"ann","query":"q","response":" "}"#).message.contains("empty"))
    #expect(
      try error(user, #"{"id":"s","user":"ann","query":"q","response":"a","split":"dev"}"#).message.contains("dev"))
  }

  @Test func refusesLeakage() throws {
    func history(_ item: String) -> String { #"{"id":"ann","history":[\#(item)]}"# }
    let long = #"{"id":"s","user":"ann","query":"Why so?","response":"Because I like my old cat."}"#
    let found = try error(history(#"{"kind":"post","text":"because I like  my old cat."}"#), long)
    #expect(found.code == .leakage)
    #expect(found.message.contains("item 1"))
    let answered = history(#"{"kind":"dialogue","context":"Which pet?","text":"A cat."}"#)
    #expect(try error(answered, sample).code == .leakage)
    // The same words in answer to something else are a habit, not a leak.
    let other = history(#"{"kind":"dialogue","context":"Who is there?","text":"A cat."}"#)
    #expect(try read(other, sample).samples.count == 1)
  }

  @Test func missingFilesAreNamed() throws {
    let nowhere = folder.url.appendingPathComponent("nowhere.jsonl")
    let failure = #expect(throws: DatasetError.self) { try Dataset.read(users: nowhere, samples: nowhere) }
    #expect(failure?.code == .unreadable)
    let isFolder = #expect(throws: DatasetError.self) { try Dataset.read(users: folder.url, samples: nowhere) }
    #expect(isFolder?.message.contains("folder") == true)
  }

  @Test func writingAndReadingIsTheIdentity() throws {
    let data = try Dataset(
      users: [
        User(
          id: "a\"b", profile: ["k": "line\nbreak\u{1}", "ü": "\\"],
          history: [HistoryItem(kind: "post", text: "x\u{2028}y", context: nil, time: 1.5)])
      ],
      samples: [Sample(id: "1", user: "a\"b", query: "q", context: "c", response: "r", time: 1e9, split: .train)])
    let target = folder.url.appendingPathComponent("out/deep")
    try data.write(to: target)
    let back = try Dataset.read(
      users: target.appendingPathComponent("users.jsonl"), samples: target.appendingPathComponent("samples.jsonl"))
    #expect(back == data)
    #expect(back.fingerprint == data.fingerprint)
    #expect(back.fingerprint.count == 64)
    var changed = data.samples
    changed[0].response = "R"
    #expect(try Dataset(users: data.users, samples: changed).fingerprint != data.fingerprint)
  }
}
