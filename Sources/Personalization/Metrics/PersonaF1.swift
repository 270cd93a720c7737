// Persona-F1: overlap between the words of a response and those of the user's history.
//
// P. Zhong et al., "Less is more: learning to refine dialogue history for personalized dialogue generation" (MSP),
// NAACL 2022, evaluation code; the paper reports it in percent.
//
//   R = set of words of the response, H = union of the sets of words of all history items, both without stop words
//   p = |R∩H|/|R|, r = |R∩H|/|H|, F1 = 2pr/(p+r); 0 when R or H is empty. The corpus value is the mean.

/// Scores replies against users' histories.
package struct PersonaF1: Sendable {
  /// Count stop words too; default false.
  package var keepStopWords: Bool

  package init(keepStopWords: Bool = false) { self.keepStopWords = keepStopWords }

  /// The words that count in `text`: lower-case runs of letters and digits with inner apostrophes.
  package func words(_ text: String) -> Set<String> {
    var found = Set<String>()
    var word = ""
    var apostrophes = 0
    func close() {
      if !word.isEmpty { found.insert(word) }
      word = ""
      apostrophes = 0
    }
    for character in text.lowercased() {
      if character.isLetter || character.isNumber {
        if apostrophes > 0 { word += "'" }
        apostrophes = 0
        word.append(character)
      } else if (character == "'" || character == "\u{2019}") && !word.isEmpty && apostrophes == 0 {
        apostrophes = 1
      } else {
        close()
      }
    }
    close()
    return keepStopWords ? found : found.subtracting(StopWords.english)
  }

  /// The union of the words of all items of a history.
  package func words(ofHistory history: [String]) -> Set<String> {
    history.reduce(into: Set()) { $0.formUnion(words($1)) }
  }

  /// Persona-F1 of one response, a fraction in [0, 1].
  package func score(response: String, history: [String]) -> Double {
    score(response: response, historyWords: words(ofHistory: history))
  }

  /// The same with the history's words at hand (many responses of one user).
  package func score(response: String, historyWords: Set<String>) -> Double {
    let reply = words(response)
    guard !reply.isEmpty, !historyWords.isEmpty else { return 0 }
    let common = Double(reply.intersection(historyWords).count)
    guard common > 0 else { return 0 }
    let p = common / Double(reply.count)
    let r = common / Double(historyWords.count)
    return 2 * p * r / (p + r)
  }
}
