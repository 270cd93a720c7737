import Personalization
import TestSupport
import Testing

@Suite(.bounded) struct PersonaF1Tests {
  struct Golden: Decodable {
    struct Case: Decodable {
      var response: String
      var history: [String]
      var personaF1: Double
      var personaF1KeepingStopWords: Double
    }
    var cases: [Case]
  }

  @Test func agreesWithReference() throws {
    let golden = try Fixtures.decode(Golden.self, from: "goldens/persona-f1/cases.json")
    #expect(golden.cases.count >= 20)
    for example in golden.cases {
      let plain = PersonaF1().score(response: example.response, history: example.history)
      let keeping = PersonaF1(keepStopWords: true).score(response: example.response, history: example.history)
      #expect(abs(plain - example.personaF1) < 1e-12, "\(example.response) | \(example.history)")
      #expect(abs(keeping - example.personaF1KeepingStopWords) < 1e-12, "\(example.response)")
    }
  }

  @Test func innerApostrophesOnly() {
    let words = PersonaF1(keepStopWords: true).words("'Tis Joe's dogs' bone; rock''n roll")
    #expect(words == ["tis", "joe's", "dogs", "bone", "rock", "n", "roll"])
  }
}
