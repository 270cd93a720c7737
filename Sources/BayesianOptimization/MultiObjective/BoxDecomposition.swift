// Partition of the non-dominated region above the reference point into boxes, everything maximised.
//
//   HV(Y ∪ {f}) − HV(Y) = Σ_cells Π_k max(0, min(f_k, u_k) − l_k)
//
// Two objectives: the strips between neighbouring front points. More: slabs between the distinct values of the last
// objective, each with the decomposition of the points that reach above the slab; equal boxes of neighbouring slabs are
// merged. Cells: k + 1 for two objectives, O(k²) at worst for three (about 2k after merging), meant for m ≤ 4.

/// Boxes of the non-dominated region, as indices into sorted thresholds of each objective.
package struct BoxDecomposition: Sendable, Hashable {
  /// One box; the upper index is −1 for infinity.
  struct Cell: Hashable, Sendable {
    var lower: [Int32]
    var upper: [Int32]
  }

  /// Ascending thresholds of each objective; the first is the reference.
  let thresholds: [[Double]]
  let cells: [Cell]
  /// Number m of objectives.
  package var objectives: Int { thresholds.count }
  /// Number of boxes.
  package var count: Int { cells.count }

  /// Decomposes the region above `reference` (m) that the rows (n x m) do not dominate.
  package init(rows: [[Double]], reference: [Double]) {
    let above = rows.filter { row in zip(row, reference).allSatisfy { $0 > $1 } }
    let keep = Dominance.nonDominated(above)
    let front = above.indices.filter { keep[$0] }.map { above[$0] }
    let thresholds = reference.indices.map { index in
      [reference[index]] + Set(front.map { $0[index] }).sorted()
    }
    // Rank of every coordinate among the thresholds of its objective.
    let ranks = front.map { row in
      row.enumerated().map { index, value in Int32(Self.position(of: value, in: thresholds[index])) }
    }
    self.thresholds = thresholds
    cells = Self.cells(ranks, tops: thresholds.map { Int32($0.count) })
  }

  /// The box [lower, upper] of a cell in the objectives' values.
  package func box(_ index: Int) -> (lower: [Double], upper: [Double]) {
    let cell = cells[index]
    return (
      cell.lower.enumerated().map { thresholds[$0][Int($1)] },
      cell.upper.enumerated().map { $1 < 0 ? Double.infinity : thresholds[$0][Int($1)] }
    )
  }

  /// The volume that `row` adds to the decomposed front.
  package func improvement(of row: [Double]) -> Double {
    cells.reduce(0) { sum, cell in
      var product = 1.0
      for index in row.indices {
        let upper = cell.upper[index] < 0 ? row[index] : min(row[index], thresholds[index][Int(cell.upper[index])])
        product *= max(0, upper - thresholds[index][Int(cell.lower[index])])
      }
      return sum + product
    }
  }

  private static func position(of value: Double, in ascending: [Double]) -> Int {
    var low = 0
    var high = ascending.count
    while low < high {
      let middle = (low + high) / 2
      if ascending[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private static func cells(_ front: [[Int32]], tops: [Int32]) -> [Cell] {
    switch tops.count {
    case 0: return []
    case 1:
      return [Cell(lower: [front.map { $0[0] }.max() ?? 0], upper: [-1])]
    case 2: return strips(front)
    default: return slabs(front, tops: tops)
    }
  }

  /// Two objectives: one strip left of each front point, one right of all.
  private static func strips(_ front: [[Int32]]) -> [Cell] {
    // The maxima over a projection need not be a front: sweep from the right and keep the staircase.
    var stairs: [[Int32]] = []
    for row in front.sorted(by: { $0[0] != $1[0] ? $0[0] > $1[0] : $0[1] > $1[1] })
    where row[1] > (stairs.last?[1] ?? 0) { stairs.append(row) }
    stairs.reverse()
    var result: [Cell] = []
    var left: Int32 = 0
    for row in stairs {
      result.append(Cell(lower: [left, row[1]], upper: [row[0], -1]))
      left = row[0]
    }
    result.append(Cell(lower: [left, 0], upper: [-1, -1]))
    return result
  }

  private static func slabs(_ front: [[Int32]], tops: [Int32]) -> [Cell] {
    let last = tops.count - 1
    let levels = [0] + Set(front.map { $0[last] }).sorted()
    var open: [Cell: Int32] = [:]
    var result: [Cell] = []
    for level in levels {
      let reaching = front.filter { $0[last] > level }.map { Array($0.dropLast()) }
      let now = cells(reaching, tops: Array(tops.dropLast()))
      var next: [Cell: Int32] = [:]
      for cell in now { next[cell] = open[cell] ?? level }
      // Boxes that end at this level; the order of the dictionary does not matter, the result is sorted below.
      for (cell, start) in open where next[cell] == nil {
        result.append(Cell(lower: cell.lower + [start], upper: cell.upper + [level]))
      }
      open = next
    }
    for (cell, start) in open { result.append(Cell(lower: cell.lower + [start], upper: cell.upper + [-1])) }
    return result.sorted { ($0.lower + $0.upper).lexicographicallyPrecedes($1.lower + $1.upper) }
  }
}
