/// Spelling help for keys and names.
package enum NearestName {
  /// The candidate with the smallest edit distance to `name`, when it is close enough to be a slip of the finger.
  ///
  /// Upper and lower case are the same. Close enough is a third of the name's length.
  ///
  /// - Parameter slack: the distance that is always close enough. Default 2.
  package static func of(_ name: String, among candidates: [String], slack: Int = 2) -> String? {
    let scored = candidates.map { ($0, distance(name.lowercased(), $0.lowercased())) }
    guard let best = scored.min(by: { ($0.1, $0.0) < ($1.1, $1.0) }) else { return nil }
    return best.1 <= max(slack, name.count / 3) ? best.0 : nil
  }

  /// Levenshtein's distance: the fewest insertions, deletions and substitutions of characters that turn `a` into `b`.
  package static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var diagonal = row[0]
      row[0] = i + 1
      for j in 0..<b.count {
        let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
