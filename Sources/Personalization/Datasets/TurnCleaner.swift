import Foundation

/// Undoes what generation left in MedicalDialogue's turns: speaker prefixes, swapped speakers, wrapping quotes, end
/// markers.
struct TurnCleaner {
  /// Turns whose speakers were exchanged so far.
  private(set) var swapped = 0

  private enum Speaker { case doctor, patient }
  private static let prefixes: [(String, Speaker)] = [
    ("doctor", .doctor), ("assistant", .doctor), ("patient", .patient), ("user", .patient),
  ]

  mutating func clean(user: String, assistant: String) -> (user: String, assistant: String) {
    let fromUser = Self.strip(user)
    let fromAssistant = Self.strip(assistant)
    // Swapped: a text carries the other's prefix, and the other text does not contradict.
    let userIsDoctor = fromUser.speaker == .doctor
    let assistantIsPatient = fromAssistant.speaker == .patient
    if (userIsDoctor && fromAssistant.speaker != .doctor) || (assistantIsPatient && fromUser.speaker != .patient) {
      swapped += 1
      return (fromAssistant.text, fromUser.text)
    }
    return (fromUser.text, fromAssistant.text)
  }

  /// The bare words, and who the outermost prefix says is speaking.
  private static func strip(_ raw: String) -> (text: String, speaker: Speaker?) {
    var text = raw.trimmingCharacters(in: .whitespacesAndNewlines)
    var speaker: Speaker?
    while true {
      let before = text
      text = unquoted(withoutEndMarker(text))
      for (prefix, who) in prefixes where text.lowercased().hasPrefix(prefix + ":") {
        text = String(text.dropFirst(prefix.count + 1))
        speaker = speaker ?? who
      }
      text = text.trimmingCharacters(in: .whitespacesAndNewlines)
      if text == before { return (text, speaker) }
    }
  }

  /// Drops quotes around the whole text; quotes that close inside it stay.
  private static func unquoted(_ text: String) -> String {
    let quotes: [(Character, Character)] = [("\"", "\""), ("\u{201C}", "\u{201D}")]
    for (open, close) in quotes where text.count >= 2 && text.first == open && text.last == close {
      let inner = text.dropFirst().dropLast()
      // `"a" b "c"` is not wrapped as a whole.
      guard !inner.contains(open), !inner.contains(close) else { continue }
      return String(inner)
    }
    // A quote that was opened and never closed, or the other way round, is a leftover.
    if text.filter({ $0 == "\"" }).count == 1, text.first == "\"" || text.last == "\"" {
      return text.replacingOccurrences(of: "\"", with: "")
    }
    return text
  }

  /// Drops a trailing remark that the conversation is over: in brackets, or a sentence of its own.
  private static func withoutEndMarker(_ text: String) -> String {
    let marker =
      "(?i)\\s*(?:"
      + "[\\[(<*][^\\[\\]()<>*]*\\bend(?:s|ed|ing)?\\b[^\\[\\]()<>*]*\\b(?:conversation|dialogue|chat)\\b[^\\[\\]()<>*]*[\\])>*]"
      + "|[\\[(<*][^\\[\\]()<>*]*\\b(?:conversation|dialogue|chat)\\b[^\\[\\]()<>*]*\\bend(?:s|ed|ing)?\\b[^\\[\\]()<>*]*[\\])>*]"
      + "|(?<![a-z,] )\\b(?:it'?s |it is )?(?:the )?(?:time to )?end (?:of )?(?:the |this |our )?(?:conversation|dialogue|chat)"
      + ")[.!\\s\"]*$"
    guard let range = text.range(of: marker, options: .regularExpression) else { return text }
    // A closing quote that stood after the marker is left to the quotes' own rule.
    return text.replacingCharacters(in: range, with: text[range].hasSuffix("\"") && text.first == "\"" ? "\"" : "")
  }
}
