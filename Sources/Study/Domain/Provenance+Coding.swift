/// A long list of ascending numbers as a short text: with a thousand workers every proposal names a thousand others.
///
/// `FIRST:DIGITS`: bit i of the hexadecimal digits (the highest bit of a digit comes first) stands for FIRST + i.
package enum NumberSetText {
  private static let digits = Array("0123456789abcdef".utf8)

  /// The text; nil where a plain list is as good: few, scattered or not ascending.
  static func text(_ numbers: [Int]) -> String? {
    guard numbers.count > 32, let first = numbers.first, let last = numbers.last, first >= 0 else { return nil }
    guard zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 }), (last - first) / 16 < numbers.count else {
      return nil
    }
    var nibbles = [UInt8](repeating: 0, count: (last - first) / 4 + 1)
    for number in numbers { nibbles[(number - first) / 4] |= 8 >> UInt8((number - first) % 4) }
    return "\(first):" + String(decoding: nibbles.map { digits[Int($0)] }, as: UTF8.self)
  }

  /// The numbers of a text; nil where it is none.
  package static func numbers(_ text: String) -> [Int]? {
    let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 2, let first = Int(String(Substring(parts[0]))), first >= 0 else { return nil }
    var numbers: [Int] = []
    var next = first
    for byte in parts[1] {
      guard let nibble = digits.firstIndex(of: byte), next < Int.max - 4 else { return nil }
      for bit in 0..<4 where nibble & (8 >> bit) != 0 { numbers.append(next + bit) }
      next += 4
    }
    return numbers
  }
}

extension Provenance {
  private enum CodingKeys: String, CodingKey {
    case source, proposalIndex, fallbacks, eventNumber, pending, pendingSet, warmStartFrom, hasWarmStart, acquisition
    case diagnostics, origin
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    let pending: [Int]
    if let text = try fields.decodeIfPresent(String.self, forKey: .pendingSet) {
      guard let numbers = NumberSetText.numbers(text) else {
        throw DecodingError.dataCorruptedError(
          forKey: .pendingSet, in: fields, debugDescription: "not FIRST:HEXADECIMAL")
      }
      pending = numbers
    } else {
      pending = try fields.decode([Int].self, forKey: .pending)
    }
    self.init(
      source: try fields.decode(String.self, forKey: .source),
      proposalIndex: try fields.decodeIfPresent(Int.self, forKey: .proposalIndex),
      fallbacks: try fields.decode([String].self, forKey: .fallbacks),
      eventNumber: try fields.decode(Int.self, forKey: .eventNumber), pending: pending,
      warmStartFrom: try fields.decodeIfPresent(Int.self, forKey: .warmStartFrom),
      hasWarmStart: try fields.decode(Bool.self, forKey: .hasWarmStart),
      acquisition: try fields.decodeIfPresent(Double.self, forKey: .acquisition),
      diagnostics: try fields.decode([String: Double].self, forKey: .diagnostics),
      origin: try fields.decodeIfPresent(TrialOrigin.self, forKey: .origin))
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(source, forKey: .source)
    try fields.encodeIfPresent(proposalIndex, forKey: .proposalIndex)
    try fields.encode(fallbacks, forKey: .fallbacks)
    try fields.encode(eventNumber, forKey: .eventNumber)
    if let text = NumberSetText.text(pending) {
      try fields.encode(text, forKey: .pendingSet)
    } else {
      try fields.encode(pending, forKey: .pending)
    }
    try fields.encodeIfPresent(warmStartFrom, forKey: .warmStartFrom)
    try fields.encode(hasWarmStart, forKey: .hasWarmStart)
    try fields.encodeIfPresent(acquisition, forKey: .acquisition)
    try fields.encode(diagnostics, forKey: .diagnostics)
    try fields.encodeIfPresent(origin, forKey: .origin)
  }
}
