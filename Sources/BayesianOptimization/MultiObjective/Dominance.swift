// Pareto dominance, everything maximised.
//
// Row i is dominated when another row is at least as large in every objective and larger in one (Deb 2001, §2.4).
// Rows with a value that is not a number never count as non-dominated.

/// Pareto dominance of maximised objective vectors.
public enum Dominance {
  /// Whether `a` dominates `b`: at least as large everywhere and larger somewhere.
  public static func dominates(_ a: [Double], _ b: [Double]) -> Bool {
    var larger = false
    for (x, y) in zip(a, b) {
      if !(x >= y) { return false }
      if x > y { larger = true }
    }
    return larger
  }

  /// Which of n rows (n x m) are non-dominated; of identical rows only the first is kept when `deduplicate` is set.
  ///
  /// O(n log n) for one and two objectives, O(n²) otherwise.
  public static func nonDominated(_ rows: [[Double]], deduplicate: Bool = true) -> [Bool] {
    guard let objectives = rows.first?.count else { return [] }
    switch objectives {
    case 0: return rows.indices.map { $0 == 0 || !deduplicate }
    case 2: return sweep(rows, deduplicate: deduplicate)
    default: return pairwise(rows, deduplicate: deduplicate)
    }
  }

  /// Indices of the non-dominated rows, ascending; of identical rows only the first.
  public static func front(_ rows: [[Double]]) -> [Int] {
    let keep = nonDominated(rows)
    return rows.indices.filter { keep[$0] }
  }

  /// Two objectives: by the first objective descending, a row is kept when its second exceeds all before it.
  private static func sweep(_ rows: [[Double]], deduplicate: Bool) -> [Bool] {
    var keep = [Bool](repeating: false, count: rows.count)
    let order = rows.indices.filter { !rows[$0][0].isNaN && !rows[$0][1].isNaN }.sorted { a, b in
      if rows[a][0] != rows[b][0] { return rows[a][0] > rows[b][0] }
      if rows[a][1] != rows[b][1] { return rows[a][1] > rows[b][1] }
      return a < b
    }
    var last: Int?
    for index in order {
      if let kept = last {
        if rows[index][1] > rows[kept][1] {
          keep[index] = true
          last = index
        } else if !deduplicate && rows[index] == rows[kept] {
          keep[index] = true
        }
      } else {
        keep[index] = true
        last = index
      }
    }
    return keep
  }

  private static func pairwise(_ rows: [[Double]], deduplicate: Bool) -> [Bool] {
    rows.indices.map { i in
      if rows[i].contains(where: \.isNaN) { return false }
      for j in rows.indices where j != i {
        if dominates(rows[j], rows[i]) { return false }
        if deduplicate && j < i && rows[j] == rows[i] { return false }
      }
      return true
    }
  }

  /// Ranks of non-dominated sorting (0 = front), identical rows sharing a rank.
  static func ranks(_ rows: [[Double]]) -> [Int] {
    var rank = [Int](repeating: 0, count: rows.count)
    var remaining = Array(rows.indices)
    var level = 0
    while !remaining.isEmpty {
      let keep = nonDominated(remaining.map { rows[$0] }, deduplicate: false)
      var rest: [Int] = []
      for (position, index) in remaining.enumerated() {
        // Rows that are not numbers are never kept: they end up in the last rank.
        if keep[position] { rank[index] = level } else { rest.append(index) }
      }
      if rest.count == remaining.count {
        for index in rest { rank[index] = level }
        break
      }
      remaining = rest
      level += 1
    }
    return rank
  }
}
