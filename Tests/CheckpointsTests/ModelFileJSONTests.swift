import Foundation
import ModelFiles
import TestSupport
import Testing

@Suite("JSON of model files", .bounded) struct ModelFileJSONTests {
  @Test("JSON errors say line and column")
  func places() throws {
    func message(_ text: String) -> String {
      do {
        _ = try JSONParser.parse(Data(text.utf8))
        return ""
      } catch { return "\(error)" }
    }
    #expect(message("{\"a\": 1,\n  \"b\": 01}").contains("line 2, column"))
    #expect(message(#"["x\ud800y"]"#).contains("an unpaired surrogate at column 4"))
    #expect(message(#"{"a":1,"a":2}"#).contains("duplicate key 'a' at column 8"))
    #expect(message("[1, NaN]").contains("NaN is no number in JSON at column 5"))
    #expect(message("[1e999]").contains("a number out of range at column 2"))
    let invalid = #expect(throws: ModelFileError.self) { try JSONParser.parse(Data([0x22, 0x61, 0xFF, 0x22])) }
    #expect(invalid?.message.contains("invalid UTF-8 at column 3") == true)
  }
}
