import Foundation
import RandomStreams
import StrictJSON
import TestSupport
import Testing

@Suite("Strict JSON", .bounded) struct JSONParserTests {
  private func read(_ text: String, _ change: (inout JSONRules) -> Void = { _ in }) throws(JSONError) -> JSONValue {
    var rules = JSONRules()
    change(&rules)
    return try JSONValue(parsing: text, rules: rules)
  }

  private func problem(_ text: String, _ change: (inout JSONRules) -> Void = { _ in }) -> JSONError? {
    do throws(JSONError) {
      _ = try read(text, change)
      return nil
    } catch { return error }
  }

  @Test("values are read exactly") func values() throws {
    let value = try read(#" {"a":[1,-2,0,2.5,1e3,true,false,null,"x\n\u00e9\/"],"b":{}} "#)
    #expect(
      value == ["a": [1, -2, 0, 2.5, 1000.0, true, false, .null, "x\né/"], "b": [:]])
    #expect(try read("9223372036854775807") == .integer(.max) && read("-9223372036854775808") == .integer(.min))
    #expect(try read("9223372036854775808") == .number(0x1p63))
    guard case .number(let zero) = try read("-0") else { Issue.record("-0 is no integer"); return }
    #expect(zero.sign == .minus)
    #expect(try read("[1.0]").arrayValue?.first?.integerValue == 1)
  }

  @Test(
    "what is not JSON is refused with its place",
    arguments: [
      ("", JSONError.Problem.endsEarly, 1), ("[1,2", .endsEarly, 5), ("{\"a\"}", .expected("':'"), 5),
      ("tru", .unexpected("tru"), 1), ("{\"a\":1,}", .expected("a key in double quotes"), 8), ("1 2", .trailingText, 3),
      ("-", .unexpected("-"), 1), ("[1e]", .unexpected("1e"), 2), ("[01]", .unexpected("01"), 2),
      ("[1.]", .unexpected("1."), 2), ("[+1]", .unexpected("+1"), 2), ("[1,]", .unexpected("]"), 4),
      ("\u{0}", .unexpected("\u{0}"), 1), ("\"a\tb\"", .controlCharacter, 3), ("\"a", .unclosedString, 3),
      (#""\q""#, .unknownEscape, 2), (#""\u12g4""#, .badHexadecimal, 6), (#""\ud800\u0041""#, .unpairedSurrogate, 2),
      (#""\udc00""#, .unpairedSurrogate, 2), (#"{"a":1,"a":2}"#, .doubledKey("a"), 8), ("[NaN]", .notANumber("NaN"), 2),
      ("[-Infinity]", .notANumber("-Infinity"), 2), ("[1e999]", .numberOutOfRange("1e999"), 2),
    ])
  func refusals(_ text: String, _ expected: JSONError.Problem, _ column: Int) {
    let found = problem(text)
    #expect(found?.problem == expected && found?.column == column, "\(text): \(found.map { "\($0)" } ?? "accepted")")
  }

  @Test("lines are counted, and bytes that are not UTF-8 found") func places() {
    #expect(problem("{\"a\": 1,\n  \"b\": 01}")?.place == "line 2, column 8")
    let invalid = #expect(throws: JSONError.self) {
      try JSONValue(parsing: Data([0x22, 0x61, 0xFF, 0x22]), rules: JSONRules())
    }
    #expect(invalid?.problem == .invalidUTF8 && invalid?.column == 3)
    // A message for a log holds nothing of the text.
    #expect(problem(#"{"secret":1,"secret":2}"#)?.safeMessage.contains("secret") == false)
  }

  @Test("keys given twice are found among few and many, as text or as bytes") func doubledKeys() {
    for count in [1, 15, 16, 17, 40] {
      let members = (0..<count).map { "\"k\($0)\":0" }.joined(separator: ",")
      for kind in [JSONRules.Keys.text, .bytes] {
        #expect(problem("{\(members)}") { $0.keys = kind } == nil)
        for other in [0, count / 2, count - 1] {
          let found = problem("{\(members),\"k\(other)\":1}") { $0.keys = kind }
          #expect(found?.problem == .doubledKey("k\(other)"), "\(count) members")
        }
      }
    }
    // é in both of its Unicode forms.
    let forms = "{\"\u{E9}\":1,\"e\u{301}\":2}"
    #expect(problem(forms) != nil)
    #expect(problem(forms) { $0.keys = .bytes } == nil)
  }

  @Test("limits hold, and what is within them passes") func limits() throws {
    #expect(problem("[[[1]]]") { $0.depth = 2 }?.problem == .tooDeep(limit: 2))
    #expect(problem("[[[1]]]") { $0.depth = 3 } == nil)
    #expect(problem(String(repeating: "[", count: 100_000))?.problem == .tooDeep(limit: 64))
    #expect(problem("[1,2,3]") { $0.elements = 2 }?.problem == .tooMany("elements", limit: 2))
    #expect(problem("[1,2,3]") { $0.values = 3 }?.problem == .tooMany("values", limit: 3))
    #expect(problem("\"abcd\"") { $0.stringBytes = 3 }?.problem == .tooMany("bytes of a string", limit: 3))
    #expect(problem(#""\u0061bcd""#) { $0.stringBytes = 3 }?.problem == .tooMany("bytes of a string", limit: 3))
    #expect(problem("\"abc\"") { $0.stringBytes = 3 } == nil)
    #expect(problem("{\"abcd\":1}") { $0.keyBytes = 3 }?.problem == .tooMany("bytes of a string", limit: 3))
    #expect(problem("12345") { $0.numberBytes = 4 }?.problem == .tooMany("characters of a number", limit: 4))
    #expect(problem("[1]") { $0.bytes = 2 }?.problem == .tooLarge(3, limit: 2))
  }

  @Test("each departure from RFC 8259 is asked for") func departures() throws {
    #expect(problem("\u{FEFF}1") != nil)
    #expect(try read("\u{FEFF}1") { $0.allowsByteOrderMark = true } == 1)
    #expect(
      try read("[NaN,-inf,Infinity,1e999,-1e999,null]") { $0.readsNotFinite = true }
        == .array(Array(repeating: .null, count: 6)))
    #expect(problem("[NaNx]") { $0.readsNotFinite = true } != nil)
    #expect(
      try read("[1,-0,1e17,123456789012345678901234567890]") { $0.keepsNumberText = true }
        == .array(["1", "-0", "1e17", "123456789012345678901234567890"].map { .numberText($0) }))
  }

  @Test("what is written reads back the same, in every layout") func roundTrip() throws {
    let value: JSONValue = [
      "z": [1, 2.5, "\u{7F}\u{1}\"\\\n\té", .null, true, [:], []], "a": ["é": .number(-0.0), "e": .number(1e-308)],
    ]
    for indent in [nil, 1, 2] {
      #expect(try JSONValue(parsing: value.text(indent: indent), rules: JSONRules()) == value)
    }
    #expect(try JSONValue(parsing: value.serialized(), rules: JSONRules()) == value)
    #expect(String(decoding: value.serialized(), as: UTF8.self).hasPrefix("{\"a\":{\"e\":1e-308,\"é\":-0.0}"))
    #expect(value.text().hasPrefix("{\"z\":[1,2.5,\"\\u007f\\u0001\\\"\\\\\\n\\té\",null,true,{},[]]"))
    #expect(JSONValue.array([1, [:]]).text(indent: 2) == "[\n  1,\n  {}\n]")
    #expect(JSONValue.number(.nan).text() == "null" && JSONValue.finite(.infinity) == .null)
  }

  @Test("mutated texts are read or refused, and what is read can be written and read again") func fuzz() throws {
    let original = Array(#"{"a":[1,-2.5e3,true,null,"x\u00e9\ud83d\ude00"],"b":{"c":{},"d":[[]]}}"#.utf8)
    var random = RandomStream(seed: 5, purpose: "test/strict-json")
    var (accepted, refused) = (0, 0)
    for _ in 0..<20_000 {
      var bytes = original
      for _ in 0...random.integer(below: 3) {
        let at = random.integer(below: bytes.count)
        switch random.integer(below: 3) {
        case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.integer(below: 4)))
        default: bytes.insert(bytes[random.integer(below: bytes.count)], at: at)
        }
        if bytes.isEmpty { bytes = [0x20] }
      }
      do throws(JSONError) {
        let value = try JSONValue(parsing: bytes, rules: JSONRules())
        let again = try JSONValue(parsing: value.serialized(), rules: JSONRules())
        #expect(again == value)
        accepted += 1
      } catch { refused += 1 }
    }
    #expect(accepted > 500 && refused > 5000)
  }
}
