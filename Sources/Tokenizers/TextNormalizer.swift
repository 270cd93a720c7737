import Foundation

/// The steps of a `normalizer`, in order.
struct TextNormalizer: Sendable {
  enum Form: Sendable {
    case nfc, nfd, nfkc, nfkd
  }
  enum Step: Sendable {
    case form(Form)
    case lowercase
    case strip(left: Bool, right: Bool)
    case stripAccents
    case nmt
    case byteLevel
    case prepend([UInt8])
    case replace(from: [UInt8], to: [UInt8])
    case replacePattern(TextPattern, to: [UInt8])
  }

  /// How many bytes one byte of text may become, over all steps and at worst; more is refused.
  ///
  /// Ordinary files stay below 12, with the widest Unicode form below 140.
  static let maximumGrowth = 256

  var steps: [Step] = []

  var isEmpty: Bool { steps.isEmpty }

  /// The largest number of bytes that a byte of text may become.
  static func growth(_ steps: [Step]) -> Double {
    steps.reduce(1) { $0 * growth($1) }
  }

  private static func growth(_ step: Step) -> Double {
    switch step {
    // U+FDFA, three bytes, is eighteen characters when written out.
    case .form(.nfkc), .form(.nfkd): 11
    case .form(.nfc), .form(.nfd): 3
    case .lowercase: 1.5
    case .strip, .stripAccents, .nmt: 1
    case .byteLevel: 2
    case .prepend(let text): 1 + Double(text.count)
    case .replace(let from, let to): max(1, Double(to.count) / Double(from.count))
    case .replacePattern(_, let to): max(1, Double(to.count))
    }
  }

  func apply(to piece: inout TextPiece) {
    for step in steps where !piece.bytes.isEmpty { Self.apply(step, &piece) }
  }

  private static func apply(_ step: Step, _ piece: inout TextPiece) {
    switch step {
    case .form(let form): UnicodeForms.apply(form, &piece)
    case .lowercase:
      piece.map { scalar, output in
        for lower in scalar.properties.lowercaseMapping.unicodeScalars { output.append(scalar: lower) }
      }
    case .strip(let left, let right): strip(&piece, left, right)
    case .stripAccents: piece.map { if !UnicodeForms.isMark($0) { $1.append(scalar: $0) } }
    case .nmt: piece.map(nmt)
    case .byteLevel:
      piece.map { scalar, output in
        for byte in UTF8.encode(scalar) ?? .init() { output.append(scalar: ByteAlphabet.scalars[Int(byte)]) }
      }
    case .prepend(let text): piece.prepend(text)
    case .replace(let from, let to): piece.replace(TextPattern.ranges(of: from, in: piece.bytes), by: to)
    case .replacePattern(let pattern, let to):
      var ranges: [Range<Int>] = []
      piece.bytes.withUnsafeBufferPointer { pattern.matches(in: $0) { ranges.append($0) } }
      piece.replace(ranges, by: to)
    }
  }

  private static func strip(_ piece: inout TextPiece, _ left: Bool, _ right: Bool) {
    var (start, end) = (0, 0)
    var hasStarted = !left
    piece.forEachScalar { scalar, range in
      let isSpace = scalar.properties.isWhitespace
      if !hasStarted {
        if isSpace { start = range.upperBound } else { hasStarted = true }
      }
      if !right || !isSpace { end = range.upperBound }
    }
    piece = piece.slice(start..<max(start, end))
  }

  /// The clean-up of neural machine translation: control characters go, odd spaces become plain ones.
  private static func nmt(_ scalar: Unicode.Scalar, _ output: inout [UInt8]) {
    switch scalar.value {
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: break
    case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
      output.append(0x20)
    default: output.append(scalar: scalar)
    }
  }
}

extension TextPattern {
  /// Where `part` stands in `text`, from the left and without overlap.
  static func ranges(of part: [UInt8], in text: [UInt8]) -> [Range<Int>] {
    guard let first = part.first else { return [] }
    var ranges: [Range<Int>] = []
    text.withUnsafeBufferPointer { text in
      var index = 0
      while index + part.count <= text.count {
        guard text[index] == first, part.count == 1 || text[index..<(index + part.count)].elementsEqual(part) else {
          index += 1
          continue
        }
        ranges.append(index..<(index + part.count))
        index += part.count
      }
    }
    return ranges
  }
}

/// The Unicode forms as the reference computes them: with the tables of Unicode 9.
enum UnicodeForms {
  private static let lastVersion = 9

  /// Whether the tables of the reference know a character; to them all others are inert.
  private static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x300 || (scalar.properties.age?.major ?? .max) <= lastVersion
  }

  /// Marks that `StripAccents` drops.
  static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.value < 0x300 { return false }
    // Marks then, and not now; or the other way round.
    if scalar.value == 0x1CF2 || scalar.value == 0x1CF3 { return true }
    if scalar.value == 0x111C9 { return false }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: return isKnown(scalar)
    default: return false
    }
  }

  static func apply(_ form: TextNormalizer.Form, _ piece: inout TextPiece) {
    guard !isUnchanged(form, piece) else { return }
    var output: [UInt8] = []
    output.reserveCapacity(piece.bytes.count)
    var run = String.UnicodeScalarView()
    func flush() {
      guard !run.isEmpty else { return }
      output += normalized(String(run), form).utf8
      run.removeAll(keepingCapacity: true)
    }
    piece.forEachScalar { scalar, _ in
      if isKnown(scalar) { return run.append(scalar) }
      flush()
      output.append(scalar: scalar)
    }
    flush()
    if piece.isTracked { piece.origins = origins(of: output, piece) }
    piece.bytes = output
  }

  /// Only whether something comes from the very start matters: what did not change does, and the first thing that did.
  private static func origins(of output: [UInt8], _ piece: TextPiece) -> [Int32] {
    var same = 0
    while same < min(output.count, piece.bytes.count), output[same] == piece.bytes[same] { same += 1 }
    while same > 0, same < output.count, output[same] & 0xC0 == 0x80 { same -= 1 }
    var origins = Array(piece.origins[..<same])
    let length = same < output.count ? utf8Length(output[same]) : 0
    let here = same < piece.origins.count ? piece.origins[same] : .max
    origins += repeatElement(here, count: length)
    origins += repeatElement(.max, count: max(0, output.count - same - length))
    return origins
  }

  private static func normalized(_ text: String, _ form: TextNormalizer.Form) -> String {
    switch form {
    case .nfc: text.precomposedStringWithCanonicalMapping
    case .nfd: text.decomposedStringWithCanonicalMapping
    case .nfkc: text.precomposedStringWithCompatibilityMapping
    case .nfkd: text.decomposedStringWithCompatibilityMapping
    }
  }

  /// A quick look that is right about most text: nothing in it changes or joins its neighbour.
  private static func isUnchanged(_ form: TextNormalizer.Form, _ piece: TextPiece) -> Bool {
    piece.bytes.withUnsafeBufferPointer { isUnchanged(form, $0) }
  }

  static func isUnchanged(_ form: TextNormalizer.Form, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var index = 0
    while index < bytes.count {
      if bytes[index] < 0x80 {
        index += 1
        continue
      }
      guard case .nfc = form else { return false }
      let length = min(utf8Length(bytes[index]), bytes.count - index)
      switch decodeScalar(bytes, index, length).value {
      case 0..<0x300, 0x400..<0x483, 0x48A..<0x530, 0x2010..<0x2028, 0x3001..<0x302A, 0x3041..<0x3097, 0x30A0..<0x30FF,
        0x3400..<0x4DB6, 0x4E00..<0x9FD6, 0xAC00..<0xD7A4, 0x1F300..<0x1F600:
        index += length
      default: return false
      }
    }
    return true
  }
}
