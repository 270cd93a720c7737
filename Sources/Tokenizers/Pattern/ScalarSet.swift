/// A set of characters of a pattern: ranges and Unicode properties, joined, intersected or complemented.
indirect enum ScalarSet: Hashable, Sendable {
  case range(UInt32, UInt32)
  case category(UInt32)
  case word
  case space
  case union([ScalarSet])
  case intersection(ScalarSet, ScalarSet)
  case complement(ScalarSet)

  func contains(_ value: UInt32) -> Bool {
    switch self {
    case .range(let low, let high): low <= value && value <= high
    case .category(let mask): mask & (1 << UInt32(UnicodeClasses.category(value))) != 0
    case .word: UnicodeClasses.isWord(value)
    case .space: UnicodeClasses.isSpace(value)
    case .union(let parts): parts.contains { $0.contains(value) }
    case .intersection(let left, let right): left.contains(value) && right.contains(value)
    case .complement(let set): !set.contains(value)
    }
  }

  /// Whether membership depends on characters beyond ASCII in another way than "none" or "all".
  var isPlainASCII: Bool {
    switch self {
    case .range(_, let high): high < 0x80
    case .union(let parts): parts.allSatisfy(\.isPlainASCII)
    default: false
    }
  }
}

/// The sets of a pattern with their answers for the basic plane prepared, so that a look costs one bit.
final class PreparedSets: @unchecked Sendable {
  // Sendable: nothing is written after `init`.
  private static let words = 0x10000 / 64
  private let bits: UnsafeMutablePointer<UInt64>
  private let sets: [ScalarSet]

  init(_ sets: [ScalarSet]) {
    self.sets = sets
    bits = .allocate(capacity: max(sets.count, 1) * Self.words)
    bits.initialize(repeating: 0, count: max(sets.count, 1) * Self.words)
    for (number, set) in sets.enumerated() {
      Self.bitmap(set).withUnsafeBufferPointer { map in
        if let base = map.baseAddress { (bits + number * Self.words).update(from: base, count: Self.words) }
      }
    }
  }

  /// The members of the basic plane, one bit each.
  private static func bitmap(_ set: ScalarSet) -> [UInt64] {
    var map = [UInt64](repeating: 0, count: words)
    switch set {
    case .range(let low, let high):
      guard low < 0x10000 else { break }
      for value in low...min(high, 0xFFFF) { map[Int(value >> 6)] |= 1 << UInt64(value & 63) }
    case .word: map = word
    case .category, .space:
      for value in UInt32(0)..<0x10000 where set.contains(value) { map[Int(value >> 6)] |= 1 << UInt64(value & 63) }
    case .union(let parts):
      for part in parts { map = zip(map, bitmap(part)).map(|) }
    case .intersection(let left, let right): map = zip(bitmap(left), bitmap(right)).map(&)
    case .complement(let inner): map = bitmap(inner).map(~)
    }
    return map
  }

  private static let word: [UInt64] = {
    var map = [UInt64](repeating: 0, count: words)
    for value in UInt32(0)..<0x10000 where UnicodeClasses.isWord(value) {
      map[Int(value >> 6)] |= 1 << UInt64(value & 63)
    }
    return map
  }()

  deinit { bits.deallocate() }

  @inline(__always)
  func contains(_ number: Int, _ value: UInt32) -> Bool {
    if value < 0x10000 { return bits[number * Self.words + Int(value >> 6)] >> UInt64(value & 63) & 1 != 0 }
    return sets[number].contains(value)
  }
}

/// Character classes as the reference's pattern library (Oniguruma with Unicode 16) has them.
///
/// Compared with `tokenizers` 0.23.3 over every character.
enum UnicodeClasses {
  /// General categories in the order of their bits.
  static let names = [
    "lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "pc", "pd", "ps", "pe", "pi", "pf", "po", "sm",
    "sc", "sk", "so", "zs", "zl", "zp", "cc", "cf", "cs", "co", "cn",
  ]
  static let unassigned: UInt8 = 29

  /// The bits of a category (`Lu`) or of a group (`L`); nil where there is none of that name.
  static func mask(_ name: String) -> UInt32? {
    var mask: UInt32 = 0
    for (bit, known) in names.enumerated() where known == name || (name.count == 1 && known.hasPrefix(name)) {
      mask |= 1 << UInt32(bit)
    }
    return mask == 0 ? nil : mask
  }

  /// The bit number of a character's general category.
  static func category(_ value: UInt32) -> UInt8 {
    value < 0x10000 ? table[Int(value)] : computed(value)
  }

  private static let table: [UInt8] = (0..<0x10000).map { computed(UInt32($0)) }

  private static func computed(_ value: UInt32) -> UInt8 {
    guard let scalar = Unicode.Scalar(value) else { return 27 }
    let properties = scalar.properties
    let number = number(properties.generalCategory)
    if number == 28 { return number }
    // A letter that became another kind of letter after Unicode 16.
    if value == 0x295 { return 1 }
    return (properties.age?.major ?? .max) <= 16 ? number : unassigned
  }

  private static func number(_ category: Unicode.GeneralCategory) -> UInt8 {
    switch category {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: 25
    case .format: 26
    case .surrogate: 27
    case .privateUse: 28
    case .unassigned: unassigned
    @unknown default: unassigned
    }
  }

  static func isSpace(_ value: UInt32) -> Bool {
    Unicode.Scalar(value).map { ByteLevelScanner.classify($0) == .space } ?? false
  }

  /// `\w`: letters, marks, decimal numbers, connectors, and some Latin-1 superscripts and fractions.
  static func isWord(_ value: UInt32) -> Bool {
    switch value {
    case 0xB2, 0xB3, 0xB9, 0xBC...0xBE: true
    default: isRustWord(value) && value != 0x200C && value != 0x200D
    }
  }

  /// `\w` of the pattern library that finds added tokens and words between spaces (UTS 18).
  static func isRustWord(_ value: UInt32) -> Bool {
    guard let scalar = Unicode.Scalar(value) else { return false }
    let properties = scalar.properties
    if value < 0x80 { return properties.isAlphabetic || properties.numericType == .decimal || value == 0x5F }
    guard (properties.age?.major ?? .max) <= 16 else { return false }
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }
}
