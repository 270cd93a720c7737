/// Ids of the tokens that are one character, by scalar: a table for the basic plane, a dictionary beyond.
struct CharacterIDs: Sendable {
  /// -1 where the vocabulary has no such token.
  private var basic: [Int32]
  private var rest: [UInt32: Int32]

  init(_ ids: [UInt32: Int32] = [:]) {
    let largest = ids.keys.lazy.filter { $0 < 0x10000 }.max()
    basic = Array(repeating: -1, count: largest.map { Int($0) + 1 } ?? 0)
    rest = [:]
    for (scalar, id) in ids {
      if scalar < 0x10000 { basic[Int(scalar)] = id } else { rest[scalar] = id }
    }
  }

  /// The id of a scalar's token, or -1.
  @inline(__always)
  subscript(scalar: UInt32) -> Int32 {
    if Int(scalar) < basic.count { return basic[Int(scalar)] }
    return scalar < 0x10000 ? -1 : rest[scalar] ?? -1
  }
}
