// ROUGE-1 and ROUGE-L as Google's rouge_score 0.1.2 computes them (the scorer behind the Hugging Face `rouge` metric).
//
// C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", ACL workshop 2004.
//
//   R    reference tokens        P   prediction tokens
//   p    precision = overlap/|P|  r   recall = overlap/|R|   F1 = 2pr/(p+r)
//   ROUGE-1 overlap: Σ_w min(count_P(w), count_R(w));  ROUGE-L overlap: length of the longest common subsequence

/// Overlap of a prediction with its reference, as fractions in [0, 1].
package struct RougeScore: Sendable, Codable, Equatable {
  package var precision: Double
  package var recall: Double
  package var f1: Double

  package init(precision: Double, recall: Double, f1: Double) {
    self.precision = precision
    self.recall = recall
    self.f1 = f1
  }

  static let zero = RougeScore(precision: 0, recall: 0, f1: 0)

  init(overlap: Int, prediction: Int, reference: Int) {
    let p = Double(overlap) / Double(max(prediction, 1))
    let r = Double(overlap) / Double(max(reference, 1))
    self.init(precision: p, recall: r, f1: p + r > 0 ? 2 * p * r / (p + r) : 0)
  }
}

/// ROUGE-1 and ROUGE-L of one prediction.
package struct Rouge: Sendable, Codable, Equatable {
  package var rouge1: RougeScore
  package var rougeL: RougeScore

  /// How texts become words.
  package struct Options: Sendable, Equatable {
    /// Porter-stem words of more than three letters; default false, as the paper.
    package var stemmer: Bool
    /// Keep letters and digits of every script; default false: the reference drops all but `[a-z0-9]`.
    package var unicode: Bool
    package init(stemmer: Bool = false, unicode: Bool = false) {
      self.stemmer = stemmer
      self.unicode = unicode
    }
  }

  /// Scores `prediction` against `reference`; both scores are zero when either has no words.
  package init(prediction: String, reference: String, options: Options = Options()) {
    let predicted = Self.tokens(prediction, options: options)
    let wanted = Self.tokens(reference, options: options)
    guard !predicted.isEmpty, !wanted.isEmpty else {
      (rouge1, rougeL) = (.zero, .zero)
      return
    }
    var left: [String: Int] = [:]
    for word in wanted { left[word, default: 0] += 1 }
    var overlap = 0
    for word in predicted {
      if let count = left[word], count > 0 {
        left[word] = count - 1
        overlap += 1
      }
    }
    rouge1 = RougeScore(overlap: overlap, prediction: predicted.count, reference: wanted.count)
    rougeL = RougeScore(
      overlap: Self.longestCommonSubsequence(predicted, wanted), prediction: predicted.count, reference: wanted.count)
  }

  /// Lower-cased runs of letters and digits, stemmed if asked.
  package static func tokens(_ text: String, options: Options = Options()) -> [String] {
    let lower = text.lowercased()
    var words: [String] = []
    if options.unicode {
      words = lower.split { !($0.isLetter || $0.isNumber) }.map(String.init)
    } else {
      words = lower.utf8.split { byte in
        !(byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z"))
          && !(byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
      }.map { String(Substring($0)) }
    }
    guard options.stemmer else { return words }
    return words.map { $0.count > 3 ? PorterStemmer.stem($0) : $0 }.filter { !$0.isEmpty }
  }

  /// How many letters and digits of `text` the reference keeps, and how many there are in all scripts.
  static func letters(_ text: String) -> (kept: Int, all: Int) {
    let all = text.lowercased().filter { $0.isLetter || $0.isNumber }
    return (all.count { $0.isASCII }, all.count)
  }

  /// Length of the longest common subsequence, in one row of |b| + 1 numbers.
  static func longestCommonSubsequence(_ a: [String], _ b: [String]) -> Int {
    var row = [Int](repeating: 0, count: b.count + 1)
    for x in a {
      var diagonal = 0
      for (j, y) in b.enumerated() {
        let above = row[j + 1]
        row[j + 1] = x == y ? diagonal + 1 : max(above, row[j])
        diagonal = above
      }
    }
    return row[b.count]
  }
}
