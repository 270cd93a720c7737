// Exact hypervolume, everything maximised.
//
//   HV(Y; ref) = volume of the union of the boxes [ref, y], y in Y; rows not above ref everywhere contribute nothing.
//
// One objective: the best excess. Two: a sweep over the front. More: slices along the last objective (HSO; While,
// Hingston, Barone, Huband, IEEE TEC 2006), O(n^(m−1) log n), meant for m ≤ 4.

/// Exact hypervolume of maximised objective vectors.
public enum Hypervolume {
  /// The volume dominated by `rows` (n x m) above `reference` (m).
  public static func value(_ rows: [[Double]], reference: [Double]) -> Double {
    let above = rows.filter { row in zip(row, reference).allSatisfy { $0 > $1 } }
    return volume(above, reference, objectives: reference.count)
  }

  /// The volume that `row` adds to the rows of `front`.
  public static func improvement(of row: [Double], over front: [[Double]], reference: [Double]) -> Double {
    var box = 1.0
    for (value, lower) in zip(row, reference) {
      guard value > lower else { return 0 }
      box *= value - lower
    }
    // The part of the box that is already dominated is the hypervolume of the front limited to the box.
    let limited = front.map { other in zip(other, row).map { min($0, $1) } }
    return max(0, box - value(limited, reference: reference))
  }

  /// Volume of rows that are all above the reference; only the first `objectives` coordinates count.
  private static func volume(_ rows: [[Double]], _ reference: [Double], objectives: Int) -> Double {
    guard !rows.isEmpty, objectives > 0 else { return 0 }
    switch objectives {
    case 1: return rows.reduce(0) { max($0, $1[0] - reference[0]) }
    case 2: return area(rows, reference)
    default: break
    }
    let last = objectives - 1
    let order = rows.sorted { $0[last] > $1[last] }
    var sum = 0.0
    var slice: [[Double]] = []
    for (index, row) in order.enumerated() {
      insert(row, into: &slice, objectives: last)
      let below = index + 1 < order.count ? order[index + 1][last] : reference[last]
      if row[last] > below { sum += (row[last] - below) * volume(slice, reference, objectives: last) }
    }
    return sum
  }

  /// Adds a row to a slice and drops rows that the others cover in the first `objectives` coordinates.
  private static func insert(_ row: [Double], into slice: inout [[Double]], objectives: Int) {
    func covers(_ a: [Double], _ b: [Double]) -> Bool {
      for index in 0..<objectives where a[index] < b[index] { return false }
      return true
    }
    if slice.contains(where: { covers($0, row) }) { return }
    slice.removeAll { covers(row, $0) }
    slice.append(row)
  }

  private static func area(_ rows: [[Double]], _ reference: [Double]) -> Double {
    let order = rows.sorted { $0[0] != $1[0] ? $0[0] > $1[0] : $0[1] > $1[1] }
    var sum = 0.0
    var height = reference[1]
    for row in order where row[1] > height {
      sum += (row[0] - reference[0]) * (row[1] - height)
      height = row[1]
    }
    return sum
  }
}

/// The hypervolume after each of a sequence of observations, in O(log n) per dominated observation for two objectives.
public struct HypervolumeHistory: Sendable {
  /// The reference point, maximised.
  public let reference: [Double]
  /// The hypervolume after each observation so far.
  public private(set) var values: [Double] = []
  /// The current front above the reference point; by the first objective ascending for two objectives.
  public private(set) var front: [[Double]] = []

  /// An empty history over a reference point, m, maximised.
  public init(reference: [Double]) { self.reference = reference }

  /// The hypervolume now.
  public var current: Double { values.last ?? 0 }

  /// Adds one maximised objective vector (nil for a failed observation, which changes nothing) and returns the new value.
  @discardableResult
  public mutating func add(_ row: [Double]?) -> Double {
    var value = current
    if let row, row.count == reference.count, zip(row, reference).allSatisfy({ $0 > $1 }) {
      value += reference.count == 2 ? insertPlanar(row) : insert(row)
    }
    values.append(value)
    return value
  }

  private mutating func insert(_ row: [Double]) -> Double {
    if front.contains(where: { zip($0, row).allSatisfy { $0 >= $1 } }) { return 0 }
    let gain = Hypervolume.improvement(of: row, over: front, reference: reference)
    front.removeAll { zip(row, $0).allSatisfy { $0 >= $1 } }
    front.append(row)
    return gain
  }

  /// Two objectives: the front is a staircase; only the steps under the new point change.
  private mutating func insertPlanar(_ row: [Double]) -> Double {
    var low = 0
    var high = front.count
    while low < high {
      let middle = (low + high) / 2
      if front[middle][0] < row[0] { low = middle + 1 } else { high = middle }
    }
    // front[low] is the first point not left of the row; it dominates the row if it is as high.
    if low < front.count && front[low][1] >= row[1] { return 0 }
    var first = low
    while first > 0 && front[first - 1][1] <= row[1] { first -= 1 }
    var end = low
    if end < front.count && front[end][0] == row[0] { end += 1 }
    var gain = 0.0
    var left = first > 0 ? front[first - 1][0] : reference[0]
    for index in first..<end {
      gain += (front[index][0] - left) * (row[1] - front[index][1])
      left = front[index][0]
    }
    let right = end < front.count ? front[end][1] : reference[1]
    gain += (row[0] - left) * (row[1] - right)
    front.replaceSubrange(first..<end, with: [row])
    return gain
  }
}
