// M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980, with the departures of NLTK's default mode
// (NLTK_EXTENSIONS), which rouge_score uses:
//   - a table of irregular forms (skies -> sky, dying -> die, news -> news, …);
//   - step 1a: -ies after one letter becomes -ie (ties -> tie);
//   - step 1b: -ied after one letter becomes -ie (tied -> tie);
//   - step 1c: y becomes i only after a consonant that is not the first letter (by -> by, say -> say);
//   - step 2: -alli stems again, -fulli and -logi are added;
//   - *o condition (cvc) also holds for two-letter words vowel-consonant.
//
//   [C](VC)^m[V]: m is the measure of a stem; v: contains a vowel; d: ends in a double consonant; o: ends cvc, the last
//   consonant not w, x or y.

/// Strips English suffixes from lower-case words.
package enum PorterStemmer {
  private typealias Letters = [UInt8]

  private static let irregular: [String: String] = [
    "sky": "sky", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "news": "news", "innings": "inning",
    "inning": "inning", "outings": "outing", "outing": "outing", "cannings": "canning", "canning": "canning",
    "howe": "howe", "proceed": "proceed", "exceed": "exceed", "succeed": "succeed",
  ]

  /// The stem of `word`, which is lower-cased first.
  package static func stem(_ word: String) -> String {
    let lower = word.lowercased()
    if let known = irregular[lower] { return known }
    guard lower.utf8.count > 2 else { return lower }
    var letters = Array(lower.utf8)
    letters = step1a(letters)
    letters = step1b(letters)
    letters = step1c(letters)
    letters = step2(letters)
    letters = step3(letters)
    letters = step4(letters)
    letters = step5a(letters)
    letters = step5b(letters)
    return String(decoding: letters, as: UTF8.self)
  }

  // MARK: Conditions

  private static func isConsonant(_ word: ArraySlice<UInt8>, _ i: Int) -> Bool {
    switch word[i] {
    case UInt8(ascii: "a"), UInt8(ascii: "e"), UInt8(ascii: "i"), UInt8(ascii: "o"), UInt8(ascii: "u"): return false
    case UInt8(ascii: "y"): return i == word.startIndex ? true : !isConsonant(word, i - 1)
    default: return true
    }
  }

  private static func measure(_ stem: ArraySlice<UInt8>) -> Int {
    var m = 0
    var afterVowel = false
    for i in stem.indices {
      let consonant = isConsonant(stem, i)
      if consonant && afterVowel { m += 1 }
      afterVowel = !consonant
    }
    return m
  }

  private static func hasVowel(_ stem: ArraySlice<UInt8>) -> Bool {
    stem.indices.contains { !isConsonant(stem, $0) }
  }

  private static func endsDoubleConsonant(_ word: ArraySlice<UInt8>) -> Bool {
    guard word.count >= 2 else { return false }
    let last = word.endIndex - 1
    return word[last] == word[last - 1] && isConsonant(word, last)
  }

  private static func endsCVC(_ word: ArraySlice<UInt8>) -> Bool {
    let end = word.endIndex
    if word.count >= 3 {
      return isConsonant(word, end - 3) && !isConsonant(word, end - 2) && isConsonant(word, end - 1)
        && !"wxy".utf8.contains(word[end - 1])
    }
    return word.count == 2 && !isConsonant(word, end - 2) && isConsonant(word, end - 1)
  }

  private static func ends(_ word: Letters, _ suffix: String) -> Bool {
    word.reversed().starts(with: suffix.utf8.reversed())
  }

  // MARK: Rules

  private struct Rule {
    let suffix: String
    let replacement: String
    let condition: (ArraySlice<UInt8>) -> Bool
  }

  /// Applies the first rule whose suffix matches; if its condition fails, nothing changes.
  private static func apply(_ word: Letters, _ rules: [Rule]) -> Letters {
    for rule in rules where ends(word, rule.suffix) {
      let stem = word.dropLast(rule.suffix.utf8.count)
      return rule.condition(stem) ? Array(stem) + Array(rule.replacement.utf8) : word
    }
    return word
  }

  private static func rules(_ table: [(String, String)], _ condition: @escaping (ArraySlice<UInt8>) -> Bool) -> [Rule] {
    table.map { Rule(suffix: $0.0, replacement: $0.1, condition: condition) }
  }

  private static func step1a(_ word: Letters) -> Letters {
    if ends(word, "ies") && word.count == 4 { return Array(word.dropLast(3)) + Array("ie".utf8) }
    return apply(word, rules([("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")]) { _ in true })
  }

  private static func step1b(_ word: Letters) -> Letters {
    if ends(word, "ied") {
      return Array(word.dropLast(3)) + Array((word.count == 4 ? "ie" : "i").utf8)
    }
    if ends(word, "eed") {
      let stem = word.dropLast(3)
      return measure(stem) > 0 ? Array(stem) + Array("ee".utf8) : word
    }
    var stripped: Letters?
    for suffix in ["ed", "ing"] where ends(word, suffix) {
      let stem = word.dropLast(suffix.utf8.count)
      if hasVowel(stem) {
        stripped = Array(stem)
        break
      }
    }
    guard let stem = stripped else { return word }
    if ends(stem, "at") || ends(stem, "bl") || ends(stem, "iz") { return stem + [UInt8(ascii: "e")] }
    if endsDoubleConsonant(stem[...]), let last = stem.last {
      return "lsz".utf8.contains(last) ? stem : Array(stem.dropLast())
    }
    if measure(stem[...]) == 1 && endsCVC(stem[...]) { return stem + [UInt8(ascii: "e")] }
    return stem
  }

  private static func step1c(_ word: Letters) -> Letters {
    guard ends(word, "y") else { return word }
    let stem = word.dropLast()
    guard stem.count > 1, isConsonant(stem, stem.endIndex - 1) else { return word }
    return Array(stem) + [UInt8(ascii: "i")]
  }

  private static func step2(_ word: Letters) -> Letters {
    if ends(word, "alli"), measure(word.dropLast(4)) > 0 {
      return step2(Array(word.dropLast(4)) + Array("al".utf8))
    }
    let table = rules(
      [
        ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
        ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"),
        ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"),
        ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
      ]) { measure($0) > 0 }
    // The condition of -logi is on the stem with its l (geologi: measure of "geol").
    let logi = Rule(suffix: "logi", replacement: "log") { stem in
      stem.endIndex < word.count ? measure(word[..<(stem.endIndex + 1)]) > 0 : false
    }
    return apply(word, table + [logi])
  }

  private static func step3(_ word: Letters) -> Letters {
    apply(
      word,
      rules([
        ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
      ]) { measure($0) > 0 })
  }

  private static func step4(_ word: Letters) -> Letters {
    let suffixes = [
      "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
      "ous", "ive", "ize",
    ]
    let table = suffixes.map { suffix in
      Rule(suffix: suffix, replacement: "") { stem in
        if suffix == "ion" {
          guard let last = stem.last, last == UInt8(ascii: "s") || last == UInt8(ascii: "t") else { return false }
        }
        return measure(stem) > 1
      }
    }
    return apply(word, table)
  }

  private static func step5a(_ word: Letters) -> Letters {
    guard ends(word, "e") else { return word }
    let stem = word.dropLast()
    let m = measure(stem)
    return m > 1 || (m == 1 && !endsCVC(stem)) ? Array(stem) : word
  }

  private static func step5b(_ word: Letters) -> Letters {
    guard ends(word, "ll"), measure(word.dropLast()) > 1 else { return word }
    return Array(word.dropLast())
  }
}
