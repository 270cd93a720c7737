/// Trainable parameters in one flat tensor, with gradients and AdamW moments of the same layout beside it.
///
/// Entries that decay come first, so that clearing, norm and update are one or two operations whatever the number of
/// entries. Entries begin at multiples of 16 numbers; the gaps are zero and stay zero.
package final class ParameterArena {
  /// One named matrix.
  package struct Entry: Sendable, Hashable {
    package let name: String
    package let rows: Int
    package let columns: Int
    /// Whether weight decay applies.
    package let decays: Bool

    package init(name: String, rows: Int, columns: Int, decays: Bool = true) {
      self.name = name
      self.rows = rows
      self.columns = columns
      self.decays = decays
    }
  }

  package let entries: [Entry]
  /// All parameters, 1 x n.
  package let values: Tensor
  /// Parameters without the gaps.
  package let parameterCount: Int
  /// Numbers at the beginning of the arena that belong to decaying entries.
  let decaying: Int
  let offsets: [Int]
  private let indices: [String: Int]
  private let backend: any Backend
  /// Set while something trains these parameters.
  private(set) var gradients: Tensor?

  /// Takes memory for the entries, all zero.
  package init(_ entries: [Entry], backend: any Backend) throws {
    self.entries = entries.filter(\.decays) + entries.filter { !$0.decays }
    self.backend = backend
    var offsets: [Int] = []
    var total = 0
    var decaying = 0
    for entry in self.entries {
      offsets.append(total)
      total += (entry.rows * entry.columns + 15) / 16 * 16
      if entry.decays { decaying = total }
    }
    self.offsets = offsets
    self.decaying = decaying
    parameterCount = entries.reduce(0) { $0 + $1.rows * $1.columns }
    values = try backend.makeTensor(rows: 1, columns: max(total, 1), kind: .parameter)
    try backend.fill(values, with: 0)
    indices = Dictionary(self.entries.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Numbers in the arena, gaps included.
  package var count: Int { values.count }

  /// The parameter called `name`, as a matrix over the arena's memory.
  func value(_ name: String) throws -> Tensor { try view(of: values, name) }

  /// The gradient of the parameter called `name`; nil unless training.
  func gradient(_ name: String) throws -> Tensor? { try gradients.map { try view(of: $0, name) } }

  /// Takes memory for gradients (undefined until cleared).
  func makeGradients() throws {
    if gradients == nil { gradients = try backend.makeTensor(rows: 1, columns: count, kind: .parameter) }
  }

  func dropGradients() { gradients = nil }

  private func view(of tensor: Tensor, _ name: String) throws -> Tensor {
    guard let index = indices[name] else { preconditionFailure("no parameter '\(name)' in the arena") }
    return try backend.view(
      of: tensor, offset: offsets[index], rows: entries[index].rows, columns: entries[index].columns)
  }
}
